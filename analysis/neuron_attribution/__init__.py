"""Which neurons raise an answer, and which switch those on (ACE)."""
