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
            f"{cosine:.2f}" if (cosine := getattr(row, "nearest_cosine", float("nan"))) == cosine else "–",
        )
        for row in facts.itertuples()
    ]
    outcomes = ("follows", "said otherwise", "neighbours kept")
    head = ("layer", "rewrite score", *outcomes, "trace effect", "nearest neighbour")
    count = "One fact" if len(result.request.facts) == 1 else f"{len(result.request.facts)} facts"
    between = result.correlation()
    said = f"Rewrite score and trace effect agree with r = {between:.2f}. " if between == between else ""
    return (
        f"{model_line(result.model)}\n{count} written with {result.request.method} at one layer after another.\n"
        f"{columns(rows, head)}\n{said}Shares are of prompts whose wanted answer is said. Nearest neighbour: "
        "cosine of the fact’s key with the nearest stored subject’s of its relation, in the metric of the text."
        + "".join(f"\nNote: {sentence}" for sentence in result.inseparable())
    )


def _share(value: float) -> str:
    return "–" if value != value else f"{value:.0%}"
