"""`palimpsest prune`: heads silenced as an edit, named or taken from a study's JSON."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from analysis.errors import BadFile, BadRequest
from app.session.permalinks import validated
from app.studies.edit.commands.command import keep, said
from app.terminal.request_flags import add_model_flags, loaded
from app.terminal.text import Bar
from editors.edit.request import EditRequest, Rewrite

WITNESS = Rewrite(
    prompt="The capital city of France is Rome. The capital city of {} is", subject="France", target="Rome"
)
"""The prompt an edit is looked at with when none is named."""


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    parser.add_argument("--heads", action="append", default=[], metavar="L.H,…", help="heads to silence, as layer.head")
    parser.add_argument(
        "--study", type=Path, metavar="FILE", help="JSON of `palimpsest conflict` or `heads` to take them from"
    )
    parser.add_argument("--side", choices=("memory", "context"), help="with --study: which heads")
    parser.add_argument("--k", type=int, help="with --study: how many; what validation chose when left out")
    parser.add_argument(
        "--scale", type=float, default=0.0, metavar="X", help="multiply them by this (default: 0, silent)"
    )
    for field in ("prompt", "subject", "target"):
        parser.add_argument(f"--{field}", help=f"to look at: {Rewrite.model_fields[field].description}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the recipe here, its weights beside it")
    parser.add_argument("--author", default="", help="name to keep in the recipe")
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Silence heads, show what it did, write the recipe."""
    from editors.methods.run import write

    given = {name: getattr(args, name) for name in ("prompt", "subject", "target")}
    if any(given.values()) and not all(given.values()):
        raise BadRequest("--prompt, --subject and --target go together.")
    fact = validated(Rewrite, given) if all(given.values()) else WITNESS
    values = {"facts": (fact,), "method": "prune", "heads": heads_asked(args), "scale": args.scale}
    request = validated(EditRequest, values)
    with keep(args) as out:
        with Bar() as bar:
            made = write(loaded(args, bar), request, bar)
        print(f"{made.title}\n{said(made)}")
        out(made)
    return 0


def heads_asked(args: Namespace) -> tuple[str, ...]:
    """Heads of the flags, or of a study."""
    named = [part.strip() for word in args.heads for part in word.split(",") if part.strip()]
    if args.study is None:
        if not named:
            raise BadRequest("--heads must be given, or --study FILE with --side.")
        return tuple(named)
    if named or args.side is None:
        raise BadRequest("--study goes with --side, and without --heads.")
    try:
        data = json.loads(args.study.read_text(encoding="utf-8"))
        ranked, chosen = list(data[f"{args.side}_heads"]), data.get("chosen_k", {})
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise BadFile(f"{args.study} is not the JSON of a study of heads ({type(error).__name__}: {error}).") from error
    k = args.k if args.k is not None else chosen.get(args.side, 1)
    if not 1 <= k <= len(ranked):
        raise BadRequest(f"--k is {k}; the study has {len(ranked)} heads for {args.side}.")
    return tuple(map(str, ranked[:k]))
