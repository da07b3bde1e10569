"""`palimpsest lm-eval`: a second opinion on what edits do to a model, by a harness that is not ours."""

import dataclasses
import json
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from analysis.errors import BadRequest
from app.terminal.files import add_outputs, check_outputs, write_outputs
from app.terminal.recipe_stack import add_recipe, stacked
from app.terminal.request_flags import add_model_flags, follow, loaded
from app.terminal.text import Bar, columns
from editors.cases.case import counted
from editors.scoring.lm_eval import EXTRA, Opinion


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    parser.epilog = f"Needs an extra: {EXTRA}"
    parser.add_argument("--tasks", required=True, metavar="TASK,…", help="tasks of lm-eval, such as piqa,arc_easy")
    add_recipe(parser)
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="questions of each task (default: all)")
    parser.add_argument("--folder", type=Path, default=None, metavar="DIR", help="task files of your own")
    add_outputs(parser, "json")
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Run the harness on the model with the edits, and show its numbers."""
    from editors.edit.apply import written_over
    from editors.scoring.lm_eval import second_opinion

    check_outputs(args)
    if args.limit is not None and args.limit < 1:
        raise BadRequest(f"--limit is {args.limit}; it is a number from 1 on.")
    edits, tasks = stacked(args.recipe, args.solved), [task.strip() for task in args.tasks.split(",") if task.strip()]
    if edits:
        follow(args, edits[0].model)
    with Bar() as bar:
        lm = loaded(args, bar)
    with written_over(lm, edits):
        found, version = second_opinion(lm, tasks, limit=args.limit, folder=args.folder)
    told = {"model": lm.card(), "edits": [edit.key for edit in edits], "lm_eval": version}
    write_outputs(args, {"json": partial(_json, told, found)})
    rows = [
        (one.task, one.metric, f"{one.value:.4f}", "–" if one.standard_error is None else f"{one.standard_error:.4f}",
         one.n)
        for one in found
    ]  # fmt: skip
    print(f"{lm.name}, {counted(len(edits), 'edit')}, by lm-eval {version}")
    print(columns(rows, ("task", "metric", "value", "standard error", "n")))
    return 0


def _json(told: dict, found: list[Opinion]) -> str:
    whole = told | {"scores": [dataclasses.asdict(one) for one in found]}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
