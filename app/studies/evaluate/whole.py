"""The parts of an evaluation that a sweep has stored, as the evaluation they are parts of."""

from collections.abc import Sequence

from editors.evaluation.parts import joined
from editors.evaluation.result import EvaluateResult


def whole(parts: Sequence[EvaluateResult]) -> EvaluateResult:
    """One evaluation of all their cases and methods; the methods of a case lie side by side."""
    methods = tuple(dict.fromkeys(method for part in parts for method in part.request.methods))
    cases = tuple(case for part in parts[:: max(1, len(methods))] for case in part.request.cases)
    return joined(parts[0].request.model_copy(update={"cases": cases, "methods": methods}), list(parts))
