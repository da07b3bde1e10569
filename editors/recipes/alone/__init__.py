"""Programs that are copied into what a person takes away. They know nothing of this package, and run without it."""
