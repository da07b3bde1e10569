"""What a recipe says that cannot be: each of these would break whatever shows, applies or exports the edit."""

import math
from typing import Any

import numpy as np

from analysis.errors import BadRequest
from analysis.internals.head_names import parse_head
from editors.edit.edit import Edit, LayerChange
from editors.edit.pairs import solved_factors
from editors.edit.request import EditRequest

MOST_TOKENS = 10**12
LARGEST_SETTING = 1e12
NEAR = 1e-3
"""How far a norm may be from that of the factors here: machines round differently."""

ROUNDING = 1e-6
"""By how much a norm near zero may be over what it should be."""


def contradictions(edit: Edit) -> list[str]:
    """The sentences, of an edit whose recipe has the right form."""
    facts, layers = len(edit.request.facts), edit.model["layers"]
    curves = (edit.found.loss, edit.found.probability, edit.found.former)
    glance, request = edit.glance, edit.request
    named = [*(request.layers or ()), *(request.shallow or ()), *(change.layer for change in edit.changes)]
    checks = {
        "The layers it changes are not those of the model it names.": all(0 <= layer < layers for layer in named),
        "Its request does not name its layers.": bool(request.layers),
        "What became of its facts is not said of each.": [one.fact for one in edit.probes if one.kind == "rewrite"]
        == list(range(facts))
        and edit.probes[0].kind == "rewrite",
        "It asks about facts it does not write.": all(one.fact in range(facts) for one in edit.probes),
        "Its search has not a curve for each fact.": all(_is_curve(curve, curves[0], facts) for curve in curves)
        and (len(curves[0]) > 0 or request.silences),
        "Its keys are not one for each fact.": len(edit.found.key_ratio) == len(edit.found.written) == facts,
        "Its new values are not one for each fact.": edit.found.values is None or len(edit.found.values) == facts,
        "Its first words do not match their probabilities.": glance is None
        or (len(glance.words) == len(glance.before) == len(glance.after)),
        "It silences no heads, or heads the model does not have.": not request.silences or _has_heads(edit),
        "Its factors change other heads than those it silences, or by more than it says.": not request.silences
        or not _has_heads(edit)
        or _changes_its_heads(edit),
        "It would be found on top of itself.": edit.id not in edit.built_on,
        "What it keeps to be solved with others is not of its facts, or has no solution.": _solvable(edit, facts),
        "What it keeps to be solved with others is not what it writes.": edit.built_on or _writes_its_pairs(edit),
        "Its settings are beyond all use.": _in_use(request),
    }
    return [sentence for sentence, holds in checks.items() if not holds]


def _is_curve(curve: np.ndarray, first: np.ndarray, facts: int) -> bool:
    """Whether it has as many steps as the first, a column a fact, and a number where each fact's search begins."""
    return curve.shape == (len(first), facts) and bool(np.isfinite(curve[:1]).all())


def _has_heads(edit: Edit) -> bool:
    try:
        heads = [parse_head(name) for name in edit.request.heads]
    except BadRequest:
        return False
    most = edit.model.get("heads") or math.inf
    return bool(heads) and all(0 <= layer < edit.model["layers"] and 0 <= head < most for layer, head in heads)


def _changes_its_heads(edit: Edit) -> bool:
    """Whether the factors pick the columns of the heads it names, all of them and no others, once each, and the change
    of each layer is no larger than scale − 1 can make it.

    Which columns are a head's needs the number of heads; of a recipe that does not say it only their count is known.
    """
    heads = {parse_head(name) for name in edit.request.heads}
    layers = sorted({layer for layer, _ in heads})
    if sorted(change.layer for change in edit.changes) != layers or sorted(edit.request.layers or ()) != layers:
        return False
    return all(
        _picks(change, {head for layer, head in heads if layer == change.layer}, edit) for change in edit.changes
    )


def _picks(change: LayerChange, heads: set[int], edit: Edit) -> bool:
    rows, columns = np.nonzero(change.right)
    chosen = (
        len(rows) == change.rank and (rows == np.arange(change.rank)).all() and (change.right[rows, columns] == 1).all()
    )
    if known := edit.model.get("heads"):
        width = change.right.shape[1] // known
        wanted = [head * width + at for head in sorted(heads) for at in range(width)]
        chosen = chosen and sorted(columns) == wanted and change.right.shape[1] == known * width
    most = abs(edit.request.scale - 1) * change.weight_norm
    return bool(chosen) and float(np.linalg.norm(change.left.astype(np.float64))) <= most * (1 + NEAR) + ROUNDING


def _solvable(edit: Edit, facts: int) -> bool:
    """Whether pairs kept are of its facts, at all matrices or at none, and their Gram matrix is one."""
    kept = [change.pairs for change in edit.changes if change.pairs is not None]
    if not kept:
        return True
    if len(kept) != len(edit.changes) or any(pairs.n > facts for pairs in kept):
        return False
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers nobody measured
        grams = [pairs.keys.T @ pairs.whitened for pairs in kept]
    return all(
        bool(np.isfinite(gram).all())
        and bool(np.allclose(gram, gram.T, rtol=NEAR, atol=NEAR * np.abs(gram).max()))
        and float(np.linalg.eigvalsh((gram + gram.T) / 2).min()) > -NEAR * max(1.0, float(np.abs(gram).max()))
        for gram in grams
    )


def _writes_its_pairs(edit: Edit) -> bool:
    """Whether the factors of an edit that was found by itself are the solution of the pairs it keeps."""
    for change in edit.changes:
        if (pairs := change.pairs) is not None and _solvable(edit, pairs.n):
            for factor, wanted in zip((change.left, change.right), solved_factors(pairs), strict=True):
                if factor.shape != wanted.shape or np.abs(factor - wanted).max() > NEAR * np.abs(wanted).max():
                    return False
    return True


def _in_use(request: EditRequest) -> bool:
    settings = [value for value in request.model_dump().values() if type(value) in (int, float)]
    return (request.tokens or 0) <= MOST_TOKENS and all(abs(value) <= LARGEST_SETTING for value in settings)


def differences(said: Any, again: Any, place: str = "") -> list[str]:
    """Fields a recipe says that are not said again by the edit read from it, with both values.

    A field that is said again though the recipe leaves it out came later, and is no difference.
    """
    if isinstance(said, dict) and isinstance(again, dict):
        found = []
        for name, value in said.items():
            own = f"{place}.{name}".lstrip(".")
            if name in again:
                found += differences(value, again[name], own)
            elif value is not None:
                found.append(f"{own} is not said by what it holds.")
        return found
    if isinstance(said, list) and isinstance(again, list) and len(said) == len(again):
        return [
            one for n, pair in enumerate(zip(said, again, strict=True)) for one in differences(*pair, f"{place}.{n}")
        ]
    if place.endswith(".change_norm"):
        return [] if math.isclose(said, again, rel_tol=NEAR, abs_tol=1e-6) else [_differ(place, said, again)]
    if place == "identity.title":  # which used to keep line ends
        return [] if str(said).split() == str(again).split() else [_differ(place, said, again)]
    return [] if said == again and _as_exact(said, again) else [_differ(place, said, again)]


def _as_exact(said: Any, again: Any) -> bool:
    """Whether equal values are of the same type; a number with a fraction may be said without."""
    return type(said) is type(again) or (type(said), type(again)) == (int, float)


def _differ(place: str, said: Any, again: Any) -> str:
    return f"{place} is {_short(said)}; by what it holds it would be {_short(again)}."


def _short(value: Any) -> str:
    text = f"“{value}”" if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
