"""Edits in a stream: each upon all before it, asked right away and again at milestones."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analysis.cache_home import cache_home
from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.facts import read_facts
from analysis.forward.generation import texts_after
from analysis.forward.packed_weights import packed
from analysis.moments.corpus import written
from analysis.study import Report, provenance, silent, within
from analysis.text.framing import framed
from editors.ability_tests.result import AbilitiesRequest
from editors.ability_tests.run import abilities
from editors.cases.case import Case
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.probes import Probe
from editors.edit.request import EditRequest
from editors.edit.solved import solved
from editors.evaluation.protection import beside_in_stream
from editors.lifelong_editing.gauge import Gauge
from editors.lifelong_editing.moved import Moved
from editors.lifelong_editing.result import ASKED, LifelongRequest, LifelongResult
from editors.methods.run import write_each
from editors.registry.versions import method_in
from editors.scoring.perplexity import perplexity
from editors.scoring.probe_answers import answerable
from editors.scoring.teacher_forced import measured

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

PROMPTS, TEXT_TOKENS, TEXT_SEED = 20, 2048, 2
"""Held-out prompts, and tokens of held-out text, which the model without edits has written by itself."""


@framed
def lifelong(
    lm: "LanguageModel", request: LifelongRequest, report: Report = silent, *, resume_from: LifelongResult | None = None
) -> LifelongResult:
    """Write the cases in order; the model is left as it was. A case the method refuses is left out and told of.

    What is measured at a milestone depends on nothing that comes after it. A step is an edit with its own prompts, or
    a look back at a milestone; neither is taken apart. `resume_from`, a stopped result of the same request, has some,
    and the edits they made. Raises `BadRequest` when none of the prompts can be asked.

    Args:
        lm: a loaded model; left as it was.
        request: cases in order, the method, and after how many edits one looks back.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        resume_from: a stopped result of the same request.
    Returns:
        At every milestone what is left of each edit, of neighbours, abilities and perplexity.
    Source:
        Li et al. 2024, 2410.18785.
    """
    started = time.perf_counter()
    stream = _Stream(lm, request)
    if not any(stream.probes):
        raise BadRequest(f"None of the cases' prompts can be asked of {lm.name}.")
    log, beside = _Log(request, resume_from), beside_in_stream(request.method, request.cases)
    before, note = resume_from.provenance["seconds"] if resume_from else 0.0, f"edits with {request.method}"

    def result() -> LifelongResult:
        return log.result(lm, provenance(before + time.perf_counter() - started), len(stream.gauge.pieces))

    def on(made: Sequence[Edit]) -> Sequence[Edit]:
        return solved(made) if request.solved else made

    def look_back(row: int, count: int) -> None:
        log.moved[row] = stream.gauge.moved(log.by_case(), on(log.made))
        asked = [at for at in range(len(request.cases)) if row == 0 or (at < count and not np.isnan(log.seconds[at]))]
        with written_over(lm, on(log.made)):
            for number in asked:
                log.later[row, :, number] = stream.scores(number)
            log.perplexity[row], log.kl[row], log.mute[row] = stream.held_out()
            log.able.append(stream.abilities())
        log.change[row] = _largest(on(log.made))

    def write(number: int) -> None:
        case, began = request.cases[number], time.perf_counter()
        try:
            made = _written(lm, request, case, log.made, report, number, beside)
            seconds = time.perf_counter() - began
            with written_over(lm, on([*log.made, *made])):
                log.immediate[:, number] = stream.scores(number)
        except WorkbenchError as error:
            log.faults.append(f"{case.id or case.rewrite.text}: {error}")
        else:
            log.made += made
            log.seconds[number] = seconds
            lengths = [length for edit in made for length in edit.found.values or ()]
            log.values[number] = np.mean(lengths) if lengths else np.nan

    with packed(lm):
        if log.done:
            stream.hear_unedited()
        for row, number in log.steps[log.done :]:
            report(number, len(request.cases), note, result() if log.done else None)
            look_back(row, number) if row is not None else write(number)
            log.done += 1
    report(len(request.cases), len(request.cases), "done")
    return result()


class _Log:
    """What was written and measured so far, in the order of the steps."""

    def __init__(self, request: LifelongRequest, begun: LifelongResult | None):
        self.request, self.stops, count = request, request.stops(), len(request.cases)
        self.steps: list[tuple[int | None, int]] = []
        """Milestone looked back at, or None, and the number of the case that is written, or of those that were."""
        for number in range(count + 1):
            self.steps += [(self.stops.index(number), number)] if number in self.stops else []
            self.steps += [(None, number)] if number < count else []
        self.done = begun.steps[0] if begun else 0
        self.immediate = begun.immediate.copy() if begun else np.full((len(ASKED), count), np.nan)
        self.seconds = begun.seconds.copy() if begun else np.full(count, np.nan)
        self.faults = list(begun.faults) if begun else []
        self.made: list[Edit] = list(begun.made) if begun else []
        self.later = np.full((len(self.stops), len(ASKED), count), np.nan)
        self.perplexity, self.kl, self.mute, self.change = (np.full(len(self.stops), np.nan) for _ in range(4))
        self.moved, self.values = np.full((len(self.stops), 4), np.nan), np.full(count, np.nan)
        self.able: list[dict[str, float]] = []
        if begun:
            rows = len(begun.milestones)
            self.later[:rows] = begun.later
            for name in ("perplexity", "kl", "mute", "change"):
                getattr(self, name)[:rows] = getattr(begun, name)
            if begun.moved is not None:
                each = [getattr(begun.moved, name) for name in ("text", "own", "others", "both")]
                self.moved[:rows], self.values = np.stack(each, 1), begun.moved.values.copy()
            self.able = [dict(zip(begun.groups, map(float, row), strict=True)) for row in begun.abilities]

    def by_case(self) -> list[list[Edit]]:
        """The edits of each case, none where it is not written."""
        left = iter(self.made)
        found: list[list[Edit]] = []
        for case, seconds in zip(self.request.cases, self.seconds, strict=True):
            own: list[Edit] = []
            while not np.isnan(seconds) and sum(len(edit.request.facts) for edit in own) < len(case.rewrites):
                own.append(next(left))
            found.append(own)
        return found

    def result(self, lm: "LanguageModel", made: dict[str, Any], neighbours: int) -> LifelongResult:
        """The milestones that were reached."""
        rows, groups = len(self.able), list(self.able[0])
        abled = np.array([[one[group] for group in groups] for one in self.able]).reshape(rows, len(groups))
        return LifelongResult(
            self.request, lm.card(), list(self.stops[:rows]), self.immediate.copy(), self.later[:rows].copy(),
            self.perplexity[:rows].copy(), self.kl[:rows].copy(), self.mute[:rows].copy(), groups, abled,
            self.change[:rows].copy(), list(self.faults), self.seconds.copy(), made,
            list(self.made) if self.done < len(self.steps) else [],
            moved=self._moved(rows, neighbours), steps=(self.done, len(self.steps)),
        )  # fmt: skip

    def _moved(self, rows: int, neighbours: int) -> Moved:
        text, own, others, both = self.moved[:rows].T.copy()
        return Moved(text, own, others, both, self.values.copy(), neighbours)


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
        self.gauge = Gauge(lm, request.cases)

    def scores(self, number: int) -> np.ndarray:
        """Share of a case's prompts of each kind that go as wished, (kinds,)."""
        own = self.probes[number]
        if not own:
            return np.full(len(ASKED), np.nan)
        right = measured(self.lm, own).of_wanted(own)
        means = []
        for kind in ASKED:
            these = right[[i for i, probe in enumerate(own) if probe.kind == kind]]
            these = these[~np.isnan(these)]
            means.append(float((these == 1).mean()) if len(these) else np.nan)
        return np.array(means)

    def hear_unedited(self) -> None:
        """What the model says to held-out prompts without edits, where a run begins further on."""
        self.before = self._slots() if self.prompts else None

    def _slots(self) -> torch.Tensor:
        slots = measured(self.lm, self.prompts, slots=True).slots
        assert slots is not None
        return slots

    def held_out(self) -> tuple[float, float, float]:
        """Perplexity, KL from the model without edits, and share of prompts answered by nothing."""
        kl = mute = float("nan")
        if self.prompts:
            slots = self._slots()
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
    lm: "LanguageModel", request: LifelongRequest, case: Case, made: Sequence[Edit], report: Report, number: int,
    beside: dict[str, Any],
) -> list[Edit]:  # fmt: skip
    """The edits of one case, on top of all before it; `beside`: what they protect."""
    asked = EditRequest(
        facts=case.rewrites, method=method_in(request.method), targets=request.targets, seed=request.seed,
        **beside, **request.framing(),
    )  # fmt: skip
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
