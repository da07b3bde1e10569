"""The figures of an edit with their titles and captions."""

from app.charts.bars import word_bars
from app.charts.marked import escape
from app.charts.palette import Palette
from app.charts.panels import Panel
from app.charts.words import percent
from app.studies.edit import captions
from app.studies.edit import figure as edit_charts
from editors.edit.edit import Edit


def edit_panels(result: Edit, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    found = _before_and_after(result, palette)
    if result.found.loss.size:  # silenced heads: nothing was sought
        found.append(
            Panel("How the new answer was found", edit_charts.search_of(result, palette), captions.search(result), 2)
        )
        size = edit_charts.scraped(result.changes, result.model["layers"], palette)
        found.append(Panel("How much of the page was scraped", size, captions.scraped(result), 2))
    return found


def _before_and_after(edit: Edit, palette: Palette) -> list[Panel]:
    if (glance := edit.glance) is None:
        return []
    limit = float(max(glance.before.max(), glance.after.max()))
    wanted = edit.request.facts[0].target
    new = next((name for name in glance.words if wanted.startswith(name)), wanted)
    found = []
    for label, colour, answers, values in (
        ("Before", "blue", edit.before, glance.before),
        ("After", "orange", edit.after, glance.after),
    ):
        shares = [float(value) for value in values]
        bars = word_bars(glance.words, shares, palette, before=glance.words[0], after=new, limit=limit)
        said = f":{colour}[{escape(answers.said[0])}] {percent(float(answers.said_probability[0]))}"
        found.append(Panel(f"{label}: {said}", bars, beside=2))
    return found
