"""The figures of memory and page with their titles and captions."""

from analysis import ConflictResult, HeadsResult, KnockoutResult
from app.charts.bars import word_bars
from app.charts.marked import escape
from app.charts.palette import Palette
from app.charts.panels import Panel
from app.charts.words import word
from app.studies.conflict import captions
from app.studies.conflict import figure as conflict_charts

ROADS = ("last → subject", "last → page’s answer", "last → other words")


def heads_panels(result: HeadsResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    words = result.spans(result.grid_top_ids[0, 0])
    values = [float(value) for value in result.grid_top[0, 0]]
    memory, page = (conflict_charts.begun(words, answer) for answer in (result.memory, result.context))
    ranked = result.request.rank_by
    return [
        Panel("", conflict_charts.conflict_map(result.scores, palette, rank_by=ranked), captions.heads(result.scores)),
        Panel(
            "What it says, nothing silenced", word_bars(words, values, palette, before=memory, after=page),
            f"The model remembers :blue[{escape(word(result.memory))}]; the page in front of it says "
            f":orange[{escape(word(result.context))}].",
        ),
    ]  # fmt: skip


def conflict_panels(result: ConflictResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    ranked = result.request.rank_by
    found = [
        Panel("", conflict_charts.conflict_map(result.scores, palette, rank_by=ranked), captions.heads(result.scores))
    ]
    if rows := conflict_charts.every_share(result):
        title = "Share of answers :blue[from memory], something else, :orange[from the page]"
        found.append(Panel(title, conflict_charts.share_bars(rows, palette), captions.shares(result)))
    return found


def knockout_panels(result: KnockoutResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    titles = ("The :blue[remembered] answer", "The :orange[page’s] answer")
    return [
        Panel(title, conflict_charts.knockout_curves(result, ROADS, side, palette), beside=2)
        for side, title in enumerate(titles)
    ]
