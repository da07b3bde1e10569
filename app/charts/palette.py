"""Colours by meaning. On a page the browser fills them in; outside it the theme is written out.

Streamlit replaces the seats of its registered template with the theme's colours, so a figure on
a page follows light and dark. Exports take the same table from the one theme file.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

THEME = Path(__file__).resolve().parent.parent / ".streamlit" / "config.toml"
Light = Literal["light", "dark"]


@dataclass(frozen=True)
class Palette:
    """Seats of the theme. `under` is memory and before, `over` is the page in front and after."""

    under: str
    over: str
    quiet: str
    gold: str
    ink: str
    paper: str
    sequential: tuple[tuple[float, str], ...]
    diverging: tuple[tuple[float, str], ...]
    font: str
    grid: str
    category: tuple[str, ...]


@cache
def written(light: Light) -> Palette:
    """The theme of one light, written out: for files that leave the app."""
    theme = tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]
    own = theme[light]
    return _palette(
        own["chartCategoricalColors"],
        _scale(own["chartSequentialColors"]),
        _scale(own["chartDivergingColors"]),
        font=theme["font"],
        grid=own["borderColor"],
    )


def live() -> Palette:
    """The seats that the browser fills in; needs Streamlit's template."""
    import plotly.io

    layout = plotly.io.templates["streamlit"].layout
    return _palette(
        layout.colorway,
        tuple(map(tuple, layout.colorscale.sequential)),
        tuple(map(tuple, layout.colorscale.diverging)),
        font="Commissioner, 'Segoe UI', 'Helvetica Neue', sans-serif",
        grid=layout.colorway[2],
    )


def _scale(colours: list[str]) -> tuple[tuple[float, str], ...]:
    return tuple((index / (len(colours) - 1), colour) for index, colour in enumerate(colours))


def _palette(
    seats: tuple[str, ...] | list[str],
    sequential: tuple[tuple[float, str], ...],
    diverging: tuple[tuple[float, str], ...],
    *,
    font: str,
    grid: str,
) -> Palette:
    return Palette(
        under=seats[0],
        over=seats[1],
        quiet=seats[2],
        gold=seats[5],
        ink=seats[8],
        paper=seats[9],
        sequential=sequential,
        diverging=diverging,
        font=font,
        grid=grid,
        category=tuple(seats),
    )
