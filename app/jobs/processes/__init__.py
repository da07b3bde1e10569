"""Processes of their own: the one that holds the model and runs jobs, those that read files or a config."""
