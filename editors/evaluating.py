"""Writes the same cases with several methods and scores each by every protocol, side by side."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest, WorkbenchError
from analysis.study import Report, provenance, silent
from editors.applying import written_over
from editors.asking import answerable
from editors.asking_whole import right, said_to
from editors.case import Case
from editors.edit import Edit
from editors.evaluate_result import FREE, PROTOCOLS, EvaluateRequest, EvaluateResult, wants_new
from editors.measuring import NEW, OLD, Measured, measured
from editors.probes import Probe
from editors.reach_result import NO_EDIT
from editors.reaching import ONE_FACT
from editors.request import EditRequest, MethodName
from editors.writing import write

if TYPE_CHECKING:
    from analysis.model import LanguageModel

WITH_SADR: tuple[MethodName, ...] = ("rome", "memit", "emmet", "alphaedit", "pmet", "ft")


def evaluate(lm: "LanguageModel", request: EvaluateRequest, report: Report = silent) -> EvaluateResult:
    """Write and score; the model is left as it was. A method that refuses a case leaves NaN there and says why.

    Prompts this tokenizer cannot read are left out and listed; `BadRequest` when none is left.
    """
    started = time.perf_counter()
    groups = [[number] for number in range(len(request.cases))]
    if request.mode == "batch":
        groups = [list(range(len(request.cases)))]
        if clash := _clash(request.cases):
            raise BadRequest(clash)
    probes = [answerable(lm, case.probes) for case in request.cases]
    left_out = [
        f"{case.id or number}: {probe.prompt}"
        for number, (case, kept) in enumerate(zip(request.cases, probes, strict=True))
        for probe in case.probes
        if probe not in kept
    ]
    every = [probe for own in probes for probe in own]
    if not every:
        raise BadRequest(f"None of the cases' prompts can be asked of {lm.name}.")
    case_of = np.array([number for number, own in enumerate(probes) for _ in own])
    versions = [NO_EDIT, *request.methods]
    values = np.full((len(versions), len(PROTOCOLS), len(every)), np.nan)
    texts = [[""] * len(every) for _ in versions]
    seconds = np.full((len(versions), len(request.cases)), np.nan)
    faults: list[str] = []
    total = len(groups) * len(versions)
    for done, group in enumerate(groups):
        own = np.flatnonzero(np.isin(case_of, group))
        asked = [every[at] for at in own]
        before: Measured | None = None
        for at, version in enumerate(versions):
            report(done * len(versions) + at, total, f"edits, {version}")
            began = time.perf_counter()
            try:
                edits = _write(lm, request, version, [request.cases[number] for number in group])
            except WorkbenchError as error:
                name = request.cases[group[0]].id or group[0]
                faults.append(f"{version}, {name if len(group) == 1 else 'all cases'}: {error}")
                continue
            seconds[at, group] = (time.perf_counter() - began) / len(group) if edits else 0.0
            with written_over(lm, edits):
                found = measured(lm, asked, slots=True)
                before = before or found
                values[at][:, own] = _protocols(asked, found, before)
                if request.free:
                    _freely(lm, request, asked, own, values[at], texts[at])
    report(total, total, "done")
    return EvaluateResult(
        request, lm.card(), versions, case_of, [probe.kind for probe in every], [probe.prompt for probe in every],
        values, texts, seconds, faults, left_out, provenance(time.perf_counter() - started),
    )  # fmt: skip


def _clash(cases: Sequence[Case]) -> str | None:
    seen: dict[tuple[str, str], str] = {}
    for one in (rewrite for case in cases for rewrite in case.rewrites):
        before = seen.setdefault((one.prompt, one.subject), one.target)
        if before != one.target:
            return (
                f"“{one.text}” is to become both “{before}” and “{one.target}”. Write them one at a time, or keep one."
            )
    return None


def _write(lm: "LanguageModel", request: EvaluateRequest, version: str, cases: Sequence[Case]) -> list[Edit]:
    if version == NO_EDIT:
        return []
    method: MethodName = version  # type: ignore[assignment]
    facts = tuple(dict.fromkeys(rewrite for case in cases for rewrite in case.rewrites))
    sadr = request.sadr if method in WITH_SADR else 0.0
    made: list[Edit] = []
    for group in [(fact,) for fact in facts] if method in ONE_FACT else [facts]:
        edit = EditRequest(facts=group, method=method, sadr=sadr, seed=request.seed)
        made.append(write(lm, edit, stack=made, glance=False))
    return made


def _protocols(probes: Sequence[Probe], now: Measured, before: Measured) -> np.ndarray:
    """(protocols, P) of forced answers and of what was kept."""
    new = np.array([wants_new(probe.kind) for probe in probes])
    wanted, other = np.where(new, NEW, OLD), np.where(new, OLD, NEW)
    every = np.arange(len(probes))

    def compared(of: np.ndarray) -> np.ndarray:
        mine, theirs = of[wanted, every], of[other, every]
        return np.where(np.isnan(mine) | np.isnan(theirs), np.nan, mine > theirs)

    fraction = now.fraction[wanted, every]
    assert now.slots is not None
    assert before.slots is not None
    kl = (now.slots.exp() * (now.slots - before.slots)).sum(-1).double().numpy()
    rows = {
        "likelihood": compared(now.mean),
        "likelihood_summed": compared(now.summed),
        "magnitude": np.exp(now.mean[wanted, every]) - np.exp(now.mean[other, every]),
        "strict": np.where(np.isnan(fraction), np.nan, fraction == 1),
        "token_fraction": fraction,
        "agreement": np.where(new, np.nan, now.said == before.said),
        "kl": np.where(new, np.nan, np.maximum(kl, 0.0)),
    }
    empty = np.full(len(probes), np.nan)
    return np.stack([rows.get(protocol, empty) for protocol in PROTOCOLS])


def _freely(
    lm: "LanguageModel", request: EvaluateRequest, probes: Sequence[Probe], own: np.ndarray, values: np.ndarray,
    texts: list[str],
) -> None:  # fmt: skip
    places = [list(PROTOCOLS).index(protocol) for protocol in FREE]
    for at, probe in zip(own, probes, strict=True):
        if wants_new(probe.kind):
            said = said_to(lm, probe.prompt, request.words, [probe.new, probe.old])
            texts[at] = said
            values[places, at] = right(said, [probe.new]), probe.new.casefold() in said.casefold()
