"""`palimpsest reach`: how far edits reach along chains of facts, method beside method."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import get_args

from analysis.errors import BadRequest, WorkbenchError
from analysis.multihop.result import HopsRequest
from analysis.multihop.run import chosen
from app.cli.study_command import add_rest, run
from app.registry.studies import STUDIES
from app.terminal.case_flags import tell
from app.terminal.request_flags import add_fields, fields_of
from editors.cases.chain_case import ChainCase
from editors.cases.chain_files import Which, case_of_chain, chains_of
from editors.cases.files import read_case_file
from editors.chain_reach.result import ReachRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    asked = parser.add_argument_group("chains")
    asked.add_argument("--data", type=Path, metavar="FILE", help="cases in the form of MQuAKE, instead of own chains")
    asked.add_argument("--hop", choices=get_args(Which), default="first", help="own chains: which hop is written over")
    asked.add_argument("--target", default=None, help="with one own chain: the hop's new object; chosen when left out")
    add_fields(asked, HopsRequest, leave_out=set(HopsRequest.model_fields) - {"chains", "first", "second", "limit"})
    add_fields(parser, ReachRequest, leave_out={"cases"})
    add_rest(parser, edits=True)
    parser.set_defaults(run=reach, limit=None)


def reach(args: Namespace) -> int:
    """Write the chains' facts with each method, and show what each hop and the whole are answered with."""
    return run(STUDIES["reach"], args, cases=chain_cases(args))


def chain_cases(args: Namespace) -> tuple[ChainCase, ...]:
    """The cases the flags name: of a file, or own chains with one hop written over."""
    if args.data is not None:
        file = read_case_file(args.data)
        own = chains_of(file)[: args.limit]
        tell(file)
        return own
    chains = chosen(fields_of(args, HopsRequest))
    if args.target is not None and len(chains) != 1:
        raise BadRequest("--target is the new object of one chain. Name the chain with --chain.")
    found: list[ChainCase] = []
    refused: WorkbenchError | None = None
    for one in chains:
        try:
            found.append(case_of_chain(one, args.hop, args.target))
        except WorkbenchError as error:
            refused = error
    if not found:
        raise refused or BadRequest("There are no such chains.")
    return tuple(found)
