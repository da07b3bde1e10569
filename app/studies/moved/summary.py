"""Who moved, in lines of text."""

import numpy as np

from app.terminal.text import columns, model_line
from editors.who_moved.result import STANDINGS, MovedResult

FARTHEST = 5


def moved_summary(result: MovedResult) -> str:
    """A line a weight; then who moved farthest with the edit as it is."""
    kinds = [kind for kind in STANDINGS if kind in result.standings]
    head = ("weight β", *(f"{kind}, kept" for kind in kinds), "largest shift of others")
    others = np.array([kind not in ("written", "same subject") for kind in result.standings])
    rows = []
    for at in result.order:
        shares = [f"{kept} of {count}" for kept, count in (result.share(at, kind) for kind in kinds)]
        far = f"{result.shift[at][others].max():.0%}" if others.any() else "–"
        rows.append((f"{result.weights[at]:g}{'' if at else ' (as written)'}", *shares, far))
    places = [int(place) for place in np.argsort(-result.shift[0]) if others[place]][:FARTHEST]
    named = ", ".join(
        f"{result.subjects[place]} {result.shift[0, place]:.0%} (cosine {result.cosine[place]:.2f})" for place in places
    )
    layers = ", ".join(map(str, result.layers))
    return (
        f"{model_line(result.model)}\n{result.edit}, layer{'s' * (len(result.layers) > 1)} {layers}.\n"
        f"{columns(rows, head)}\nShift: what the edit adds where it reads a prompt, of what it adds at the fact's own"
        f". Farthest as written: {named or 'nobody else is known'}." + (f"\nNote: {result.told}" if result.told else "")
    )
