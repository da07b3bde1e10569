"""An edit taken away: recipe, LoRA, script, checkpoint; its card and its audit trail."""
