"""Under the figures of an edit."""

from typing import Any

import numpy as np

from app.charts.marked import escape
from app.charts.words import percent
from editors.edit.edit import Edit


def search(edit: Edit) -> str:
    """Under the curve of the search."""
    found = edit.found
    steps = int((~np.isnan(found.probability[:, 0])).sum())
    loss = found.loss[:, 0]
    others = np.nanmax(found.probability[:, 1:], axis=0)
    rest = f" The others reach {percent(float(others.min()))} and more." if len(others) else ""
    seconds = edit.provenance.get("seconds", 0.0)
    return f":gray[:small[{steps} steps, {seconds:.1f} s in all. Loss {loss[0]:.2f} → {loss[steps - 1]:.2f}.{rest}]]"


def _enough(one: dict[str, Any]) -> str:
    """How it was found that the text is enough, where that was asked."""
    grown = one.get("grown")
    if not grown or grown["excess"] is None:
        return ""
    return f"; new text stands out {grown['excess']:.1f} times, {grown['tolerance']:.0f} is steady"


def scraped(edit: Edit) -> str:
    """Under the size of the change."""
    ratio = edit.found.key_ratio[0]
    rho = f" ρ of the keys {ratio:.2f}." if ratio == ratio else ""
    moments = "".join(
        f" Second moments from {one['tokens']:,} tokens ({escape(str(one['corpus']))}{_enough(one)})."
        for one in edit.found.statistics[:1]
    )
    passes = f" Written in {edit.found.passes} passes." if (edit.found.passes or 1) > 1 else ""
    return (
        f":gray[:small[Rank {max(one.rank for one in edit.changes)}, in the MLP’s output matrix only."
        f"{passes}{moments}{rho} All other tensors are byte-identical; "
        "switching the edit off restores these byte for byte.]]"
    )
