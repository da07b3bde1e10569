"""A case to evaluate, and the forms of files it is read from."""
