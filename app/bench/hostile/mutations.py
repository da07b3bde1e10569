"""Plain data changed in one place or a few, as someone would who looks for what was not looked at."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

Path = tuple[str | int, ...]
TEXTS = (
    "", " ", "\x00", "a\x1b[31mb", "a\u202eb", "\u2066x", "=1+1", "@x", "-1+2", "+1", "\t=1", "\r\n", "---\nfoo: bar",
    "a\n---\n", '"""', "'''\n", "\\", 'x"); raise SystemExit("', "{}", "{{x}}", "{0}", "%s%n", "<script>x</script>",
    "[a](javascript:b)", "![a](http://b)", "`" * 5, "${x}", "../../x", "/etc/x", "C:\\x", "|a|b|", "# x", "\u2028",
    "\x85", "\ufeff", "\ud800", "😀" * 50, "a" * 3_000, "a" * 200_000, "नमस्ते", "שלום", "²", "１", "NaN", "null",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 7, 255, 2**31, 2**53, 2**63, 2**64, 10**30, -(2**63), 0.0, -0.0, 0.5, -0.5, 1.0, 1.5, 1e-320, 1e30,
    1e38, 1e39, 1e308, -1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"$array": "a0"},
    {"": ""},
    {"__class__": "x"},
    [[[[]]]],
    ["a", 1],
)


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in plain data, groups and lists included."""
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from paths(part, (*path, name))


def pick(draw: np.random.Generator, values: Any) -> Any:
    """One of some values, as it is."""
    return values[int(draw.integers(len(values)))]


def odd_value(draw: np.random.Generator) -> Any:
    """Something nobody reckoned with."""
    kind = int(draw.integers(10))
    if kind < 4:
        return pick(draw, TEXTS)
    if kind < 7:
        return pick(draw, NUMBERS)
    return copy.deepcopy(pick(draw, ODD)) if kind < 9 else nested(int(pick(draw, (3, 10, 17, 100))))


def changed(draw: np.random.Generator, data: Any) -> tuple[str, Any]:
    """A copy of plain data changed in one place, with a word on what was done and where."""
    data = copy.deepcopy(data)
    path = pick(draw, list(paths(data)))
    place: Any = data
    for name in path[:-1]:
        place = place[name]
    last, what = path[-1], pick(draw, ("value", "value", "value", "gone", "more", "swap", "near"))
    if what == "value":
        place[last] = odd_value(draw)
    elif what == "gone":
        del place[last]
    elif what == "more":
        if isinstance(place, dict):
            place[pick(draw, ("more", "", "__proto__", "\x00", "id", "audit", str(last) + " "))] = odd_value(draw)
        else:
            place.insert(int(draw.integers(len(place) + 1)), copy.deepcopy(pick(draw, (place[last], odd_value(draw)))))
    elif what == "swap":
        other: Any = data
        for name in pick(draw, list(paths(data))):
            other = other[name]
        place[last] = copy.deepcopy(other)
    else:
        place[last] = _near(draw, place[last])
    return f"{what} {'.'.join(map(str, path))}", data


def _near(draw: np.random.Generator, value: Any) -> Any:
    """Almost the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return pick(draw, (value + 1, -value, float(value), value * 2, str(value), value + 1e-9))
    if isinstance(value, str):
        at = int(draw.integers(len(value) + 1))
        return value[:at] + pick(draw, TEXTS[:40]) + value[at:]
    if isinstance(value, list):
        return pick(draw, (value[::-1], value * 2, value[1:], [value], dict(enumerate(value))))
    return [value]
