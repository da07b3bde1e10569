"""Thresholds fixed before the numbers: their words, the flag that asks for one, and recipes let in by them."""
