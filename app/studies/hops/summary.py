"""Chains in lines of text."""

from analysis import HopsResult
from analysis.multihop.result import ASKED, PLACES
from app.terminal.text import columns, model_line, shades
from editors.cases.case import counted

HOP_WORDS = {
    "first": "the first hop alone",
    "second": "the second hop alone",
    "whole": "both in one question",
    "without_subject": "the question without its subject",
    "without_first_hop": "the second hop asked of the subject",
}


def hops_summary(result: HopsResult) -> str:
    """How many are answered, hop by hop and whole, and where the middle can be read."""
    n = len(result.chains)
    rows = [
        (HOP_WORDS[name], int(right.sum()), f"{right.mean():.0%}")
        for name, right in zip(ASKED, result.correct.T, strict=True)
    ]
    rows.append(("both in one question, any wording", int(result.whole_correct.any(1).sum()),
                 f"{result.whole_correct.any(1).mean():.0%}"))  # fmt: skip
    parts = [f"{model_line(result.model)}, {n} chains\n{columns(rows, ('asked', 'right', ''))}"]
    parts.append(
        f"{int(result.both().sum())} chains with both hops known; {int(result.genuine().sum())} of them answered whole "
        "and not by a shortcut."
    )
    lines = []
    for number, name in enumerate(PLACES):
        mean = result.recall[:, number].mean(0)
        low, high = float(mean.min()), float(mean.max())
        lines.append((name, f"│{shades(mean, low, high)}│", f"{low:.1f} to {high:.1f}"))
    parts.append(f"mean log-probability by layer (lens)\n{columns(lines)}")
    if result.skipped:
        parts.append(f"{counted(len(result.skipped), 'chain')} that could not be asked; the JSON file says why.")
    return "\n\n".join(parts)
