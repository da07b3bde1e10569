"""Edits in a stream: each upon all before it, asked right away and again at milestones."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.cache_home import cache_home
from analysis.corpus import written
from analysis.errors import BadRequest, WorkbenchError
from analysis.facts import read_facts
from analysis.framing import framed
from analysis.generation import texts_after
from analysis.packed import packed
from analysis.study import Report, provenance, silent, within
from editors.abilities_result import AbilitiesRequest
from editors.ability_probes import abilities
from editors.applying import written_over
from editors.asking import answerable
from editors.case import Case
from editors.edit import Edit
from editors.evaluate_result import wants_new
from editors.lifelong_result import ASKED, LifelongRequest, LifelongResult
from editors.measuring import NEW, OLD, measured
from editors.perplexity import perplexity
from editors.probes import Probe
from editors.request import EditRequest
from editors.writing import write_each

if TYPE_CHECKING:
    from analysis.model import LanguageModel

PROMPTS, TEXT_TOKENS, TEXT_SEED = 20, 2048, 2
"""Held-out prompts, and tokens of held-out text, which the model without edits has written by itself."""


@framed
def lifelong(lm: "LanguageModel", request: LifelongRequest, report: Report = silent) -> LifelongResult:
    """Write the cases in order; the model is left as it was. A case the method refuses is left out and told of.

    What is measured at a milestone depends on nothing that comes after it. Raises `BadRequest` when none of the
    prompts can be asked.
    """
    started = time.perf_counter()
    count, stops = len(request.cases), request.stops()
    stream = _Stream(lm, request)
    if not any(stream.probes):
        raise BadRequest(f"None of the cases' prompts can be asked of {lm.name}.")
    immediate = np.full((len(ASKED), count), np.nan)
    later = np.full((len(stops), len(ASKED), count), np.nan)
    perplexity, kl, mute, change = (np.full(len(stops), np.nan) for _ in range(4))
    able: list[dict[str, float]] = []
    seconds = np.full(count, np.nan)
    made: list[Edit] = []
    faults: list[str] = []
    refused: set[int] = set()

    def look_back(row: int, done: int) -> None:
        asked = range(count) if row == 0 else [number for number in range(done) if number not in refused]
        with written_over(lm, made):
            for number in asked:
                later[row, :, number] = stream.scores(number)
            perplexity[row], kl[row], mute[row] = stream.held_out()
            able.append(stream.abilities())
        change[row] = _largest(made)

    with packed(lm):
        look_back(0, 0)
        for number, case in enumerate(request.cases):
            report(number, count, f"edits with {request.method}")
            began = time.perf_counter()
            try:
                made += _written(lm, request, case, made, report, number)
                seconds[number] = time.perf_counter() - began
                with written_over(lm, made):
                    immediate[:, number] = stream.scores(number)
            except WorkbenchError as error:
                refused.add(number)
                faults.append(f"{case.id or case.rewrite.text}: {error}")
            if number + 1 in stops:
                look_back(stops.index(number + 1), number + 1)
    report(count, count, "done")
    groups = list(able[0])
    abled = np.array([[one[group] for group in groups] for one in able]).reshape(len(stops), len(groups))
    return LifelongResult(
        request, lm.card(), list(stops), immediate, later, perplexity, kl, mute, groups, abled, change, faults,
        seconds, provenance(time.perf_counter() - started),
    )  # fmt: skip


class _Stream:
    """What is asked again and again, and what the model says to it without edits."""

    def __init__(self, lm: "LanguageModel", request: LifelongRequest):
        self.lm, self.words, self.able, self.framing = lm, request.words, request.abilities, request.framing()
        self.probes = [
            answerable(lm, [probe for probe in case.probes if probe.kind in ASKED]) for case in request.cases
        ]
        self.text = written(lm, TEXT_TOKENS, TEXT_SEED, cache_home() / "moments" / lm.own_hash[:24])
        about = {rewrite.subject for case in request.cases for rewrite in case.rewrites}
        others = [Probe(0, "other", fact.text, fact.object, "") for fact in read_facts() if fact.subject not in about]
        self.prompts = answerable(lm, others[:: max(1, len(others) // PROMPTS)][:PROMPTS])
        self.before: torch.Tensor | None = None

    def scores(self, number: int) -> np.ndarray:
        """Share of a case's prompts of each kind that go as wished, (kinds,)."""
        own = self.probes[number]
        if not own:
            return np.full(len(ASKED), np.nan)
        found = measured(self.lm, own)
        right = np.array([found.fraction[NEW if wants_new(probe.kind) else OLD, i] for i, probe in enumerate(own)])
        means = []
        for kind in ASKED:
            these = right[[i for i, probe in enumerate(own) if probe.kind == kind]]
            these = these[~np.isnan(these)]
            means.append(float((these == 1).mean()) if len(these) else np.nan)
        return np.array(means)

    def held_out(self) -> tuple[float, float, float]:
        """Perplexity, KL from the model without edits, and share of prompts answered by nothing."""
        kl = mute = float("nan")
        if self.prompts:
            slots = measured(self.lm, self.prompts, slots=True).slots
            assert slots is not None
            self.before = slots if self.before is None else self.before
            kl = max(0.0, float((slots.exp() * (slots - self.before)).sum(-1).double().mean()))
            said = texts_after(
                self.lm, [probe.prompt for probe in self.prompts], self.words, over=lambda text: bool(text.strip())
            )
            mute = float(np.mean([not text.strip() for text in said]))
        return perplexity(self.lm, self.text), kl, mute

    def abilities(self) -> dict[str, float]:
        """Share right of each group; none where they are not asked for, or this tokenizer reads none."""
        if not self.able:
            return {}
        try:
            found = abilities(self.lm, AbilitiesRequest(**self.framing))
        except BadRequest:
            return {}
        return {group: share.value for group in found.there() if (share := found.share(group)) is not None}


def _written(
    lm: "LanguageModel", request: LifelongRequest, case: Case, made: Sequence[Edit], report: Report, number: int
) -> list[Edit]:
    """The edits of one case, on top of all before it."""
    asked = EditRequest(facts=case.rewrites, method=request.method, seed=request.seed, **request.framing())
    inner = within(report, number, len(request.cases), f"edits with {request.method}")
    return write_each(lm, asked, inner, stack=made)


def _largest(made: Sequence[Edit]) -> float:
    """Largest ‖ΔW‖ / ‖W‖, Frobenius, of the changes of each matrix summed; ‖W‖ is without any of them."""
    sums: dict[str, np.ndarray] = {}
    norms: dict[str, float] = {}
    for change in (change for edit in made for change in edit.changes):
        whole = change.left @ change.right
        sums[change.name] = sums[change.name] + whole if change.name in sums else whole
        norms.setdefault(change.name, change.weight_norm)
    return max((float(np.linalg.norm(sums[name])) / norms[name] for name in sums), default=0.0)
