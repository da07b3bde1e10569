"""`palimpsest bench NAME`: a benchmark in the one form all of them have."""

import json
import shlex
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import partial
from typing import Any

import torch

from analysis import LanguageModel, ModelSpec, read_facts
from analysis.errors import BadRequest
from analysis.model.loading import DTYPES, pick_device
from app.bench.device import CONFLICT
from app.bench.entry import Benchmark, Flag, at_least
from app.bench.form import Bench, Figure
from app.bench.models.random_model import SHAPES, random_model, twin_of
from app.bench.registry import benches
from app.bench.tracing import FILLER, PROMPT
from app.terminal.files import add_outputs, check_outputs, printed, write_outputs
from app.terminal.request_flags import add_model_flags, fields_of, loaded
from app.terminal.text import Bar, columns


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags: those of every benchmark, then those of all."""
    there = benches()
    parser.add_argument("name", choices=list(there), metavar="NAME", help=", ".join(there))
    parser.add_argument("--quick", action="store_true", help="a small sample, for CI")
    for own, users in _flags(there.values()).items():
        _add(parser, own, users)
    parser.add_argument(
        "--threads", type=at_least(1), metavar="N", help="threads of the processor (default: torch's own choice)"
    )
    parser.add_argument("--shape", choices=list(SHAPES), help="random weights in this shape, instead of --model")
    add_outputs(parser, "json", bare=True)
    add_model_flags(parser)
    parser.set_defaults(run=partial(run, parser.get_default))


def _flags(there: Iterable[Benchmark]) -> dict[str, dict[str, Flag]]:
    """The flags by name, and under each what it is to every benchmark that has it."""
    found: dict[str, dict[str, Flag]] = {}
    for bench in there:
        for _, flag in bench.flags():
            found.setdefault(flag.name, {})[bench.name] = flag
    return found


def _add(parser: ArgumentParser, name: str, users: dict[str, Flag]) -> None:
    one = next(iter(users.values()))
    options: dict[str, Any] = {
        "default": SUPPRESS,
        "help": "; ".join(f"{bench}: {flag.explained}" for bench, flag in users.items()).replace("%", "%%"),
    }
    if one.switch:
        parser.add_argument(f"--{name}", action="store_true", **options)
        return
    if one.parse:
        options["type"] = one.parse
    parser.add_argument(f"--{name}", choices=one.choices or None, metavar=one.metavar, **options)


def run(default: Callable[[str], Any], args: Namespace) -> int:
    """Measure, write, show."""
    check_outputs(args)
    bench = benches()[args.name]
    options = _options(args, bench)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    bar = Bar()
    try:
        lm = None if bench.alone else _model(args, bar)
        if getattr(args, "against", None) and lm is not None:
            options = replace(options, twin=partial(_twin, args, bar, lm))
        found = bench(lm, options, bar)
    finally:
        bar.close()
    plain = {"command": _command(default, args), **found.plain()}
    write_outputs(args, {"json": lambda: json.dumps(plain, allow_nan=False, indent=1) + "\n"})
    if not printed(args):
        print(_text(found))
    return 0


def _command(default: Callable[[str], Any], args: Namespace) -> str:
    """What was asked, with the flags that are not at their defaults; but for where it was written, and threads."""
    words = ["palimpsest", "bench", args.name]
    for name, value in sorted(vars(args).items()):  # however they were typed
        if value != default(name) and name not in ("command", "name", "run", "json", "threads"):
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)


def _options(args: Namespace, bench: Benchmark) -> Any:
    """The options as the flags say them; `BadRequest` for a flag of other benchmarks only."""
    own = {flag.name for _, flag in bench.flags()}
    for name, users in _flags(benches().values()).items():
        if name not in own and hasattr(args, name):
            several = "benchmarks" if len(users) > 1 else "benchmark"
            raise BadRequest(f"--{name} belongs to the {several} {', '.join(users)}.")
    there = {field.name for field in fields(bench.options)}
    given = {"spec": fields_of(args, ModelSpec)} if "spec" in there else {}
    return bench.asked(args, **given)


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
