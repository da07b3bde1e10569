"""How far does an edit reach along a chain of facts? What is asked and what is answered: plain data, no model."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from analysis.text.framing import Prompted
from editors.cases.chain_case import ChainCase
from editors.edit.request import editions, needs_of
from editors.registry.methods import MethodName

HELD, HOPS, DIRECT, THOUGHTS = "edit_wise", "instance_wise", "multi_hop", "multi_hop_thoughts"


class ReachRequest(Prompted):
    """Write facts with several methods, and ask hop by hop and whole."""

    units: ClassVar[dict[str, str]] = {"words": "tokens"}
    edition: ClassVar[int] = 2  # the layers of ACE and of methods that write to one
    cases: tuple[ChainCase, ...] = Field(min_length=1, description="chains with the facts to write")
    methods: tuple[MethodName, ...] = Field(
        ("rome", "memit", "pmet", "ace", "ifmet"), description="editors to compare, each with its own defaults"
    )
    thoughts: bool = Field(False, description="also ask the whole with chain of thought")
    words: int = Field(10, ge=1, le=50, description="tokens an answer may take")

    def own_edition(self) -> int:
        return self.edition + editions(self.methods)

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return (*needs_of(self.methods), "generation")


@dataclass(frozen=True)
class ReachResult:
    """V versions (no edit, then each method) × n cases × up to H hops, Q wordings; NaN where a method refused a case.

    An answer is right when what is said begins with it or one of its aliases, whatever the case of letters.
    """

    units: ClassVar[dict[str, str]] = {
        "held": "share", "hops": "yes or no", "whole": "yes or no", "thoughts": "yes or no", "old": "yes or no",
    }  # fmt: skip
    request: ReachRequest
    model: dict[str, Any]
    versions: list[str]
    held: np.ndarray  # (V, n) share of the case's edits whose prompt is answered with the target (edit-wise)
    hops: np.ndarray  # (V, n, H) whether each single fact of the chain is recalled
    whole: np.ndarray  # (V, n, Q) whether the whole is answered
    thoughts: np.ndarray  # (V, n, Q) with chain of thought; or empty
    old: np.ndarray  # (V, n, Q) whether the whole is answered as before the edits
    hops_said: list[list[list[str]]]  # V of n of H
    whole_said: list[list[list[str]]]
    thoughts_said: list[list[list[str]]]  # with what was thought
    faults: list[str]  # method, case and why it was refused
    provenance: dict[str, Any] = field(default_factory=dict)

    def scores(self) -> dict[str, np.ndarray]:
        """MQuAKE's three metrics (2305.14795, section 3), (V, n) in [0, 1]; multi-hop is any of the wordings."""
        found = {HELD: self.held, HOPS: _over(self.hops, np.min), DIRECT: _over(self.whole, np.max)}
        return found | ({THOUGHTS: _over(self.thoughts, np.max)} if self.thoughts.size else {})

    def mean(self, values: np.ndarray) -> list[tuple[float, float, int]]:
        """Of (V, n) values: mean over cases, half width of its 95 % interval, and cases; for each version."""
        made = []
        for row in values:
            known = row[~np.isnan(row)]
            spread = 1.96 * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else 0.0
            made.append((float(known.mean()) if len(known) else float("nan"), float(spread), len(known)))
        return made


def _over(values: np.ndarray, how: Any) -> np.ndarray:
    """The least or largest over the last axis, padding and refusals left out."""
    fill = 1.0 if how is np.min else 0.0
    known = ~np.isnan(values)
    return np.where(known.any(-1), how(np.where(known, values, fill), axis=-1), np.nan)
