"""Kinds of prompts in plain words, the same on every page, in the terminal and in reports."""

from editors.edit.probes import Kind

PROMPT_KINDS: dict[Kind, str] = {
    "rewrite": "the fact itself",
    "paraphrase": "other wordings",
    "portability": "what follows from it",
    "neighbour": "neighbours",
    "distracting": "neighbours after the new fact",
    "other": "the subject’s other facts",
    "locality": "something else",
}
"""Those that should follow first, then those that should stay."""
TITLES: dict[Kind, str] = {kind: words[0].upper() + words[1:] for kind, words in PROMPT_KINDS.items()}
"""The same at the head of a row or column."""
