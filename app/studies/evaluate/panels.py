"""The figures of an evaluation, one a protocol."""

from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.evaluate import captions
from app.studies.evaluate import figure as evaluate_dots
from app.studies.evaluate.words import PROTOCOL_WORDS
from editors.evaluation.result import EvaluateResult, Protocol


def evaluate_panels(result: EvaluateResult, palette: Palette, *, protocol: Protocol | None = None) -> list[Panel]:
    """All of them, in their order."""
    return [
        Panel(
            PROTOCOL_WORDS[one], evaluate_dots.evaluate_dots(result, one, palette),
            captions.evaluate(result, one),
        )
        for one in ([protocol] if protocol else PROTOCOL_WORDS)
        if evaluate_dots.shown(result, one)
    ]  # fmt: skip
