"""Averages over facts in lines of text."""

import numpy as np

from analysis import AverageResult
from analysis.tracing.average_result import ROWS
from app.terminal.text import columns, model_line, shades
from editors.cases.case import counted


def average_summary(result: AverageResult) -> str:
    """The total effect, and rows in shades with their peaks."""
    effect, half_width = result.total_effect
    parts = [
        f"{model_line(result.model)}\n{len(result.ids)} known facts; blurring the subject takes "
        f"{effect:.3f} ± {half_width:.3f} from the probability of the answer "
        f"({result.high.mean():.3f} to {result.low.mean():.3f})."
    ]
    if result.skipped:
        parts.append(f"{counted(len(result.skipped), 'fact')} left out; the JSON file says why.")
    for kind, mean in result.mean.items():
        top = float(np.nanmax(mean)) if not np.isnan(mean).all() else 0.0
        rows = []
        for row, name in enumerate(ROWS):
            if np.isnan(mean[row]).all():
                continue
            layer, peak, width = result.peak(kind, name)
            rows.append((name, f"│{shades(mean[row], 0, top)}│", f"{peak:+.3f} ± {width:.3f} at layer {layer}"))
        parts.append(f"{kind}: mean effect of a repair; layers across, █ is {top:.3f}\n{columns(rows)}")
    return "\n\n".join(parts)
