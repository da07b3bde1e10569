"""The one form of every benchmark: what was measured, on which machine, with which model and code.

A figure that is a mean carries the 95 % interval of its mean; one that is not has none.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from editors.evaluation.result import Mean

STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""97.5 % points of Student's t for 1 to 10 degrees of freedom."""


@dataclass(frozen=True)
class Figure:
    """One number; `n` repetitions or parts stand behind it."""

    name: str
    value: float
    unit: str
    n: int = 1
    low: float | None = None
    high: float | None = None


@dataclass
class Bench:
    """What a benchmark found."""

    machine: dict[str, Any]
    model: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # what is no number

    def add(self, name: str, value: float, unit: str, n: int = 1, bounds: tuple[float, float] | None = None) -> None:
        """Put a figure down; an interval of per cents ends where they do."""
        if bounds is not None and unit == "%":
            bounds = (max(0.0, bounds[0]), min(100.0, bounds[1]))
        self.figures.append(Figure(name, value, unit, n, *(bounds or (None, None))))

    def mean(self, name: str, values: Sequence[float], unit: str, *, times: float = 1.0) -> Figure:
        """Put down `times` the mean of `values`, with its interval where there are two or more."""
        sample = np.asarray(values, dtype=np.float64) * times
        half = interval(sample)
        value = float(sample.mean())
        self.add(name, value, unit, len(sample), None if half is None else (value - half, value + half))
        return self.figures[-1]

    def share(self, name: str, mean: Mean, unit: str = "%") -> None:
        """Put down a mean share over cases in per cent, or points, with its interval where there are several cases."""
        bounds = (100 * (mean.value - mean.half_width), 100 * (mean.value + mean.half_width))
        self.add(name, 100 * mean.value, unit, mean.n, bounds if mean.n > 1 else None)

    def plain(self) -> dict[str, Any]:
        """As JSON data: machine, commit, model, figures."""
        return {
            "machine": self.machine,
            "commit": commit(),
            "model": self.model,
            "figures": [asdict(figure) for figure in self.figures],
            **self.tables,
        }


def interval(values: np.ndarray) -> float | None:
    """Half width of the 95 % interval of a mean after Student; None for fewer than two values."""
    if len(values) < 2:
        return None
    degrees = len(values) - 1
    student = STUDENT[degrees - 1] if degrees <= len(STUDENT) else 1.96 + 2.5 / degrees
    return float(student * values.std(ddof=1) / np.sqrt(len(values)))


def commit() -> str:
    """Git's name for the code, with `-dirty` where files differ; the version where there is no checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--match="]
    try:
        place = Path(__file__).resolve().parent
        found = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True, timeout=10)
        return found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        return f"palimpsest {version('palimpsest')}"
    except PackageNotFoundError:
        return "unknown"
