"""What is taken away: CSV, JSON, notebooks, sheets, recipe files."""
