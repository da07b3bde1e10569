"""About the figures of attention drift."""

from app.charts.marked import escape
from app.charts.words import word
from editors.attention_drift.result import DriftResult, DriftsResult
from editors.cases.case import counted

DRIFT = (
    ":gray[:small[Ink: how much more (orange) or less (blue) a head looks from the last word to the subject’s last "
    "token with the edit on (attention drift).]]"
)


def drift_window(result: DriftResult) -> str:
    """Over the curve of attention set back."""
    right, wrong = escape(word(result.answer)), escape(word(result.edited))
    return (
        f":gray[Edited model, attention of {result.window['layers']} layers set back to before (patching drift): "
        f":blue[{right}] and :orange[{wrong}], dotted where they stand with nothing set back.]"
    )


def drift_substitution(result: DriftResult, kind: str) -> str:
    """Over the maps of the edited model's outputs put in."""
    return (
        f":gray[Model before the edit, with what the edited one computes at one token, {result.window[kind]} layers at "
        f"a time (contaminating substitution): ink is the probability :blue[{escape(word(result.answer))}] loses.]"
    )


def drift_correlation(result: DriftsResult) -> str:
    """How drift goes with what is lost."""
    found = result.correlation()
    return (
        f"Correlation {found.r:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}), {counted(found.n, 'prompt')}."
        if found.r == found.r
        else f"{counted(found.n, 'prompt')}: too few for a correlation."
    )
