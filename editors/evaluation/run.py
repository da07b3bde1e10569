"""Writes the same cases with several methods and scores each by every protocol, side by side."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest, WorkbenchError
from analysis.forward.packed_weights import packed
from analysis.study import Report, provenance, silent, within
from analysis.text.boundary import plain
from analysis.text.framing import framed
from editors.cases.case import Case
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.probes import Probe
from editors.edit.request import EditRequest
from editors.evaluation.comparison import Comparison
from editors.evaluation.parts import joined, parts_of
from editors.evaluation.protection import beside, scored
from editors.evaluation.result import FREE, PROTOCOLS, EvaluateRequest, EvaluateResult, wants_new
from editors.methods.run import write_each
from editors.registry.methods import NO_EDIT
from editors.registry.versions import method_in
from editors.scoring.consistency import consistency, reference
from editors.scoring.fluency import ngram_entropy, texts_about
from editors.scoring.free_answers import right, said_to
from editors.scoring.probe_answers import answerable
from editors.scoring.teacher_forced import NEW, OLD, Measured, measured
from editors.scoring.unedited_answers import said_last

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

TEXTS = 3
"""Texts of each case whose fluency and consistency are measured."""


@framed
def evaluate(
    lm: "LanguageModel",
    request: EvaluateRequest,
    report: Report = silent,
    *,
    part: Callable[..., EvaluateResult] | None = None,
) -> EvaluateResult:
    """Write and score; the model is left as it was. A method that refuses a case leaves NaN there and says why.

    Prompts this tokenizer cannot read are left out and listed; `BadRequest` when none is left. `part` may be a stored
    evaluation of one case with one method.

    Args:
        lm: a loaded model; left as it was.
        request: cases, methods, each by itself or all in one edit, and whether it also goes on freely.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        part: how one case with one method is found; computed by default.
    Returns:
        Scores (versions, protocols, prompts); version 0 is the model without edits.
    Source:
        Meng et al. 2022, 2202.05262, section 3.3; Yang et al. 2025, 2502.11177.
    Example:
        >>> from editors import EvaluateRequest
        >>> from analysis import read_facts
        >>> from analysis.facts.facts import another_object
        >>> from editors.cases.case import case_of
        >>> fact = read_facts()[0]
        >>> case = case_of(fact, another_object(fact))
        >>> found = evaluate(lm, EvaluateRequest(cases=(case,), methods=("ft",), free=False))
        >>> found.versions
        ['none', 'ft']
    """
    if request.mode == "batch" and (clash := _clash(request.cases)):
        raise BadRequest(clash)
    pieces = parts_of(request)
    if len(pieces) == 1:
        found = _scored(lm, request, report)
    else:
        done: list[EvaluateResult] = []
        for number, piece in enumerate(pieces):
            inner = within(report, number, len(pieces), f"edits, {', '.join(piece.methods) or NO_EDIT}")
            inner(0, 1)
            done.append((part or evaluate)(lm, piece, inner))
        found = joined(request, done)
    if not found.kinds and len(request.cases) > 1:
        raise BadRequest(f"None of the cases' prompts can be asked of {lm.name}.")
    report(len(pieces), len(pieces), "done")
    return found


def _scored(lm: "LanguageModel", request: EvaluateRequest, report: Report) -> EvaluateResult:
    """All cases of the request written together, no edit and then each method."""
    started = time.perf_counter()
    cases = scored(request)
    probes = [answerable(lm, case.probes) for case in cases]
    left_out = [
        f"{case.id or number}: {probe.prompt}"
        for number, (case, kept) in enumerate(zip(cases, probes, strict=True))
        for probe in case.probes
        if probe not in kept
    ]
    asked = [probe for own in probes for probe in own]
    case_of = np.array([number for number, own in enumerate(probes) for _ in own], dtype=int)
    targets = [request.cases[number].rewrites[probe.fact].target for number, probe in zip(case_of, asked, strict=True)]
    versions = [NO_EDIT, *request.methods]
    values = np.full((len(versions), len(PROTOCOLS), len(asked)), np.nan)
    texts = [[""] * len(asked) for _ in versions]
    fluent, consistent, seconds = (np.full((len(versions), len(request.cases)), np.nan) for _ in range(3))
    faults: list[str] = []
    with packed(lm):
        ask = partial(_said, lm, request, asked, targets, None)
        alone = len(request.cases) == 1  # many cases' distributions are too much to keep
        unedited = said_last(lm, request.model_copy(update={"methods": ()}), ask) if alone else ask()
        for at, version in enumerate(versions):
            report(at, len(versions), f"edits, {version}")
            began = time.perf_counter()
            try:
                edits = edits_of(lm, request, version, within(report, at, len(versions), f"edits, {version}"))
            except WorkbenchError as error:
                name = (
                    (request.cases[0].id or request.cases[0].rewrite.text) if len(request.cases) == 1 else "all cases"
                )
                faults.append(f"{version}, {name}: {error}")
                continue
            seconds[at] = (time.perf_counter() - began) / len(request.cases) if edits else 0.0
            with written_over(lm, edits):
                said = _said(lm, request, asked, targets, unedited.found) if edits else unedited
            values[at], texts[at] = said.values, said.texts
            fluent[at], consistent[at] = said.fluent, said.consistent
    return EvaluateResult(
        request, lm.card(), versions, case_of, [probe.kind for probe in asked], [probe.prompt for probe in asked],
        values, texts, fluent, consistent, seconds, faults, left_out, provenance(time.perf_counter() - started),
    )  # fmt: skip


@dataclass(frozen=True)
class _Said:
    """What the model says to P probes and about n cases, by every protocol."""

    found: Measured | None  # none without probes
    values: np.ndarray  # (protocols, P)
    texts: list[str]
    fluent: np.ndarray  # (n,) NaN where not asked for
    consistent: np.ndarray  # (n,)


def _said(
    lm: "LanguageModel", request: EvaluateRequest, asked: Sequence[Probe], targets: Sequence[str],
    before: Measured | None,
) -> _Said:  # fmt: skip
    """Asks the model as it is; `before` is what it said without edits, by default this."""
    values, texts = np.full((len(PROTOCOLS), len(asked)), np.nan), [""] * len(asked)
    fluent, consistent = (np.full(len(request.cases), np.nan) for _ in range(2))
    found = measured(lm, asked, slots=True) if asked else None
    if found is not None:
        values = _protocols(asked, found, before or found, _of_target(lm, asked, targets, found))
    if request.free:
        _freely(lm, request, asked, values, texts)
    if request.fluency:
        for number, case in enumerate(request.cases):
            written = texts_about(lm, case.generation[:TEXTS], request.seed)
            if written:
                fluent[number] = 100 * np.mean([ngram_entropy(text) for text in written])
            if written and (like := reference(case)):
                consistent[number] = 100 * consistency(written, like)
    return _Said(found, values, texts, fluent, consistent)


def _clash(cases: Sequence[Case]) -> str | None:
    seen: dict[tuple[str, str], str] = {}
    for one in (rewrite for case in cases for rewrite in case.rewrites):
        before = seen.setdefault((one.prompt, one.subject), one.target)
        if before != one.target:
            return (
                f"“{one.text}” is to become both “{before}” and “{one.target}”. Write them one at a time, or keep one."
            )
    return None


def edits_of(lm: "LanguageModel", request: Comparison, version: str, report: Report) -> list[Edit]:
    """All cases written together with one version's method; nothing for no edit."""
    if version == NO_EDIT:
        return []
    facts = tuple(dict.fromkeys(rewrite for case in request.cases for rewrite in case.rewrites))
    asked = EditRequest(
        facts=facts, method=method_in(version), seed=request.seed, **beside(request, version), **request.framing()
    )
    return write_each(lm, asked, report)


