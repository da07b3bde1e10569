"""What an evaluation asks of a case."""

from editors.cases.case import Case


def single(_: Case) -> str:
    """A case by itself is written by itself."""
    return "single"
