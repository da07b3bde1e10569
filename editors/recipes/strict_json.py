"""JSON from outside, read strictly: one meaning or none.

Python's reader takes NaN, keys said twice, numbers beyond all bounds and any depth. A recipe says each thing once, in
numbers that are numbers, and in text that can be read.
"""

import json
import math
import re
from typing import Any

from analysis.text.characters import unfit

DEEPEST = 16
"""Lists and groups within each other; a recipe has eight."""
LARGEST_WHOLE = 2**53
"""Whole numbers up to here are the same in every language that reads JSON."""
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
"""Texts, which are passed over whole, and brackets."""


class NotStrict(ValueError):
    """JSON that is not strict; the sentence says where and why."""


def strict_json(text: str) -> Any:
    """The value of a JSON text; `NotStrict` for all that is no strict JSON."""
    if (depth := _depth(text)) > DEEPEST:
        raise NotStrict(f"lists and groups stand {depth} deep in each other; at most {DEEPEST} are read")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_whole)
    except NotStrict:
        raise
    except ValueError as error:
        raise NotStrict(str(error)) from error
    if found := unclean(value):
        raise NotStrict(found)
    return value


def unclean(value: Any, place: str = "") -> str:
    """The first number that is none and the first text with a character that does not show; empty where all is well."""
    if isinstance(value, dict):
        for name, part in value.items():
            if found := unclean(name, f"a name in {place or 'it'}") or unclean(part, f"{place}.{name}".lstrip(".")):
                return found
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            if found := unclean(part, f"{place}.{number}".lstrip(".")):
                return found
    elif isinstance(value, str) and (char := unfit(value)):
        return f"{place} holds the character {char}, which does not show or turns the text around it"
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{place} is a number beyond all bounds"
    elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        return f"{place} is a whole number beyond {LARGEST_WHOLE}"
    return ""


def _depth(text: str) -> int:
    """How deep lists and groups stand in each other, counted without a stack; brackets in text count none."""
    depth = deepest = 0
    for found in BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in "]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotStrict(f"“{twice}” is said twice in one group")
    return found


def _no_constant(text: str) -> Any:
    raise NotStrict(f"{text} is no number")


def _whole(text: str) -> int:
    if len(text) > 20:
        raise NotStrict(f"a whole number has {len(text)} digits")
    return int(text)
