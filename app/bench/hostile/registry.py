"""The kinds of hostile input by name, and a run over some or all of them. A new kind is one line here."""

from collections.abc import Callable, Sequence

from analysis.study import Report, silent, within
from app.bench.form import Bench
from app.bench.hostile import archives, case_files, edits, links, recipe_json, weights
from app.bench.hostile.kind import Kind, Outcome, attempt, put_down

KINDS: dict[str, Callable[[], Kind]] = {
    "recipe": recipe_json.kind,
    "weights": weights.kind,
    "archive": archives.kind,
    "edit": edits.kind,
    "file": case_files.kind,
    "link": links.kind,
}


def hostile(
    bench: Bench, count: int = 1000, more: Sequence[Kind] = (), seed: int = 0, report: Report = silent
) -> list[Outcome]:
    """Try `count` inputs of each kind, and of others that need something to be tried on; put the figures down."""
    kinds = [*(make() for make in KINDS.values()), *more]
    outcomes = [
        attempt(kind, count, seed, within(report, number, len(kinds), kind.name)) for number, kind in enumerate(kinds)
    ]
    put_down(bench, outcomes)
    return outcomes
