"""What a result shows: its figures with their titles and captions, for everything that leaves the app.

A result without an entry has no figure, only its table; the export row, the HTML file and the command line ask here.
"""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from app.charts.palette import Palette
from app.registry.studies import entry_of


@dataclass(frozen=True)
class Panel:
    """One figure: `title` and `note` in the Markdown of the pages, `beside` how many such stand side by side."""

    title: str
    figure: go.Figure
    note: str = ""
    beside: int = 1


def panels(result: Any, palette: Palette, **shown: str) -> list[Panel]:
    """All figures of a result, none for one that is a table only.

    `shown`: of kinds that a page shows in one of several ways, that way; all of them where it is left out.
    """
    entry = entry_of(result)
    return entry.read("panels")(result, palette, **shown) if entry.panels else []


def caption(result: Any, **shown: str) -> str:
    """What stands under all figures of a result together."""
    entry = entry_of(result)
    return entry.read("caption")(result, **shown) if entry.caption else ""


def pictured(result: Any) -> bool:
    """Whether a result has figures."""
    return bool(entry_of(result).panels)
