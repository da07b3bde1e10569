"""--gate of `palimpsest evaluate`: thresholds are read before the run, and the verdict is the command's status.

A stored evaluation is not done again, so its numbers may be older than the gate. That is said, in the terminal and in
the JSON: thresholds that were chosen after the numbers promise nothing.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.jobs.store import ResultStore
from app.studies.evaluate.gates.words import SIGNS, gate_said, measured, subject, verdict_data, verdict_said, wanted
from app.terminal.text import columns
from editors.evaluation.gates import DEFAULT, Gate, read_gate
from editors.evaluation.result import EvaluateResult
from editors.evaluation.verdicts import Decision, verdicts, worst
from editors.registry.versions import label_of

STATUS: dict[Decision, int] = {"admit": 0, "hold": 3, "reject": 4}


@dataclass(frozen=True)
class Fixed:
    """A gate and when it was read, ISO 8601 in UTC."""

    gate: Gate
    read_at: str

    def before(self, oldest: str | None) -> bool:
        """Whether it was read before the oldest number was made."""
        return oldest is None or self.read_at <= oldest


class DatedStore(ResultStore):
    """A store that remembers the date of the oldest result it gave."""

    oldest: str | None = None

    def load(self, *args: Any, **options: Any) -> Any | None:
        """As the store's own."""
        found = super().load(*args, **options)
        made = getattr(found, "provenance", {}).get("created_at")
        if made and (self.oldest is None or made < self.oldest):
            self.oldest = made
        return found


def add_gate(parser: ArgumentParser) -> None:
    """--gate."""
    parser.add_argument(
        "--gate",
        metavar="FILE|default",
        help="thresholds to hold the methods against, a JSON file or “default”; then the status is 0 where all methods "
        "are admitted, 3 where one is held, 4 where one is rejected, instead of 0",
    )


def gate_fixed(args: Namespace) -> Fixed | None:
    """The gate of --gate, as it is now; `BadFile` where it has faults."""
    if args.gate is None:
        return None
    gate = DEFAULT if args.gate == "default" else read_gate(args.gate)
    return Fixed(gate, datetime.now(UTC).isoformat(timespec="seconds"))


def gate_block(result: EvaluateResult, fixed: Fixed | None, oldest: str | None) -> dict[str, Any]:
    """What the JSON of an evaluation says of the gate; nothing without one."""
    if fixed is None:
        return {}
    found = verdicts(result, fixed.gate)
    return {
        "gate": {
            "hash": fixed.gate.hash,
            **fixed.gate.model_dump(mode="json"),
            "read_at": fixed.read_at,
            "fixed_before_run": fixed.before(oldest),
            "verdicts": {one.method: verdict_data(one) for one in found},
        }
    }


def print_gate(result: EvaluateResult, fixed: Fixed, oldest: str | None) -> int:
    """Print every threshold and the verdicts; returns the status."""
    found = verdicts(result, fixed.gate)
    rows = [
        (
            label_of(one.method) if not place else "",
            subject(finding.threshold),
            measured(finding),
            finding.n,
            wanted(finding.threshold),
            f"{SIGNS[finding.decision]} {finding.decision}",
        )
        for one in found
        for place, finding in enumerate(one.findings)
    ]
    said = gate_said(fixed.gate)
    print(f"\n{said[0].upper()}{said[1:]}")
    if rows:
        print(columns(rows, ("method", "of", "measured, 95 %", "cases", "wanted", "")))
    for one in found:
        print(f"{SIGNS[one.decision]} {verdict_said(one)}.")
    if not fixed.before(oldest):
        print(
            f"Note: some of these numbers were stored on {oldest}, before the gate was read. --fresh makes them anew."
        )
    return STATUS[worst([one.decision for one in found])]
