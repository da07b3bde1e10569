"""The studies there are: ours, a line each in the order of the pages' top bar, then those of other packages.

Jobs, cache, links, exports, history and the terminal all ask here.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from analysis.declared import resolved
from app.registry.commands import FIRST, LAST
from app.registry.entry import Command, Entry
from app.registry.outside import studies_outside

if TYPE_CHECKING:
    from analysis.study import Study

log = logging.getLogger(__name__)
OURS = (
    "app.studies.trace.entry:TRACE",
    "app.studies.trace.entry:AVERAGE",
    "app.studies.lens.entry:LENS",
    "app.studies.drift.entry:DRIFT",
    "app.studies.drift.entry:PATCH",
    "app.studies.drift.entry:DRIFTS",
    "app.studies.conflict.entry:HEADS",
    "app.studies.conflict.entry:CONFLICT",
    "app.studies.conflict.entry:KNOCKOUT",
    "app.studies.conflict.entry:TRANSFER",
    "app.studies.neurons.entry:NEURONS",
    "app.studies.hops.entry:HOPS",
    "app.studies.reach.entry:REACH",
    "app.studies.edit.entry:EDIT",
    "app.studies.moved.entry:MOVED",
    "app.studies.layers.entry:LAYERS",
    "app.studies.evaluate.entry:EVALUATE",
    "app.studies.lifelong.entry:LIFELONG",
    "app.studies.quiz.entry:QUIZ",
    "app.studies.evaluate.entry:ABILITIES",
    "app.studies.generate.entry:GENERATE",
    "app.studies.facts.entry:FACTS",
)

ENTRIES: dict[str, Entry] = {}


def read_entries() -> None:
    """Read our studies, and after them those of other packages; what is at fault with one of these is said."""
    ENTRIES.clear()
    ENTRIES.update({entry.name: entry for entry in map(resolved, OURS)})
    found = studies_outside({command.name for command in commands()})
    ENTRIES.update(found.entries)
    for fault in found.faults:
        log.warning(fault)


def commands() -> list[Command]:
    """All commands of the terminal: the studies' own between those that are about no one study."""
    return [*FIRST, *(command for entry in ENTRIES.values() for command in entry.commands()), *LAST]


class _Studies(Mapping[str, "Study"]):
    """The studies by name; request and result types are read when one is asked for."""

    def __getitem__(self, name: str) -> "Study":
        return ENTRIES[name].study

    def __contains__(self, name: object) -> bool:
        return name in ENTRIES  # one whose types cannot be read is there, too

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


STUDIES: Mapping[str, "Study"] = _Studies()


def entry_of(result: Any) -> Entry:
    """The entry of the study a result is of; `TypeError` for what is no result."""
    return giving(type(result))


def giving(result: type) -> Entry:
    """The entry of the study whose results are of this type; `TypeError` for a type that is no result."""
    for entry in ENTRIES.values():
        if entry.gives(result):
            return entry
    raise TypeError(f"{result.__name__} is no result of a study.")


read_entries()
