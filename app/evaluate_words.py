"""Plain words for what an evaluation compares: methods, protocols, kinds of prompts; needs neither page nor chart."""

from editors.evaluate_result import Protocol
from editors.probes import Kind
from editors.reach_result import NO_EDIT

NAMES = {
    NO_EDIT: "No edit", "rome": "ROME", "memit": "MEMIT", "emmet": "EMMET", "pmet": "PMET", "alphaedit": "AlphaEdit",
    "ace": "ACE", "ft": "Fine-tuning", "rome+sadr": "ROME with SADR", "memit+sadr": "MEMIT with SADR",
}  # fmt: skip
PROTOCOL_WORDS: dict[Protocol, str] = {
    "likelihood": "Likelier",
    "strict": "Said, forced",
    "token_fraction": "Tokens, forced",
    "starts": "Said freely",
    "contains": "Occurs freely",
    "magnitude": "By how much",
    "likelihood_summed": "Likelier, whole",
    "agreement": "Next word kept",
    "kl": "Moved (KL)",
    "dp": "The edit’s answer",
    "cap": "The wanted answer",
    "eos": "Not the edit’s",
}
KIND_WORDS: dict[Kind, str] = {
    "rewrite": "The fact itself",
    "paraphrase": "In other words",
    "portability": "What follows from it",
    "neighbour": "Neighbours",
    "distracting": "Neighbours, after the new fact",
    "other": "The subject’s other facts",
    "locality": "Something else",
}
"""Those that should follow first, then those that should stay."""
