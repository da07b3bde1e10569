"""How evaluations and abilities stand on the rail of earlier runs."""

from app.jobs.run_entry import Told
from app.studies.evaluate.figure import evaluate_thumbnail
from editors.ability_tests.result import AbilitiesResult
from editors.cases.case import counted
from editors.evaluation.result import EvaluateResult
from editors.quizzes.result import QuizResult


def evaluate_told(result: EvaluateResult) -> Told:
    """Cases, methods, picture."""
    return compared(result), "evaluation", evaluate_thumbnail(result)


def abilities_told(result: AbilitiesResult) -> Told:
    """How many are right."""
    return f"{int(result.right.sum())} of {len(result.right)} right", "abilities", None


def compared(result: EvaluateResult | QuizResult) -> str:
    """How many cases, by how many methods."""
    return f"{counted(len(result.request.cases))}, {counted(len(result.versions) - 1, 'method')}"
