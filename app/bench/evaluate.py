"""Methods side by side on the same cases, scoring in batches against one by one, and a cluster against this process.

Evaluations go through the store, part by part: a bench that was ended goes on where it was. Scores do not depend on
when they were computed; what is timed is computed anew.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from analysis import LanguageModel, ModelSpec
from analysis.facts.facts import another_object
from analysis.forward.generation import continued, texts_after
from analysis.study import Report, silent
from app.bench.editing import known
from app.bench.entry import Benchmark, flag, number_flag, word_flag
from app.bench.form import Bench
from app.bench.machine import describe, wait
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.sweeps.plan import planned
from app.sweeps.ray_engine import RayEngine
from app.sweeps.sweep import Engine, InProcess, sweep
from app.terminal.case_flags import told
from editors.cases.case import Case, case_of
from editors.cases.files import read_case_file
from editors.evaluation.result import IN_PERCENT, SHORT, EvaluateRequest, EvaluateResult, Protocol
from editors.scoring.probe_answers import answerable
from editors.scoring.teacher_forced import measured

METHODS = ("ft", "rome", "memit", "emmet", "pmet", "alphaedit", "rome+sadr", "ace")
PARTS = ("scoring", "own", "file")
"""What may be measured alone; tables find in the store what another process has put there."""
TABLE: tuple[Protocol, ...] = ("likelihood", "strict", "starts", "agreement", "kl", "eos")
"""Protocols of the table; a report has all."""
WORDS = 10
"""Tokens a free answer may take."""


def cases_of(_: str, file: str) -> tuple[Case, ...]:
    """The cases of a file that a flag names."""
    return told(read_case_file(Path(file))).cases


@dataclass(frozen=True)
class EvaluateOptions:
    """How much to measure."""

    quick: bool = False
    facts: int | None = number_flag("single", "own facts (default: 100; 2 when quick)")
    cases: tuple[Case, ...] = flag("data", "a file of cases, too", (), metavar="FILE", read=cases_of)
    ray: bool = flag("ray", "also the same requests on two workers of a Ray cluster", False, switch=True)
    texts: int | None = number_flag(
        "texts", "cases texts are written about, for fluency and consistency (default: 10; 1 when quick)", least=0
    )
    methods: tuple[str, ...] = METHODS
    parts: tuple[str, ...] = word_flag("parts", f"{', '.join(PARTS)} (default: all)", PARTS)


def evaluate_bench(lm: LanguageModel, options: EvaluateOptions, report: Report = silent) -> Bench:
    """Measure scoring.*, generation.*, own.METHOD.PROTOCOL.KIND, file.METHOD.PROTOCOL.KIND and ray.*."""
    bench = Bench(describe(lm.device), lm.card())
    count = options.facts or (2 if options.quick else 100)
    own = tuple(case_of(fact, another_object(fact)) for fact in known(lm, count, report))
    methods = ("ft", "rome") if options.quick else options.methods
    written = (1 if options.quick else 10) if options.texts is None else options.texts
    parts = options.parts or PARTS
    if "scoring" in parts:
        few = own[: max(2, count // 5)]
        _scoring(bench, lm, few)
        _generation(bench, lm, few)
    for name, cases in (("own", own), ("file", options.cases[:count])):
        if name in parts and cases:
            _table(bench, lm, name, cases, methods, written, report)
    if options.ray:
        _cluster(bench, lm, own[:4], report)
    return bench


def _scoring(bench: Bench, lm: LanguageModel, cases: tuple[Case, ...]) -> None:
    probes = answerable(lm, [probe for case in cases for probe in case.probes])
    seconds, found = {}, {}
    for rows in (1, 32):
        began = time.perf_counter()
        found[rows] = measured(lm, probes, slots=True, rows=rows)
        wait(lm.device)
        seconds[rows] = time.perf_counter() - began
    bench.add("scoring.prompts", len(probes), "prompts, two answers each", len(cases))
    bench.add("scoring.seconds", seconds[32], "s", len(probes))
    bench.add("scoring.ratio", seconds[1] / seconds[32], "× one by one", len(probes))
    far = [np.nanmax(np.abs(found[1].mean - found[32].mean)), np.nanmax(np.abs(found[1].summed - found[32].summed))]
    assert found[1].slots is not None
    assert found[32].slots is not None
    far.append(float((found[1].slots - found[32].slots).abs().max()))
    bench.add("scoring.max_abs_difference", max(map(float, far)), "nats", len(probes))


def _generation(bench: Bench, lm: LanguageModel, cases: tuple[Case, ...]) -> None:
    """What is said freely to the cases' prompts, side by side and one by one."""
    prompts = [probe.prompt for case in cases for probe in answerable(lm, case.probes)]
    began = time.perf_counter()
    found = texts_after(lm, prompts, WORDS)
    wait(lm.device)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    alone = [([*continued(lm, prompt, WORDS)] or [""])[-1] for prompt in prompts]
    wait(lm.device)
    bench.add("generation.seconds", seconds, "s", len(prompts))
    bench.add("generation.ratio", (time.perf_counter() - began) / seconds, "× one by one", len(prompts))
    same = [one == other for one, other in zip(found, alone, strict=True)]
    bench.add("generation.same", sum(same) / len(same), "share of texts", len(prompts))


