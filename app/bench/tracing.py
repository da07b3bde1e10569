"""How much faster than one forward per cell, how exact, how near to what the machine can do.

The plain reference is app/bench/plain/tracing.py. Fast and plain runs take turns, so a machine
that slows down slows both.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from analysis import Cancelled, LanguageModel, TraceRequest, TraceResult, trace
from analysis.errors import BadRequest
from analysis.study import Report, silent
from analysis.tracing.result import Kind
from app.bench.entry import Benchmark, flag, number_flag, word_flag
from app.bench.form import Bench, Figure
from app.bench.machine import counting, describe, forget_peak_memory, matmul_rates, peak_memory_mb, wait
from app.bench.plain.tracing import PlainTrace

PROMPT, SUBJECT = "The Eiffel Tower is located in the city of", "The Eiffel Tower"
END = "is located in the city of"
FILLER = (
    "is known to many people . It has been there for a long time , and many visitors come to see it every day . "
    "Some of them stay for an hour , and others stay for a day . The weather is often good in the summer , and "
    "then there are more people than in the winter . Most of them take a picture , and then go on to the next "
    "place . It"
)
"""Neutral sentences between subject and question; as many of their first words as a length needs."""
LENGTHS = (10, 20, 40, 80)
QUICK_CELLS = 12
SHAPE_CELLS = 24
"""Cells of the plain reference that a random model is compared on."""
KINDS: tuple[Kind, ...] = ("state", "mlp", "attn")


def _cells(args: Namespace) -> int | None:
    return SHAPE_CELLS if args.shape and not args.quick else None


def _numbers(name: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise BadRequest(f"--{name} is “{text}”; it is a list of numbers, such as 10,20.")
    return tuple(map(int, parts))


@dataclass(frozen=True)
class Options:
    """How much to measure."""

    quick: bool = False
    kinds: tuple[Kind, ...] = word_flag("kinds", f"kinds of repair (default: {','.join(KINDS)})", KINDS, KINDS)
    samples: int = 10
    cells: int | None = number_flag(
        "cells",
        f"cells of the plain reference (default: all, with --shape {SHAPE_CELLS}; {QUICK_CELLS} when quick)",
        otherwise=_cells,
    )
    repeats: int | None = number_flag("repeats", "fast runs (default: 3; 1 when quick)")
    lengths: tuple[int, ...] = flag(
        "lengths",
        "prompt lengths in tokens (default: 10,20,40,80; none when quick)",
        LENGTHS,
        metavar="N,…",
        read=_numbers,
    )


def tracing(lm: LanguageModel, options: Options, report: Report = silent) -> Bench:
    """Measure causal tracing of the Eiffel Tower prompt on a model.

    Per kind: seconds, plain_seconds, ratio, max_abs_difference (probability of the answer, over all
    samples of all compared cells), share_of_peak (matrix-product FLOPs, counted by torch in a run of
    their own, by seconds and by the peak). The peak is the mean rate of the fastest shape of
    `matmul_rates` over windows before and after every fast run: a machine's speed wanders by a fifth
    within minutes, and the best window of many says what it did once, not what a run could have had.
    """
    bench = Bench(describe(lm.device), lm.card())
    rates: dict[str, list[float]] = {}
    flops: dict[Kind, float] = {}
    for kind in options.kinds:
        flops[kind] = _kind(bench, lm, kind, options, rates, report)
    peaks = {shape: sum(each) / len(each) for shape, each in rates.items()}
    if not options.quick:
        for length in options.lengths:
            report(0, 1, f"{length} tokens")
            request, tokens = _prompt_of(lm, length, options)
            seconds, _ = _timed(lm, partial(trace, lm, request))
            bench.add(f"state.seconds_T{length}", seconds, "s" if tokens == length else f"s ({tokens} tokens)")
    _preview(bench, lm, options)
    by_name = {figure.name: figure for figure in bench.figures}
    for kind, count in flops.items():
        spent = by_name[f"{kind}.seconds"]
        bench.add(f"{kind}.share_of_peak", count / spent.value / max(peaks.values()), "", spent.n)
    bench.machine["matmul_gflops"] = {shape: round(rate / 1e9, 1) for shape, rate in peaks.items()}
    bench.machine["matmul_windows"] = max(map(len, rates.values()))
    bench.machine["matmul_peak_gflops"] = round(max(peaks.values()) / 1e9, 1)
    return bench


def _request(kind: Kind, options: Options, prompt: str | None = None) -> TraceRequest:
    return TraceRequest(prompt=prompt or PROMPT, subject=SUBJECT, occurrence=0, kinds=(kind,), samples=options.samples)


def _kind(
    bench: Bench, lm: LanguageModel, kind: Kind, options: Options, rates: dict[str, list[float]], report: Report
) -> float:
    """Put down a kind's figures and the rates around its runs; returns the FLOPs of its matrix products."""

    def measure_rates() -> None:
        for shape, rate in matmul_rates(lm.device, lm.dtype).items():
            rates.setdefault(shape, []).append(rate)

    request = _request(kind, options)
    with counting() as counter:
        result = trace(lm, request, _titled(report, f"{kind}, counting"))
    flops = counter.get_total_flops()
    plain = PlainTrace(lm, request, result.answer_id)
    chosen = _chosen(result, kind, options)
    repeats = options.repeats or (1 if options.quick else 3)
    fast_seconds, cell_seconds, difference = [], [], 0.0
    plain.cell(kind, *chosen[0])
    memory = 0.0
    for turn in range(repeats):
        measure_rates()
        forget_peak_memory(lm.device)
        seconds, result = _timed(lm, partial(trace, lm, request, _titled(report, f"{kind}, fast")))
        fast_seconds.append(seconds)
        memory = memory or peak_memory_mb()
        measure_rates()
        for index, (layer, token) in enumerate(chosen[turn::repeats]):
            report(index, len(chosen[turn::repeats]), f"{kind}, one forward per cell")
            seconds, exact = _timed(lm, partial(plain.cell, kind, layer, token))
            cell_seconds.append(seconds)
            difference = max(difference, float(np.abs(exact - result.grids[kind].probability[:, layer, token]).max()))
    cells = result.grids[kind].computed.size
    fast = bench.mean(f"{kind}.seconds", fast_seconds, "s")
    slow = bench.mean(f"{kind}.plain_seconds", cell_seconds, "s", times=cells)
    bench.add(f"{kind}.ratio", slow.value / fast.value, "×", len(cell_seconds), _bounds(slow, fast))
    bench.add(f"{kind}.max_abs_difference", difference, "probability", len(cell_seconds) * request.samples)
    bench.add(f"{kind}.flops", float(flops), "FLOP")
    if kind == options.kinds[0]:
        bench.add("peak_memory_mb", memory, "MB")
        if lm.device.type == "cuda":
            bench.add("gpu_peak_memory_mb", torch.cuda.max_memory_allocated(lm.device) / 1e6, "MB")
    return float(flops)


