"""Edits that keep their pairs, solved together: in place of all of one normal matrix, one joint edit.

Piled up, each change is added to those below it, and what one does to another's key stands. Solved, every key is given
its value with all others in sight. What is on does not depend on the order, and taking one away leaves the very edit
that would have been there without it. A pure function of edits; no model is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from analysis.errors import BadRequest
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.pairs import Pairs, joined, solved_factors
from editors.edit.probes import Answers

NOT_ASKED = "Solved together from {} edits. What became of their facts under this was not asked."
OWN_SETTINGS = "Its edits were written with different settings; each says its own, and this says those of one."


def solved(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """The edits with all that share a normal matrix made one, in the place of the lowest; all others untouched.

    At each layer S = R (I + Kᵀ M₀⁻¹ K)⁻¹ (M₀⁻¹ K)ᵀ over all pairs, in float64, its factors rounded to float32 once.
    Edits of another normal matrix (another weight, other text) are solved among themselves. An edit alone in its group
    is itself.
    """
    groups = _groups(edits)
    found: list[Edit] = []
    for place in range(len(edits)):
        own = next((group.places for group in groups if place in group.places), (place,))
        if min(own) == place:
            found.append(joint([edits[index] for index in own]))
    return tuple(found)


def shares(edits: Sequence[Edit], on: Sequence[Edit]) -> dict[str, list[LayerChange]]:
    """What of the changes that are on is each edit's own, by its id: its columns of a joint edit's factors."""
    by_id, found = {edit.id: edit for edit in edits}, {}
    for one in on:
        if one.id in by_id:
            found[one.id] = one.changes
            continue
        begun = dict.fromkeys((change.layer for change in one.changes), 0)
        for part in one.parts:
            found[part] = []
            for own in by_id[part].changes:
                begin, n = begun[own.layer], own.pairs.n if own.pairs is not None else 0
                begun[own.layer] += n
                whole = next(change for change in one.changes if change.layer == own.layer)
                left, right = whole.left[:, begin : begin + n], whole.right[begin : begin + n]
                found[part].append(replace(own, left=left, right=right))
    return found


def joint(edits: Sequence[Edit]) -> Edit:
    """One edit for the pairs of several, of rank as many as they are; the same, to the bit, whatever their order.

    Several pairs of one matrix must share its normal matrix, as those of `solved` do. `BadRequest` where they have no
    solution, as keys can that somebody altered.
    """
    if len(edits) == 1:
        return edits[0]
    ordered = sorted(edits, key=lambda edit: edit.id)
    first, changes = ordered[0], [change for edit in ordered for change in edit.changes]
    layers = tuple(sorted({change.layer for change in changes}))
    own = {"facts": tuple(fact for edit in ordered for fact in edit.request.facts), "layers": layers}
    requests = [edit.request.model_copy(update=own) for edit in ordered]
    written = [_solved_change(layer, ordered) for layer in layers]
    other = [OWN_SETTINGS] if any(request != requests[0] for request in requests) else []
    return Edit(
        request=requests[0],
        model=first.model,
        changes=written,
        found=_found(ordered, written[0].pairs),
        probes=[],
        before=_nothing(),
        after=_nothing(),
        glance=None,
        warnings=[NOT_ASKED.format(len(ordered)), *other],
        built_on=_below(ordered),
        provenance=_provenance(ordered),
    )


@dataclass
class _Group:
    """Places of edits that are solved together, and the normal matrix of each matrix they change."""

    places: tuple[int, ...]
    normals: dict[str, str] = field(default_factory=dict)

    def fits(self, other: "_Group") -> bool:
        """Whether both name the same normal matrix somewhere, and another one nowhere."""
        shared = self.normals.keys() & other.normals.keys()
        return bool(shared) and all(self.normals[name] == other.normals[name] for name in shared)


def _groups(edits: Sequence[Edit]) -> list[_Group]:
    """What is to be solved together, taken in the order of ids, so that no other order matters."""
    groups: list[_Group] = []
    for place, edit in sorted(enumerate(edits), key=lambda one: one[1].id):
        if edit.solvable:
            weights = edit.model["weights_hash"]
            pairs = {f"{weights}|{one.name}": one.pairs.normal for one in edit.changes if one.pairs is not None}
            new = _Group((place,), pairs)
            for group in [group for group in groups if group.fits(new)]:
                if group.fits(new):  # still, with what has come to it from the groups before
                    new = _Group((*group.places, *new.places), group.normals | new.normals)
                    groups.remove(group)
            groups.append(new)
    return groups


def _solved_change(layer: int, edits: Sequence[Edit]) -> LayerChange:
    """The change of one matrix that answers the pairs of several; its hash before is of the one found on the fewest."""
    found = sorted(edits, key=lambda edit: len(edit.built_on))
    lowest = next(one for edit in found for one in edit.changes if one.layer == layer)
    changes = [one for edit in edits for one in edit.changes if one.layer == layer]
    pairs = joined([one.pairs for one in changes if one.pairs is not None])
    try:
        left, right = (factor.astype(np.float32) for factor in solved_factors(pairs))
    except np.linalg.LinAlgError:
        left = right = np.full((1, 1), np.nan)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise BadRequest(
            f"What {len(changes)} edits keep of their keys at {changes[0].name} does not fit together, and they cannot "
            "be solved. Pile them up, or write them again."
        )
    return replace(lowest, left=left, right=right, pairs=pairs)


def _found(edits: Sequence[Edit], lowest: Pairs | None) -> Found:
    """How the values were found, fact by fact; what stands after the write was not measured."""
    steps = max(len(edit.found.loss) for edit in edits)
    lengths = [edit.found.values for edit in edits]
    assert lowest is not None

    def curve(name: str) -> np.ndarray:
        curves = [getattr(edit.found, name) for edit in edits]
        longest = [np.pad(one, ((0, steps - len(one)), (0, 0)), constant_values=np.nan) for one in curves]
        return np.concatenate(longest, axis=1)

    return Found(
        loss=curve("loss"),
        probability=curve("probability"),
        former=curve("former"),
        key_ratio=[ratio for edit in edits for ratio in edit.found.key_ratio],
        written=[np.nan for edit in edits for _ in edit.request.facts],
        condition=float(np.linalg.cond(lowest.keys.T @ lowest.whitened)),
        statistics=edits[0].found.statistics,
        values=None if None in lengths else [one for own in lengths for one in own or ()],
    )


def _nothing() -> Answers:
    none = np.empty(0)
    return Answers(none, none, none.astype(bool), none.astype(bool), [], none)


def _below(edits: Sequence[Edit]) -> list[str]:
    """What the edits were found on top of and is not in them: neither one of them, nor some of them solved."""
    inside = {edit.id for edit in edits}
    for edit in edits:
        own = [other for other in edits if other.id in edit.built_on]
        inside |= {one.id for one in solved(own)} if own else set()
    return list(dict.fromkeys(one for edit in edits for one in edit.built_on if one not in inside))


def _provenance(edits: Sequence[Edit]) -> dict[str, Any]:
    """Versions of the first, the time of the last, and whose they are."""
    kept = {
        name: edits[0].provenance[name] for name in ("palimpsest", "versions", "base") if name in edits[0].provenance
    }
    authors = {edit.author for edit in edits}
    return (
        kept
        | {"created_at": max(edit.provenance.get("created_at", "") for edit in edits)}
        | {"seconds": round(sum(edit.provenance.get("seconds", 0.0) for edit in edits), 3)}
        | {"parts": [edit.id for edit in edits]}
        | ({"author": authors.pop()} if len(authors) == 1 and "" not in authors else {})
        | ({"brought": True} if any(edit.brought for edit in edits) else {})
    )
