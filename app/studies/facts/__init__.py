"""Which stored facts a model knows."""
