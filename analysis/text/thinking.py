"""What a model thinks before it answers: the parts of a text between the marks that families put round their thoughts.

A text may begin inside a thought, where the chat template has opened one, and may end before the thought does.
"""

import re
from dataclasses import dataclass

MARKS = (
    ("<think>", "</think>"),  # Qwen, DeepSeek, SmolLM3
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),  # Mistral
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command
    ("<|channel|>analysis<|message|>", "<|end|>"),  # gpt-oss
)
"""Opening and closing marks."""
_OPENING = re.compile("|".join(re.escape(opening) for opening, _ in MARKS))
_CLOSING = dict(MARKS)
_OWN_CLOSING = tuple(closing for opening, closing in MARKS if "channel" not in opening)
"""Closing marks that close nothing else."""


@dataclass(frozen=True)
class Part:
    """Characters [begin, end) of a text, marks included, and whether they are thought."""

    begin: int
    end: int
    thought: bool


def parts(text: str) -> list[Part]:
    """A text in its parts, in order; empty for an empty text."""
    found: list[Part] = []
    at = _begun_inside(text)
    if at:
        found.append(Part(0, at, True))
    while at < len(text):
        opening = _OPENING.search(text, at)
        begin = opening.start() if opening else len(text)
        if begin > at:
            found.append(Part(at, begin, False))
        if opening is None:
            break
        closing = text.find(_CLOSING[opening[0]], opening.end())
        at = closing + len(_CLOSING[opening[0]]) if closing >= 0 else len(text)
        found.append(Part(begin, at, True))
    return found


def _begun_inside(text: str) -> int:
    """The end of a thought that the text begins in, told by a closing mark before any opening one; 0 for none."""
    first = _OPENING.search(text)
    limit = first.start() if first else len(text)
    ends = [text.find(mark) + len(mark) for mark in _OWN_CLOSING if 0 <= text.find(mark) < limit]
    return min(ends, default=0)


def answer_in(text: str) -> str:
    """What is said when the thoughts are over; empty while they last."""
    return "".join(text[part.begin : part.end] for part in parts(text) if not part.thought)


def left_open(text: str) -> str:
    """The opening mark of a thought that the text ends in; empty where it ends in none."""
    last = next((part for part in reversed(parts(text)) if part.thought), None)
    if last is None or last.end < len(text):
        return ""
    opening = _OPENING.match(text, last.begin)
    return opening[0] if opening and not text.endswith(_CLOSING[opening[0]]) else ""


def bare(thought: str) -> str:
    """A thought without its marks."""
    for pair in MARKS:
        for mark in pair:
            thought = thought.removeprefix(mark) if mark == pair[0] else thought.removesuffix(mark)
    return thought.strip()
