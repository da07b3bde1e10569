"""Studies that other packages declare, as entry points of the group `palimpsest.studies`: each names an `Entry`."""

import re
from collections.abc import Collection

from analysis.packages import Found, outside, unread, unread_fields, unsaid
from app.registry.entry import Entry

GROUP = "palimpsest.studies"
NAME = re.compile(r"[a-z][a-z0-9-]*")


def studies_outside(taken: Collection[str]) -> Found[Entry]:
    """The entries, and a sentence for each that is left out; `taken` are names of other commands."""
    return outside(GROUP, Entry, taken, _fault)


def _fault(entry: Entry, taken: Collection[str]) -> str:
    """What is wrong with an entry as far as can be seen without reading what it names; empty where nothing is."""
    if not isinstance(entry.name, str) or not NAME.fullmatch(entry.name):
        return f"its name is “{entry.name}”; a name has small letters, digits and hyphens"
    if wanted := [name for name in (entry.name, *(one.name for one in entry.more_commands)) if name in taken]:
        return f"there is a command “{wanted[0]}” already"
    if missing := unsaid(entry, ("question", "does", "request", "result", "run", "table")):
        return missing
    if entry.parts not in ("", entry.name, *taken):
        return f"its parts are to be runs of “{entry.parts}”, which is no study"
    if entry.page or entry.own_page or entry.examples or entry.plate:
        return "it names a page or plates, which only studies of the workbench itself have"
    if fault := unread_fields(entry):
        return fault
    for field, name in entry.from_case.items():
        if why := unread(name):
            return f"what it takes from a case for {field} is “{name}”; {why}"
    for command in entry.commands():
        if why := unread(f"{command.module}:configure"):
            return f"the module of its command “{command.name}” is “{command.module}”; {why}"
    return ""
