"""How good an edit is, by which protocol, and whether that is good enough."""
