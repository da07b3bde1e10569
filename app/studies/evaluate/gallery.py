"""Methods side by side, to begin with."""

from analysis import read_facts
from app.shell.gallery import Example, known_facts_here
from editors.cases.case import own_cases
from editors.evaluation.result import EvaluateRequest

METHODS = ("rome", "memit", "emmet", "pmet", "alphaedit", "rome+sadr", "ace", "ft")
GUARDED = ("rome", "rome+protect", "rome+protect+firm+values")
EVALUATED = 100
"""Facts of the evaluation."""


def examples() -> tuple[Example, ...]:
    """Its plates, once it is stored which facts the model knows."""
    if (asked := known_facts_here()) is None:
        return ()
    sure = set(asked.known(0.3))
    evaluated = tuple(own_cases(fact for fact in read_facts() if fact.id in sure)[:EVALUATED])
    return (
        Example(
            "evaluate",
            "Evaluate",
            "Eight methods side by side",
            f"Each writes the same {len(evaluated)} facts, one at a time",
            "evaluate",
            EvaluateRequest(cases=evaluated, methods=METHODS),
        ),
        Example(
            "guarded",
            "Evaluate",
            "What protection leaves alone",
            f"ROME, with neighbours protected, and with other answers kept as well: {len(evaluated)} facts each",
            "evaluate",
            EvaluateRequest(cases=evaluated, methods=GUARDED, free=False),
        ),
    )
