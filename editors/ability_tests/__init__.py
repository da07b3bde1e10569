"""Small questions that no edit should touch."""
