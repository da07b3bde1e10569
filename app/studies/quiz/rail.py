"""How a quiz stands on the rail of earlier runs."""

from app.jobs.run_entry import Told
from app.studies.evaluate.rail import compared
from editors.quizzes.result import QuizResult


def quiz_told(result: QuizResult) -> Told:
    """Cases and methods."""
    return compared(result), "quiz", None
