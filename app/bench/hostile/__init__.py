"""What a stranger may send: seeded inputs of each kind, and what must not come of them."""
