"""A workbench that is visited: its server, its browser, its visitors, and whose processor time it was."""
