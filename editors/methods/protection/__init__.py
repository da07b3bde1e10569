"""What an edit must not move: who it is, and what of it enters the write or the search."""
