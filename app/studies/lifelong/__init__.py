"""Edits one upon the other."""
