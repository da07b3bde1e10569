"""What one person has in front of them: fields, links, the run that goes on, their edits."""
