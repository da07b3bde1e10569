"""What stands inside a forward: head outputs, attention patterns, key-value memories, the residual stream."""
