"""Characters that do not show, or turn the text around them: what people give may not hold them, what models say may.

Tabs and line ends are text. Marks and isolates of scripts from right to left are needed there; overrides are not, and
make a sentence read as another. The second row of controls is left in files by reading one encoding as another: such
text is taken, and shown for what it is.
"""

import re

UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202d\u202e\ud800-\udfff]")
HALF = re.compile("[\ud800-\udfff]")
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def unfit(text: str) -> str:
    """The first character of a text that nobody can have meant, as U+0000; empty where there is none."""
    found = UNFIT.search(text)
    return _named(found) if found else ""


def half(text: str) -> str:
    """The first half of a character, as \\ud800 in JSON says one alone, as U+0000; empty where all are whole.

    No file can hold one.
    """
    found = HALF.search(text)
    return _named(found) if found else ""


def fit(text: str) -> str:
    """The text with every unfit character in view, as ⟨U+0000⟩."""
    return UNFIT.sub(_in_view, text)


def in_view(text: str) -> str:
    """The text with all in view that hides or turns, the innocent kinds too: for where it stands among other text."""
    return UNSEEN.sub(_in_view, text)


def _in_view(found: re.Match[str]) -> str:
    return f"⟨{_named(found)}⟩"


def _named(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"
