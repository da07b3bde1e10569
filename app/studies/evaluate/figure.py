"""An evaluation's scores by one protocol, and a quiz's by dimension or form, as dots side by side."""

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import thumbnail_of
from app.charts.palette import Palette
from app.charts.prompt_kinds import TITLES
from app.charts.side_by_side import Series, in_sentences, side_by_side
from app.studies.evaluate.words import DIMENSION_WORDS, form_words
from editors.edit.probes import Kind
from editors.evaluation.result import IN_PERCENT, EvaluateResult, Protocol
from editors.quizzes.result import DIMENSIONS, QuizResult
from editors.registry.versions import label_of


def evaluate_dots(result: EvaluateResult, protocol: Protocol, palette: Palette) -> go.Figure:
    """Rows are kinds of prompts; versions lie one under another within a row."""
    rows = [TITLES[kind] for kind in shown(result, protocol)]
    return side_by_side(rows, _scores(result, protocol), palette, in_percent=protocol in IN_PERCENT)


def evaluate_alt(result: EvaluateResult, protocol: Protocol) -> str:
    """The dots in sentences."""
    rows = [TITLES[kind] for kind in shown(result, protocol)]
    told = in_sentences(rows, _scores(result, protocol), in_percent=protocol in IN_PERCENT)
    return f"Scores by {protocol}. {told}."


def _scores(result: EvaluateResult, protocol: Protocol) -> list[Series]:
    kinds = shown(result, protocol)
    return [
        Series(label_of(version), [result.mean(at, protocol, kind) for kind in kinds])
        for at, version in enumerate(result.versions)
    ]


def shown(result: EvaluateResult, protocol: Protocol) -> list[Kind]:
    """Kinds of prompts this protocol says something about."""
    there = set(result.there())
    return [
        kind for kind in TITLES
        if kind in there and any(result.mean(at, protocol, kind) for at in range(len(result.versions)))
    ]  # fmt: skip


def evaluate_thumbnail(result: EvaluateResult) -> list[list[float]]:
    """Kinds of prompts × versions, by likelihood."""
    values = [
        [np.nan if (mean := result.mean(at, "likelihood", kind)) is None else mean.value
         for at in range(len(result.versions))]
        for kind in shown(result, "likelihood")
    ]  # fmt: skip
    return thumbnail_of(np.array(values, ndmin=2), top=1.0)


def quiz_rows(result: QuizResult, *, by_form: bool) -> tuple[list[str], list[Series]]:
    """Titles and scores of the dimensions, or of every form of question."""
    versions = list(enumerate(result.versions))
    if by_form:
        forms = [form for form in result.there() if any(result.form_mean(at, form) for at, _ in versions)]
        each = [Series(label_of(one), [result.form_mean(at, form) for form in forms]) for at, one in versions]
        return [form_words(form) for form in forms], each
    there = [name for name in DIMENSIONS if any(result.mean(at, name) for at, _ in versions)]
    each = [Series(label_of(one), [result.mean(at, name) for name in there]) for at, one in versions]
    return [DIMENSION_WORDS[name] for name in there], each


def quiz_dots(result: QuizResult, palette: Palette, *, by_form: bool) -> go.Figure:
    """Rows are dimensions, or forms of questions."""
    rows, series = quiz_rows(result, by_form=by_form)
    return side_by_side(rows, series, palette, in_percent=True)


def quiz_alt(result: QuizResult, *, by_form: bool) -> str:
    """The dots in sentences."""
    rows, series = quiz_rows(result, by_form=by_form)
    return f"Share of questions answered as wished. {in_sentences(rows, series, in_percent=True)}."
