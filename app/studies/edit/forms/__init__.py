"""The edit page's form."""
