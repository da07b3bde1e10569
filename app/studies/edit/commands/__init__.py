"""Editing from the terminal."""
