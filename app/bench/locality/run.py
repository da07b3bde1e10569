"""What an edit leaves alone: methods with and without protection, on the same facts; streams; how long an edit takes.

Evaluations and streams go through the store, part by part, so that a bench that was ended goes on where it was. What
is scored is never among what is protected (`editors.evaluation.protection`, held by its tests). Times are taken anew.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import LanguageModel
from analysis.errors import BadRequest
from analysis.facts.facts import another_object
from analysis.study import Report, silent
from app.bench.editing import known
from app.bench.entry import Benchmark, flag, number_flag, word_flag
from app.bench.evaluate import cases_of, evaluated
from app.bench.form import Bench
from app.bench.locality.crosstalk import crosstalk
from app.bench.locality.long_answers import long_answers
from app.bench.locality.wordings import wordings
from app.bench.machine import describe
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.cases.case import Case, case_of
from editors.edit.request import EditRequest
from editors.evaluation.result import SHORT, EvaluateRequest, EvaluateResult, mean_of
from editors.lifelong_editing.result import LifelongRequest
from editors.methods.run import write
from editors.registry.versions import EXTRAS, extras_in, method_in, settled_version

SINGLE = (
    "rome", "rome+protect", "rome+protect+firm", "rome+protect+values", "rome+protect+firm+values",
    "rome+protect+early", "rome+protect+firm+values+early", "rome+early",
    "memit", "memit+protect", "emmet", "emmet+protect", "alphaedit", "alphaedit+protect",
)  # fmt: skip
STREAMS = ("alphaedit", "alphaedit+protect", "rls", "rls+subjects", "betaedit")
PARTS = ("single", "file", "stream", "crosstalk", "wordings", "long", "seconds")
WHOLE, BATCH, LONG = 100, 20, 5
"""Facts written singly where no other number is named, facts written in one edit, and facts that get a long answer."""


def _versions(flag: str, words: str) -> tuple[str, ...]:
    """Names of versions, each said in its one way."""
    try:
        return tuple(settled_version(word.strip()) for word in words.split(",") if word.strip())
    except ValueError as error:
        raise BadRequest(f"--{flag}: {error}.") from error


@dataclass(frozen=True)
class LocalityOptions:
    """How much to measure."""

    quick: bool = False
    facts: int | None = number_flag("single", "own facts (default: 100; 2 when quick)")
    stream: int | None = number_flag("n", "edits of a stream (default: 200; 4 when quick)")
    cases: tuple[Case, ...] = flag("data", "a file of cases, too", (), metavar="FILE", read=cases_of)
    methods: tuple[str, ...] = flag(
        "methods", "versions to write each fact with (default: with and without protection)", SINGLE,
        metavar="NAME,…", read=_versions,
    )  # fmt: skip
    streams: tuple[str, ...] = flag(
        "streams", "versions a stream is written with", STREAMS, metavar="NAME,…", read=_versions
    )
    parts: tuple[str, ...] = word_flag("parts", f"{', '.join(PARTS)} (default: all)", PARTS)


def locality_bench(lm: LanguageModel, options: LocalityOptions, report: Report = silent) -> Bench:
    """Measure single.METHOD.WHAT, file.METHOD.WHAT, stream200.METHOD.WHAT, wordings.WHY, long.LENGTH.WHAT and seconds.

    Of another number of facts than a hundred the first are single20.METHOD.WHAT, with the number in their name.
    """
    bench = Bench(describe(lm.device), lm.card())
    count = options.facts or (2 if options.quick else WHOLE)
    own = tuple(case_of(fact, another_object(fact)) for fact in known(lm, count, report))
    methods = ("rome", "rome+protect") if options.quick else options.methods
    parts = options.parts or PARTS
    if "single" in parts:
        head = "single" if count == WHOLE or options.quick else f"single{count}"
        _single(bench, head, evaluated(lm, EvaluateRequest(cases=own, methods=methods, free=False), report))
    if "file" in parts and options.cases:
        asked = EvaluateRequest(cases=options.cases[:count], methods=methods, free=False, halved=True)
        _single(bench, "file", evaluated(lm, asked, report))
    if "stream" in parts:
        streams = options.streams[:1] if options.quick else options.streams
        _streams(bench, lm, options.stream or (4 if options.quick else 200), streams, report)
    if "crosstalk" in parts:
        facts = known(lm, options.stream or (4 if options.quick else 200), report)
        crosstalk(bench, lm, [case_of(fact, another_object(fact)) for fact in facts], report)
    if "wordings" in parts:
        wordings(bench, lm, own, report)
    if "long" in parts:
        long_answers(bench, lm, own[: 1 if options.quick else LONG], report)
    if "seconds" in parts:
        _seconds(bench, lm, own)
    return bench


def _single(bench: Bench, head: str, found: EvaluateResult) -> None:
    """Shares by likelihood and by the strict protocol, each method less itself without protection, and the best."""
    scores: dict[str, float] = {}
    for at, version in enumerate(found.versions):
        name = version.replace("+", "_")
        shares = _shares(bench, f"{head}.{name}", found, at)
        if at and len(shares) == len(SHORT):
            scores[version] = len(shares) / sum(1 / max(share, 1e-9) for share in shares)
            bench.add(f"{head}.{name}.S5", scores[version], "harmonic mean of the five", len(found.request.cases))
        if extras_in(version) and method_in(version) in found.versions:
            _less(bench, f"{head}.{name}.less", found, at, found.versions.index(method_in(version)))
        if at and not np.isnan(found.seconds[at]).all():
            bench.mean(f"{head}.{name}.seconds", found.seconds[at][~np.isnan(found.seconds[at])].tolist(), "s an edit")
    if scores:
        best = max(scores, key=lambda version: scores[version])
        at = found.versions.index(best)
        _shares(bench, f"{head}.best", found, at)
        bench.tables[f"{head}.best"] = [{"method": best}, *_by_relation(found, at)]
    bench.add(f"{head}.refused", len(found.faults), "edits", len(found.request.cases) * (len(found.versions) - 1))


def _shares(bench: Bench, head: str, found: EvaluateResult, at: int) -> list[float]:
    shares = []
    for kind, short in SHORT.items():
        for protocol, label in (("likelihood", short), ("strict", f"strict.{short}")):
            one = found.mean(at, protocol, kind)  # type: ignore[arg-type]
            if one is None:
                continue
            bench.share(f"{head}.{label}", one)
            if protocol == "likelihood":
                shares.append(100 * one.value)
    return shares


def _less(bench: Bench, head: str, found: EvaluateResult, at: int, plain: int) -> None:
    for kind, short in SHORT.items():
        one = found.paired(at, plain, "likelihood", kind)  # type: ignore[arg-type]
        if one is not None:
            bench.share(f"{head}.{short}", one, "points")


def _by_relation(found: EvaluateResult, at: int) -> list[dict[str, Any]]:
    """Of the best, where each share is not reached: means by relation."""
    cases = found.request.cases
    rows = []
    for relation in dict.fromkeys(case.relation for case in cases):
        own = np.array([case.relation == relation for case in cases])
        row: dict[str, Any] = {"relation": relation, "facts": int(own.sum())}
        for kind, short in SHORT.items():
            one = mean_of(np.where(own, found.by_case(at, "likelihood", kind), np.nan))  # type: ignore[arg-type]
            row[short] = None if one is None else round(100 * one.value, 1)
        rows.append(row)
    return rows


def _streams(bench: Bench, lm: LanguageModel, count: int, versions: Sequence[str], report: Report) -> None:
    cases = tuple(case_of(fact, another_object(fact)) for fact in known(lm, count, report))
    scores: dict[str, dict[str, tuple[float, str, int]]] = {}
    for method in versions:
        request = LifelongRequest(cases=cases, method=method)
        found = stored(STUDIES["lifelong"], request, lm, ResultStore(), report)
        last, n = len(found.milestones) - 1, len(cases)
        rows: dict[str, tuple[float, str, int]] = {}
        for kind, label in (("rewrite", "said"), ("paraphrase", "worded"), ("neighbour", "neighbours")):
            if (one := found.kept(last, kind)) is not None:
                rows[label] = (100 * one.value, "%", one.n)
        if (one := mean_of(found.bare()[2])) is not None:
            rows["neighbours_unedited"] = (100 * one.value, "%", one.n)
        rows["perplexity_ratio"] = (float(found.perplexity[last] / found.perplexity[0]), "ratio", n)
        if found.groups:
            rows["abilities"] = (100 * float(np.mean(found.abilities[last])), "%", len(found.groups))
        rows["seconds"] = (float(np.nanmean(found.seconds)), "s an edit", n)
        scores[method] = rows
        for label, (value, unit, number) in rows.items():
            bench.add(f"stream{count}.{method.replace('+', '_')}.{label}", value, unit, number)
    if scores:
        best = max(scores, key=lambda name: scores[name].get("neighbours", (0.0, "", 0))[0])
        bench.tables[f"stream{count}.best"] = [{"method": best}]
        for label, (value, unit, number) in scores[best].items():
            bench.add(f"stream{count}.best.{label}", value, unit, number)


def _seconds(bench: Bench, lm: LanguageModel, cases: tuple[Case, ...]) -> None:
    """Seconds of an edit, moments at hand: as the page makes it, asked and looked at; its search and write; a batch.

    The same with an early stop, whose values are others.
    """
    facts = [case.rewrite for case in cases]
    write(lm, EditRequest(facts=(facts[0],)), glance=False)  # moments are read, factors are made
    for name, early in (("", {}), ("_early", EXTRAS["early"].fields)):
        asked = [EditRequest(facts=(fact,), **early) for fact in facts[:5]]
        bench.mean(f"edit.seconds{name}", [_taken(lm, one) for one in asked], "s a ROME edit, asked and looked at")
        bench.mean(f"edit.write_seconds{name}", [_taken(lm, one, looked=False) for one in asked], "s a ROME edit")
        batch = EditRequest(facts=tuple(facts[:BATCH]), method="memit", **early)
        count = len(batch.facts)
        unit = f"s an edit, MEMIT, {count} in one"
        bench.add(f"edit.seconds_batch{BATCH}{name}", _taken(lm, batch, looked=False) / count, unit, count)


def _taken(lm: LanguageModel, request: EditRequest, *, looked: bool = True) -> float:
    began = time.perf_counter()
    write(lm, request, probe=looked, glance=looked)
    return time.perf_counter() - began


BENCH = Benchmark("locality", locality_bench, LocalityOptions)
