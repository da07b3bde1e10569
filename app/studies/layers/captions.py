"""Under edits at one layer after another."""

from editors.layer_sweep.result import LayersResult


def layers(result: LayersResult) -> str:
    """Under edits at one layer after another; nothing where they do not go with the trace in any way."""
    between = result.correlation()
    if not result.complete or between != between:
        return ""
    return (
        f":gray[:small[Over {result.score.size} edits, what an edit brings about and what the trace finds at its "
        f"layer go together with r = {between:.2f}. Lines: share of prompts whose wanted answer is said. Area: "
        f"indirect effect of the state at the subject’s last token, {result.request.samples} noise samples.]]"
    )
