"""Plates: one picture, one question, one click. The path, the gallery and the rail of earlier runs are the same thing.

A click is a trigger, not a state: it is told to one run and then forgotten, so no later rerun repeats it.
"""

from collections.abc import Collection, Sequence
from typing import Literal, NotRequired, TypedDict

from app.components.element import element

_plates = element("plates", "dom", "thumbnails")


class Graph(TypedDict):
    """A small drawing: `nodes` as (x, y) in 0..1, `edges` as (from, to, strength in 0..1)."""

    nodes: Sequence[tuple[float, float]]
    edges: Sequence[tuple[int, int, float]]


class Plate(TypedDict):
    """One plate. Of the pictures `thumb`, `bars`, `graph` and `word` the first one given is drawn."""

    id: str
    title: str
    over: NotRequired[str]
    sub: NotRequired[str]
    thumb: NotRequired[Sequence[Sequence[float]] | None]
    """Rows of values: 0..1, or -1..1 with `diverging`."""
    diverging: NotRequired[bool]
    bars: NotRequired[Sequence[float] | None]
    graph: NotRequired[Graph | None]
    word: NotRequired[tuple[str, str] | None]
    """(was, now), drawn as a little verse."""


class Choice(TypedDict, total=False):
    """What a person did on the rail: `open` one run, or `mark` (or unmark) one for comparison."""

    open: str
    mark: str


def plates(items: Sequence[Plate], *, layout: Literal["row", "gallery"], key: str) -> str | None:
    """Draw `items` and return the id of the one just clicked, in that run only.

    A row stands side by side and turns into a list below 520 px; a gallery is a grid with the picture at the left.
    """
    result = _plates(key=key, data={"items": list(items), "layout": layout}, on_open_change=_nothing)
    return _known(result.open, items)


def rail(
    items: Sequence[Plate], *, key: str, current: str | None = None, marked: Collection[str] = ()
) -> Choice | None:
    """Draw earlier runs as a narrow list, `current` framed, `marked` ticked; return what was just done.

    The caller keeps `marked`; a mark on a marked item asks to unmark it.
    """
    data = {"items": list(items), "layout": "rail", "current": current, "marked": list(marked)}
    result = _plates(key=key, data=data, on_open_change=_nothing, on_mark_change=_nothing)
    if (opened := _known(result.open, items)) is not None:
        return Choice(open=opened)
    if (mark := _known(result.mark, items)) is not None:
        return Choice(mark=mark)
    return None


def _known(wish: object, items: Sequence[Plate]) -> str | None:
    """Return `wish` if it names an item that can be clicked."""
    return next((item["id"] for item in items if item["id"] == wish), None)


def _nothing() -> None:
    """Stand in for a callback; naming one is what declares a trigger."""
