"""The kinds of hostile input by name, and a run over some or all of them. A new kind is one line here."""

from collections.abc import Callable, Sequence

from analysis.study import Report, silent, within
from app.bench.form import Bench
from app.bench.hostile import archives, edits, links, recipe_json, weights
from app.bench.hostile.kind import Kind, Outcome, attempt, put_down

KINDS: dict[str, Callable[[], Kind]] = {
    "recipe": recipe_json.kind,
    "weights": weights.kind,
    "archive": archives.kind,
    "edit": edits.kind,
    "link": links.kind,
}


def hostile(
    bench: Bench, count: int = 1000, kinds: Sequence[str] = (), seed: int = 0, report: Report = silent
) -> list[Outcome]:
    """Try `count` inputs of each kind (all where none is named), and put the figures down."""
    names = list(kinds) or list(KINDS)
    outcomes = [
        attempt(KINDS[name](), count, seed, within(report, number, len(names), name))
        for number, name in enumerate(names)
    ]
    put_down(bench, outcomes)
    return outcomes
