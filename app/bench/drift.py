"""What edits break in the same context, what holding attention back saves, and how attention goes with the damage.

Facts are known ones of the assets that have other relations to test. The weight of the restraint is chosen on facts
that are not reported: of those that cost no more than half a point of ES and four of PS (the paper's own trade) the
one with the highest harmonic mean of RS and DNS.
Beside each restrained method stands a control that searches as many steps without restraint.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis import LanguageModel, read_facts
from analysis.facts.facts import another_object, in_turn
from analysis.forward.packed_weights import packed
from analysis.study import Report, silent
from app.bench.editing import known_well
from app.bench.entry import Benchmark, number_flag, word_flag
from app.bench.form import Bench
from app.bench.machine import describe, wait
from app.bench.plain.drift import plain_cell
from editors.attention_drift.result import PATCHED, DriftRequest, DriftsRequest, DriftsResult
from editors.attention_drift.run import drift
from editors.attention_drift.tasks import SCORES, harmonic_mean, hits, task_score
from editors.attention_drift.tasks_run import drifts
from editors.cases.case import Case, case_of
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.probes import Answers, Probe
from editors.edit.request import EditRequest
from editors.methods.run import write
from editors.registry.methods import MethodName
from editors.scoring.fluency import ngram_entropy, texts_about
from editors.scoring.probe_answers import answerable, ask

GAMMAS = (0.03, 0.1, 0.3)
ALLOWED = {"ES": 0.5, "PS": 4.0}
"""Points a weight of the restraint may cost on the facts it is chosen on."""
PARTS: tuple[MethodName, ...] = ("rome", "memit")
"""Methods restrained."""
NEVER = 1e-9
"""A loss no search ends below."""


@dataclass(frozen=True)
class DriftOptions:
    """How much to measure."""

    quick: bool = False
    single: int | None = number_flag("single", "facts reported (default: 100; 2 when quick)")
    tune: int | None = number_flag("tune", "other facts the weight is chosen on (default: 20; 1 when quick)")
    drifts: int | None = number_flag("drifts", "facts whose attention is read (default: 20; 1 when quick)")
    texts: int | None = number_flag("texts", "texts a method for fluency (default: 10; 1 when quick)", least=0)
    steps: int | None = None  # most steps of a restrained search; 50, 4 when quick
    parts: tuple[str, ...] = word_flag("parts", f"{', '.join(PARTS)} (default: all)", PARTS)


@dataclass(frozen=True)
class Asked:
    """Answers to the probes of some facts under one method, fact by fact."""

    probes: list[list[Probe]]
    answers: list[Answers]
    fluency: list[float]

    def flat(self) -> tuple[list[Probe], Answers]:
        """All probes and answers in one row."""
        parts = self.answers

        def column(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        names = ("new", "old", "new_greedy", "old_greedy", "said_probability")
        joined = {name: column(name) for name in names}
        return [p for own in self.probes for p in own], Answers(said=[w for part in parts for w in part.said], **joined)

    def by_fact(self, score: str) -> np.ndarray:
        """The share of a score in each fact, (facts,); NaN where it has no prompt."""
        shares = []
        for probes, answers in zip(self.probes, self.answers, strict=True):
            _, likelier, _ = hits(probes, answers, SCORES[score])
            shares.append(100 * likelier.mean() if len(likelier) else np.nan)
        return np.array(shares)


def attention(lm: LanguageModel, options: DriftOptions, report: Report = silent) -> Bench:
    """Measure none.*, rome.*, rome_steps.*, rome_sadr.*, memit.*, memit_steps.*, memit_sadr.*, gains, drift, grids."""
    bench = Bench(describe(lm.device), lm.card())
    few, methods = options.quick, options.parts or PARTS
    count, tuned = options.single or (2 if few else 100), options.tune or (1 if few else 20)
    steps = options.steps or (4 if few else 50)
    sure = known_well(lm, report)
    facts = in_turn([fact for fact in read_facts() if fact.id in sure and fact.others])
    if len(facts) > tuned:
        cases = [case_of(fact, another_object(fact)) for fact in facts[: tuned + count]]
        cases = [replace(case, probes=tuple(answerable(lm, case.probes))) for case in cases]
    else:
        raise _too_few(lm, len(facts), tuned)
    own, held_out = cases[tuned:], cases[:tuned]
    texts = (1 if few else 10) if options.texts is None else options.texts
    bench.add("known_facts", len(facts), "facts with other relations, P > .3", len(facts))
    found = {"none": _asked(lm, own, None, texts, report, "without edits")[0]}
    edits: dict[str, list[Edit]] = {}
    for method in methods:
        gamma = _chosen(bench, lm, method, held_out, steps, report)
        for name, changes in {
            method: {},
            f"{method}_steps": {"steps": steps, "enough": NEVER},
            f"{method}_sadr": {"sadr": gamma, "sadr_steps": max(0, steps - 25), "steps": min(steps, 25)},
        }.items():
            began = time.perf_counter()
            found[name], edits[name] = _asked(lm, own, {"method": method, **changes}, texts, report, name)
            bench.add(
                f"{name}.seconds_per_edit", (time.perf_counter() - began) / len(own), "s, with its probes", len(own)
            )
    for name, asked in found.items():
        _scores(bench, name, asked)
    for method in methods:
        for other in (method, f"{method}_steps"):
            for score in SCORES:
                gain = found[f"{method}_sadr"].by_fact(score) - found[other].by_fact(score)
                bench.mean(
                    f"{method}_sadr.{score}_over_{other}", gain[~np.isnan(gain)].tolist(), "points, mean of facts"
                )
    _attention(bench, lm, edits, options.drifts or (1 if few else 20), report)
    _grids(bench, lm, edits[methods[0]][0], 2 if few else 12)
    return bench


def _too_few(lm: LanguageModel, known: int, tuned: int) -> Exception:
    from analysis.errors import BadRequest

    return BadRequest(
        f"{lm.name} knows {known} facts with other relations; more than {tuned} are needed. Take another model."
    )


def _asked(
    lm: LanguageModel, cases: Sequence[Case], changes: dict[str, Any] | None, texts: int, report: Report, name: str
) -> tuple[Asked, list[Edit]]:
    """Every fact written alone, asked, and put back."""
    asked, edits = Asked([], [], []), []
    with packed(lm):
        for number, case in enumerate(cases):
            report(number, len(cases), f"facts, {name}")
            stack = []
            if changes is not None:
                stack = [write(lm, EditRequest(facts=(case.rewrite,), **changes), glance=False)]
                edits += stack
            with written_over(lm, stack):
                asked.probes.append(list(case.probes))
                asked.answers.append(ask(lm, case.probes))
                if number < texts and case.generation:
                    asked.fluency.extend(ngram_entropy(text) for text in texts_about(lm, case.generation[:1]))
    return asked, edits


def _chosen(bench: Bench, lm: LanguageModel, method: str, cases: Sequence[Case], steps: int, report: Report) -> float:
    """Of the weights that cost no more than is allowed, the best for RS and DNS together, on facts not reported.

    The smallest where all cost more.
    """
    plain, _ = _asked(lm, cases, {"method": method}, 0, report, f"{method}, to choose γ")
    best, highest = GAMMAS[0], -1.0
    for gamma in GAMMAS:
        changes = {"method": method, "sadr": gamma, "sadr_steps": max(0, steps - 25), "steps": min(steps, 25)}
        held, _ = _asked(lm, cases, changes, 0, report, f"{method}, γ = {gamma:g}")
        cost = {score: _share(plain, score) - _share(held, score) for score in ALLOWED}
        for score in ("ES", "PS", "RS", "DNS"):
            bench.add(f"choice.{method}.{gamma:g}.{score}", _share(held, score), "%, facts to choose on", len(cases))
        kept = harmonic_mean([_share(held, "RS"), _share(held, "DNS")])
        if kept > highest and all(cost[score] <= allowed for score, allowed in ALLOWED.items()):
            best, highest = gamma, kept
    bench.add(f"{method}_sadr.gamma", best, "chosen on other facts", len(cases))
    return best


def _share(asked: Asked, score: str) -> float:
    found = task_score(*asked.flat(), SCORES[score])
    return 100 * found.share if found else float("nan")


def _scores(bench: Bench, name: str, asked: Asked) -> None:
    probes, answers = asked.flat()
    shares = []
    for score, kind in SCORES.items():
        found = task_score(probes, answers, kind)
        if found is None:
            continue
        bounds = (100 * (found.share - found.half_width), 100 * (found.share + found.half_width))
        bench.add(f"{name}.{score}", 100 * found.share, "%", found.prompts, bounds)
        bench.add(f"{name}.{score}_greedy", 100 * found.greedy, "%", found.prompts)
        bench.add(f"{name}.{score}_probability", found.wanted, "mean P(wanted)", found.prompts)
        bench.add(f"{name}.{score}_magnitude", found.magnitude, "mean P(wanted) - P(other)", found.prompts)
        shares.append(100 * found.share)
    bench.add(f"{name}.S", harmonic_mean(shares), "%, harmonic mean", len(shares))
    if asked.fluency:
        bench.mean(f"{name}.FL", asked.fluency, "bits × 100", times=100)


def _attention(bench: Bench, lm: LanguageModel, edits: dict[str, list[Edit]], count: int, report: Report) -> None:
    """Drift with and without restraint, its correlation with what is lost, and what setting heads back gives."""
    for name in [name for name in edits if not name.endswith("_steps")]:
        results: list[DriftsResult] = []
        for number, edit in enumerate(edits[name][:count]):
            report(number, count, f"facts, attention of {name}")
            results.append(drifts(lm, DriftsRequest(), stack=[edit]))
        together = _joined(results)
        for task in ("relation", "distracting"):
            own = together.of(task)
            if not own.any():
                continue
            bench.mean(f"{name}.drift_{task}", together.factor[own].tolist(), "points, largest head", times=100)
            for label, summed in (("largest", False), ("summed", True)):
                found = together.correlation(task, summed=summed)
                if found.r == found.r:
                    bench.add(
                        f"{name}.correlation_{task}_{label}", found.r, "Pearson", found.n, (found.low, found.high)
                    )
        failing = together.failing
        bench.add(f"{name}.failing", int(failing.sum()), "prompts", len(failing))
        if failing.any():
            for place, run in enumerate(PATCHED):
                label = run.replace(" ", "_")
                bench.mean(f"{name}.failing_{label}", together.first[failing, place].tolist(), "P(right answer)")
            gain = together.first[failing, 2] - together.first[failing, 3]
            bench.mean(f"{name}.failing_drifted_over_random", gain.tolist(), "P(right answer)")


def _joined(results: Sequence[DriftsResult]) -> DriftsResult:
    lists: dict[str, Any] = {
        name: [x for one in results for x in getattr(one, name)] for name in ("task", "prompt", "right", "wrong")
    }
    names = ("right_probability", "wrong_probability", "before", "after", "first")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in results]) for name in names}
    return replace(results[0], **lists, **arrays)


def _grids(bench: Bench, lm: LanguageModel, edit: Edit, cells: int) -> None:
    """The grids of one prompt, resumed, against one full forward a cell."""
    fact = edit.request.facts[0]
    text = next((probe.prompt for probe in edit.probes if probe.kind == "other"), fact.text)
    request = DriftRequest(prompt=text, subject=fact.subject, occurrence=0)
    began = time.perf_counter()
    result = drift(lm, request, stack=[edit])
    wait(lm.device)
    fast = (time.perf_counter() - began) / sum(grid[0].size for grid in result.grids.values())
    draw = np.random.default_rng(0)
    far, seconds = 0.0, []
    for kind, grid in result.grids.items():
        for _ in range(max(1, cells // 4)):
            place = tuple(int(draw.integers(size)) for size in grid[0].shape)
            index: tuple[int | slice, ...] = (slice(None), *place)
            began = time.perf_counter()
            said = plain_cell(lm, request, [edit], kind, place, result)
            seconds.append(time.perf_counter() - began)
            far = max(far, float(np.abs(said - grid[index]).max()))
    bench.add("grids.difference", far, "largest, of probability", len(seconds))
    bench.mean("grids.plain_seconds_per_cell", seconds, "s")
    bench.add("grids.ratio", float(np.mean(seconds)) / fast, "×", len(seconds))


BENCH = Benchmark("drift", attention, DriftOptions)
