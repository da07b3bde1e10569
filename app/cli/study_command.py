"""Studies as commands: flags from the request, result through the store, files and a summary out."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from analysis import LanguageModel
from analysis.study import Request, Study
from app.jobs.compute import compute
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.terminal.files import add_outputs, check_outputs, forms_of, write_outputs
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, loaded
from app.terminal.summary import summary
from app.terminal.text import Bar


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command of a study its flags."""
    study = STUDIES[name]
    add_fields(parser, study.request)
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, "json", "csv", "html")
    add_model_flags(parser)
    parser.set_defaults(run=partial(run, study))


def run(study: Study, args: Namespace, shown: Callable[[Any], str] = summary) -> int:
    """Run a study and show it."""
    request = fields_of(args, study.request)
    check_outputs(args)
    bar = Bar()
    try:
        lm = loaded(args, bar)
        result = result_of(study, request, lm, bar, fresh=args.fresh)
    finally:
        bar.close()
    write_outputs(args, forms_of(result))
    print(shown(result))
    return 0


def result_of(study: Study, request: Request, lm: LanguageModel, bar: Bar, *, fresh: bool) -> Any:
    """The stored result, or a new one; of a run that Ctrl-C ends, what it found is kept where it can go on from it."""
    store, key = ResultStore(), request.key(lm.weights_hash)
    if not fresh and (found := store.load(study, key)) is not None:
        return found
    latest: list[Any] = [None]

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        latest[0] = latest[0] if partial is None else partial
        bar(done, total, note, partial, share)

    try:
        return compute(study, request, lm, store, report, fresh=fresh)
    except KeyboardInterrupt:
        bar.close()
        if study.resumable and latest[0] is not None:
            with suppress(OSError):
                store.save(study, key, latest[0], stopped=True)
                print("Stopped. The same command goes on from here.", file=sys.stderr)
        raise
