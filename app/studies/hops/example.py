"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import n_of

if TYPE_CHECKING:
    from analysis import HopsResult

HOPS = {
    "first": "the first hop alone",
    "second": "the second hop alone",
    "whole": "both in one question",
    "any_wording": "both, in any wording",
    "without_subject": "shortcut: without the subject",
    "without_first_hop": "shortcut: the second hop asked of the first subject",
    "genuine": "both hops and the whole right, neither shortcut",
}


def _hops_figures(add: Add, found: "HopsResult") -> None:
    from analysis.multihop.result import ASKED

    n = len(found.chains)
    for name, right in zip(ASKED, found.correct.T, strict=True):
        add(name, int(right.sum()), "chains right", n)
    add("any_wording", int(found.whole_correct.any(1).sum()), "chains right", n)
    add("genuine", int(found.genuine().sum()), "chains right, by no shortcut", n)


def _hops_rows() -> Rows:
    for name, words in HOPS.items():
        yield words, value("hops", name), n_of(BENCH, f"hops.{name}")


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "hops": Example("hops --limit 20", ("asked", "right", "chains"), _hops_figures, _hops_rows),
    }
