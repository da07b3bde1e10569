"""What there is: every study by its name."""
