"""`palimpsest drift`, `patch`, `drifts`, `abilities`: studies of a model with edits on it, from the terminal."""

from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from pathlib import Path

from analysis.errors import BadRequest
from analysis.study import Request, Study
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from app.terminal.files import add_outputs, check_outputs, forms_of, write_outputs
from app.terminal.recipe_stack import stacked
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, follow, loaded
from app.terminal.summary import summary
from app.terminal.text import Bar


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    study = STUDIES[name]
    add_fields(parser, study.request)
    add_rest(parser)
    parser.set_defaults(run=lambda args: ask(study, fields_of(args, study.request), args))


def add_rest(parser: ArgumentParser) -> None:
    """Give a command the flags that stand beside its study's own."""
    parser.add_argument(
        "--recipe", type=Path, action="append", default=[], metavar="FILE", help="edits that are on, lowest first"
    )
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, "json", "csv", "html")
    add_model_flags(parser)


def ask(study: Study, request: Request, args: Namespace) -> int:
    """Ask a study of a model with the edits of some recipes, or find what is stored of it, and show it."""
    check_outputs(args)
    edits = stacked(args.recipe)
    if not edits and ENTRIES[study.name].needs_edits:
        raise BadRequest(
            "--recipe must be given: drift is what an edit does to attention. `palimpsest edit` writes one."
        )
    if edits:
        follow(args, edits[0].model)
    from editors.edit.apply import written_over

    with Bar() as bar:
        lm, store = loaded(args, bar), ResultStore()
        with nullcontext() if study.on_edits else written_over(lm, edits):
            result = stored(study, request, lm, store, bar, edits, fresh=args.fresh)
    write_outputs(args, forms_of(result))
    print(summary(result))
    return 0
