"""Models with random weights: of real shapes, and tiny ones of every family."""
