"""Crosstalk of closed forms at one layer, in residuals drawn at random and in those a search finds.

Every form gives S = R · right, where `right` depends on keys alone: what S adds at a key is a sum of residuals. Drawn
at random they cancel, as a linear estimate assumes; a search's do not, for they point to answers of the same kind. So
each form is told with both, and then put on the model and asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis import LanguageModel
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from analysis.study import Report, silent, within
from app.bench.form import Bench
from app.bench.locality.subject_in import subject_in
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.cases.case import Case
from editors.edit.edit import Edit
from editors.edit.pairs import Pairs
from editors.edit.probes import Probe
from editors.edit.request import EditRequest
from editors.edit.weight_overlay import Overlay
from editors.evaluation.protection import beside_in_stream
from editors.lifelong_editing.gauge import worded_alike
from editors.methods.closed_forms import Inverse, alphaedit, freedom, memit, rls
from editors.methods.defaults import default_layers
from editors.methods.protection.protected_keys import ProtectedKeys
from editors.methods.protection.protected_subjects import with_protected
from editors.methods.search.last_token import keys_at_end
from editors.methods.search.token_rows import up_to_key
from editors.scoring.probe_answers import answerable
from editors.scoring.teacher_forced import measured

KINDS = ("rewrite", "paraphrase", "neighbour")
RIDGE = EditRequest.model_fields["ridge"].default
"""AlphaEdit's, in energies of a typical projected key."""


@dataclass(frozen=True)
class Keys:
    """Keys (d_k, …) float64 of the model without edits at one layer, and what belongs to them."""

    edited: Tensor
    residuals: Tensor  # (d, n): what the search wants there and the model does not give
    worded: Tensor  # at the subject in other wordings
    worded_of: np.ndarray  # whose
    near: Tensor  # at scored neighbours
    near_of: np.ndarray
    near_probes: list[Probe]
    listed: Tensor  # at stored subjects that may be protected
    text: Tensor  # C (d_k, d_k)
    subjects: Tensor  # the moment of listed and all other stored subjects, at the trace of C


Form = Callable[[Keys], Tensor]
"""From keys to `right` (n, d_k)."""


def _piled(weight: float) -> Form:
    """MEMIT fact by fact, each as if it were alone."""

    def right(keys: Keys) -> Tensor:
        inverse, count = Inverse(keys.text), keys.edited.shape[1]
        each = ((keys.edited[:, [at]], keys.residuals[:, [at]]) for at in range(count))
        return torch.cat([memit(inverse, *one, weight * len(keys.text)).right for one in each])

    return right


def _solved(weight: float, *, listed: float = 0.0, subjects: float = 0.0) -> Form:
    """RLS: all at once is what one after the other comes to."""

    def right(keys: Keys) -> Tensor:
        whole = weight * len(keys.text)
        text = keys.text + subjects * keys.subjects + listed / whole * keys.listed @ keys.listed.T
        return rls(Inverse(text), keys.edited, keys.residuals, whole).right

    return right


def _projected(share: float, *, listed: float = 0.0, leak: float = 0.0) -> Form:
    """AlphaEdit with the keys of all edits spared, which all at once are; BetaEdit's with `leak`."""

    def right(keys: Keys) -> Tensor:
        free = freedom(keys.text, share)
        spared = [leak * len(keys.text) * keys.text, listed * keys.listed @ keys.listed.T]
        ridge = RIDGE * float(free.project(keys.edited).square().sum(0).median())
        return alphaedit(free, keys.edited, keys.residuals, spared, ridge).right

    return right


FORMS: dict[str, Form] = {
    "MEMIT λ=.3, piled": _piled(0.3),
    "RLS λ=1": _solved(1.0),
    "RLS λ=.3": _solved(0.3),
    "RLS λ=.03": _solved(0.03),
    "RLS λ=.003": _solved(0.003),
    "RLS λ=.3, listed": _solved(0.3, listed=1.0),
    "RLS λ=.3, (C + G) / 2": _solved(0.15, subjects=1.0),
    "RLS λ=.3, .2 C + G": _solved(0.06, subjects=5.0),
    "AlphaEdit 80 %": _projected(0.8),
    "AlphaEdit 95 %": _projected(0.95),
    "AlphaEdit 80 %, listed": _projected(0.8, listed=1.0),
    "BetaEdit 80 %, λ₁=.03, listed": _projected(0.8, listed=1.0, leak=0.03),
}
"""Forms by what they are called in the table; listed keys count as a fact written before each."""


