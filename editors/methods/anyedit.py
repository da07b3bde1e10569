"""AnyEdit (2502.05628): a long answer in windows, each written at the token before it, all of them in one closed form.

One value can hold a word or two. So the answer is cut into windows, and for each a value is sought at the last token
before it, with those before it written. What is written in the end is one change: the keys of all these tokens to their
values, and the keys of all other tokens of the same text to what they have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from analysis.internals.key_value_memory import keys
from analysis.study import Report
from analysis.text.tokens import answer_tokens
from editors.edit.edit import Found
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.closed_forms import Inverse
from editors.methods.closed_road import Writing, Written
from editors.methods.past_keys import PastKeys
from editors.methods.protection.protected_keys import Moments
from editors.methods.roads import MEMIT
from editors.methods.search.target_search import Targets, search, unreached
from editors.methods.search.token_rows import Row

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Turn = tuple[list["Window"], Targets]
"""Windows that were sought together, one of each fact that has as many, and their values."""


@dataclass(frozen=True)
class Window:
    """A part of one fact's answer, behind the prompt and all parts before it."""

    fact: int
    turn: int
    ids: tuple[int, ...]  # prompt and answer up to the window's end
    begin: int  # token of `ids` the window begins with
    told: Rewrite

    def row(self, number: int) -> Row:
        """As a row of the search, which numbers its facts from 0: the value stands at the token before it."""
        return Row(number, self.ids[:-1], self.begin - 1, self.ids[self.begin :], self.begin - 1, bare=True)


def windows(lm: "LanguageModel", fact: int, rewrite: Rewrite, size: int) -> list[Window]:
    """The answer cut into windows of `size` tokens, the last one of those that are left."""
    prompt = lm.encode(rewrite.text)
    target, found = answer_tokens(lm.tokenizer, prompt, rewrite.target), []
    for turn, begin in enumerate(range(0, len(target), size)):
        part = target[begin : begin + size]
        words = lm.tokenizer.decode(part).strip() or rewrite.target
        told = Rewrite.model_construct(prompt="{}", subject=rewrite.text, target=words, two_hop=None)
        ids = (*prompt.ids, *target[: begin + len(part)])
        found.append(Window(fact, turn, ids, len(prompt.ids) + begin, told))
    return found


def in_windows(
    lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
) -> Callable[[], Written]:
    """AnyEdit, as `Method.write`; the closed form is MEMIT's, as in the published MEMIT_ARE."""
    return _InWindows(lm, request, report).run