def _table(
    bench: Bench, lm: LanguageModel, name: str, cases: tuple[Case, ...], methods: tuple[str, ...], written: int,
    report: Report,
) -> None:  # fmt: skip
    found = evaluated(lm, EvaluateRequest(cases=cases, methods=methods), report)
    for at, version in enumerate(found.versions):
        head = f"{name}.{version.replace('+', '_')}"
        for protocol in TABLE:
            for kind in found.there():
                one = found.mean(at, protocol, kind)
                if one is None:
                    continue
                label = SHORT.get(kind, kind) if protocol == "likelihood" else f"{protocol}.{kind}"
                if protocol in IN_PERCENT:
                    bench.share(f"{head}.{label}", one)
                else:
                    bounds = (one.value - one.half_width, one.value + one.half_width)
                    bench.add(f"{head}.{label}", one.value, "nats", one.n, bounds if one.n > 1 else None)
        if (score := found.score(at)) is not None:
            bench.add(f"{head}.S", 100 * score, "harmonic mean of ES, PS, NS", len(cases))
        if at:
            _mean(bench, f"{head}.seconds", found.seconds[at], "s an edit, when it was computed")
    if written:
        about = evaluated(lm, EvaluateRequest(cases=cases[:written], methods=methods, fluency=True), report)
        for at, version in enumerate(about.versions):
            head = f"{name}.{version.replace('+', '_')}"
            _mean(bench, f"{head}.fluency", about.fluency[at], "bits × 100")
            _mean(bench, f"{head}.consistency", about.consistency[at], "cosine × 100")
    bench.add(f"{name}.refused", len(found.faults), "edits", len(cases) * len(methods))


def evaluated(lm: LanguageModel, request: EvaluateRequest, report: Report) -> EvaluateResult:
    """An evaluation of the store, its parts computed where they are not there."""
    return stored(STUDIES["evaluate"], request, lm, ResultStore(), report)  # type: ignore[no-any-return]


def _mean(bench: Bench, name: str, values: np.ndarray, unit: str) -> None:
    there = values[~np.isnan(values)]
    if len(there):
        bench.mean(name, there.tolist(), unit)


def _cluster(bench: Bench, lm: LanguageModel, cases: tuple[Case, ...], report: Report) -> None:
    """The same requests here and on two workers, from nothing each time."""
    study = STUDIES["evaluate"]
    units, _ = planned(study, cases, {"methods": ("rome",), "free": False}, [])
    seconds, results = {}, {}

    def run(name: str, engine: Engine) -> None:
        with TemporaryDirectory() as place:
            store = ResultStore(Path(place))
            began = time.perf_counter()
            swept = sweep(study, units, engine, store, report)
            seconds[name] = time.perf_counter() - began
            parts: list[Any] = [store.load(study, key) for key in swept.keys]
            results[name] = [part.values for part in parts]

    run("here", InProcess(lm))
    spec = ModelSpec(source=lm.card()["source"], revision=lm.card()["revision"])
    with RayEngine(spec, workers=2) as engine:
        run("ray", engine)
    far = max(float(np.nanmax(np.abs(a - b))) for a, b in zip(results["here"], results["ray"], strict=True))
    bench.add("ray.seconds", seconds["ray"], "s, two workers", len(units))
    bench.add("ray.here_seconds", seconds["here"], "s, this process", len(units))
    bench.add("ray.max_abs_difference", far, "of any score", len(units))


BENCH = Benchmark("evaluate", evaluate_bench, EvaluateOptions)
