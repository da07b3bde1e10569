"""Studies that other packages declare, as entry points of the group `palimpsest.studies`: each names an `Entry`.

What is at fault with one is said in a sentence, and it is left out: a package that does not fit ends nothing.
"""

import re
from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from app.registry.entry import Entry

GROUP = "palimpsest.studies"
NAME = re.compile(r"[a-z][a-z0-9-]*")


def outside(taken: Collection[str]) -> tuple[list[Entry], list[str]]:
    """The entries, by name, and a sentence for each that is left out; `taken` are names of other commands."""
    found: dict[str, Entry] = {}
    faults: list[str] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        read = _read(point)
        fault = read if isinstance(read, str) else _seen(read, {*taken, *found})
        if isinstance(read, Entry) and not fault:
            found[read.name] = read
        else:
            package = point.dist.name if point.dist else "a package"
            faults.append(f"The study “{point.name}” of {package} is left out: {fault}.")
    return list(found.values()), faults


def _read(point: EntryPoint) -> Entry | str:
    try:
        entry = point.load()
    except (Exception, SystemExit) as error:  # whatever somebody else's module does when it is imported
        return f"{point.value} cannot be read ({_line(error)})"
    return entry if isinstance(entry, Entry) else f"{point.value} is no Entry of app.registry.entry"


def _seen(entry: Entry, taken: Collection[str]) -> str:
    try:
        return _fault(entry, taken)
    except Exception as error:  # of fields that hold something else than they are to
        return f"its fields cannot be read ({_line(error)})"


def _fault(entry: Entry, taken: Collection[str]) -> str:
    """What is wrong with an entry as far as can be seen without reading what it names; empty where nothing is."""
    if not isinstance(entry.name, str) or not NAME.fullmatch(entry.name):
        return f"its name is “{entry.name}”; a name has small letters, digits and hyphens"
    if wanted := [name for name in (entry.name, *(one.name for one in entry.more_commands)) if name in taken]:
        return f"there is a command “{wanted[0]}” already"
    for field in ("question", "does", "request", "result", "run", "table"):
        if not isinstance(text := getattr(entry, field), str) or not text.strip():
            return f"it has no {field}"
    if entry.parts not in ("", entry.name, *taken):
        return f"its parts are to be runs of “{entry.parts}”, which is no study"
    if entry.page or entry.own_page or entry.examples or entry.plate:
        return "it names a page or plates, which only studies of the workbench itself have"
    for field in entry.named():
        if unread := _unread(getattr(entry, field)):
            return f"its {field} is “{getattr(entry, field)}”; {unread}"
    for field, name in entry.from_case.items():
        if unread := _unread(name):
            return f"what it takes from a case for {field} is “{name}”; {unread}"
    for command in entry.commands():
        if unread := _unread(f"{command.module}:configure"):
            return f"the module of its command “{command.name}” is “{command.module}”; {unread}"
    return ""


def _unread(name: str) -> str:
    """Why “module:attribute” cannot be read; the module's parents are imported, it itself is not."""
    module, _, attribute = str(name).partition(":")
    if not module or not attribute.isidentifier():
        return "it is written module:attribute"
    try:
        there = find_spec(module) is not None
    except Exception:  # of a parent that cannot be imported
        there = False
    return "" if there else f"there is no module {module}"


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":. ")
