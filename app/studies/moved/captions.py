"""About the map of who moved."""

from app.charts.words import percent
from editors.who_moved.result import MovedResult

MAP = (
    ":gray[:small[Across: how near a subject’s key is to the one that was written (cosine in the metric of the text). "
    "Up: how much of the new value it gets too (shift, ‖Δk‖ in units of the fact’s own). Orange: answers otherwise "
    "now. Grey lines come from where a point stands without protection.]]"
)


def standing(result: MovedResult, at: int) -> str:
    """What became of each kind of subject under one of the edits."""
    named = {
        "protected": "protected ones", "scored": "neighbours that are scored", "like": "others like it",
        "same subject": "other facts of the subject",
    }  # fmt: skip
    parts = []
    for kind, words in named.items():
        kept, count = result.share(at, kind)
        if count:
            parts.append(f"{kept} of {count} {words}")
    held = "holds" if result.kept(at)[0] else "does not hold"
    said = f" ({percent(float(result.after[at].new[0]))})"
    return f"The edit {held}{said}; answers kept by {', '.join(parts) or 'nobody else, for nobody is known'}."
