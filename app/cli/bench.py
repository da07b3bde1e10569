"""`palimpsest bench NAME`: a benchmark in the one form all of them have."""

import json
import shlex
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from analysis import LanguageModel, ModelSpec, read_facts
from analysis.errors import BadRequest
from analysis.model.loading import DTYPES, pick_device
from app.bench import conflict, drift, evaluate, examples, exports, loading, neurons
from app.bench.conflict import ConflictOptions
from app.bench.device import CONFLICT, DeviceOptions
from app.bench.drift import DriftOptions
from app.bench.editing import EditOptions
from app.bench.evaluate import EvaluateOptions
from app.bench.examples import ExampleOptions
from app.bench.exports import ExportOptions
from app.bench.families import Options as FamilyOptions
from app.bench.form import Bench, Figure
from app.bench.loading import LoadingOptions
from app.bench.models.random_model import SHAPES, random_model, twin_of
from app.bench.models.tiny_families import FAMILIES
from app.bench.neurons import NeuronOptions
from app.bench.registry import BENCHES
from app.bench.server import ServerOptions
from app.bench.tracing import FILLER, PROMPT, Options
from app.bench.ui import UiOptions
from app.terminal.case_flags import told
from app.terminal.files import add_outputs, check_outputs, printed, write_outputs
from app.terminal.request_flags import add_model_flags, fields_of, loaded
from app.terminal.text import Bar, columns
from editors.cases.files import read_case_file

ALL_PARTS = {
    "conflict": conflict.PARTS,
    "drift": drift.PARTS,
    "neurons": neurons.PARTS,
    "evaluate": evaluate.PARTS,
    "exports": exports.PARTS,
    "loading": loading.MEASURED,
    "examples": examples.PARTS,
}
ALONE = ("families", "loading", "server", "ui")
"""Benchmarks that make models of their own, or processes that load them."""
SHAPE_CELLS = 24
"""Cells of the plain reference that a random model is compared on."""


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    parser.add_argument("name", choices=list(BENCHES), metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="a small sample, for CI")
    texts = {
        "--kinds": ("state,mlp,attn", "KIND,…", "kinds of repair (default: state,mlp,attn)"),
        "--parts": (
            "",
            "PART,…",
            "; ".join(f"{bench}: {', '.join(parts)}" for bench, parts in ALL_PARTS.items())
            + " (default: all; conflict: no transfer when quick)",
        ),
        "--families": ("", "NAME;…", "families: those to try (default: all; one in eight when quick)"),
        "--lengths": ("10,20,40,80", "N,…", "prompt lengths in tokens (default: 10,20,40,80; none when quick)"),
    }
    for flag, (default, metavar, explained) in texts.items():
        parser.add_argument(flag, default=default, metavar=metavar, help=explained)
    numbers = {
        "--cells": "cells of the plain reference (default: all; 12 when quick)",
        "--repeats": "fast runs (default: 3; 1 when quick); exports: bases drawn (5; 1 when quick)",
        "--single": "facts written one by one (default: editing 50, drift, evaluate 100, exports 20; when quick 4, 2)",
        "--prompts": "conflict: prompts patched both ways (default: 20; 1 when quick)",
        "--batch": "editing: facts written together (default: 50; 6 when quick)",
        "--tune": "drift: other facts the weight of the restraint is chosen on (default: 20; 1 when quick)",
        "--drifts": "drift: facts whose attention is read (default: 20; 1 when quick)",
        "--threads": "threads of the processor (default: torch's own choice)",
    }
    for flag, explained in numbers.items():
        parser.add_argument(flag, type=partial(_count, least=1), default=None, metavar="N", help=explained)
    maybe_none = {
        "--texts": "drift, evaluate: facts a method writes texts about, for fluency (default: 10; 1 when quick)",
        "--chains": "neurons: chains written over (default: 50; 0 when quick)",
        "--sequential": "editing: facts in a row (default: 100; 0 when quick)",
    }
    for flag, explained in maybe_none.items():
        parser.add_argument(flag, type=partial(_count, least=0), default=None, metavar="N", help=explained)
    parser.add_argument(
        "--layer", type=int, default=None, metavar="N", help="editing: layer ROME writes to (default: its own)"
    )
    parser.add_argument("--data", type=Path, default=None, metavar="FILE", help="evaluate: a file of cases, too")
    parser.add_argument("--ray", action="store_true", default=False, help="evaluate: also two workers of a Ray cluster")
    parser.add_argument(
        "--against", choices=["cpu"], help="device: hold every number against the same weights in float32 on the CPU"
    )
    parser.add_argument("--tokens", type=partial(_count, least=1), metavar="N", help="device: text of second moments")
    parser.add_argument("--shape", choices=list(SHAPES), help="random weights in this shape, instead of --model")
    add_outputs(parser, "json", bare=True)
    add_model_flags(parser)
    parser.set_defaults(run=partial(run, parser.get_default))


def run(default: Callable[[str], Any], args: Namespace) -> int:
    """Measure, write, show."""
    check_outputs(args)
    options = _options(args)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    bar = Bar()
    try:
        lm = None if args.name in ALONE else _model(args, bar)
        if args.against and lm is not None:
            options = replace(options, twin=partial(_twin, args, bar, lm))
        bench = BENCHES[args.name](lm, options, bar)
    finally:
        bar.close()
    plain = {"command": _command(default, args), **bench.plain()}
    write_outputs(args, {"json": lambda: json.dumps(plain, allow_nan=False, indent=1) + "\n"})
    if not printed(args):
        print(_text(bench))
    return 0


