"""Does a method pass a gate? A pure function of numbers and thresholds: the same two give the same verdict anywhere.

Admitted is what the unfavourable end of the 95 % interval shows, rejected what the favourable end rules out; between
the two, or with too little data, it is held. So a small test can reject, and hold, but hardly ever admit.

Shares take Wilson's interval with n = cases, not prompts. A case's mean of numbers between 0 and 1 varies by p(1 − p)
at most, so the interval is at least as wide as it should be, and unlike the normal one it has no zero width where all
of three cases are right: with every case right, .90 takes 35 cases and .95 takes 73. A change of a share takes the
paired interval of Bonett & Price (2012), as if one case more had changed each way. Magnitudes and KL take the normal
interval, from 20 cases on.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

import numpy as np

from editors.cases.case import counted
from editors.evaluation.gates import Gate, Threshold
from editors.evaluation.result import IN_PERCENT, EvaluateResult

Decision = Literal["admit", "hold", "reject"]
Z = 1.96
LEAST = 20
"""Cases below which a normal interval is not believed: ours."""


@dataclass(frozen=True)
class Finding:
    """One threshold against its number; `low` and `high` are the 95 % interval, all None where there is no number."""

    threshold: Threshold
    value: float | None
    low: float | None
    high: float | None
    n: int  # cases
    decision: Decision
    reason: str  # why it is held; empty otherwise


@dataclass(frozen=True)
class Verdict:
    """One method against one gate."""

    gate: str  # its hash
    method: str
    decision: Decision
    findings: tuple[Finding, ...]

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that made it what it is."""
        return tuple(one for one in self.findings if one.decision == self.decision)


def verdict(result: EvaluateResult, version: int, gate: Gate) -> Verdict:
    """Reject if any threshold does, else hold if any does, else admit; `version` is the row of the result."""
    findings = tuple(_found(result, version, threshold) for threshold in gate.thresholds)
    return Verdict(gate.hash, result.versions[version], worst([one.decision for one in findings]), findings)


def verdicts(result: EvaluateResult, gate: Gate) -> list[Verdict]:
    """Of every method; no edit is none."""
    return [verdict(result, version, gate) for version in range(1, len(result.versions))]


def worst(decisions: list[Decision]) -> Decision:
    """Reject before hold before admit; hold where there are none."""
    return next((one for one in ("reject", "hold") if one in decisions), "admit" if decisions else "hold")  # type: ignore[return-value]


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share over n cases."""
    spread = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = ((share + Z**2 / (2 * n) + sign * spread) / (1 + Z**2 / n) for sign in (-1, 1))
    # at the ends the sum is exact only on paper, and a bound beside 0 or 1 decides a threshold
    return (0.0 if share <= 0 else max(low, 0.0)), (1.0 if share >= 1 else min(high, 1.0))


def paired_change(mean: float, n: int, squares: float) -> tuple[float, float]:
    """Bonett & Price's 95 % interval of the mean of n changes of shares; `squares` is the sum of their squares."""
    centre = mean * n / (n + 2)
    half = Z * math.sqrt(max((squares + 2) / (n + 2) - centre**2, 0.0) / (n + 2))
    return max(centre - half, -1.0), min(centre + half, 1.0)


def normal(mean: float, n: int, squares: float) -> tuple[float, float]:
    """The normal 95 % interval of the mean of n > 1 values; `squares` is the sum of their squares."""
    half = Z * math.sqrt(max(squares - n * mean**2, 0.0) / (n - 1) / n)
    return mean - half, mean + half


def cases_needed(threshold: Threshold) -> int:
    """Fewest cases that can meet a threshold: all right, or, for a change that is to stay small, nothing changed."""
    if threshold.protocol not in IN_PERCENT:
        return LEAST
    best = 1.0 if threshold.direction == "at least" else 0.0
    if threshold.measure == "change":
        best = 1.0 if threshold.direction == "at least" else -1.0
        best = best if threshold.value * best > 0 else 0.0
    return 1 + bisect_left(range(1, 1_000_000), True, key=lambda n: _met(threshold, *_interval(threshold, best, n)))


def _found(result: EvaluateResult, version: int, threshold: Threshold) -> Finding:
    own = result.by_case(version, threshold.protocol, threshold.kind)
    bare = result.by_case(0, threshold.protocol, threshold.kind)
    both = own - bare if threshold.measure == "change" else own
    known = both[np.isfinite(both)]
    refused = int((np.isfinite(bare) & ~np.isfinite(own)).sum())
    n = len(known)

    def held(reason: str, *numbers: float | None) -> Finding:
        value, low, high = numbers or (None, None, None)
        return Finding(threshold, value, low, high, n, "hold", reason)

    if not n:
        if refused:
            return held(f"all {refused} cases were refused")
        return held("there is no number: the cases have no such prompts, or this protocol was not measured")
    value = float(known.mean())
    if n < 2 and threshold.protocol not in IN_PERCENT:
        return held(f"1 case has no interval, this protocol takes {LEAST}", value, None, None)
    low, high = _interval(threshold, value, n, float((known**2).sum()))
    if n < LEAST and threshold.protocol not in IN_PERCENT:
        return held(f"{counted(n)} too few, this protocol takes {LEAST}", value, low, high)
    if _missed(threshold, low, high):
        return Finding(threshold, value, low, high, n, "reject", "")
    if not _met(threshold, low, high):
        needed = cases_needed(threshold)
        few = f"{counted(n)} too few, it takes {needed} where all go as wished"
        return held(few if n < needed else "the interval lies on both sides", value, low, high)
    if refused:
        return held(f"{counted(refused)} of {n + refused} were refused and have no number", value, low, high)
    return Finding(threshold, value, low, high, n, "admit", "")


def _interval(threshold: Threshold, mean: float, n: int, squares: float | None = None) -> tuple[float, float]:
    """All cases alike where `squares` is left out."""
    squares = n * mean**2 if squares is None else squares
    if threshold.protocol not in IN_PERCENT:
        return normal(mean, n, squares)
    return paired_change(mean, n, squares) if threshold.measure == "change" else wilson(mean, n)


def _met(threshold: Threshold, low: float, high: float) -> bool:
    return low >= threshold.value if threshold.direction == "at least" else high <= threshold.value


def _missed(threshold: Threshold, low: float, high: float) -> bool:
    return high < threshold.value if threshold.direction == "at least" else low > threshold.value