class _InWindows(Writing):
    """A write whose keys stand at the tokens before windows, with no text before the prompt and nothing else kept.

    Not followed of the published code: padded positions that count as keys, and a text's weight that is lost within its
    loop over layers.
    """

    def __init__(self, lm: "LanguageModel", request: EditRequest, report: Report):
        plain = {
            "contexts": 0,
            "kl": 0.0,
            "passes": 1,
            "norm_anchor": False,
            "others_weight": 0.0,
            "behind_weight": 0.0,
            "answer_weight": 1.0,
        }
        self.facts = len(request.facts)
        self.windows = [one for at, fact in enumerate(request.facts) for one in windows(lm, at, fact, request.window)]
        super().__init__(lm, request.model_copy(update=plain), report, None, MEMIT)

    def _inverses(self) -> dict[int, Inverse]:
        """Of C with all other tokens of the texts in it, each counted as a fact that is written to stay."""
        others = self._others()
        return {
            layer: Inverse(
                self.protected.beside(one.matrix, layer)
                + others[layer] / (self.request.moments_weight * len(others[layer]))
            )
            for layer, one in self.moments.items()
        }

    def run(self) -> Written:
        """Search window by window, each with those before it written; then write all of them at once."""
        turns = self._sought()
        order = [one for places, _ in turns for one in places]
        self.targets = _joined([targets for _, targets in turns])
        rows = self._rows(order)
        wanted = self._residual(rows, self.layers[-1]).norm(dim=0)
        made, _, condition, left = self._written(rows)
        self.report(1, 1, "asking what became of it", None, 0.95)
        for places, targets in turns:
            self.warnings += unreached(self._about(places), targets.probability)
        held = [1 - float(part / size) if size else np.nan for part, size in zip(left.norm(dim=0), wanted, strict=True)]
        lengths = self.targets.target("hidden").norm(dim=1).tolist()
        found = Found(
            loss=self._by_fact(turns, "loss"),
            probability=self._by_fact(turns, "probability"),
            former=self._by_fact(turns, "former"),
            key_ratio=[np.nan] * self.facts,
            written=[float(np.mean(own)) for own in self._each(order, held)],
            condition=condition,
            statistics=[one.said() for one in self.moments.values()],
            values=[max(own) for own in self._each(order, lengths)],
        )
        return made.changes(), found, self.warnings

    def _sought(self) -> list[Turn]:
        """First windows, then second ones with the first written, and so on."""
        found: list[Turn] = []
        count = 1 + max(one.turn for one in self.windows)
        with Overlay(self.lm) as before:
            for turn in range(count):
                places = [one for one in self.windows if one.turn == turn]
                told = self._phase(0.45 + 0.45 * turn / count, 0.45 + 0.45 * (turn + 1) / count, "the new value")
                rows = self._rows(places)
                targets = search(self.lm, rows, self.layers[-1], MEMIT.sites, self.request, told)
                found.append((places, targets))
                if turn + 1 < count:
                    self.targets = targets
                    for change in self._written(rows)[0].changes():
                        before.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
        return found

    def _rows(self, places: Sequence[Window]) -> list[Row]:
        """The rows of windows, which the request is about from now on."""
        self.request = self._about(places)
        return [one.row(number) for number, one in enumerate(places)]

    def _about(self, places: Sequence[Window]) -> EditRequest:
        return self.request.model_copy(update={"facts": tuple(one.told for one in places)})

    @torch.no_grad()
    def _others(self) -> Moments:
        """Σ k kᵀ of all tokens of the texts but the first and those that values stand at, at each layer."""
        width = {layer: len(moment.matrix) for layer, moment in self.moments.items()}
        sums = {layer: torch.zeros(size, size, dtype=torch.float64) for layer, size in width.items()}
        for fact in range(self.facts):
            own = [one for one in self.windows if one.fact == fact]
            states = {one.begin - 1 for one in own}
            kept = [place for place in range(1, len(own[-1].ids)) if place not in states]
            read = keys(self.lm, torch.tensor([own[-1].ids]), list(self.layers))
            for layer in self.layers:
                there = read[layer][0, kept].cpu().double()
                sums[layer] += there.T @ there
        return sums

    def _each(self, order: Sequence[Window], values: Sequence[float]) -> list[list[float]]:
        """What windows have, fact by fact."""
        pairs = list(zip(order, values, strict=True))
        return [[value for one, value in pairs if one.fact == fact] for fact in range(self.facts)]

    def _by_fact(self, turns: Sequence[Turn], name: Literal["loss", "probability", "former"]) -> np.ndarray:
        """Curves of the searches one behind the other, (steps × turns, facts); NaN where a fact has no such window."""
        parts = []
        for places, targets in turns:
            curve = getattr(targets, name)
            part = np.full((len(curve), self.facts), np.nan)
            part[:, [one.fact for one in places]] = curve
            parts.append(part)
        return np.concatenate(parts)


def _joined(turns: Sequence[Targets]) -> Targets:
    return Targets(
        base={"hidden": torch.cat([one.base["hidden"] for one in turns])},
        change={"hidden": torch.cat([one.change["hidden"] for one in turns])},
        loss=np.concatenate([one.loss for one in turns], 1),
        probability=np.concatenate([one.probability for one in turns], 1),
        former=np.concatenate([one.former for one in turns], 1),
    )
