"""What stands over a result that leaves the app, and what its files are called.

A file's name says the study and the result: `palimpsest-trace-22fb300e3814.csv`. The id is the key of the result, that
of an edit its recipe's, the same in all files of one result and in the page's row of them.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analysis.study import Request
from app.registry.studies import entry_of
from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT, SEARCH_BROUGHT, recipe_of

KEY = re.compile(r"[0-9a-z]{1,64}", re.ASCII)
SHOWN = 12
"""Characters of an id that people see."""
LONGEST = 320
"""Characters of a request in a line."""
ABOUT = {"prompt", "facts", "cases", "chains"}
"""Fields that say what a request is about; they stand first."""


@dataclass(frozen=True)
class Heading:
    """Question, request in a line, model, date; `name` is the stem of the result's files."""

    question: str
    asked: str
    model: str
    made: str
    name: str


def is_key(text: str) -> bool:
    """Whether `text` can be the key of a stored result, and the name of its folder."""
    return KEY.fullmatch(text) is not None


def heading(result: Any) -> Heading:
    """What stands over a result; `TypeError` for what is no result."""
    return Heading(entry_of(result).question, asked(result.request), model_line(result), made(result), stem(result))


def study_of(result: Any) -> str:
    """Name of the study a result is of; `TypeError` for what is no result."""
    return entry_of(result).name


def edits_of(result: Any) -> list[str]:
    """Ids of the edits a result was made under, lowest first."""
    return list(result.built_on) if isinstance(result, Edit) else list(result.model.get("edits", ()))


def key_of(result: Any) -> str:
    """The key a result is stored by; an edit's is the hash of all it says."""
    return result.whole_id if isinstance(result, Edit) else result.request.key(result.model["weights_hash"])


def shown_id(result: Any) -> str:
    """The id people see of a result, with how far it came where it did not come to its end."""
    whole = recipe_of(result)[0]["id"] if isinstance(result, Edit) else key_of(result)
    return f"{whole[:SHOWN]}{_so_far(result)}"


def _so_far(result: Any) -> str:
    entry = entry_of(result)
    if entry.so_far and (said := entry.read("so_far")(result)):
        return said
    if not getattr(result, "complete", True):
        return "-{}-of-{}".format(*result.cells)
    return ""


def stem(result: Any) -> str:
    """The name of a result's files, without what says their form."""
    return f"palimpsest-{study_of(result)}-{shown_id(result)}"


def model_line(result: Any) -> str:
    """Name and weights; edits that were on by their ids."""
    model, edits = result.model, edits_of(result)
    named = ", ".join(one[:SHOWN] for one in edits)
    under = f"; with the edit{'s' if len(edits) > 1 else ''} {named}" if edits else ""
    return f"{model['name']}, weights {model['weights_hash'][:SHOWN]}, {model['dtype']}{under}"


def made(result: Any) -> str:
    """Day and time a result was made, empty where it does not say; and of an edit that it was brought."""
    said = getattr(result, "provenance", {}).get("created_at", "")
    day = f"{datetime.fromisoformat(said).astimezone(UTC):%-d %B %Y, %H:%M} UTC" if said else ""
    brought = ""
    if isinstance(result, Edit) and result.brought:
        brought = SEARCH_BROUGHT if result.measured else BROUGHT
    return "; ".join(part for part in (day, brought) if part)


def asked(request: Request) -> str:
    """A request in a line: what was given, the prompt first; lists of more than a few parts by their number."""
    given = request.given()
    if not given.keys() & ABOUT:  # of what has a subject of its own all settings, as nothing else says what was done
        given = {name: value for name, value in request.model_dump(mode="json").items() if value not in (None, [], {})}
    if "method" in type(request).model_fields:
        given = {"method": request.model_dump(mode="json")["method"]} | given
    order = sorted(given, key=lambda name: name not in ABOUT)
    text = "; ".join(_said(given[name], name) for name in order) or "all settings as they are at first"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


def _said(value: Any, name: str) -> str:
    """One field: its value alone where that says what it is."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        facts = [_fact(one) for one in value]
        few = len(facts) <= 3 and all(facts)
        return ", ".join(facts) if few else f"{len(value)} {name.removesuffix('s') if len(value) == 1 else name}"
    if name == "prompt":
        return _value(value)
    return f"{name.replace('_', ' ')} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if value.isidentifier() and value.islower() else f"“{value}”"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_value(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(str(one) if re.fullmatch(r"[\w.+-]+", str(one)) else _value(one) for one in value)
    return str(value)


def _fact(value: dict[str, Any]) -> str:
    """A fact to write in a sentence; empty for what is none."""
    if not {"prompt", "subject", "target"} <= value.keys():
        return ""
    return f"“{value['prompt'].replace('{}', value['subject'])}” → “{value['target']}”"
