"""Work in the background: one model, one worker, what is kept of it."""
