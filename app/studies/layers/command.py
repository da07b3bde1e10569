"""`palimpsest layers`: at which layer a fact is best written."""

from argparse import ArgumentParser, Namespace

from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.studies.edit.command import add_facts, facts_of
from app.terminal.files import add_outputs, check_outputs, forms_of, write_outputs
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, loaded
from app.terminal.summary import summary
from app.terminal.text import Bar
from editors.layer_sweep.result import LayersRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    add_facts(parser)
    add_fields(parser, LayersRequest, leave_out={"facts"})
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, "json", "csv", "html")
    add_model_flags(parser)
    parser.set_defaults(run=layers)


def layers(args: Namespace) -> int:
    """Write facts at one layer after another, beside their traces; or find what is stored of it."""
    request = fields_of(args, LayersRequest, facts=facts_of(args))
    check_outputs(args)
    with Bar() as bar:
        made = stored(STUDIES["layers"], request, loaded(args, bar), ResultStore(), bar, fresh=args.fresh)
    write_outputs(args, forms_of(made))
    print(summary(made))
    return 0
