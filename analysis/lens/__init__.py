"""What each state would say: the logit lens."""
