"""Figures as benchmarks printed them, docs/figures/NAME.json, and how a number is written in a chapter."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from app.chapters.tables import table

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"


@cache
def stored(bench: str) -> dict[str, Any]:
    """The whole output of the last `palimpsest bench NAME` that was kept."""
    return json.loads((FIGURES / f"{bench}.json").read_text(encoding="utf-8"))


@cache
def by_name(bench: str) -> dict[str, dict[str, Any]]:
    """Its figures."""
    return {figure["name"]: figure for figure in stored(bench)["figures"]}


def number(bench: str, name: str, digits: int = 0, times: float = 1.0) -> str:
    """A figure with its 95 % interval, where it has one that is not a point; `KeyError` for one there is not."""
    figure = by_name(bench)[name]
    value = _written(times * figure["value"], digits)
    if figure["low"] is None:
        return value
    low, high = (times * figure[end] for end in ("low", "high"))
    if figure["unit"] == "%":
        low, high = max(0.0, low), min(100.0, high)
    ends = _written(low, digits), _written(high, digits)
    return value if ends[0] == ends[1] else f"{value} [{', '.join(ends)}]"


def _written(value: float, digits: int) -> str:
    """Rounded; what rounds to nothing has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def here(bench: str, name: str, digits: int = 0, times: float = 1.0) -> str:
    """The same, and a dash for a figure there is not."""
    return number(bench, name, digits, times) if name in by_name(bench) else "–"


def n_of(bench: str, name: str) -> str:
    """How many stand behind a figure."""
    return str(by_name(bench)[name]["n"])


def told(bench: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]], command: str = "", part: str = "") -> str:
    """A table of figures, and under it what gave them: command, code, machine, of a part that was run by itself."""
    shown = table(head, rows)
    brackets = " Brackets are 95 % intervals." if re.search(r"\d \[", shown) else ""
    return f"{shown}\n\n{provenance(bench, command, part)}{brackets}"


def provenance(bench: str, command: str = "", part: str = "") -> str:
    """By which command, with which code and on which machine the figures of a bench, or of a part, came about."""
    whole = stored(bench)
    whole = whole | whole.get("parts", {}).get(part, {})
    machine = whole["machine"]
    parts = [
        f"`{command or whole.get('command', f'palimpsest bench {bench}')}`",
        f"code {whole['commit'][:7]}",
        f"{machine.get('gpu', machine['cpu'])}, {_counted(machine['threads'], 'thread')}",
        f"`docs/figures/{bench}.json`",
    ]
    return f"{'; '.join(parts)}."


def command_of(part: str) -> str:
    """The command of a part of `bench examples`, as it was run."""
    return next(one["command"] for one in stored("examples")["commands"] if one["part"] == part)


def names_below(bench: str, head: str) -> Iterator[str]:
    """The rest of the names that begin with a head and a point, in order."""
    yield from (name[len(head) + 1 :] for name in by_name(bench) if name.startswith(f"{head}."))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
