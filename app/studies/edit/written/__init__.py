"""What is done with an edit that is written: measured, solved with others, taken away, brought."""
