"""Who may speak to the server, and what every answer tells the browser: before any page, file or connection."""
