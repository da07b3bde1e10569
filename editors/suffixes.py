"""Rows from the subject's last token on, standing side by side, with everything before them as stored keys and values.

Prompts alone and behind other texts have the same end and different beginnings. The ends run as one
batch: stored prefixes are filled up on the left with keys nobody attends to, ends on the right with
tokens nobody reads, and every row keeps its own positions.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from analysis.architecture import context_length, from_token, side_by_side
from analysis.blocks import Frame, PrefixCache, call_block, first_hidden, record
from editors.rows import Row

if TYPE_CHECKING:
    from analysis.model import LanguageModel


@dataclass(frozen=True)
class Suffixes:
    """Ends of rows, ready to run again and again from one block on; n facts in all."""

    facts: Tensor  # (rows,) fact of each row
    bare: Tensor  # (rows,) bool
    hidden: Tensor  # (rows, tokens, d_model): input of the first block computed
    prefix: list[tuple[Tensor, Tensor]]  # of each block computed, keys and values (rows, heads, before, d_head)
    arguments: list[dict[str, Any]]  # of each block computed
    first: int  # first block computed
    picks: Tensor  # (picks, 2) row, position whose prediction counts
    targets: Tensor  # (picks,) token wanted there
    weights: Tensor  # (picks,) share in its fact's loss
    anchors: Tensor  # (anchors,) rows whose first position shall say what it said
    leads: Tensor  # (bare rows,) picks where the bare prompt's answer begins
    ends: Tensor  # (rows,) position of the prompt's last token, before any answer; -1 where no answer is asked for
    vanilla: dict[int, Tensor] = field(default_factory=dict)
    """Of layers, attention at `ends` before any change, (rows, heads, keys); for those who need it."""

    def run(self, lm: "LanguageModel", hidden: Tensor) -> Tensor:
        """The last block's output (rows, tokens, d_model)."""
        for index, (arguments, prefix) in enumerate(zip(self.arguments, self.prefix, strict=True)):
            hidden = call_block(lm, self.first + index, hidden, arguments, PrefixCache(prefix))
        return hidden

    def kept(self, active: Tensor) -> "Suffixes":
        """Without the rows of facts whose search has ended; `active` (n,) bool."""
        stay = active[self.facts]
        if stay.all():
            return self
        here = stay.cpu()
        place = torch.cumsum(here, 0) - 1  # a row's new number
        picked, anchored = here[self.picks[:, 0]], here[self.anchors]
        rows = self.picks[picked]
        return replace(
            self,
            facts=self.facts[stay],
            bare=self.bare[stay],
            hidden=_only(self.hidden, here),
            prefix=[(_only(keys, here), _only(values, here)) for keys, values in self.prefix],
            arguments=[{name: _only(value, here) for name, value in part.items()} for part in self.arguments],
            picks=torch.stack((place[rows[:, 0]], rows[:, 1]), 1),
            targets=self.targets[picked],
            weights=self.weights[picked],
            anchors=place[self.anchors[anchored]],
            leads=(torch.cumsum(picked, 0) - 1)[self.leads[picked[self.leads]]],
            ends=self.ends[here],
            vanilla={layer: _only(rows, here) for layer, rows in self.vanilla.items()},
        )


def _only(value: Any, here: Tensor) -> Any:
    """The rows `here` of a tensor or of every tensor of a tuple; what has no rows as it is."""
    if isinstance(value, tuple):
        return tuple(_only(part, here) for part in value)
    return value[here.to(value.device)] if isinstance(value, Tensor) and value.dim() > 1 else value


def suffixes(lm: "LanguageModel", rows: Sequence[Row], begin: int, first: int, device: torch.device) -> list[Suffixes]:
    """The ends of `rows` from block `first` on: one batch where masks can be joined, else one for each beginning."""
    asked = Counter(row.fact for row in rows if row.targets)
    starts = sorted({row.start for row in rows})
    width = max(len(row.ids) - row.start for row in rows)
    limit = context_length(lm.config)
    if limit is not None and starts[-1] + width > limit:
        parts = [[row for row in rows if (row.start, len(row.ids)) == shape] for shape in _shapes(rows)]
        return [_joined([_recorded(lm, part, None, first)], [part], begin, first, asked, device) for part in parts]
    parts = [[row for row in rows if row.start == start] for start in starts]
    recorded = [_recorded(lm, part, width, first) for part in parts]
    together = side_by_side([one[2][0] for one in recorded], [len(part) for part in parts])
    if together is None:
        pairs = zip(recorded, parts, strict=True)
        return [_joined([one], [part], begin, first, asked, device) for one, part in pairs]
    return [_joined(recorded, parts, begin, first, asked, device)]


def _shapes(rows: Sequence[Row]) -> list[tuple[int, int]]:
    return sorted({(row.start, len(row.ids)) for row in rows})


Recorded = tuple[Tensor, list[tuple[Tensor, Tensor]], list[dict[str, Any]]]


@torch.no_grad()
def _recorded(lm: "LanguageModel", rows: list[Row], width: int | None, first: int) -> Recorded:
    """Hidden states, prefixes and arguments of rows with the same beginning, filled up to `width` tokens."""
    start = rows[0].start
    long = start + width if width else len(rows[0].ids)
    ids = torch.tensor([[*row.ids, *[row.ids[-1]] * (long - len(row.ids))] for row in rows], device=lm.device)
    frame = Frame.of(lm, ids)
    passage = record(frame, first_hidden(lm, ids))
    blocks = range(first, lm.n_layers)
    return (
        passage.hidden[first][:, start:].clone(),
        [tuple(part.clone() for part in passage.prefix_before(layer, start)) for layer in blocks],  # type: ignore[misc]
        [from_token(frame.arguments[layer], start, lm.block_devices[layer]) for layer in blocks],
    )


def _joined(
    recorded: list[Recorded], parts: list[list[Row]], begin: int, first: int, asked: Counter, device: torch.device
) -> Suffixes:
    rows = [row for part in parts for row in part]
    counts = [len(part) for part in parts]
    longest = max(part[0].start for part in parts)

    def filled(stored: Tensor) -> Tensor:
        return nn.functional.pad(stored, (0, 0, longest - stored.shape[2], 0))

    prefix, arguments = [], []
    for index in range(len(recorded[0][1])):
        pairs = [one[1][index] for one in recorded]
        prefix.append((torch.cat([filled(keys) for keys, _ in pairs]), torch.cat([filled(v) for _, v in pairs])))
        together = side_by_side([one[2][index] for one in recorded], counts)
        assert together is not None
        arguments.append(together)
    picks = [(r, row.first + i - row.start, token) for r, row in enumerate(rows) for i, token in enumerate(row.targets)]
    bare = [i for i, (r, place, _) in enumerate(picks) if rows[r].bare and place == rows[r].first - rows[r].start]
    return Suffixes(
        facts=torch.tensor([row.fact - begin for row in rows], device=device),
        bare=torch.tensor([row.bare for row in rows], device=device),
        hidden=torch.cat([one[0] for one in recorded]),
        prefix=prefix,
        arguments=arguments,
        first=first,
        picks=torch.tensor([pick[:2] for pick in picks], dtype=torch.long).reshape(-1, 2),
        targets=torch.tensor([token for *_, token in picks], dtype=torch.long),
        weights=torch.tensor([1.0 / len(rows[r].targets) / asked[rows[r].fact] for r, *_ in picks]),
        anchors=torch.tensor([r for r, row in enumerate(rows) if row.anchor], dtype=torch.long),
        leads=torch.tensor(bare, dtype=torch.long),
        ends=torch.tensor([row.first - row.start if row.targets else -1 for row in rows]),
    )
