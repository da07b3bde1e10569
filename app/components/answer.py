"""The answer: one large word with its number, under a rule that says by colour which writing it belongs to."""

from typing import Literal

from app.components.element import element

Tone = Literal["under", "over", "ink"]

_answer = element("answer", "dom")


def answer(label: str, word: str, number: str, tone: Tone = "under", *, key: str | None = None) -> None:
    """Draw `label` over `word` (80 px) and `number` (52 px, ready to print, unit included).

    `tone` is under (before, memory), over (after, the page) or ink. Two equal answers on one page need a `key`.
    """
    _answer(key=key, data={"label": label, "word": word.strip(), "number": number, "tone": tone})
