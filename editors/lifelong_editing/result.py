"""What is left of the first edit after the hundredth? What a stream of edits asks and what it answers: plain data.

Edits are written one upon the other and never taken back. At milestones all of them are asked again, and the model is
held against itself without any (retention and drawdown after 2410.18785).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from analysis.stepwise import Stepwise
from analysis.text.framing import Prompted
from editors.cases.case import Case
from editors.edit.edit import Edit
from editors.edit.request import FoundOn, editions, needs_of
from editors.evaluation.result import Mean, mean_of
from editors.lifelong_editing.moved import Moved
from editors.registry.methods import METHODS
from editors.registry.versions import VersionName, method_in

ASKED = ("rewrite", "paraphrase", "neighbour")
"""Kinds of prompts that are scored, each by the strict protocol: every token of the wanted answer the likeliest."""
STEPS = (1, 5, 10, 20, 50, 100, 200, 500, 1000)


class LifelongRequest(Prompted):
    """Write cases one after another with one method, and look back at milestones."""

    units: ClassVar[dict[str, str]] = {"milestones": "edits", "words": "tokens", "seed": "seed"}
    later: ClassVar[tuple[str, ...]] = (*Prompted.later, "targets")
    edition: ClassVar[int] = 3  # layers of ACE and of methods that write to one; when past keys are read
    cases: tuple[Case, ...] = Field(min_length=1, description="facts to write, in this order")
    method: VersionName = Field(
        "rome", description="editor, with its own defaults; with more beside as in alphaedit+protect"
    )
    targets: FoundOn = Field(
        "base",
        description="RLS: new values sought on the model as it was trained and all solved together after each edit "
        "(base), or sought and written on top of those before (stacked)",
    )
    milestones: tuple[int, ...] = Field(STEPS, description="numbers of edits after which all are asked again")
    words: int = Field(8, ge=1, le=64, description="tokens of the texts that show whether it still speaks")
    abilities: bool = Field(True, description="also ask the small questions that no edit should touch")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the texts the method writes")

    def own_edition(self) -> int:
        return self.edition + editions((self.method,))

    @property
    def solved(self) -> bool:
        """Whether what is on after each edit is one solution for all so far."""
        return method_in(self.method) in METHODS and METHODS[method_in(self.method)].solvable and self.targets == "base"

    def stops(self) -> tuple[int, ...]:
        """No edit, the milestones within the stream, and its end."""
        inside = {one for one in self.milestones if 0 < one < len(self.cases)}
        return (0, *sorted(inside), len(self.cases))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return (*needs_of((self.method,)), "generation")


@dataclass(frozen=True)
class LifelongResult(Stepwise):
    """M milestones, N cases; NaN where a case is not written yet, was refused, or has no such prompts.

    Stopped: the milestones that were reached, and the edits to go on from.
    """

    units: ClassVar[dict[str, str]] = {
        "milestones": "edits", "immediate": "share", "later": "share", "perplexity": "perplexity", "kl": "nats",
        "mute": "share", "abilities": "share", "change": "ratio", "seconds": "seconds",
    }  # fmt: skip
    came_later: ClassVar[tuple[str, ...]] = ("moved",)
    request: LifelongRequest
    model: dict[str, Any]
    milestones: list[int]
    immediate: np.ndarray  # (kinds, N) share as wished, right after the case's own edit
    later: np.ndarray  # (M, kinds, N) at each milestone
    perplexity: np.ndarray  # (M,) of held-out text
    kl: np.ndarray  # (M,) mean KL of the next token from that without edits, nats, on held-out prompts
    mute: np.ndarray  # (M,) share of held-out prompts that are gone on with by nothing
    groups: list[str]  # of abilities; none where they were not asked for, or cannot be read
    abilities: np.ndarray  # (M, groups) share of questions right, by likelihood
    change: np.ndarray  # (M,) largest ‖ΔW‖ / ‖W‖ of any matrix
    faults: list[str]  # cases that were refused, and why
    seconds: np.ndarray  # (N,) of writing
    provenance: dict[str, Any] = field(default_factory=dict)
    made: list[Edit] = field(default_factory=list)  # none at the end
    moved: Moved | None = None  # where damage comes from; None in what was stored before

    def kept(self, milestone: int, kind: str = "rewrite") -> Mean | None:
        """Mean over the cases written so far; `milestone` counts rows."""
        return mean_of(self.later[milestone, ASKED.index(kind)])

    def at_once(self, kind: str = "rewrite") -> Mean | None:
        """Mean right after each edit."""
        return mean_of(self.immediate[ASKED.index(kind)])

    def by_age(self, bins: int = 5, kind: str = "rewrite") -> list[tuple[int, int, Mean]]:
        """At the end of the stream: youngest and oldest age of a group, in edits since, and its mean."""
        last, count = self.later[-1, ASKED.index(kind)], self.milestones[-1]
        if not count:
            return []
        groups = np.array_split(np.arange(count)[::-1], min(bins, count))
        found = [(count - 1 - int(own[0]), count - 1 - int(own[-1]), mean_of(last[own])) for own in groups]
        return [(young, old, mean) for young, old, mean in found if mean is not None]

    def retention(self) -> np.ndarray:
        """R: what is left of each thing that should stay over what there was without edits, (M, 1 + groups).

        First the neighbours of the cases written by then, then each group of abilities; NaN where there was none.
        """
        now, bare = self.later[:, ASKED.index("neighbour")], self.bare()[ASKED.index("neighbour")]
        found = np.full((len(now), 1 + len(self.groups)), np.nan)
        for row, own in enumerate(now):
            there = ~np.isnan(own) & ~np.isnan(bare)
            if there.any() and bare[there].sum() > 0:
                found[row, 0] = own[there].sum() / bare[there].sum()
        at_first = np.where(self.abilities[0] > 0, self.abilities[0], np.nan) if self.groups else self.abilities[0]
        found[:, 1:] = self.abilities / at_first
        return found

    def drawdown(self) -> np.ndarray:
        """The worst loss of what should have stayed, max (1 - R), (M,); NaN where nothing can be told."""
        lost = np.nan_to_num(1 - self.retention(), nan=-np.inf).max(1)
        return np.where(np.isinf(lost), np.nan, lost)

    def bare(self) -> np.ndarray:
        """Scores of all cases without any edit, (kinds, N)."""
        return self.later[0]
