"""The studies this workbench offers: a line each, in the order of the pages' top bar. Nothing else lists them.

Jobs, cache, links, exports, history and the terminal all ask here.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from app.registry.entry import Entry, resolved

if TYPE_CHECKING:
    from analysis.study import Study

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
    "app.studies.layers.entry:LAYERS",
    "app.studies.evaluate.entry:EVALUATE",
    "app.studies.lifelong.entry:LIFELONG",
    "app.studies.quiz.entry:QUIZ",
    "app.studies.evaluate.entry:ABILITIES",
    "app.studies.generate.entry:GENERATE",
    "app.studies.facts.entry:FACTS",
)

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in map(resolved, OURS)}


class _Studies(Mapping[str, "Study"]):
    """The studies by name; request and result types are read when one is asked for."""

    def __getitem__(self, name: str) -> "Study":
        return ENTRIES[name].study

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


STUDIES: Mapping[str, "Study"] = _Studies()


def entry_of(result: Any) -> Entry:
    """The entry of the study a result is of; `TypeError` for what is no result."""
    for entry in ENTRIES.values():
        if entry.is_of(result):
            return entry
    raise TypeError(f"{type(result).__name__} is no result of a study.")
