"""A result as a picture: one sheet of all its figures with question, request, model, day and captions.

What is to be drawn is said here; the browser draws it, so that no browser is needed on the server.
"""

from typing import Any

from app.charts.marked import plain, runs
from app.charts.palette import Light, written
from app.charts.panels import Panel, caption, panels
from app.charts.written_theme import faces, inks, type_of
from app.exports.heading import heading

COMMON = {"metric": "probability"}
"""Views that go without saying in the name of a picture."""


def sheet(result: Any, light: Light = "light", **shown: str) -> dict[str, Any]:
    """What the browser needs to draw the sheet; `shown` is what of the result the page shows, where it can choose."""
    over, below = heading(result), caption(result, **shown)
    drawn = [_panel(one) for one in panels(result, written(light), **shown)]
    name = over.name + "".join(f"-{word}" for key, word in shown.items() if COMMON.get(key) != word)
    said = [over.question, over.asked, over.model, plain(below), *(one["figure"] for one in drawn)]
    return {
        "name": f"{name}-dark" if light == "dark" else name,
        "question": over.question,
        "asked": over.asked,
        "made": [over.model, over.made],
        "panels": drawn,
        "caption": _looks(below),
        "inks": inks(light),
        "type": type_of(),
        "faces": faces("".join(said)),
    }


def _panel(panel: Panel) -> dict[str, Any]:
    panel.figure.layout.template = "plotly"  # importing Streamlit registers another
    return {
        "title": _looks(panel.title),
        "figure": panel.figure.to_json(),
        "note": _looks(panel.note),
        "beside": panel.beside,
    }


def _looks(markdown: str) -> list[list[Any]]:
    return [[run.text, run.colour, run.bold] for run in runs(markdown)]
