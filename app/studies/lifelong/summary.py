"""A stream of edits in lines of text."""

import numpy as np

from app.studies.evaluate.reports.markdown import spread
from app.terminal.text import columns, model_line
from editors.cases.case import counted
from editors.evaluation.result import PROTOCOLS
from editors.lifelong_editing.result import ASKED, LifelongResult


def lifelong_summary(result: LifelongResult) -> str:
    """For the terminal."""
    drawdown, rows = result.drawdown(), []
    for at, count in enumerate(result.milestones):
        kept = [spread(result.kept(at, kind), "strict") for kind in ASKED]
        lost = "–" if np.isnan(drawdown[at]) else f"{100 * drawdown[at]:.1f}"
        told = (f"{result.perplexity[at]:.2f}", f"{result.kl[at]:.3f}", f"{100 * result.mute[at]:.0f}")
        able = "–" if np.isnan(result.abilities[at]).all() else f"{100 * np.nanmean(result.abilities[at]):.1f}"
        rows.append((count, *kept, able, lost, *told, f"{result.change[at]:.3f}"))
    head = (
        "edits",
        *(f"{kind} %" for kind in ASKED),
        "abilities %",
        "drawdown %",
        "perplexity",
        "KL",
        "mute %",
        "‖ΔW‖/‖W‖",
    )
    title = f"{model_line(result.model)}, {counted(len(result.request.cases))} in a row with {result.request.method}"
    parts = [f"{title}\nstrict: {PROTOCOLS['strict']}\n{columns(rows, head)}"]
    if (first := result.at_once()) is not None:
        parts.append(f"Right after its own edit a fact is said in {spread(first, 'strict')} % ({counted(first.n)}).")
    if (moved := result.moved) is not None:
        of = ("edits", "text %", "near, own %", "near, others %", "near, all %", "‖v*‖")
        each = zip(moved.text, moved.own, moved.others, moved.both, strict=True)
        lengths = moved.lengths(result.milestones)
        each_row = [
            (count, *(_percent(one) for one in row), "–" if np.isnan(length) else f"{length:.2f}")
            for count, row, length in zip(result.milestones, each, lengths, strict=True)
        ]
        parts.append(f"How far the changed layers' output moves, of what it is without edits\n{columns(each_row, of)}")
    ages = [(f"{young} to {old}", spread(mean, "strict"), mean.n) for young, old, mean in result.by_age()]
    if ages:
        parts.append(f"At the end, by age\n{columns(ages, ('edits since', 'still said %', 'cases'))}")
    return "\n\n".join([*parts, *result.faults])


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f}"
