"""Studies that other packages declare, as entry points of the group `palimpsest.studies`: each names an `Entry`."""

import re
from collections.abc import Collection

from analysis.packages import Found, outside, unread, unread_fields, unsaid
from app.registry.entry import Entry, Page

GROUP = "palimpsest.studies"
NAME = re.compile(r"[a-z][a-z0-9-]*")
KEPT = {"start", "compare", "read", "models", "static", "media", "take", "component", "login", "oauth2callback"}
"""First parts of addresses that lead to something else."""


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
    if entry.examples or entry.plate:
        return "it names plates, which only studies of the workbench itself have"
    if fault := _page_fault(entry):
        return fault
    if fault := unread_fields(entry):
        return fault
    for field, name in entry.from_case.items():
        if why := unread(name):
            return f"what it takes from a case for {field} is “{name}”; {why}"
    for command in entry.commands():
        if why := unread(f"{command.module}:configure"):
            return f"the module of its command “{command.name}” is “{command.module}”; {why}"
    return ""


def _page_fault(entry: Entry) -> str:
    if not entry.page and entry.own_page is None:
        return ""
    if entry.page != entry.name or entry.page in KEPT:
        return f"its page is “{entry.page}”; a page bears its study's name, and none of {', '.join(sorted(KEPT))}"
    if not isinstance(entry.own_page, Page) or not entry.own_page.script:
        return "its page has no script: own_page=Page(title, script=module)"
    if why := unread(f"{entry.own_page.script}:page"):
        return f"the script of its page is “{entry.own_page.script}”; {why}"
    return ""
