"""How well edits hold, what else they move, and what they cost.

Facts are those of the assets that the model knows with more than .3; the answer to write is another
object of the same relation. Likelihood comparison and greedy match stand side by side: the first
alone hides damage.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from analysis import KnownRequest, LanguageModel, read_facts
from analysis.cache_home import cache_home
from analysis.facts.facts import Fact, another_object, in_turn
from analysis.moments.corpus import Corpus, written
from analysis.study import Report, silent
from app.bench.entry import Benchmark, flag, number_flag
from app.bench.form import Bench
from app.bench.machine import describe, forget_peak_memory, peak_memory_mb, wait
from app.bench.plain.target import plain_search
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.edit.apply import apply, written_over
from editors.edit.edit import Edit
from editors.edit.probes import Answers, Probe, probes_of, score
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.methods.search.target_search import search
from editors.methods.search.token_rows import contexts, rows_of
from editors.registry.methods import MethodName
from editors.scoring.perplexity import perplexity
from editors.scoring.probe_answers import answerable, ask

NAMES = (("rewrite", "ES", "greedy"), ("paraphrase", "PS", "PS_greedy"), ("neighbour", "NS", "NS_greedy"))
HELD_OUT_TOKENS, HELD_OUT_SEED = 4096, 2


@dataclass(frozen=True)
class EditOptions:
    """How much to measure."""

    quick: bool = False
    single: int | None = number_flag("single", "facts written one by one with ROME (default: 50; 4 when quick)")
    batch: int | None = number_flag("batch", "facts written together with MEMIT and EMMET (default: 50; 6 when quick)")
    sequential: int | None = number_flag("sequential", "facts in a row (default: 100; 0 when quick)", least=0)
    layer: int | None = flag("layer", "layer ROME writes the single facts to (default: its own)", parse=int)
    ratios: int | None = None  # facts whose search is also done the plain way; 5, 1 when quick


def editing(lm: LanguageModel, options: EditOptions, report: Report = silent) -> Bench:
    """Measure edits of a model: rome.*, memit50.*, emmet50.*, sequential100.*, target search, apply and revert."""
    bench = Bench(describe(lm.device), lm.card())
    many = options.quick
    single, batch = options.single or (4 if many else 50), options.batch or (6 if many else 50)
    sequential = options.sequential if options.sequential is not None else (0 if many else 100)
    facts = known(lm, max(single, batch, sequential), report)
    rewrites = [Rewrite.of(fact, another_object(fact)) for fact in facts]
    text = written(lm, HELD_OUT_TOKENS, HELD_OUT_SEED, cache_home() / "moments" / lm.own_hash[:24], report)
    plain = perplexity(lm, text)
    bench.add("perplexity", plain, "on text of its own", text.tokens)
    layers = None if options.layer is None else (options.layer,)
    edits = _single(bench, lm, rewrites[:single], layers, report)
    _search(bench, lm, rewrites[: options.ratios or (1 if many else 5)], report)
    _apply_revert(bench, lm, edits[0])
    for method in ("memit", "emmet"):
        _batch(bench, lm, method, facts[:batch], rewrites[:batch], text, plain, report)
    if sequential:
        for name, changes in SEQUENCES.items():
            _sequence(bench, lm, name, changes, facts[:sequential], rewrites[:sequential], text, plain, report)
    return bench


def known(lm: LanguageModel, count: int, report: Report = silent) -> list[Fact]:
    """Facts the model knows well, relations in turn."""
    sure = known_well(lm, report)
    return in_turn([fact for fact in read_facts() if fact.id in sure])[:count]


def known_well(lm: LanguageModel, report: Report = silent) -> set[str]:
    """Ids of the facts the model knows with more than .3, asked once."""
    return set(stored(STUDIES["facts"], KnownRequest(), lm, ResultStore(), report).known(0.3))


def _probes(lm: LanguageModel, facts: Sequence[Fact], rewrites: Sequence[Rewrite]) -> list[Probe]:
    pairs = zip(facts, rewrites, strict=True)
    return answerable(lm, [p for i, (fact, new) in enumerate(pairs) for p in probes_of(i, new, fact.object, fact)])


def _scores(bench: Bench, name: str, probes: Sequence[Probe], answers: Answers) -> None:
    for kind, likelier, greedy in NAMES:
        found = score(probes, answers, kind)  # type: ignore[arg-type]
        if found is not None:
            bounds = (100 * (found.likelier - found.half_width), 100 * (found.likelier + found.half_width))
            bench.add(f"{name}.{likelier}", 100 * found.likelier, "%", found.facts, bounds)
            bench.add(f"{name}.{greedy}", 100 * found.greedy, "%", found.facts)


def _single(
    bench: Bench, lm: LanguageModel, rewrites: Sequence[Rewrite], layers: tuple[int, ...] | None, report: Report
) -> list[Edit]:
    edits, seconds = [], []
    forget_peak_memory(lm.device)
    write(lm, EditRequest(facts=(rewrites[0],), layers=layers), glance=False)  # statistics and contexts, once
    for index, rewrite in enumerate(rewrites):
        report(index, len(rewrites), "facts with ROME")
        began = time.perf_counter()
        edits.append(write(lm, EditRequest(facts=(rewrite,), layers=layers), glance=False))
        wait(lm.device)
        seconds.append(time.perf_counter() - began)
    probes: list[Probe] = []
    parts: list[Answers] = []
    for index, edit in enumerate(edits):
        probes += [Probe(index, probe.kind, probe.prompt, probe.new, probe.old) for probe in edit.probes]
        parts.append(edit.after)
    _scores(bench, "rome", probes, _joined(parts))
    bench.mean("rome.seconds_per_edit", seconds, "s")
    bench.add("rome.peak_memory_mb", peak_memory_mb(), "MB")
    return edits


def _joined(parts: Sequence[Answers]) -> Answers:
    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    said = [word for part in parts for word in part.said]
    likely, greedy = (column("new"), column("old")), (column("new_greedy"), column("old_greedy"))
    return Answers(*likely, *greedy, said, column("said_probability"))


def _search(bench: Bench, lm: LanguageModel, rewrites: Sequence[Rewrite], report: Report) -> None:
    """The search for the value, resumed and plain, in turns."""
    fast, plain, far = [], [], 0.0
    for index, rewrite in enumerate(rewrites):
        report(index, len(rewrites), "searches the plain way")
        request = settled(lm, EditRequest(facts=(rewrite,)))
        layer = (request.layers or (0,))[-1]
        rows = rows_of(lm, [rewrite], contexts(lm, request))
        seconds, found = _timed(lm, partial(search, lm, rows, layer, ("value",), request))
        fast.append(seconds)
        seconds, exact = _timed(lm, partial(plain_search, lm, rows, layer, ("value",), request))
        plain.append(seconds)
        change = exact["value"].cpu()
        far = max(far, float((found.change["value"][0] - change).norm() / found.target("value")[0].norm()))
    bench.mean("rome.target_seconds", fast, "s")
    bench.mean("rome.target_plain_seconds", plain, "s")
    bench.mean("rome.target_ratio", [slow / quick for slow, quick in zip(plain, fast, strict=True)], "×")
    bench.add("rome.target_difference", far, "relative to v*", len(fast))
    request = settled(lm, EditRequest(facts=(rewrites[0],)))
    rows = rows_of(lm, rewrites, contexts(lm, request))
    seconds, _ = _timed(lm, partial(search, lm, rows, (request.layers or (0,))[-1], ("value",), request))
    bench.add("rome.target_ratio_together", sum(plain) / seconds, "×", len(rewrites))


def _apply_revert(bench: Bench, lm: LanguageModel, edit: Edit) -> None:
    seconds = []
    for _ in range(20):
        overlay = Overlay(lm)
        began = time.perf_counter()
        apply(lm, edit, overlay)
        overlay.restore()
        wait(lm.device)
        seconds.append(1000 * (time.perf_counter() - began))
    bench.mean("apply_revert_ms", seconds, "ms")


def _batch(
    bench: Bench,
    lm: LanguageModel,
    method: MethodName,
    facts: Sequence[Fact],
    rewrites: Sequence[Rewrite],
    text: Corpus,
    plain: float,
    report: Report,
) -> None:
    name = f"{method}{len(facts)}"
    began = time.perf_counter()
    edit = write(lm, EditRequest(facts=tuple(rewrites), method=method), report, glance=False)
    bench.add(f"{name}.seconds_per_edit", (time.perf_counter() - began) / len(facts), "s", len(facts))
    with written_over(lm, [edit]):
        probes = _probes(lm, facts, rewrites)
        _scores(bench, name, probes, ask(lm, probes))
        bench.add(f"{name}.perplexity_ratio", perplexity(lm, text) / plain, "×", text.tokens)
    bench.add(f"{name}.written", float(np.median(edit.found.written)), "share of the residual, median", len(facts))


SEQUENCES: dict[str, dict[str, Any]] = {
    "rome": {"method": "rome"},
    "memit": {"method": "memit"},
    "alphaedit": {"method": "alphaedit"},
    "alphaedit_no_projection": {"method": "alphaedit", "protect": 0.0},
    "alphaedit_no_past": {"method": "alphaedit", "spare": False},
}
"""Methods written one after another: ROME fact by fact, the others ten at a time. AlphaEdit's two parts also apart."""


