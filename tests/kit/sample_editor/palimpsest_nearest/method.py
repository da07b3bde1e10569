"""Δ = R K⁺: of all changes that send the keys to the new values the one of least length."""

from torch import Tensor, linalg

from editors.methods.closed_forms import Change
from editors.methods.closed_road import Road, Writing


def nearest(writing: Writing, layer: int, keys: Tensor, residuals: Tensor) -> Change:
    """Keys (d_k, n), residuals (d, n); K⁺ is the pseudo-inverse."""
    return Change(residuals.double(), linalg.pinv(keys.double()))


ROAD = Road(("value",), lambda left: 1.0, nearest)
