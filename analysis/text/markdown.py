"""Text from outside as it is, where Markdown is read: in cards, in notebooks."""

import re

from analysis.text.characters import in_view

MEANING = re.compile(r"[\\`*_{}\[\]<>#!|$~&@]|:(?=//)|(?<=www)\.|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]", re.IGNORECASE)
"""What is more than itself: marks, the middles of addresses, and what begins a list or underlines a heading."""
WORDS = re.compile(r"\s+")


def as_text(text: str) -> str:
    """The text in one line, without Markdown or HTML meaning, and with nothing in it that hides."""
    return MEANING.sub(r"\\\g<0>", WORDS.sub(" ", in_view(text)).strip())


def as_code(text: str) -> str:
    """The text in one line as code, whatever backticks it holds."""
    line = WORDS.sub(" ", in_view(text)).strip()
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"
