"""A folder a study: form, view, figure, table, summary, command; whatever of these it has."""
