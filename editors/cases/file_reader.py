"""A file of cases while it is read, record by record, and what it holds once it is.

A record with a fault keeps no other from being read: it is taken down with its row, and every prompt is accounted for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from analysis.errors import BadFile, WorkbenchError
from editors.cases.case import Case
from editors.cases.chain_case import ChainCase
from editors.cases.prompts import Account, LeftOut
from editors.cases.question import Question
from editors.cases.record import Read
from editors.cases.text import Entry


@dataclass(frozen=True)
class CaseFile:
    """What a file holds: cases, and everything that is wrong, odd or left out, row by row."""

    name: str
    form: str
    records: int
    cases: tuple[Case, ...]
    problems: tuple[str, ...]
    conflicts: tuple[str, ...]
    """Rows that write two answers over one fact."""
    duplicates: tuple[str, ...]
    """Rows that say what another says, or bear its name."""
    chains: tuple[ChainCase, ...] = ()
    """MQuAKE's cases hop by hop."""
    questions: tuple[Question, ...] = ()
    """What asks without a fact to write."""
    kept: int = 0
    """Prompts of the records that are kept."""
    left_out: tuple[LeftOut, ...] = ()
    """All other prompts."""
    notes: tuple[str, ...] = ()
    """What was chosen in reading, and what was not looked at."""
    faulty: int = 0
    """Records with a fault."""

    @property
    def out(self) -> int:
        """Prompts that are left out."""
        return sum(one.prompts for one in self.left_out)


class Reader:
    """What has been read of a file so far."""

    def __init__(self, name: str, form: str):
        self.name, self.form = name, form
        self.records = self.faulty = 0
        self.cases: list[Case] = []
        self.rows: list[str] = []
        self.chains: list[ChainCase] = []
        self.questions: list[Question] = []
        self.problems: list[str] = []
        self.twice: list[str] = []
        self.account = Account()
        self._names: dict[str, tuple[str, int]] = {}

    def record(self, row: str, record: Any) -> "_Faults":
        """What goes wrong inside is the record's fault, and no other's."""
        self.records += 1
        return _Faults(self, row, record)

    def named(self, entry: Entry, case_id: Any) -> str:
        """The record's id; a second one of the same id is numbered, and told."""
        own = str(case_id) if case_id is not None and str(case_id).strip() else entry.key or entry.row
        if own not in self._names:
            self._names[own] = (entry.row, 1)
            return own
        first, count = self._names[own]
        while f"{own} ({count + 1})" in self._names:
            count += 1
        self._names[own] = (first, count + 1)
        self._names[f"{own} ({count + 1})"] = (entry.row, 1)
        self.twice.append(f"{entry.row}: {first} has the id {own} already; here it is {own} ({count + 1})")
        return f"{own} ({count + 1})"

    def take(self, row: str, record: Any, read: Read) -> None:
        """Keep what a record says."""
        if read.case is not None:
            self.cases.append(read.case)
            self.rows.append(row)
        self.chains += [read.chain] if read.chain is not None else []
        self.questions += [read.question] if read.question is not None else []
        self.account.take(row, record, read.texts(), read.why)

    def found(self, notes: tuple[str, ...]) -> CaseFile:
        """All of it; raises `BadFile` where there is nothing."""
        if not self.records:
            raise BadFile(f"{self.name} is read as {self.form}, and holds no records.")
        conflicts, duplicates = _looked_over(self.cases, self.rows)
        return CaseFile(
            self.name, self.form, self.records, tuple(self.cases), tuple(self.problems), conflicts,
            (*self.twice, *duplicates), tuple(self.chains), tuple(self.questions), self.account.kept,
            self.account.left_out, notes, self.faulty,
        )  # fmt: skip


class _Faults:
    """Takes down what is raised about one record, and goes on."""

    def __init__(self, reader: Reader, row: str, record: Any):
        self.reader, self.row, self.record = reader, row, record

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """True where the fault is the record's own."""
        if not isinstance(error, ValidationError | WorkbenchError):
            return False
        self.reader.faulty += 1
        self.reader.problems += [f"{self.row}: {said}" for said in _said(error)]
        self.reader.account.refuse(self.row, self.record)
        return True


def _said(error: ValidationError | WorkbenchError) -> list[str]:
    """What is wrong, field by field."""
    if isinstance(error, ValidationError):
        return [
            f"{'.'.join(map(str, fault['loc']))}: {_plainly(fault)}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
    return [str(error)]


def _plainly(fault: Any) -> str:
    return "is missing or empty" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")


def _looked_over(cases: Sequence[Case], rows: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Conflicts and duplicates: rows that write over a fact another row writes over."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    conflicts: list[str] = []
    duplicates: list[str] = []
    for row, case in zip(rows, cases, strict=True):
        for one in case.rewrites:
            fact = (one.subject.casefold(), (case.relation or one.prompt).casefold())
            before, target = seen.setdefault(fact, (row, one.target))
            if before == row:
                continue
            if target == one.target:
                duplicates.append(f"{row}: “{one.text}” is written in {before} already")
            else:
                conflicts.append(f"{row}: “{one.text}” becomes “{one.target}”, in {before} “{target}”")
    return tuple(conflicts), tuple(duplicates)
