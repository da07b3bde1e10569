"""Edits one upon the other, and what is left of each."""