def _command(default: Callable[[str], Any], args: Namespace) -> str:
    """What was asked, with the flags that are not at their defaults; but for where it was written, and threads."""
    words = ["palimpsest", "bench", args.name]
    for name, value in vars(args).items():
        if value != default(name) and name not in ("command", "name", "run", "json", "threads"):
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)


def _count(text: str, least: int) -> int:
    if not text.isdigit() or int(text) < least:
        raise ArgumentTypeError(f"“{text}” is not a number from {least} on")
    return int(text)


def _options(args: Namespace) -> Any:
    if args.against and args.name != "device":
        raise BadRequest("--against belongs to the benchmark device.")
    parts = tuple(part.strip() for part in args.parts.split(",") if part.strip())
    if set(parts) - set(ALL_PARTS.get(args.name, ())):
        named = ", ".join(ALL_PARTS.get(args.name, ())) or "nothing for this benchmark"
        raise BadRequest(f"--parts is “{args.parts}”; it may name {named}.")
    if args.name == "editing":
        return EditOptions(
            quick=args.quick, single=args.single, batch=args.batch, sequential=args.sequential, layer=args.layer
        )
    if args.name == "drift":
        counts = {"single": args.single, "tune": args.tune, "drifts": args.drifts, "texts": args.texts}
        return DriftOptions(quick=args.quick, parts=parts, **counts)
    if args.name == "conflict":
        return ConflictOptions(quick=args.quick, prompts=args.prompts, heads=args.cells, parts=parts)
    if args.name == "evaluate":
        cases = () if args.data is None else told(read_case_file(args.data)).cases
        return EvaluateOptions(
            quick=args.quick, facts=args.single, cases=cases, ray=args.ray, texts=args.texts, parts=parts
        )
    if args.name == "exports":
        return ExportOptions(quick=args.quick, facts=args.single, draws=args.repeats, parts=parts)
    if args.name == "families":
        names = tuple(part.strip() for part in args.families.split(";") if part.strip())
        if unknown := sorted(set(names) - set(FAMILIES)):
            raise BadRequest(f"There is no family “{unknown[0]}”. There are: {'; '.join(FAMILIES)}.")
        return FamilyOptions(quick=args.quick, families=names)
    if args.name == "loading":
        return LoadingOptions(quick=args.quick, parts=parts)
    if args.name == "device":
        return DeviceOptions(quick=args.quick, tokens=args.tokens, repeats=args.repeats)
    if args.name == "server":
        return ServerOptions(quick=args.quick, spec=fields_of(args, ModelSpec))
    if args.name == "ui":
        return UiOptions(quick=args.quick, spec=fields_of(args, ModelSpec))
    if args.name == "examples":
        return ExampleOptions(quick=args.quick, parts=parts)
    if args.name == "neurons":
        return NeuronOptions(quick=args.quick, chains=args.chains, parts=parts)
    kinds = tuple(part.strip() for part in args.kinds.split(",") if part.strip())
    if not kinds or set(kinds) - {"state", "mlp", "attn"}:
        raise BadRequest(f"--kinds is “{args.kinds}”; it may name state, mlp and attn.")
    lengths = [part.strip() for part in args.lengths.split(",") if part.strip()]
    if not all(part.isdigit() for part in lengths):
        raise BadRequest(f"--lengths is “{args.lengths}”; it is a list of numbers, such as 10,20.")
    cells = args.cells or (SHAPE_CELLS if args.shape and not args.quick else None)
    return Options(
        quick=args.quick,
        kinds=kinds,
        cells=cells,
        repeats=args.repeats,
        lengths=tuple(map(int, lengths)),  # type: ignore[arg-type]
    )


def _model(args: Namespace, bar: Bar) -> LanguageModel:
    if args.shape is None:
        return loaded(args, bar)
    spec = fields_of(args, ModelSpec)
    return random_model(args.shape, pick_device(spec.device), DTYPES[spec.dtype], _texts())


def _twin(args: Namespace, bar: Bar, lm: LanguageModel) -> LanguageModel:
    """The same weights in float32 on the processor."""
    if args.shape is not None:
        return twin_of(lm, args.shape, _texts())
    return loaded(Namespace(**vars(args) | {"device": "cpu", "dtype": "float32"}), bar)


def _texts() -> tuple[str, ...]:
    """Words a random model's tokenizer knows."""
    return (PROMPT, FILLER, CONFLICT, *(fact.subject for fact in read_facts()))


def _text(bench: Bench) -> str:
    machine = bench.machine
    where = f"{machine.get('gpu', machine['cpu'])}, {machine['cores']} cores, {machine['threads']} threads"
    peak = machine.get("matmul_peak_gflops")
    best = f"; matrix products at {peak:.0f} GFLOP/s" if peak else ""
    rows = [_row(figure) for figure in bench.figures]
    table = columns(rows, ("figure", "value", "unit", "n", "95 % interval"))
    return f"{bench.model['name']} on {where}{best}\n\n{table}"


def _row(figure: Figure) -> tuple[str, str, str, int, str]:
    bounds = "" if figure.low is None or figure.high is None else f"{figure.low:.3g} to {figure.high:.3g}"
    return figure.name, f"{figure.value:.4g}", figure.unit, figure.n, bounds
