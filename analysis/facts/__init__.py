"""Facts and chains of them, and which of them a model knows."""
