"""Plain words for what an evaluation compares: protocols, forms of questions; needs neither page nor chart."""

from editors.evaluation.result import Protocol
from editors.quizzes.result import Dimension

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
DIMENSION_WORDS: dict[Dimension, str] = {
    "efficacy": "Asked plainly",
    "generalisation": "Asked in other forms",
    "portability": "What follows from it",
    "locality": "The subject’s other facts",
    "robustness": "When it is doubted",
}
FORM_WORDS = {
    "question": "Asked plainly",
    "paraphrase": "Worded again",
    "yes": "“Is it true …?” – yes",
    "no": "“Is it true …?” – no",
    "choice": "One of four",
    "reversed": "Turned round",
    "locality": "The subject’s other facts",
}


def form_words(form: str) -> str:
    """A form of question in plain words; hop2, turn1 and so on by their number."""
    if form.startswith("hop"):
        return f"{form.removeprefix('hop')} hops"
    if form.startswith("turn"):
        return f"Doubted {form.removeprefix('turn')}×"
    return FORM_WORDS[form]
