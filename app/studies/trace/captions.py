"""Under the figures of traces and averages."""

from analysis import AverageResult, TraceResult
from analysis.internals.scores import Metric
from app.charts.marked import escape
from app.charts.words import percent, word
from app.studies.trace.figure import PLAIN_METRIC
from editors.cases.case import counted


def trace(result: TraceResult, metric: Metric = "probability") -> str:
    """Under the maps of a trace."""
    what = PLAIN_METRIC[metric].format(answer=escape(word(result.answer)), foil=escape(word(result.foil)))
    clean, blurred = percent(result.high), percent(result.low)
    by = (
        f"“{escape(result.replacement)}” in its place"
        if result.replacement
        else (f"{result.request.noise:g} σ of noise, {len(result.corrupted.probability)} samples")
    )
    return f":gray[:small[★ subject. Ink: {what}. Clean {clean}, blurred {blurred} ({by}).]]"


def average(result: AverageResult) -> str:
    """Under the averages."""
    effect, width = result.total_effect
    return (
        f":gray[:small[★ subject. Ink: points of probability regained. Mean over {counted(len(result.ids), 'fact')}, "
        f"{result.request.samples} noise samples each; blurring "
        f"takes {100 * effect:.0f} ± {100 * width:.0f} points away (total effect).]]"
    )


def average_sites(result: AverageResult, kind: str) -> str:
    """Where one kind of repair does most."""
    parts = []
    for row in ("last subject token", "last token"):
        layer, mean, half = result.peak(kind, row)
        parts.append(f"{row}: layer {layer}, {percent(mean)} ± {100 * half:.0f}")
    return f":gray[:small[Highest means, with 95 % intervals. {'; '.join(parts)}.]]"
