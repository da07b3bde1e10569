"""How much an evaluation is: every case written with every method, and its prompts asked each time."""

from collections.abc import Sequence

from analysis.text.framing import Prompted
from app.jobs.work import FEW, READ, Shape, put, tokens_in
from app.studies.edit.work import written
from editors.ability_tests.result import AbilitiesRequest
from editors.cases.case import Case
from editors.evaluation.result import EvaluateRequest

TEXTS, LENGTH = 3, 100
"""Texts written about a case for their fluency, and their tokens."""
QUESTIONS, LONG = 120, 24
"""Small questions of the abilities, and tokens of one with its answers."""


def evaluate_work(request: EvaluateRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    asked = sum(asked_work(request, case, shape) for case in request.cases)
    freely = 0.0
    for case in request.cases:
        new = sum(probe.kind not in ("neighbour", "distracting", "other") for probe in case.probes)
        freely += shape.written(20, request.words, new) if request.free and new else 0.0
        freely += shape.written(5, LENGTH, TEXTS) if request.fluency and case.generation else 0.0
    edits = sum(written_work(request, request.cases, method, shape) for method in request.methods)
    return edits + (1 + len(request.methods)) * (asked + freely)


def written_work(request: Prompted, cases: Sequence[Case], method: str, shape: Shape) -> float:
    """Each case written with a method."""
    return sum(written(request, case.rewrites, method, shape) for case in cases)


def asked_work(request: Prompted, case: Case, shape: Shape) -> float:
    """Every prompt of a case with both answers behind it."""
    frame = put(request, "")
    found = sum(
        2 * frame + 2 * tokens_in(probe.prompt) + tokens_in(probe.new) + tokens_in(probe.old) for probe in case.probes
    )
    return shape.layers * max(found, FEW) + READ * 4 * len(case.probes)


def abilities_work(request: AbilitiesRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    return shape.forward(put(request, "") + LONG, QUESTIONS) + READ * LONG * QUESTIONS
