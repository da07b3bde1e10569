"""The search for the value to write: rows of tokens, suffixes, what it is held back by."""
