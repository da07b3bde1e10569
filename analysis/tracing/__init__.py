"""Causal tracing: which state brings a corrupted answer back, for one fact and over many."""
