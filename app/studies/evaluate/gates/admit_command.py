"""`palimpsest recipe audit` and `recipe admit`: what was done with a recipe, and letting it in by an evaluation."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path
from typing import Any

from analysis.errors import BadFile, BadRequest
from app.studies.evaluate.file import EvaluationFile, read_evaluation
from app.studies.evaluate.gates.flag import STATUS
from app.studies.evaluate.gates.words import verdict_data, verdict_said
from app.terminal.text import columns
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.evaluation.gates import DEFAULT, Gate, gate_of, read_gate
from editors.evaluation.verdicts import Decision, Verdict, verdict
from editors.recipes.audit_trail import Event, What, appended, head
from editors.recipes.recipe import edit_of, faults, read_files, write_again
from editors.registry.versions import EXTRAS, version_of

EVENTS: dict[Decision, What] = {"admit": "admitted", "hold": "held", "reject": "rejected"}


def add_audit(actions: "_SubParsersAction[Any]") -> None:
    """Give `palimpsest recipe` its actions audit and admit."""
    shown: ArgumentParser = actions.add_parser("audit", help="what was done with a recipe, and whether the trail holds")
    shown.add_argument("recipe", type=Path, metavar="RECIPE")
    shown.set_defaults(run=audit)
    text = "judge a recipe by an evaluation that was run with --gate, and add the verdict to its trail"
    admitted: ArgumentParser = actions.add_parser(
        "admit", help=text, description=f"{text[0].upper()}{text[1:]}. Status 0: admitted, 3: held, 4: rejected."
    )
    admitted.add_argument("recipe", type=Path, metavar="RECIPE")
    admitted.add_argument(
        "--evaluation", type=Path, required=True, metavar="FILE", help="JSON of palimpsest evaluate --gate"
    )
    admitted.add_argument(
        "--gate", metavar="FILE|default", help="the gate it must have been run under (default: whichever it was)"
    )
    admitted.add_argument("--who", default="", metavar="NAME", help="who decides (default: the recipe's author)")
    admitted.set_defaults(run=admit)


def audit(args: Namespace) -> int:
    """Print a recipe's trail; 2 and its faults where it or the recipe has some."""
    recipe, payload = read_files(args.recipe)
    problems = faults(recipe, payload)
    trail = recipe.get("audit", []) if isinstance(recipe, dict) else []
    events = [one for one in trail if isinstance(one, dict)] if isinstance(trail, list) else []
    names = ("number", "at", "what", "who")
    if events:
        rows = [(*(one.get(name, "–") for name in names), _told(one.get("detail"))) for one in events]
        print(columns(rows, ("", "when", "what", "who", "by")))
    if problems:
        raise BadFile(f"{args.recipe} does not hold.", tuple(problems))
    if not events:
        print(f"{args.recipe}: nothing has been noted of recipe {recipe['id']}.")
        return 0
    print(f"The trail of recipe {recipe['id']} holds. Head: {head(trail, recipe['id'])}")
    return 0


def _told(detail: Any) -> str:
    if not isinstance(detail, dict) or not isinstance(detail.get("gate"), dict):
        return "–"
    gate = detail["gate"]
    late = "" if detail.get("fixed_before_run", True) else ", thresholds fixed after the run"
    return f"gate {gate.get('name')} {gate.get('version')} ({gate.get('hash')}), {detail.get('cases')} cases{late}"


def admit(args: Namespace) -> int:
    """Add the verdict to the trail and write the recipe; returns the verdict's status."""
    recipe, payload = read_files(args.recipe)
    edit = edit_of(recipe, payload)
    file = read_evaluation(args.evaluation)
    gate = _gate(args, file)
    version = _version_of(edit, file)
    found = verdict(file.result, version, gate)
    _refuse_another(args, file, found)
    trail: list[Event] = recipe.get("audit", [])
    who = args.who or edit.author
    if not who.strip():
        raise BadRequest(f"{args.recipe} has no author, so the trail would not say who decides. Add --who NAME.")
    recipe["audit"] = appended(trail, EVENTS[found.decision], who, _detail(file, gate, found), recipe=recipe["id"])
    try:
        write_again(recipe, args.recipe)
    except OSError as error:
        raise BadRequest(
            f"{args.recipe} cannot be written ({error.strerror or error}). Nothing was changed."
        ) from error
    print(f"{verdict_said(found)}.")
    last = recipe["audit"][-1]
    print(f"Event {last['number']}, {last['what']}, is in {args.recipe}. Head: {last['hash']}")
    return STATUS[found.decision]


