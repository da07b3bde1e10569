"""Numbers and tokens as people read them in a figure."""

import html
import unicodedata
from collections.abc import Collection, Sequence

import regex

from analysis.text.boundary import plain
from app.charts.palette import Palette

THIN = "\u202f"
"""A narrow space that does not break: a number keeps its unit on its line."""
_ISOLATE, _END = "\u2068", "\u2069"
_BREAKS = str.maketrans({"\n": "⏎", "\r": "⏎", "\t": "⇥"})
_CLUSTER = regex.compile(r"\X")


def percent(value: float) -> str:
    """Two significant figures with the unit: 56 %, <1 %, none."""
    if value != value:
        return "not computed"
    if value <= 0:
        return f"0{THIN}%"
    return f"<1{THIN}%" if value < 0.01 else f"{100 * value:.0f}{THIN}%"


def signed(value: float) -> str:
    """A difference of probabilities in points, with its sign."""
    return f"{'+' if value >= 0 else '−'}{abs(100 * value):.0f}{THIN}points"


def visible(token: str) -> str:
    """A token with nothing in it that cannot be seen: ⟨U+200B⟩, a dotted circle under a mark; spaces are left."""
    core = token.strip(" \n\r\t")
    if core and all(unicodedata.category(char)[0] in "CZ" for char in core):
        return token.replace(core, "".join(f"⟨U+{ord(char):04X}⟩" for char in core))
    if core and unicodedata.category(core[0])[0] == "M":
        return token.replace(core, f"◌{core}", 1)
    return "".join(f"⟨U+{ord(char):04X}⟩" if _controls(char) else char for char in token)


def _controls(char: str) -> bool:
    return unicodedata.category(char) == "Cc" and char not in "\n\r\t"


def duration(seconds: float) -> str:
    """A time to wait as people say it: 8 s, 3 min, 1 h 10 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))}{THIN}s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes}{THIN}min"
    hours, rest = divmod(round(seconds / 600) * 10, 60)
    return f"{hours}{THIN}h {rest}{THIN}min" if rest else f"{hours}{THIN}h"


def token_label(token: str, limit: int = 14) -> str:
    """A token as a tick label: no leading space, line breaks visible, markup harmless, its direction its own."""
    text = visible(token).strip(" ").replace("\r\n", "\n").translate(_BREAKS) or "␣"
    letters = _CLUSTER.findall(text)
    label = html.escape(text if len(letters) <= limit else "".join(letters[: limit - 1]) + "…", quote=False)
    return _isolated(label)


def _isolated(text: str) -> str:
    """A text that keeps its direction to itself, where it holds letters that are written from the right."""
    leftward = any(unicodedata.bidirectional(char) in ("R", "AL", "RLE", "RLO", "RLI") for char in text)
    return f"{_ISOLATE}{text}{_END}" if leftward else text


ROLES = {"system": "system", "you": "you", "model": "answer", "thinking": "thinking"}


def axis_labels(
    tokens: Sequence[str], roles: Sequence[str], palette: Palette, *, limit: int = 14, stars: Collection[int] = ()
) -> list[str]:
    """Tokens as tick labels, ★ before those in `stars`.

    In a chat, what is not a person's own stands quietly, and each one's first word says who speaks.
    """
    labels = []
    for at, token in enumerate(tokens):
        text = ("★ " if at in stars else "") + token_label(token, limit)
        role = roles[at] if at < len(roles) else "you"
        text = text if role in ("you", "model") else f'<span style="color:{palette.quiet}">{text}</span>'
        speaks = role in ROLES and at < len(roles) and (at == 0 or roles[at - 1] != role)
        labels.append(f"<i>{ROLES[role]}</i> · {text}" if speaks else text)
    return labels


def placed(word: str, answers: bool) -> str:
    """A word of a result, ␣ or ‿ before it where it `answers` the prompt; elsewhere these say nothing of its place."""
    return word if answers else plain(word) or word


def word(token: str) -> str:
    """A token in running text."""
    return _isolated(visible(token).strip()) or repr(token)
