"""A forward in parts: blocks one at a time, resumed in the middle, and texts that go on."""
