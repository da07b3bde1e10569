"""Every prompt of a record is asked or named: what a record holds, what a reader kept of it, and why the rest is out.

Prompts are found by the names of their fields, whatever the form, so that a field no reader knows of is told too.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

PROMPTS = re.compile(
    r"prompt|question|cloze|rephrase|paraphrase|wording|multiple_choice_with|distract|neighbo|quer(y|ies)|instruction"
    r"|sentence|statement|passage|context|evidence|memory|^personas|mhop|_hop$"
    r"|^(src|loc|cond|update|text|template|generation|pages|others|locality|portability|input)$"
)
"""Fields that hold prompts or pages, in lower case."""
OTHERS = re.compile(r"answer|label|target|truth|type|(^|_)(ids?|ans)$")
"""Fields of such a name that hold something else."""
FAULTY = "its record has a fault"
UNKNOWN = "no reader of this form has a use for the field"
ROWS = 5


@dataclasses.dataclass
class LeftOut:
    """Prompts of one field that are not asked, for one reason."""

    field: str
    reason: str
    prompts: int = 0
    rows: list[str] = dataclasses.field(default_factory=list)
    """The first records they stand in."""


def prompts_in(record: Any, path: tuple[str, ...] = (), subject: str = "") -> Iterator[tuple[str, str]]:
    """Field, such as locality.neighborhood.prompt, and text of every prompt; the nearest subject stands for {}."""
    if isinstance(record, Mapping):
        own = record.get("subject")
        for key, value in record.items():
            yield from prompts_in(value, (*path, str(key)), own if isinstance(own, str) else subject)
    elif isinstance(record, list | tuple):
        for value in record:
            yield from prompts_in(value, path, subject)
    elif isinstance(record, str) and record.strip() and path and _holds_prompts(path[-1]):
        yield ".".join(path), record.replace("{}", subject) if subject else record


@lru_cache(maxsize=4096)
def _holds_prompts(key: str) -> bool:
    folded = key.casefold()
    return bool(PROMPTS.search(folded)) and not OTHERS.search(folded)


def bare(text: str) -> str:
    """A prompt without what a reader may add: zsRE's “nq question: …?”, and spaces at its ends."""
    return text.strip().removeprefix("nq question: ").rstrip("? ")


class Account:
    """What became of the prompts of a file."""

    def __init__(self) -> None:
        self.kept = 0
        self._out: dict[tuple[str, str], LeftOut] = {}

    def take(self, row: str, record: Any, kept: Iterable[str], why: Mapping[str, str]) -> None:
        """Count a record's prompts; `why`: the reason for a prompt (bare) or a field, by the last of its names."""
        there = {bare(text) for text in kept}
        for name, text in prompts_in(record):
            own = bare(text)
            if own in there:
                self.kept += 1
            else:
                self._leave(row, name, why.get(own) or why.get(name.rpartition(".")[2]) or UNKNOWN)

    def refuse(self, row: str, record: Any, reason: str = FAULTY) -> None:
        """Count a record's prompts as left out."""
        for name, _ in prompts_in(record):
            self._leave(row, name, reason)

    def _leave(self, row: str, name: str, reason: str) -> None:
        own = self._out.setdefault((name, reason), LeftOut(name, reason))
        own.prompts += 1
        if len(own.rows) < ROWS and row not in own.rows:
            own.rows.append(row)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Fields and reasons, in the order they were met."""
        return tuple(self._out.values())
