"""A device held to the laws of the processor: what every study says there, how fast, in how much memory.

The same runs for any model and any device: the traces, the lens, the neurons, the heads, an edit by each method, and
the way back. With `twin`, the same weights in float32 on the processor, every number is held against the twin's.
Exactness on the device itself, against one full forward a cell, needs no twin.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from analysis import HeadsRequest, LanguageModel, LensRequest, NeuronsRequest, TraceRequest, heads_on_prompt, trace
from analysis.errors import WorkbenchError
from analysis.internals.key_value_memory import output_matrix
from analysis.lens.run import logit_lens
from analysis.neuron_attribution.run import neurons
from analysis.study import Report, silent
from analysis.tracing.result import Kind
from app.bench.entry import Benchmark, flag, number_flag
from app.bench.form import Bench
from app.bench.machine import counting, describe, forget_peak_memory, matmul_rates, peak_memory_mb, wait
from app.bench.plain.tracing import PlainTrace
from editors.edit.apply import apply, tensor_hash
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.defaults import default_layers
from editors.methods.run import write
from editors.registry.methods import MethodName

PROMPT, SUBJECT = "The Eiffel Tower is located in the city of", "The Eiffel Tower"
CONFLICT = "The capital of France is Rome . The capital of France is"
FACT = Rewrite(prompt="{} is located in the city of", subject=SUBJECT, target="France")
"""An answer that is a word of every tokenizer here, random ones too."""
METHODS: tuple[MethodName, ...] = ("rome", "memit", "pmet", "alphaedit", "ft")
CELLS = 6
"""Cells of the plain trace the fast one is held against."""


@dataclass(frozen=True)
class DeviceOptions:
    """How much to measure."""

    quick: bool = False
    twin: Callable[[], LanguageModel] | None = flag(  # noqa: RUF009 - a field
        "against",
        "hold every number against the same weights in float32 on the CPU",
        metavar=None,
        choices=("cpu",),
        read=lambda *_: None,  # the command makes it, once it has the model
    )
    tokens: int | None = number_flag("tokens", "text of second moments (default: ten a dimension; 600 when quick)")
    methods: tuple[MethodName, ...] = METHODS
    repeats: int | None = number_flag("repeats", "runs of each study (default: 3; 1 when quick)")


def device(lm: LanguageModel, options: DeviceOptions, report: Report = silent) -> Bench:
    """Measure STUDY.seconds and STUDY.difference, edit.METHOD.*, revert.*, memory and the share of the peak."""
    bench = Bench(describe(lm.device), lm.card())
    twin = options.twin() if options.twin else None
    samples = 2 if options.quick else 10
    studies: dict[str, Callable[[LanguageModel], np.ndarray]] = {
        "trace": partial(_trace, samples=samples),
        "lens": _lens,
        "neurons": _neurons,
        "heads": _heads,
    }
    forget_peak_memory(lm.device)
    peak = max(matmul_rates(lm.device, lm.dtype, small=options.quick).values())
    for number, (name, study) in enumerate(studies.items()):
        report(number, len(studies) + len(options.methods), name)
        _study(bench, lm, twin, name, study, options)
    _exactness(bench, lm, samples)
    with counting() as counter:
        _trace(lm, samples)
    spent = next(figure.value for figure in bench.figures if figure.name == "trace.seconds")
    bench.add("trace.share_of_peak", counter.get_total_flops() / spent / peak, "", 1)
    for number, method in enumerate(options.methods):
        report(len(studies) + number, len(studies) + len(options.methods), method)
        _edit(bench, lm, twin, method, options)
    bench.add("peak_memory_mb", peak_memory_mb(), "MB")
    if lm.device.type == "cuda":
        every = {each for each in lm.block_devices if each.type == "cuda"}
        bench.add("gpu_peak_memory_mb", sum(map(torch.cuda.max_memory_allocated, every)) / 1e6, "MB", len(every))
    bench.machine["matmul_peak_gflops"] = round(peak / 1e9, 1)
    return bench


def _study(
    bench: Bench,
    lm: LanguageModel,
    twin: LanguageModel | None,
    name: str,
    study: Callable[[LanguageModel], np.ndarray],
    options: DeviceOptions,
) -> None:
    try:
        study(lm)  # kernels are chosen, frames are kept
    except WorkbenchError as error:
        bench.model.setdefault("refused", {})[name] = str(error)
        return
    seconds, found = [], np.empty(0)
    for _ in range(options.repeats or (1 if options.quick else 3)):
        spent, found = timed(lm, partial(study, lm))
        seconds.append(spent)
    bench.mean(f"{name}.seconds", seconds, "s")
    bench.add(f"{name}.finite", 100 * float(np.isfinite(found).mean()), "%", found.size)
    if twin is not None:
        far = float(np.abs(found - study(twin)).max())
        bench.add(f"{name}.difference", far, "largest, to float32 on the processor", found.size)


def _trace(lm: LanguageModel, samples: int) -> np.ndarray:
    kinds: tuple[Kind, ...] = ("state", "mlp", "severed_mlp")
    request = TraceRequest(prompt=PROMPT, subject=SUBJECT, kinds=kinds, occurrence=0, samples=samples)
    result = trace(lm, request)
    return np.stack([result.grids[kind].probability for kind in request.kinds])


def _lens(lm: LanguageModel) -> np.ndarray:
    return logit_lens(lm, LensRequest(prompt=PROMPT)).lens.answer_probability


def _neurons(lm: LanguageModel) -> np.ndarray:
    return neurons(lm, NeuronsRequest(prompt=PROMPT, top=10, counts=())).mlp


def _heads(lm: LanguageModel) -> np.ndarray:
    """Where every head looks; which heads are silenced depends on an order that rounding may change."""
    found = heads_on_prompt(lm, HeadsRequest(prompt=CONFLICT, subject="France", context="Rome"))
    return found.looks.astype(np.float32)


def _exactness(bench: Bench, lm: LanguageModel, samples: int) -> None:
    """Cells of a trace against one full forward each, on the same device."""
    request = TraceRequest(prompt=PROMPT, subject=SUBJECT, occurrence=0, samples=samples)
    result = trace(lm, request)
    plain = PlainTrace(lm, request, result.answer_id)
    layers, tokens = result.grids["state"].computed.shape
    draw = np.random.default_rng(0)
    cells = [(int(draw.integers(layers)), int(draw.integers(result.subject[0], tokens))) for _ in range(CELLS)]
    far = max(
        float(np.abs(plain.cell("state", layer, token) - result.grids["state"].probability[:, layer, token]).max())
        for layer, token in cells
    )
    bench.add("trace.against_full_forwards", far, "probability", len(cells) * request.samples)


def _edit(
    bench: Bench, lm: LanguageModel, twin: LanguageModel | None, method: MethodName, options: DeviceOptions
) -> None:
    layers = default_layers(lm, method)
    tokens = options.tokens or (600 if options.quick else None)
    request = EditRequest(facts=(FACT,), method=method, layers=layers, tokens=tokens)
    before = {layer: tensor_hash(output_matrix(lm, layer).parameter) for layer in layers}
    try:
        write(lm, request, glance=False, probe=False)  # statistics and contexts, once
    except WorkbenchError as error:
        bench.model.setdefault("refused", {})[method] = str(error)
        return
    spent, edit = timed(lm, partial(write, lm, request, glance=False, probe=False))
    bench.add(f"edit.{method}.seconds", spent, "s")
    bench.add(f"edit.{method}.reached", 100 * float(np.nanmax(edit.found.probability)), "%")
    spent, _ = timed(lm, partial(_there_and_back, lm, edit))
    bench.add(f"edit.{method}.apply_revert_ms", 1000 * spent, "ms")
    after = {layer: tensor_hash(output_matrix(lm, layer).parameter) for layer in layers}
    bench.add(f"edit.{method}.matrices_not_as_before", sum(before[at] != after[at] for at in layers), "", len(layers))
    if twin is not None:
        ours, theirs = (_whole(one) for one in (edit, write(twin, request, glance=False, probe=False)))
        far = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
        bench.add(f"edit.{method}.difference", far, "relative, to float32 on the processor", len(layers))


def _there_and_back(lm: LanguageModel, edit: Edit) -> None:
    with Overlay(lm) as overlay:
        apply(lm, edit, overlay)


def _whole(edit: Edit) -> np.ndarray:
    return np.stack([change.left @ change.right for change in edit.changes])


def timed(lm: LanguageModel, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds a piece of work takes until the device has done it, and what it gives."""
    wait(lm.device)
    began = time.perf_counter()
    done = work()
    wait(lm.device)
    return time.perf_counter() - began, done


BENCH = Benchmark("device", device, DeviceOptions)
