"""Plain references: each does in the obvious way what a fast path does, for benchmarks and tests to hold it to."""
