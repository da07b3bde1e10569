"""A quiz in lines of text."""

from app.studies.evaluate.reports.markdown import spread
from app.terminal.text import columns, model_line
from editors.cases.case import counted
from editors.quizzes.result import DIMENSIONS, QuizResult


def quiz_summary(result: QuizResult) -> str:
    """For the terminal."""
    asked = len(result.request.cases) - len(result.skipped)
    title = f"{model_line(result.model)}, {counted(asked)}; answered freely, matched word for word"
    dimensions = [
        (version, *(spread(result.mean(at, name), "strict") for name in DIMENSIONS))
        for at, version in enumerate(result.versions)
    ]
    forms = [
        (form, *(spread(result.form_mean(at, form), "strict") for at in range(len(result.versions))))
        for form in result.there()
    ]
    parts = [f"{title}\n{columns(dimensions, ('method', *(f'{name} %' for name in DIMENSIONS)))}"]
    parts.append(f"Form by form, %\n{columns(forms, ('form', *result.versions))}")
    if result.skipped:
        parts.append(f"{counted(len(result.skipped))} not asked: " + "; ".join(result.skipped[:3]) + ".")
    return "\n\n".join([*parts, *result.faults])
