"""`palimpsest sweep` and `palimpsest report`: any study over any cases, here or on a cluster; and what came of it."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from analysis import ModelSpec
from analysis.cache_home import cache_home
from analysis.errors import BadRequest
from app.exports.json_csv import csv_of, plain
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from app.sweeps.file import SweepFile, file_of, read_sweep, results, whole_table, wholes
from app.sweeps.plan import planned
from app.sweeps.ray_engine import RayEngine
from app.sweeps.sweep import InProcess, sweep
from app.terminal.case_flags import add_cases, cases_said, some_of
from app.terminal.files import add_outputs, check_outputs, write, write_outputs
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, loaded, said
from app.terminal.summary import summary
from app.terminal.text import Bar

SHOWN = 10
"""Refused requests that a terminal is told of."""


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    if name == "report":
        parser.add_argument("file", type=Path, metavar="SWEEP", help="the file that `palimpsest sweep` has written")
        add_outputs(parser, "json", "csv", "html", "markdown")
        parser.set_defaults(run=report)
        return
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    for entry in (entry for entry in ENTRIES.values() if entry.from_case):
        one = studies.add_parser(entry.name, help=f"`palimpsest {entry.name}` of every case")
        add_cases(one)
        add_fields(one, entry.study.request, leave_out=entry.from_case)
        one.add_argument(
            "--vary", action="append", default=[], metavar="FIELD=A,B", help="a field to try several values of"
        )
        engines = one.add_argument_group("engine")
        engines.add_argument("--engine", choices=("here", "ray"), default="here", help="here, or workers by Ray")
        engines.add_argument("--address", default=None, help="Ray: the cluster; auto finds the one that runs here")
        engines.add_argument("--workers", type=int, default=None, metavar="N", help="Ray: models at once")
        engines.add_argument("--gpus", type=float, default=None, metavar="X", help="Ray: of each worker")
        one.add_argument("--out", type=Path, default=None, metavar="FILE", help="where the sweep's file is written")
        add_model_flags(one)
        one.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Plan, compute what is missing, say what became of it; 1 where requests were refused."""
    study, store = STUDIES[args.study], ResultStore()
    if args.workers is not None and args.workers < 1:
        raise BadRequest(f"--workers is {args.workers}; it is a number from 1 on.")
    spec, cases = fields_of(args, ModelSpec), cases_said(args)
    with Bar() as bar:
        lm = loaded(args, bar) if args.engine == "here" or args.known else None
        units, left_out = planned(study, some_of(args, cases, lm), said(args, study.request), args.vary)
        with _engine(args, spec, lm) as engine:
            swept = sweep(study, units, engine, store, bar)
            found = file_of(study.name, spec, engine, units, swept, left_out)
    place = args.out or cache_home() / "sweeps" / f"{_name(swept.keys)}.json"
    write(place, found.model_dump_json(indent=1) + "\n")
    print(f"{len(set(swept.keys))} requests: {swept.computed} computed, {swept.found} stored before, "
          f"{len(swept.refused)} refused.")  # fmt: skip
    told = [*left_out, *swept.refused.values()]
    for sentence in [*told[:SHOWN], *([f"… and {len(told) - SHOWN} more, in the file"] if len(told) > SHOWN else [])]:
        print(sentence)
    print(f"palimpsest report {place}")
    return 1 if told else 0


def _engine(args: Namespace, spec: ModelSpec, lm: Any) -> Any:
    if args.engine == "ray":
        return RayEngine(spec, args.workers, args.address, args.gpus)
    return nullcontext(InProcess(lm))


def _name(keys: list[str]) -> str:
    return sha256("|".join(keys).encode()).hexdigest()[:12]


def report(args: Namespace) -> int:
    """Read a sweep's results back: a report of evaluations, a table of all others."""
    check_outputs(args)
    found, store = read_sweep(args.file), ResultStore()
    writers: dict[str, Callable[[], str]] = {
        "csv": lambda: csv_of(whole_table(found, store)),
        "json": partial(_everything, found, store),
        "html": partial(_html, found, store),
        "markdown": partial(_markdown, found, store),
    }
    write_outputs(args, writers)
    if ENTRIES[found.study].join:
        for setting, one in wholes(found, store).items():
            print(f"{setting}\n{summary(one)}" if setting else summary(one))
    else:
        print(f"{found.study} on {found.name}\n{whole_table(found, store).to_string(max_rows=20, max_cols=8)}")
    return 0


def _markdown(found: SweepFile, store: ResultStore) -> str:
    each, text = wholes(found, store), ENTRIES[found.study].read("report")
    return "\n".join(f"# {setting}\n\n{text(one)}" if setting else text(one) for setting, one in each.items())


def _html(found: SweepFile, store: ResultStore) -> str:
    each = wholes(found, store)
    if len(each) > 1:
        raise BadRequest(
            f"{found.study} was swept under {len(each)} settings; an HTML report holds one. Take --markdown or --csv."
        )
    return ENTRIES[found.study].read("plain_html")(next(iter(each.values())))


def _everything(found: SweepFile, store: ResultStore) -> str:
    whole = found.model_dump(mode="json") | {
        "results": [{"case": entry.case, "setting": entry.setting} | plain(one) for entry, one in results(found, store)]
    }
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
