"""Whom else an edit moves: subjects like the fact's, by how near their keys are, with more and less protection."""
