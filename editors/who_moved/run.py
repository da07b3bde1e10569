"""Whom else an edit moves: every stored subject of the fact's kind, by how near its key is to the one that was written.

How far a value moves is a matter of keys alone, ‖Δ k‖. So for another weight of what is protected the closed form is
solved anew with the new value that was found, and no search is needed (specification, what key rules can and cannot).
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.facts import read_facts
from analysis.forward.packed_weights import packed
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from editors.edit.apply import adding, apply, card_over, refuse_other_weights
from editors.edit.edit import Edit, LayerChange
from editors.edit.probes import Kind, Probe, bare, stored_fact
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.factored_moments import inverse_of
from editors.methods.protection.like_subjects import relation_of, source_for
from editors.methods.protection.protected_subjects import with_protected
from editors.methods.protection.separability import separability
from editors.methods.search.last_token import keys_at_end
from editors.methods.search.token_rows import up_to_key
from editors.methods.solved_anew import OTHERWISE, Anew, why_not
from editors.scoring.probe_answers import answerable, ask
from editors.who_moved.result import MovedRequest, MovedResult, Standing

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Point = tuple[Standing, Kind, Protected, str]
"""Where it stands, as what it is asked, its prompt, its answer as far as it is stored."""
KINDS: dict[Standing, Kind] = {
    "written": "rewrite", "protected": "neighbour", "scored": "neighbour", "like": "neighbour", "same subject": "other"
}  # fmt: skip


def moved(
    lm: "LanguageModel", request: MovedRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> MovedResult:
    """Who moved with the uppermost edit of `stack`, and who would have under other weights of what is protected.

    Args:
        lm: a loaded model; left as it was.
        request: which fact of the edit, and which weights.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits that are on, lowest first; the uppermost is looked at.
    Returns:
        Of each prompt how near its key is, how far its value moves and what is answered, by weight.
    Raises:
        `BadRequest` where no edit is on, where it silences heads, is of other weights, or has no such fact.
    Source:
        The closed forms of Meng et al. 2022, 2023 with protected keys; the map is ours.
    Example:
        >>> from editors import MovedRequest, moved
        >>> found = moved(lm, MovedRequest(weights=()), stack=[edit])
        >>> found.subjects[0], float(found.shift[0, 0])
        ('The Eiffel Tower', 1.0)
    """
    if not stack:
        raise BadRequest("Who moved is a question about an edit: write one, or switch it on.")
    edit = stack[-1]
    if edit.request.silences or not edit.changes:
        raise BadRequest(f"“{edit.title}” writes no new value, so nobody's key is near it. Look at its probes.")
    if request.fact >= len(edit.request.facts):
        raise BadRequest(f"“{edit.title}” writes {len(edit.request.facts)} facts, counted from 0.")
    refuse_other_weights(lm, edit)
    return _moved(lm, edit.request, request, edit, stack[:-1], report)


@framed
def _moved(
    lm: "LanguageModel", full: EditRequest, request: MovedRequest, edit: Edit, below: Sequence[Edit], report: Report
) -> MovedResult:
    started = time.perf_counter()
    report(0, 1, "who there is")
    guarded, fact = _guarded(lm, full), full.facts[request.fact]
    points = _points(guarded, fact)
    told = why_not(edit) or ("" if guarded.protected else "Nobody like it is known, so there is nobody to protect.")
    own = _own_weight(full)
    weights = () if told else tuple(weight for weight in request.weights if weight != own)
    layers = sorted({change.layer for change in edit.changes})
    metric = moments(
        lm, MomentsRequest(layers=tuple(layers), source=full.source, tokens=full.tokens, seed=full.seed), report
    )
    anew = Anew(lm, edit, guarded, weights, below, report) if weights else None
    with packed(lm), Overlay(lm) as overlay:
        for one in below:
            apply(lm, one, overlay)
            if anew is not None:
                anew.read(one)
        points, probes, pieces = _asked(lm, points, fact, full.method)
        keys = {layer: keys_at_end(lm, pieces, layer) for layer in layers}
        cosine = np.max(
            [separability(inverse_of(lm, metric[at]).factor, keys[at][0], keys[at].T).numpy() for at in layers], axis=0
        )
        before = ask(lm, probes)
        if anew is not None and not anew.is_itself(own):
            anew, told, weights = None, OTHERWISE, ()
        tried, shifts, after = list[float](), [], []
        for weight, changes in chain([(own, edit.changes)], anew.changes() if anew is not None else ()):
            report(len(tried), 1 + len(weights), "weights of protection")
            tried.append(weight)
            shifts.append(_shift(keys, changes))
            with adding(lm, edit, changes):
                after.append(ask(lm, probes))
    return MovedResult(
        request=request,
        model=card_over(lm, [*below, edit]),
        edit=edit.title,
        layers=layers,
        probes=probes,
        subjects=[point[2].subject for point in points],
        standings=[point[0] for point in points],
        cosine=cosine,
        weights=np.array(tried),
        shift=np.stack(shifts),
        before=before,
        after=after,
        told=told,
        provenance=provenance(time.perf_counter() - started),
    )


def _own_weight(full: EditRequest) -> float:
    return full.protect_weight or 0.0 if full.protected else 0.0


def _guarded(lm: "LanguageModel", full: EditRequest) -> EditRequest:
    """The request with those protected whom it names, or, where it names none, those it would."""
    if full.protected:
        return full
    with suppress(WorkbenchError):
        return with_protected(lm, full.model_copy(update={"protect_keys": source_for(full), "protect_weight": None}))
    return full


def _points(full: EditRequest, fact: Rewrite) -> list[Point]:
    """The fact itself, those protected, its stored neighbours, others of its kind, and what else is said of it."""
    own, stored = stored_fact(fact, ""), {(one.prompt, bare(one.subject)): one.object for one in read_facts()}
    found: list[Point] = [("written", "rewrite", Protected(prompt=fact.prompt, subject=fact.subject), "")]
    seen = {bare(fact.subject)}

    def take(standing: Standing, prompt: str, subject: str, answer: str = "") -> None:
        if bare(subject) not in seen:
            seen.add(bare(subject))
            found.append((standing, KINDS[standing], Protected(prompt=prompt, subject=subject), answer))

    for near in own.neighbours if own else ():
        take("scored", near.text.replace(near.subject, "{}", 1), near.subject, near.object)
    for one in full.protected:
        if one.subject:
            take("protected", one.prompt, one.subject, stored.get((one.prompt, bare(one.subject)), ""))
    for like in read_facts() if (relation := relation_of(fact)) else ():
        if like.relation == relation:
            take("like", like.prompt, like.subject, like.object)
    for other in own.others if own else ():
        found.append(("same subject", "other", Protected(prompt=other.prompt, subject=fact.subject), other.object))
    return found


def _asked(
    lm: "LanguageModel", points: Sequence[Point], fact: Rewrite, method: str
) -> tuple[list[Point], list[Probe], list[tuple[int, ...]]]:
    """Those that this tokenizer can read: points, what is asked of each, and the tokens its key stands behind."""
    kept, probes, pieces = [], [], []
    for point in points:
        _, kind, one, answer = point
        probe = Probe(0, kind, one.text, fact.target, answer)
        with suppress(WorkbenchError):
            piece = up_to_key(lm, "", one, method)
            if answerable(lm, [probe]):
                kept.append(point)
                probes.append(probe)
                pieces.append(piece)
    said = ask(lm, [replace(probe, old=fact.target) for probe in probes]).said
    known = [replace(probe, old=probe.old or word) for probe, word in zip(probes, said, strict=True)]
    return kept, known, pieces


def _shift(keys: dict[int, Tensor], changes: Sequence[LayerChange]) -> np.ndarray:
    """‖Σ Δ k‖ of each prompt in units of the first's, (P,)."""
    sums = sum(keys[one.layer].numpy() @ one.right.T.astype(np.float64) @ one.left.T for one in changes)
    lengths = np.linalg.norm(sums, axis=1)
    return lengths / max(lengths[0], 1e-300)
