"""`--protect`: what an edit must not move, or, for AlphaEdit, how much of the text's energy to leave untouched."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from analysis.errors import BadFile, BadRequest
from editors.edit.request import Protected, ProtectedFrom

FIELDS = ("protect", "protect_keys", "protected")
"""Fields of the request that the one flag says."""
SOURCES = tuple(name for name in get_args(ProtectedFrom) if name != "none")


def add_protect(parser: ArgumentParser) -> None:
    """Give a command the flag; it may be repeated."""
    parser.add_argument(
        "--protect",
        dest="must_not_move",
        action="append",
        default=[],
        metavar="WHAT",
        help="what must not move: relation, the stored subjects of the fact's relation; own, subjects like the fact's "
        "that the model names; or a file of prompts, a line or an entry of a JSON list each, as The capital of {Spain} "
        "is: the subject in braces, or none for every word. A number is AlphaEdit's share of the text's energy to "
        "leave untouched (default: 0.8)",
    )


def protect_of(args: Namespace) -> dict[str, Any]:
    """The fields it says; `BadRequest` or `BadFile` for what is none of these."""
    found: dict[str, Any] = {}
    named: list[Protected] = []
    for word in args.must_not_move:
        if word in SOURCES:
            if found.get("protect_keys", word) != word:
                raise BadRequest("--protect names both relation and own; name one of them.")
            found["protect_keys"] = word
        elif (share := _share(word)) is not None:
            found["protect"] = share
        else:
            named += prompts_of(Path(word))
    return found | ({"protected": tuple(dict.fromkeys(named))} if named else {})


def _share(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def prompts_of(place: Path) -> list[Protected]:
    """The prompts of a file; `BadFile` where it cannot be read, names none, or one of them is no prompt."""
    try:
        text = place.read_text(encoding="utf-8")
        listed = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(
            f"--protect is “{place}”, which is not {', '.join(SOURCES)}, a number or a file of prompts ({error})."
        ) from error
    listed = [one for one in listed if not isinstance(one, str) or one.strip()]
    if not listed:
        raise BadFile(f"{place} names no prompt that must not move.")
    return [_one(place, number, one) for number, one in enumerate(listed, start=1)]


def _one(place: Path, number: int, told: Any) -> Protected:
    try:
        if isinstance(told, str):
            return Protected.of_line(told)
        return Protected.model_validate(told)
    except ValidationError as error:
        said = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
    except ValueError as error:
        said = str(error)
    raise BadFile(f"{place}, prompt {number}: {said}.")
