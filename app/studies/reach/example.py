"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING, Any

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import n_of, names_below

if TYPE_CHECKING:
    from argparse import Namespace

    from analysis import LanguageModel
    from editors.chain_reach.result import ReachResult


def _reach_figures(add: Add, found: "ReachResult") -> None:
    for metric, values in found.scores().items():
        for version, (mean, half, n) in zip(found.versions, found.mean(values), strict=True):
            add(f"{version}.{metric}", 100 * mean, "%", n, 100 * half)


def _reach_rows() -> Rows:
    versions = dict.fromkeys(name.rpartition(".")[0] for name in names_below(BENCH, "reach"))
    for version in versions:
        shares = [value("reach", f"{version}.{name}") for name in ("edit_wise", "instance_wise", "multi_hop")]
        yield version, *shares, n_of(BENCH, f"reach.{version}.edit_wise")


def _asks(args: "Namespace", lm: "LanguageModel") -> dict[str, Any]:
    from app.studies.reach.command import chain_cases

    return {"cases": chain_cases(args)}


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "reach": Example(
            "reach --limit 3 --methods rome,memit",
            ("method", "edit-wise, %", "instance-wise, %", "multi-hop, %", "chains"),
            _reach_figures,
            _reach_rows,
            _asks,
        ),
    }
