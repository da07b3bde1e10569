"""A language model: found, priced, loaded, and checked before anything is asked of it."""
