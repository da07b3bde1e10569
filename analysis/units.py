"""Units of the numbers in requests and results, said by their classes: `units`, by field.

A count says of what (tokens, layers); what has no unit says what it is (share, probability, ratio, weight, seed).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import numpy as np

NUMBERS = (int, float, np.ndarray)


def units_of(kind: type) -> dict[str, str]:
    """Units of a class's fields, those of the classes it is made from among them."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        found |= vars(base).get("units", {})
    return found


def numbers_of(kind: type, before: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a result that holds numbers, by its path (grids.kl), with its unit; empty where none is said."""
    units = units_of(kind)
    for name, hint in get_type_hints(kind).items():
        if name not in {field.name for field in dataclasses.fields(kind)}:
            continue
        within = list(_leaves(hint))
        if set(within) & set(NUMBERS):
            yield f"{before}{name}", units.get(name, "")
        for one in within:
            if dataclasses.is_dataclass(one) and isinstance(one, type):
                yield from numbers_of(one, f"{before}{name}.")


def is_number(annotation: Any) -> bool:
    """Whether a field of a request holds a number, or several."""
    return bool(set(_leaves(annotation)) & {int, float})


def _leaves(hint: Any) -> Iterator[Any]:
    """The types a hint is made of; of a dictionary those of its values."""
    parts = get_args(hint)
    if not parts:
        yield hint
        return
    for part in parts[1:] if len(parts) == 2 and str(hint).startswith("dict") else parts:
        yield from _leaves(part)
