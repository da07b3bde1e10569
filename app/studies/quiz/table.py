"""A quiz as a tidy table, and as plain data."""

from typing import Any

import pandas as pd

from app.exports.fields import everything, records
from app.studies.evaluate.table import score_row
from editors.evaluation.result import mean_of
from editors.quizzes.result import DIMENSIONS, PROTOCOL, QuizResult


def quiz_table(result: QuizResult) -> pd.DataFrame:
    """One row per method and dimension, then per method and form: mean over cases, 95 % interval, n."""
    rows = []
    for at, version in enumerate(result.versions):
        for name in DIMENSIONS:
            if (own := result.mean(at, name)) is not None:
                rows.append(score_row(version, PROTOCOL, name, "", own, result.paired(at, 0, name) if at else None))
        for form in result.there():
            if (own := result.form_mean(at, form)) is not None:
                change = mean_of(result.by_case(at, form) - result.by_case(0, form)) if at else None
                rows.append(score_row(version, PROTOCOL, form, "", own, change))
    return pd.DataFrame(rows)


def quiz_fields(result: QuizResult) -> dict[str, Any]:
    """Everything, with the means a reader would compute first."""
    found = everything(result)
    scores = records(quiz_table(result))
    return {"protocol": PROTOCOL, "dimensions": DIMENSIONS, "scores": scores} | found
