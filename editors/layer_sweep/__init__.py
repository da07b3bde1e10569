"""The same fact written at one layer after another."""