def crosstalk(bench: Bench, lm: LanguageModel, cases: Sequence[Case], report: Report = silent) -> None:
    """Put down the table `crosstalk`, a row a form, and how far residuals of a search point one way."""
    facts = tuple(case.rewrite for case in cases)
    centre = default_layers(lm, "rls")
    layer = centre[len(centre) // 2]
    asked = EditRequest(facts=facts, method="rls", layers=(layer,))
    edit: Edit = stored(STUDIES["edit"], asked, lm, ResultStore(), within(report, 0, 2, "values of all facts"))
    (change,) = edit.changes
    assert change.pairs is not None
    keys = _keys(lm, cases, layer, change.pairs, edit.request)
    drawn = torch.randn(keys.residuals.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = drawn / drawn.norm(dim=0)
    found = keys.residuals / keys.residuals.norm(dim=0).mean()
    rows = []
    unedited, answered = _asked(lm, cases), _right(lm, keys.near_probes)
    for at, (name, form) in enumerate(FORMS.items()):
        report(len(FORMS) + at, 2 * len(FORMS), f"crosstalk: {name}")
        right = form(keys)
        row: dict[str, Any] = {"form": name, "layer": layer}
        for label, residuals in (("drawn", drawn), ("found", found)):
            row |= {f"{label}.{what}": round(one, 3) for what, one in _linear(keys, residuals, right).items()}
        with Overlay(lm) as overlay:
            overlay.add(layer, keys.residuals, right)
            said, kept = _asked(lm, cases), _right(lm, keys.near_probes)
        row |= {f"model.{kind}": round(100 * share, 1) for kind, share in said.items()}
        moved = (keys.residuals @ (right @ keys.near)).norm(dim=0).numpy()
        row["model.area"] = _area(moved[answered], kept[answered])
        rows.append(row)
    bench.tables["crosstalk"] = rows
    for kind, share in unedited.items():
        bench.add(f"crosstalk.unedited.{kind}", 100 * share, "%", len(cases))
    for label, residuals in (("drawn", drawn), ("found", found)):
        for what, value in _together(residuals, [case.relation for case in cases]).items():
            bench.add(f"crosstalk.{label}.{what}", value, "cosine" if "cosine" in what else "share", len(cases))


def _keys(lm: LanguageModel, cases: Sequence[Case], layer: int, pairs: Pairs, request: EditRequest) -> Keys:
    worded = [
        (at, ids) for at, case in enumerate(cases) for probe in case.probes if (ids := subject_in(lm, case, probe))
    ]
    spots = [(at, probe, ids) for at, case in enumerate(cases) for probe, ids in _askable(lm, worded_alike(lm, case))]
    beside = beside_in_stream("rls+protect", cases)
    named = with_protected(lm, request.model_copy(update=beside)).protected
    listed = list(dict.fromkeys(up_to_key(lm, "", one, "rls") for one in named))
    asked = MomentsRequest(layers=(layer,), source=request.source, tokens=request.tokens, seed=request.seed)
    text = moments(lm, asked)[layer].matrix.double()
    alike = request.model_copy(update={"subjects_weight": 1.0, "held_out": beside["held_out"]})
    subjects = ProtectedKeys(lm, alike, [layer], (), silent).with_subjects(text, layer) - text
    return Keys(
        torch.from_numpy(pairs.keys),
        torch.from_numpy(pairs.residuals),
        keys_at_end(lm, [ids for _, ids in worded], layer).T,
        np.array([at for at, _ in worded]),
        keys_at_end(lm, [ids for _, _, ids in spots], layer).T,
        np.array([at for at, _, _ in spots]),
        [probe for _, probe, _ in spots],
        keys_at_end(lm, listed, layer).T,
        text,
        subjects,
    )


def _askable(lm: LanguageModel, spots: Sequence[tuple[Probe, tuple[int, ...]]]) -> list[tuple[Probe, tuple[int, ...]]]:
    can = answerable(lm, [probe for probe, _ in spots])
    return [(probe, ids) for probe, ids in spots if probe in can]


def _linear(keys: Keys, residuals: Tensor, right: Tensor) -> dict[str, float]:
    """Of residuals of mean length 1: what is missed, what other wordings get, and what is added at others' keys."""
    missed = (residuals @ (right @ keys.edited) - residuals).norm(dim=0).mean()
    own = residuals[:, keys.worded_of]
    worded = ((residuals @ (right @ keys.worded)) * own).sum(0) / own.square().sum(0)
    at_near = right @ keys.near
    mine = at_near[keys.near_of, np.arange(len(keys.near_of))].abs() * residuals.norm(dim=0)[keys.near_of]
    text = ((residuals.T @ residuals) * (right @ keys.text @ right.T)).sum().sqrt()
    return {
        "miss": float(missed),
        "worded": float(worded.mean()),
        "near": float((residuals @ at_near).norm(dim=0).mean()),
        "listed": float((residuals @ (right @ keys.listed)).norm(dim=0).mean()),
        "own": float(mine.mean()),
        "text": float(text),
    }


def _together(residuals: Tensor, relations: Sequence[str]) -> dict[str, float]:
    """How far residuals point one way: within a relation, across relations, and what one direction holds of them."""
    unit = residuals / residuals.norm(dim=0)
    cosines, named = (unit.T @ unit).numpy(), np.array(relations)
    alike, others = named[:, None] == named[None], ~np.eye(len(named), dtype=bool)
    shares = {"first_direction": float(torch.linalg.svdvals(residuals)[0].square() / residuals.square().sum())}
    for what, pairs in (("cosine_within", alike & others), ("cosine_across", ~alike)):
        if pairs.any():
            shares[what] = float(cosines[pairs].mean())
    return shares


def _right(lm: LanguageModel, probes: Sequence[Probe]) -> np.ndarray:
    """Whether every token of the wanted answer is the likeliest, of prompts that can be asked."""
    return measured(lm, probes).of_wanted(probes) == 1


def _asked(lm: LanguageModel, cases: Sequence[Case]) -> dict[str, float]:
    """Shares of each kind that are answered as wished, the means of cases."""
    own = [answerable(lm, [probe for probe in case.probes if probe.kind in KINDS]) for case in cases]
    right = iter(_right(lm, [probe for probes in own for probe in probes]))
    by_case = [[(probe.kind, next(right)) for probe in probes] for probes in own]
    shares = {}
    for kind in KINDS:
        each = [[went for its, went in probes if its == kind] for probes in by_case]
        shares[kind] = float(np.mean([np.mean(one) for one in each if one]))
    return shares


def _area(moved: np.ndarray, kept: np.ndarray) -> float | None:
    """How often what is added at a neighbour that is lost is more than at one that is kept."""
    lost, stayed = moved[~kept], moved[kept]
    if not len(lost) or not len(stayed):
        return None
    return round(float((lost[:, None] > stayed[None]).mean()), 3)
