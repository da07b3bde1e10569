"""Under the dots of a quiz."""

from editors.cases.case import counted
from editors.quizzes.result import QuizResult


def quiz(result: QuizResult, **shown: str) -> str:
    """Under the dots of a quiz."""
    asked = len(result.request.cases) - len(result.skipped)
    return (
        ":gray[:small[Answered freely, matched word for word; no second model judges. "
        f"Bars: 95 % over {counted(asked)}. Facts the model answers so before any edit are left out. "
        "Its terms: efficacy, generalisation, portability, locality, robustness (after HalluEditBench, 2410.16251).]]"
    )
