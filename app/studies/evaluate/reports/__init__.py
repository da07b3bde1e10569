"""An evaluation as a document: HTML that needs nothing else, and Markdown."""
