"""Studies as commands, one skeleton for all: flags from the request, result through the store, files and a summary."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from analysis import LanguageModel
from analysis.errors import BadRequest
from analysis.study import Request, Study
from app.jobs.compute import key_of, stored
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from app.terminal.files import add_outputs, check_outputs, forms_of, write_outputs
from app.terminal.recipe_stack import add_recipe, stacked
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, follow, loaded
from app.terminal.summary import summary
from app.terminal.text import Bar
from editors.edit.edit import Edit

FORMS = ("json", "csv", "html")


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command of a study its flags."""
    study = STUDIES[name]
    add_fields(parser, study.request)
    add_rest(parser)
    parser.set_defaults(run=partial(run, study))


def add_rest(parser: ArgumentParser, forms: Sequence[str] = FORMS, *, edits: bool = False) -> None:
    """Give a command the flags that stand beside its study's own; with `edits` it takes recipes too."""
    if edits:
        add_recipe(parser)
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, *forms)
    add_model_flags(parser)


def run(study: Study, args: Namespace, shown: Callable[[Any], str] = summary, **given: Any) -> int:
    """Ask a study what the flags and `given` say, and show what it finds."""
    request = fields_of(args, study.request, **given)
    return show(args, answer(study, args, lambda _: request), shown)


def answer(
    study: Study, args: Namespace, asked: Callable[[LanguageModel], Request], store: ResultStore | None = None
) -> Any:
    """The result of what is `asked` of the model, under the edits of --recipe; found stored, or made now."""
    check_outputs(args)
    edits = stacked(getattr(args, "recipe", []), getattr(args, "solved", False))
    entry = ENTRIES[study.name]
    if not edits and entry.needs_edits:
        raise BadRequest(
            f"--recipe must be given: “{entry.question}” is asked of an edit. `palimpsest edit` writes one."
        )
    if edits:
        follow(args, edits[0].model)
    from editors.edit.apply import written_over

    with Bar() as bar:
        lm = loaded(args, bar)
        run = _Run(study, asked(lm), edits, store or ResultStore())
        with nullcontext() if study.on_edits else written_over(lm, edits):
            return run.result(lm, bar, fresh=args.fresh)


def show(args: Namespace, result: Any, shown: Callable[[Any], str] = summary) -> int:
    """Write the files that were asked for, and what a result says."""
    write_outputs(args, forms_of(result))
    print(shown(result))
    return 0


@dataclass(frozen=True)
class _Run:
    study: Study
    request: Request
    edits: tuple[Edit, ...]
    store: ResultStore

    def result(self, lm: LanguageModel, bar: Bar, *, fresh: bool) -> Any:
        """The stored result, or a new one; of a run that Ctrl-C ends, what it found is kept to go on from."""
        latest: list[Any] = [None]

        def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
            latest[0] = latest[0] if partial is None else partial
            bar(done, total, note, partial, share)

        try:
            return stored(self.study, self.request, lm, self.store, report, self.edits, fresh=fresh)
        except KeyboardInterrupt:
            bar.close()
            if self.study.resumable and latest[0] is not None:
                self._keep(lm, latest[0])
            raise

    def _keep(self, lm: LanguageModel, part: Any) -> None:
        key = key_of(self.request, lm, self.edits)
        with suppress(OSError):
            self.store.save(self.study, key, part, stopped=True)
            print("Stopped. The same command goes on from here.", file=sys.stderr)
