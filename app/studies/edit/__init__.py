"""Write over a fact."""