def _bounds(slow: Figure, fast: Figure) -> tuple[float, float] | None:
    """Of a ratio, from the bounds of its parts: wider than need be."""
    if slow.low is None or slow.high is None or (fast.low is not None and fast.low <= 0):
        return None
    return max(0.0, slow.low) / (fast.high or fast.value), slow.high / (fast.low or fast.value)


def _chosen(result: TraceResult, kind: Kind, options: Options) -> list[tuple[int, int]]:
    """Cells to compute the plain way, in random order; cells before the subject are no work and left out."""
    layers, tokens = result.grids[kind].computed.shape
    every = [(layer, token) for layer in range(layers) for token in range(result.subject[0], tokens)]
    order = np.random.default_rng(0).permutation(len(every))
    wanted = options.cells or (QUICK_CELLS if options.quick else len(every))
    return [every[index] for index in order[:wanted]]


def _prompt_of(lm: LanguageModel, length: int, options: Options) -> tuple[TraceRequest, int]:
    """The question with neutral sentences after the subject, `length` tokens or the next number above."""
    words = FILLER.split()
    tokens = 0
    prompt = PROMPT
    for count in range(len(words) + 1):
        prompt = " ".join([SUBJECT, *words[:count], END]).replace(" .", ".").replace(" ,", ",")
        tokens = len(lm.encode(prompt))
        if tokens >= length:
            break
    return _request("state", options, prompt), tokens


def _preview(bench: Bench, lm: LanguageModel, options: Options) -> None:
    """Seconds until a run has something to show."""

    def first(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        if partial is not None:
            raise Cancelled

    def until_first() -> None:
        with suppress(Cancelled):
            trace(lm, _request("state", options), first)

    bench.mean("preview.seconds", [_timed(lm, until_first)[0] for _ in range(2 if options.quick else 5)], "s")


def _timed(lm: LanguageModel, work: Callable[[], Any]) -> tuple[float, Any]:
    wait(lm.device)
    began = time.perf_counter()
    done = work()
    wait(lm.device)
    return time.perf_counter() - began, done


def _titled(report: Report, title: str) -> Report:
    def titled(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        report(done, total, title, None, share)

    return titled


BENCH = Benchmark("tracing", tracing, Options)
