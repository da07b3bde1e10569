"""`palimpsest edit`, `apply`, `recipe`, `stats`: writing over a model from the terminal."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.errors import BadFile, BadRequest
from analysis.moments.request import OWN
from analysis.study import Request
from app.charts.prompt_kinds import PROMPT_KINDS
from app.session.permalinks import validated
from app.studies.edit.commands.protect_flag import FIELDS, add_protect, protect_of
from app.studies.edit.commands.signing_command import add_demand, add_signing, refuse_unsigned
from app.studies.edit.commands.solve_command import add_solving
from app.studies.evaluate.gates.admit_command import add_audit
from app.terminal.recipe_stack import add_solved, stacked
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, follow, loaded
from app.terminal.text import Bar, columns
from editors.edit.edit import Edit
from editors.edit.probes import score
from editors.edit.request import EditRequest, Rewrite
from editors.recipes.audit_trail import faults as trail_faults
from editors.recipes.audit_trail import head
from editors.recipes.recipe import BROUGHT, faults, read_files, read_recipe, recipe_of, short_id, write_recipe
from editors.recipes.signatures import told
from editors.registry.methods import method_of
from editors.registry.versions import label_of

FORMATS = ("bundle", "peft", "hf", "script")


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    {"edit": _edit, "apply": _apply, "recipe": _recipe, "stats": _stats}[name](parser)


def add_facts(parser: ArgumentParser) -> None:
    """--prompt, --subject, --target, --facts."""
    for field in ("prompt", "subject", "target"):
        parser.add_argument(f"--{field}", help=Rewrite.model_fields[field].description)
    parser.add_argument("--two-hop", help=Rewrite.model_fields["two_hop"].description)
    parser.add_argument(
        "--facts", type=Path, metavar="FILE", help="facts to write, as a JSON list of {prompt, subject, target}"
    )


def _edit(parser: ArgumentParser) -> None:
    add_facts(parser)
    add_fields(parser, EditRequest, leave_out={"facts", "source", *FIELDS})
    add_protect(parser)
    _add_text(parser, EditRequest)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the recipe here, its weights beside it")
    parser.add_argument(
        "--on", type=Path, action="append", default=[], metavar="RECIPE", help="write on top of this one"
    )
    add_solved(parser)
    parser.add_argument("--author", default="", help="name to keep in the recipe")
    add_model_flags(parser)
    parser.set_defaults(run=edit)


def edit(args: Namespace) -> int:
    """Find an edit, show what it did, write its recipe."""
    from editors.methods.run import write

    facts = facts_of(args)
    request = fields_of(args, EditRequest, facts=facts, source=args.text, **protect_of(args))
    if args.on and method_of(request.method).solvable and not request.on_top:
        raise BadRequest(
            f"--on names edits, and {label_of(request.method)} seeks its values on the model as it was trained: its "
            "edit is the same whatever is on. Leave --on out, or say --targets stacked."
        )
    stack = stacked(args.on, args.solved)
    if stack:
        follow(args, stack[0].model)
    with keep(args) as out:
        with Bar() as bar:
            made = write(loaded(args, bar), request, bar, stack=stack)
        print(said(made))
        out(made)
    return 0


@contextmanager
def keep(args: Namespace) -> Iterator[Callable[[Edit], None]]:
    """What writes an edit's recipe to --out, if that was given; a place that cannot be is refused before the work."""
    if args.out is not None:
        if args.out.suffix != ".json":
            raise BadRequest(f"--out is “{args.out}”; a recipe’s name ends in .json.")
        with _writing(args.out):
            if args.out.is_dir():
                raise BadRequest(f"{args.out} is a folder. Name a file in it.")
            args.out.parent.mkdir(parents=True, exist_ok=True)

    def out(made: Edit) -> None:
        if args.out is not None:
            with _writing(args.out):
                recipe = write_recipe(made, args.out, args.author)
            print(f"Recipe {recipe['id']} is in {args.out}.")

    yield out


