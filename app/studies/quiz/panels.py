"""The figures of a quiz."""

from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.evaluate import figure as evaluate_dots
from editors.quizzes.result import QuizResult


def quiz_panels(result: QuizResult, palette: Palette, *, by: str = "") -> list[Panel]:
    """All of them, in their order."""
    return [
        Panel(f"By {way}", evaluate_dots.quiz_dots(result, palette, by_form=way == "form"))
        for way in ([by] if by else ("dimension", "form"))
    ]
