"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING, Any

import numpy as np

from app.chapters.example import BENCH, Add, Example, Rows, add_mean, value
from app.chapters.stored_figures import names_below

if TYPE_CHECKING:
    from argparse import Namespace

    from analysis import LanguageModel
    from editors.lifelong_editing.result import LifelongResult


def _lifelong_figures(add: Add, found: "LifelongResult") -> None:
    from editors.lifelong_editing.result import ASKED as KEPT

    for row, count in enumerate(found.milestones):
        for kind in KEPT:
            add_mean(add, f"{count}.{kind}", found.kept(row, kind))
        add(f"{count}.perplexity", found.perplexity[row], "on text of its own")
        add(f"{count}.abilities", 100 * np.nanmean(found.abilities[row]), "% right", len(found.groups))


def _lifelong_rows() -> Rows:
    counts = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, "lifelong")})
    for count in counts:
        kinds = [value("lifelong", f"{count}.{kind}") for kind in ("rewrite", "paraphrase", "neighbour")]
        yield str(count), *kinds, value("lifelong", f"{count}.abilities"), value("lifelong", f"{count}.perplexity", 1)


def _asks(args: "Namespace", lm: "LanguageModel") -> dict[str, Any]:
    from app.terminal.case_flags import cases_said, some_of

    return {"cases": some_of(args, cases_said(args), lm)}


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "lifelong": Example(
            "lifelong --known --n 20 --method memit",
            ("edits", "facts, %", "said otherwise, %", "neighbours, %", "abilities, %", "perplexity"),
            _lifelong_figures,
            _lifelong_rows,
            _asks,
        ),
    }
