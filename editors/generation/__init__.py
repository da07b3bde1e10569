"""How prompts go on, before and after."""
