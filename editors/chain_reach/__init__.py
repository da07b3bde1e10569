"""A hop of a chain written over, and how far that reaches."""
