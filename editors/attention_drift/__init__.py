"""Which heads turn to an edited subject, and what comes back when they are set back (SADR)."""
