"""Values of one run put into another: heads, paths between them, attention."""
