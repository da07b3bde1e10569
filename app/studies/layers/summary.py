"""Edits at one layer after another in lines of text."""

from app.studies.layers.table import layers_table
from app.terminal.text import columns, model_line
from editors.layer_sweep.result import LayersResult


def layers_summary(result: LayersResult) -> str:
    """A line a layer."""
    facts = layers_table(result)
    rows = [
        (
            row.layer,
            f"{row.rewrite_score:.2f} ± {row.rewrite_score_half_width_95:.2f}",
            *(_share(getattr(row, f"{kind}_greedy")) for kind in ("rewrite", "paraphrase", "neighbour")),
            f"{row.trace_effect:+.3f}",
        )
        for row in facts.itertuples()
    ]
    head = ("layer", "rewrite score", "follows", "said otherwise", "neighbours kept", "trace effect")
    count = "One fact" if len(result.request.facts) == 1 else f"{len(result.request.facts)} facts"
    between = result.correlation()
    said = f"Rewrite score and trace effect agree with r = {between:.2f}. " if between == between else ""
    return (
        f"{model_line(result.model)}\n{count} written with {result.request.method} at one layer after another.\n"
        f"{columns(rows, head)}\n{said}Shares are of prompts whose wanted answer is said."
    )


def _share(value: float) -> str:
    return "–" if value != value else f"{value:.0%}"
