"""Memory or the page: which heads speak for which (PH3)."""