def _add_text(parser: ArgumentParser, kind: type[Request]) -> None:
    """--source, the text; in the parsed words `source` is the model's."""
    field = kind.model_fields["source"]
    parser.add_argument(
        "--source", dest="text", default=OWN, metavar="SOURCE", help=f"{field.description} (default: {OWN})"
    )


def facts_of(args: Namespace) -> tuple[Rewrite, ...]:
    """The facts said by --prompt, --subject, --target or by --facts; `BadRequest` or `BadFile` where none are."""
    if args.facts is not None:
        try:
            listed = json.loads(args.facts.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise BadFile(f"{args.facts} is not a JSON list of facts ({error}).") from error
        if not isinstance(listed, list) or not all(isinstance(fact, dict) for fact in listed):
            raise BadFile(f"{args.facts} is not a JSON list of facts, {{prompt, subject, target}} each.")
        return tuple(validated(Rewrite, fact) for fact in listed)
    given = {name: getattr(args, name) for name in ("prompt", "subject", "target")}
    if absent := [f"--{name}" for name, value in given.items() if value is None]:
        raise BadRequest(f"{', '.join(absent)} must be given, or --facts FILE.")
    return (validated(Rewrite, given | {"two_hop": args.two_hop}),)


def said(edit: Edit) -> str:
    """Before and after, a line a probe, and the shares."""
    rows = [
        (
            PROMPT_KINDS[probe.kind],
            probe.prompt,
            f"{edit.before.said[i]} {edit.before.said_probability[i]:.0%}",
            f"{edit.after.said[i]} {edit.after.said_probability[i]:.0%}",
        )
        for i, probe in enumerate(edit.probes)
    ]
    shares = []
    for kind in PROMPT_KINDS:
        found = score(edit.probes, edit.after, kind)
        if found is not None:
            shares.append((PROMPT_KINDS[kind], f"{found.likelier:.0%}", f"{found.greedy:.0%}"))
    parts = [columns(rows[:40], ("", "prompt", "before", "after")), ""]
    parts.append(columns(shares, ("wanted answer", "likelier", "said")))
    parts += [f"Note: {warning}" for warning in edit.warnings]
    return "\n".join(parts)


def _apply(parser: ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--format", choices=FORMATS, default="bundle", help="what to make (default: bundle)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; must not be there yet")
    parser.add_argument(
        "--rank",
        type=int,
        metavar="N",
        help="peft: cut the change to this rank by SVD, for an engine that takes no higher one",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        default=False,
        help="peft: load the model, and measure what cutting does to the logits of the edit's own prompt",
    )
    add_model_flags(parser)
    parser.set_defaults(run=apply)


def apply(args: Namespace) -> int:
    """Make something of a recipe that is of use elsewhere."""
    from app.exports.recipe_files import refuse_what_is_there, save_as

    made = read_recipe(args.recipe).as_brought()
    refuse_what_is_there(args.out)
    if args.format != "peft" and (args.rank is not None or args.measure):
        raise BadRequest("--rank and --measure are for --format peft; the other forms hold the change as it is.")
    lm = None
    if args.format == "hf" or args.measure:
        follow(args, made.model)
        with Bar() as bar:
            lm = loaded(args, bar)
    with _writing(args.out):
        inexact = save_as(made, args.format, args.out, lm, args.rank)
    print(f"{made.title}: {args.format} in {args.out}, of recipe {short_id(made)}.")
    for note in inexact:
        print(f"Note: {note}")
    return 0


def _recipe(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, count, text, run in (
        ("show", 1, "what a recipe does", show),
        ("verify", 1, "whether a recipe and its weights are whole", verify),
        ("diff", 2, "where two recipes differ", diff),
    ):
        command = actions.add_parser(name, help=text)
        command.add_argument("recipes", type=Path, nargs=count, metavar="RECIPE")
        command.set_defaults(run=run)
        if name == "verify":
            command.add_argument(
                "--head", default="", metavar="HASH", help="a head of its audit trail, noted elsewhere, to be reached"
            )
            add_demand(command)
    from app.studies.edit.commands.measure_command import add_measure

    add_measure(actions)
    add_solving(actions)
    add_audit(actions)
    add_signing(actions)


def show(args: Namespace) -> int:
    """Print a recipe."""
    made = read_recipe(args.recipes[0]).as_brought()
    recipe, _ = recipe_of(made)
    by = f" by {made.author}" if made.author else ""
    print(f"{made.title}\n{made.request.method}, recipe {recipe['id']}{by}, on {made.model['name']}")
    print(f"The answers below are as the recipe says ({BROUGHT}); {told(recipe)}.")
    rows = [
        (str(one.layer), one.name, str(one.rank), f"{one.norm:.3g}", f"{one.norm / one.weight_norm:.2%}")
        for one in made.changes
    ]
    print(columns(rows, ("layer", "tensor", "rank", "‖Δ‖", "of ‖W‖")))
    print(said(made))
    return 0


def verify(args: Namespace) -> int:
    """Check a recipe; 2 and its faults where it has some."""
    recipe, payload = read_files(args.recipes[0])
    found = faults(recipe, payload)
    if args.head and isinstance(recipe, dict):
        found += trail_faults(recipe.get("audit", []), str(recipe.get("id")), args.head)
        found = list(dict.fromkeys(found))
    if found:
        raise BadFile(f"{args.recipes[0]} has {len(found)} faults.", tuple(found))
    trail = recipe.get("audit", [])
    by = refuse_unsigned(recipe, args.recipes[0], args.key)
    noted = f" Its audit trail holds, {len(trail)} events, head {head(trail, recipe['id'])}." if trail else ""
    signers = "; ".join(f"{one.sentence[0].upper()}{one.sentence[1:]}" for one in by) or "It is not signed"
    print(
        f"{args.recipes[0]} is whole: recipe {recipe['id']}, {len(payload) / 1e3:,.0f} kB of weights.{noted} {signers}."
    )
    return 0


def diff(args: Namespace) -> int:
    """Print the fields in which two recipes differ; 1 where they do."""
    one, other = (_flat(read_files(place)[0]) for place in args.recipes)
    rows = [
        (name, str(one.get(name, "–"))[:60], str(other.get(name, "–"))[:60])
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
    print(columns(rows, ("field", *map(str, args.recipes))) if rows else "They are the same.")
    return 1 if rows else 0


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}".lstrip(".")).items()}
    if isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        return {k: v for index, part in enumerate(value) for k, v in _flat(part, f"{name}.{index}").items()}
    return {name: value}


def _stats(parser: ArgumentParser) -> None:
    from analysis.moments.request import MomentsRequest

    add_fields(parser, MomentsRequest, leave_out={"source"})
    _add_text(parser, MomentsRequest)
    parser.add_argument("--out", type=Path, metavar="DIR", help="copy the measured moments here, a file a layer")
    parser.add_argument(
        "--import",
        dest="bring",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="take over measured moments",
    )
    add_model_flags(parser)
    parser.set_defaults(run=stats)


def stats(args: Namespace) -> int:
    """Measure, import or export second moments."""
    from analysis.moments.request import MomentsRequest
    from analysis.moments.second_moments import adopt, condition, moments, save

    request = fields_of(args, MomentsRequest, source=args.text)
    with Bar() as bar:
        lm = loaded(args, bar)
        for file in args.bring:
            adopt(lm, file)
        found = moments(lm, request, bar)
    rows = []
    for layer, one in found.items():
        rows.append(
            (str(layer), f"{one.tokens:,}", one.corpus, f"{one.matrix.trace():.4g}", f"{condition(one):.2g}", one.id)
        )
        if args.out is not None:
            with _writing(args.out):
                save(one, args.out / f"moments-layer-{layer}.safetensors")
    print(columns(rows, ("layer", "tokens", "text", "trace", "condition", "id")))
    return 0


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadRequest(f"{place} cannot be written ({error.strerror or error}). Choose another place.") from error
