"""Each hop of a chain, and the whole."""