def _sequence(
    bench: Bench,
    lm: LanguageModel,
    label: str,
    changes: dict[str, Any],
    facts: Sequence[Fact],
    rewrites: Sequence[Rewrite],
    text: Corpus,
    plain: float,
    report: Report,
) -> None:
    """Write facts one after another, each on what was written before; then ask all of them."""
    name, size = f"sequential{len(facts)}.{label}", 1 if changes["method"] == "rome" else 10
    stack: list[Edit] = []
    began = time.perf_counter()
    for start in range(0, len(rewrites), size):
        report(start, len(rewrites), f"facts in a row with {label}")
        request = EditRequest(facts=tuple(rewrites[start : start + size]), **changes)
        stack.append(write(lm, request, stack=stack, glance=False))
    bench.add(f"{name}.seconds_per_edit", (time.perf_counter() - began) / len(facts), "s", len(facts))
    with written_over(lm, stack):
        probes = _probes(lm, facts, rewrites)
        answers = ask(lm, probes)
        _scores(bench, name, probes, answers)
        first = [i for i, probe in enumerate(probes) if probe.kind == "rewrite" and probe.fact < 10]
        bench.add(f"{name}.retention", 100 * float(answers.new_greedy[first].mean()), "%", len(first))
        bench.add(f"{name}.perplexity_ratio", perplexity(lm, text) / plain, "×", text.tokens)


def _timed(lm: LanguageModel, work: Any) -> tuple[float, Any]:
    wait(lm.device)
    began = time.perf_counter()
    done = work()
    wait(lm.device)
    return time.perf_counter() - began, done


BENCH = Benchmark("editing", editing, EditOptions)
