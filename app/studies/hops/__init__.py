"""Each hop, and the whole."""