def _gate(args: Namespace, file: EvaluationFile) -> Gate:
    """The gate the evaluation was run under; `BadRequest` where there was none, or another than --gate."""
    if not isinstance(file.gate, dict):
        raise BadRequest(
            f"{args.evaluation} was run without a gate, and thresholds chosen afterwards promise nothing. "
            "Evaluate again with --gate."
        )
    names = (*Gate.model_fields,)
    gate = gate_of({name: file.gate[name] for name in names if name in file.gate}, f"The gate in {args.evaluation}")
    if gate.hash != file.gate.get("hash"):
        raise BadFile(
            f"The gate in {args.evaluation} was altered: its hash is {gate.hash}, not {file.gate.get('hash')}. "
            "Evaluate again with --gate."
        )
    if args.gate is not None:
        asked = DEFAULT if args.gate == "default" else read_gate(args.gate)
        if asked.hash != gate.hash:
            raise BadRequest(
                f"{args.evaluation} was run under gate “{gate.name}”, version {gate.version}, {gate.hash}; you ask for "
                f"“{asked.name}”, version {asked.version}, {asked.hash}. Another gate needs another run: evaluate "
                "again with it."
            )
    return gate


def _version(asked: EditRequest) -> str:
    """The version of a comparison that an edit is of."""
    beside = {"sadr": asked.sadr, "protect": asked.protected} | {
        name: all(getattr(asked, field) == value for field, value in extra.fields.items())
        for name, extra in EXTRAS.items()
        if extra.fields and name != "sadr"  # of whatever weight the comparison gave it
    }
    return version_of(asked.method, [extra for extra, on in beside.items() if on])


def _version_of(edit: Edit, file: EvaluationFile) -> int:
    """The row of the evaluation that is about this edit; `BadRequest` where none is."""
    result, name = file.result, _version(edit.request)
    edit.refuse_unless_alone()
    if result.model.get("weights_hash") != edit.model["weights_hash"]:
        raise BadRequest(
            f"The evaluation is of {result.model.get('name')} with other weights than those the recipe was written on, "
            f"{edit.model['name']}. Evaluate on that model."
        )
    if name not in result.versions[1:]:
        raise BadRequest(
            f"The evaluation says nothing about {name}, which the recipe was written with. Add --methods {name}."
        )
    asked = {(one.text, one.target) for case in result.request.cases for one in case.rewrites}
    if absent := [one for one in edit.request.facts if (one.text, one.target) not in asked]:
        raise BadRequest(
            f"The evaluation does not write “{absent[0].text}” → “{absent[0].target}”, as the recipe does. Evaluate "
            "cases that hold the recipe’s facts."
        )
    return result.versions.index(name)


def _refuse_another(args: Namespace, file: EvaluationFile, found: Verdict) -> None:
    """`BadFile` where the file's numbers give another verdict than the file says."""
    said = file.gate.get("verdicts") if file.gate else None
    one = said.get(found.method) if isinstance(said, dict) else None
    if not isinstance(one, dict) or one.get("decision") != found.decision:
        raise BadFile(
            f"{args.evaluation} does not say what its numbers give, {found.decision} for {found.method}: it was "
            "altered, or made by another release. Evaluate again with --gate."
        )


def _detail(file: EvaluationFile, gate: Gate, found: Verdict) -> dict[str, Any]:
    request, numbers = file.result.request, verdict_data(found)
    return {
        "gate": {"name": gate.name, "version": gate.version, "hash": gate.hash},
        "fixed_before_run": bool(file.gate and file.gate.get("fixed_before_run")),
        "evaluation": file.sha256,
        "evaluated_at": file.result.provenance.get("created_at", ""),
        "method": found.method,
        "mode": request.mode,
        "cases": len(request.cases),
        **numbers,
    }
