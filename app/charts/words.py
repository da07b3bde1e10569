"""Numbers and tokens as people read them in a figure."""

import html
from collections.abc import Collection, Sequence

from app.charts.palette import Palette

THIN = "\u202f"
"""A narrow space that does not break: a number keeps its unit on its line."""


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


def token_label(token: str, limit: int = 14) -> str:
    """A token as a tick label: no leading space, line breaks visible, markup harmless."""
    text = token.strip(" ").replace("\n", "⏎").replace("\t", "⇥") or "␣"
    return html.escape(text if len(text) <= limit else text[: limit - 1] + "…", quote=False)


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


def word(token: str) -> str:
    """A token in running text."""
    return token.strip() or repr(token)
