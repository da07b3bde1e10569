"""Why another wording does not follow an edit: too little of the value is written at its key, or the value does not do.

A wording names the subject elsewhere, so its key is another, and the change adds only a share of the new value there.
Written in full, the value either makes the model say the answer (then the key was at fault), or it does not (then it
was sought for a prompt that asks in another way).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from analysis import LanguageModel
from analysis.study import Report, silent
from app.bench.form import Bench
from app.bench.locality.subject_in import subject_in
from editors.cases.case import Case
from editors.edit.edit import LayerChange
from editors.edit.probes import Probe
from editors.edit.weight_overlay import Overlay
from editors.evaluation.result import EvaluateRequest
from editors.evaluation.run import edits_of
from editors.methods.search.last_token import keys_at_end
from editors.methods.search.token_rows import up_to_key
from editors.registry.versions import method_in
from editors.scoring.teacher_forced import NEW, OLD, measured

VERSION = "rome+protect+firm+values"
LEAST = 0.02
"""Share of a value below which it is not written in full: what multiplies it would be out of all proportion."""


@dataclass(frozen=True)
class Wording:
    """One other wording of an edited fact."""

    relation: str
    share: float  # of the value written at its key, by that at the fact's own
    follows: bool  # the new answer is likelier than the old one
    in_full: bool  # the same with the whole value at its key


def wordings(bench: Bench, lm: LanguageModel, cases: Sequence[Case], report: Report = silent) -> None:
    """Write each fact alone, and put down why its other wordings follow or do not."""
    found: list[Wording] = []
    for at, case in enumerate(cases):
        report(at, len(cases), "other wordings")
        found += of_case(lm, case)
    put_down(bench, found)


def put_down(bench: Bench, found: Sequence[Wording]) -> None:
    """Put down wordings.follow, .key, .value, in % of them, the shares written, and a row for each relation."""
    count = len(found)
    missed = [one for one in found if not one.follows]
    for name, ones in (
        ("follow", [one for one in found if one.follows]),
        ("key", [one for one in missed if one.in_full]),
        ("value", [one for one in missed if not one.in_full]),
    ):
        bench.add(f"wordings.{name}", 100 * len(ones) / count, "% of wordings", count)
        if ones:
            bench.mean(f"wordings.{name}.share", [one.share for one in ones], "of the value at the fact's own key")
    relations = dict.fromkeys(one.relation for one in missed)
    bench.tables["wordings"] = [_row(name, [one for one in found if one.relation == name]) for name in relations]


def of_case(lm: LanguageModel, case: Case) -> list[Wording]:
    """The other wordings of one fact, written alone; those that do not name the subject in its words are left out."""
    spots = [(probe, ids) for probe in case.probes if (ids := subject_in(lm, case, probe))]
    if not spots:
        return []
    (edit,) = edits_of(lm, EvaluateRequest(cases=(case,), methods=(VERSION,)), VERSION, silent)
    (change,) = edit.changes
    shares = _shares(lm, case, change, [ids for _, ids in spots])
    found = []
    for (probe, _), share in zip(spots, shares, strict=True):
        whole = _follows(lm, probe, change, 1 / share) if share > LEAST else False
        found.append(Wording(case.relation, share, _follows(lm, probe, change, 1.0), whole))
    return found


def _shares(lm: LanguageModel, case: Case, change: LayerChange, pieces: Sequence[tuple[int, ...]]) -> list[float]:
    """What the change writes at the end of each piece, by what it writes at the fact's own bare key."""
    keys = keys_at_end(lm, [up_to_key(lm, "", case.rewrite, method_in(VERSION)), *pieces], change.layer)
    own, *others = (keys @ torch.from_numpy(change.right[0]).double()).tolist()
    return [other / own for other in others]


def _follows(lm: LanguageModel, probe: Probe, change: LayerChange, times: float) -> bool:
    with Overlay(lm) as overlay:
        overlay.add(change.layer, torch.from_numpy(change.left) * times, torch.from_numpy(change.right))
        found = measured(lm, [probe])
    return bool(found.mean[NEW, 0] > found.mean[OLD, 0])


def _row(relation: str, found: Sequence[Wording]) -> dict[str, float | str]:
    missed = [one for one in found if not one.follows]
    return {
        "relation": relation,
        "wordings": len(found),
        "missed": len(missed),
        "by key": sum(one.in_full for one in missed),
        "share": round(float(np.mean([one.share for one in missed])), 2),
    }
