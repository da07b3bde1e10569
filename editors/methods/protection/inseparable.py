"""What is said of keys that cannot be told apart: plain words, no model."""

from collections.abc import Sequence

import numpy as np

INSEPARABLE = 0.9**0.5
"""Cosine from which two keys cannot be told apart: nine tenths of one lie along the other."""


def inseparable(subject: str, names: Sequence[str], cosines: Sequence[float], layers: Sequence[int]) -> str | None:
    """A sentence where a subject cannot be told from the nearest of others at some of the layers, and where it can.

    `names`, `cosines`: of each layer the nearest one and its cosine, NaN where there is none. None where all can.
    """
    found = np.asarray(cosines, dtype=float)
    close = np.flatnonzero(found >= INSEPARABLE)
    if not len(close):
        return None
    worst, best = int(np.nanargmax(found)), int(np.nanargmin(found))
    where = ", ".join(str(layers[int(at)]) for at in close)
    better = f"layer {layers[best]} tells them apart best ({found[best]:.2f})"
    apart = "try other layers" if best in close else better
    return (
        f"“{subject}” can hardly be told from “{names[worst]}” at layer{'s' * (len(close) > 1)} {where} (cosine up to "
        f"{found[worst]:.2f}): what is written for one moves the other, protected or not; {apart}."
    )
