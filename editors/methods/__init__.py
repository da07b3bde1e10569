"""How a fact is written: the search for a value, the closed forms, and each method’s own parts."""