def _of_target(lm: "LanguageModel", probes: Sequence[Probe], targets: Sequence[str], found: Measured) -> np.ndarray:
    """Mean log-probability of the edit's own answer at every prompt, (P,): it is the new one but where a hop follows.

    NaN where this tokenizer cannot put it behind the prompt.
    """
    mean = found.mean[NEW].copy()
    others = [at for at, (probe, target) in enumerate(zip(probes, targets, strict=True)) if probe.new != target]
    asked = [Probe(probes[at].fact, probes[at].kind, probes[at].prompt, targets[at], "") for at in others]
    kept = answerable(lm, asked)
    mean[others] = np.nan
    mean[[at for at, probe in zip(others, asked, strict=True) if probe in kept]] = measured(lm, kept).mean[NEW]
    return mean


def _protocols(probes: Sequence[Probe], now: Measured, before: Measured, target: np.ndarray) -> np.ndarray:
    """(protocols, P) of forced answers and of what was kept; `target` is of `_of_target`."""
    new = np.array([wants_new(probe.kind) for probe in probes])
    wanted, other = np.where(new, NEW, OLD), np.where(new, OLD, NEW)
    every = np.arange(len(probes))

    def compared(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(mine) | np.isnan(theirs), np.nan, mine > theirs)

    fraction, mean = now.fraction[wanted, every], now.mean[wanted, every]
    overfit = ~new | np.array([probe.kind == "portability" for probe in probes])
    assert now.slots is not None
    assert before.slots is not None
    kl = (now.slots.exp() * (now.slots - before.slots)).sum(-1).double().numpy()
    rows = {
        "likelihood": compared(mean, now.mean[other, every]),
        "likelihood_summed": compared(now.summed[wanted, every], now.summed[other, every]),
        "magnitude": np.exp(mean) - np.exp(now.mean[other, every]),
        "strict": np.where(np.isnan(fraction), np.nan, fraction == 1),
        "token_fraction": fraction,
        "agreement": np.where(new, np.nan, now.said == before.said),
        "kl": np.where(new, np.nan, np.maximum(kl, 0.0)),
        "dp": np.exp(target),
        "cap": np.exp(mean),
        "eos": np.where(overfit, compared(mean, target), np.nan),
    }
    empty = np.full(len(probes), np.nan)
    return np.stack([rows.get(protocol, empty) for protocol in PROTOCOLS])


def _freely(
    lm: "LanguageModel", request: EvaluateRequest, probes: Sequence[Probe], values: np.ndarray, texts: list[str]
) -> None:
    places = [list(PROTOCOLS).index(protocol) for protocol in FREE]
    asked = [at for at, probe in enumerate(probes) if wants_new(probe.kind)]
    names = [[probes[at].new, probes[at].old] for at in asked]
    answers = said_to(lm, [probes[at].prompt for at in asked], request.words, names)
    for at, said in zip(asked, answers, strict=True):
        texts[at] = said
        values[places, at] = right(said, [probes[at].new]), plain(probes[at].new).casefold() in said.casefold()
