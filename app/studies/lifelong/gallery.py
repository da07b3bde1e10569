"""Edits in a row, to begin with."""

from analysis import read_facts
from app.shell.gallery import Example, known_facts_here
from editors.cases.case import own_cases
from editors.lifelong_editing.result import LifelongRequest

IN_A_ROW = 200
"""Facts of the stream."""


def examples() -> tuple[Example, ...]:
    """Its plate, once it is stored which facts the model knows."""
    if (asked := known_facts_here()) is None:
        return ()
    sure = set(asked.known(0.3))
    stream = tuple(own_cases(fact for fact in read_facts() if fact.id in sure)[:IN_A_ROW])
    return (
        Example(
            "lifelong",
            "Evaluate",
            f"{len(stream)} edits in a row",
            "What is left of the first, and of the model",
            "lifelong",
            LifelongRequest(cases=stream, method="alphaedit+early"),
        ),
    )
