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

from analysis.forward.architecture import context_length, from_token, side_by_side
from analysis.forward.blocks import Frame, PrefixCache, call_block, first_hidden, record
from editors.methods.search.lti import Teacher, teacher_of
from editors.methods.search.token_rows import Row

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@dataclass(frozen=True)
class Suffixes:
    """Ends of rows, ready to run again and again from one block on; n facts in all.

    What a step needs lies where it needs it: facts with the changes, places with the last block's output, tokens with
    the logits. So a step moves no index between devices and asks none for its numbers.
    """

    facts: Tensor  # (rows,) fact of each row
    bare: Tensor  # (bare rows,) numbers of the rows without a text before them
    hidden: Tensor  # (rows, tokens, d_model): input of the first block computed
    prefix: list[tuple[Tensor, Tensor]]  # of each block computed, keys and values (rows, heads, before, d_head)
    arguments: list[dict[str, Any]]  # of each block computed
    first: int  # first block computed
    read: Tensor  # (picks + anchors + kept, 2) row, position whose prediction counts: picks, then what shall stay
    targets: Tensor  # (picks,) token wanted there
    weights: Tensor  # (picks,) share in its fact's loss
    leads: Tensor  # (bare rows,) picks where the bare prompt's answer begins
    of_picks: Tensor  # (picks,) fact of each
    of_anchors: Tensor  # (anchors,) fact of each
    of_leads: Tensor  # (bare rows,) fact of each
    of_kept: Tensor  # (kept,) fact of each place where what is said is protected
    shares: Tensor  # (kept,) share of each in its fact's loss
    ends: Tensor  # (rows,) position of the prompt's last token, before any answer; -1 where no answer is asked for
    vanilla: dict[int, Tensor] = field(default_factory=dict)
    """Of layers, attention at `ends` before any change, (rows, heads, keys); for those who need it."""
    teacher: Teacher | None = None
    norm: Tensor | None = None
    """What shall be said at the kept places, log-probabilities (kept, V); noted before any change unless given."""

    def run(self, lm: "LanguageModel", hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """The last block's output (rows, tokens, d_model), and the states at the subject its teacher is read at."""
        read = None if self.teacher is None else self.teacher.layer
        middle: Tensor | None = None
        for index, (arguments, prefix) in enumerate(zip(self.arguments, self.prefix, strict=True)):
            hidden = call_block(lm, self.first + index, hidden, arguments, PrefixCache(prefix))
            if self.first + index == read:
                middle = hidden[:, 0]
        return hidden, middle

    def kept(self, active: Tensor) -> "Suffixes":
        """Without the rows of facts whose search has ended; `active` (n,) bool, on the CPU."""
        here = active[self.facts.cpu()]
        if here.all():
            return self
        rows = here.nonzero()[:, 0]
        place = torch.cumsum(here, 0) - 1  # a row's new number
        count, read, bare = len(self.targets), self.read.cpu(), self.bare.cpu()
        stay = here[read[:, 0]]
        picked, leads = stay[:count].nonzero()[:, 0], self.leads.cpu()
        led = stay[leads].nonzero()[:, 0]
        read = read[stay]
        anchors = len(self.of_anchors)
        protected = stay[count + anchors :].nonzero()[:, 0]
        return replace(
            self,
            facts=_only(self.facts, rows),
            bare=place[bare[here[bare]]].to(self.bare.device),
            hidden=_only(self.hidden, rows),
            prefix=[(_only(keys, rows), _only(values, rows)) for keys, values in self.prefix],
            arguments=[{name: _of_rows(value, rows) for name, value in part.items()} for part in self.arguments],
            read=torch.stack((place[read[:, 0]], read[:, 1]), 1).to(self.read.device),
            targets=_only(self.targets, picked),
            weights=_only(self.weights, picked),
            leads=(torch.cumsum(stay, 0) - 1)[leads[led]].to(self.leads.device),
            of_picks=_only(self.of_picks, picked),
            of_anchors=_only(self.of_anchors, stay[count : count + anchors].nonzero()[:, 0]),
            of_leads=_only(self.of_leads, led),
            of_kept=_only(self.of_kept, protected),
            shares=_only(self.shares, protected),
            teacher=None if self.teacher is None else self.teacher.kept(here, place, picked),
            norm=None if self.norm is None else _only(self.norm, protected),
            ends=_only(self.ends, rows),
            vanilla={layer: _only(pattern, rows) for layer, pattern in self.vanilla.items()},
        )


def _only(values: Tensor, rows: Tensor) -> Tensor:
    """The named rows of a tensor, on its own device; `rows` are numbers, so that no device is asked how many."""
    return values[rows.to(values.device)]


def _of_rows(value: Any, rows: Tensor) -> Any:
    """The named rows of an argument, a tensor or a tuple of them; what has no rows as it is."""
    if isinstance(value, tuple):
        return tuple(_of_rows(part, rows) for part in value)
    return _only(value, rows) if isinstance(value, Tensor) and value.dim() > 1 else value


def suffixes(lm: "LanguageModel", rows: Sequence[Row], begin: int, first: int, device: torch.device) -> list[Suffixes]:
    """The ends of `rows` from block `first` on: one batch where masks can be joined, else one for each beginning."""
    asked = Counter(row.fact for row in rows if row.targets)
    starts = sorted({row.start for row in rows})
    width = max(len(row.ids) - row.start for row in rows)
    limit = context_length(lm.config)
    if limit is not None and starts[-1] + width > limit:
        parts = [[row for row in rows if (row.start, len(row.ids)) == shape] for shape in _shapes(rows)]
        return [_joined(lm, [_recorded(lm, part, None, first)], [part], begin, first, asked, device) for part in parts]
    parts = [[row for row in rows if row.start == start] for start in starts]
    recorded = [_recorded(lm, part, width, first) for part in parts]
    together = side_by_side([one[2][0] for one in recorded], [len(part) for part in parts])
    if together is None:
        pairs = zip(recorded, parts, strict=True)
        return [_joined(lm, [one], [part], begin, first, asked, device) for one, part in pairs]
    return [_joined(lm, recorded, parts, begin, first, asked, device)]


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
    lm: "LanguageModel",
    recorded: list[Recorded],
    parts: list[list[Row]],
    begin: int,
    first: int,
    asked: Counter,
    device: torch.device,
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
    anchors = [r for r, row in enumerate(rows) if row.anchor]
    kept = [(r, place - row.start, row.weight / len(row.kept)) for r, row in enumerate(rows) for place in row.kept]
    leads = [i for i, (r, place, _) in enumerate(picks) if rows[r].bare and place == rows[r].first - rows[r].start]
    of = [row.fact for row in rows]
    facts = [fact - begin for fact in of]
    behind, spoken = lm.block_devices[-1], lm.readout.device(lm.block_devices[-1])

    def numbers(values: list[Any], where: torch.device = device) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=where)

    return Suffixes(
        facts=numbers(facts),
        bare=numbers([r for r, row in enumerate(rows) if row.bare]),
        hidden=torch.cat([one[0] for one in recorded]),
        prefix=prefix,
        arguments=arguments,
        first=first,
        read=numbers([[r, place] for r, place, *_ in (*picks, *((r, 0) for r in anchors), *kept)], behind).reshape(
            -1, 2
        ),
        targets=numbers([token for *_, token in picks], spoken),
        weights=torch.tensor([1.0 / len(rows[r].targets) / asked[rows[r].fact] for r, *_ in picks], device=spoken),
        leads=numbers(leads, spoken),
        of_picks=numbers([facts[r] for r, *_ in picks]),
        of_anchors=numbers([facts[r] for r in anchors]),
        of_leads=numbers([facts[picks[lead][0]] for lead in leads]),
        of_kept=numbers([facts[r] for r, *_ in kept]),
        shares=torch.tensor([share for *_, share in kept], device=spoken),
        ends=numbers([row.first - row.start if row.targets else -1 for row in rows]),
        teacher=teacher_of(lm, rows, facts, [1 / asked[fact] if fact in asked else 0.0 for fact in of], device),
        norm=_given(lm, [row for row in rows if row.kept], spoken),
    )


@torch.no_grad()
def _given(lm: "LanguageModel", rows: Sequence[Row], device: torch.device) -> Tensor | None:
    """What shall be said at the kept places of rows that say so themselves, (kept, V); None where none does."""
    if not any(row.alone or row.answer for row in rows):
        return None
    found = []
    for row in rows:
        if row.answer:
            certain = torch.full((len(row.answer), lm.config.vocab_size), -torch.inf, device=device)
            found.append(certain.scatter(1, torch.tensor(row.answer, device=device)[:, None], 0.0))
        else:
            ids = torch.tensor([row.alone], device=lm.device)
            found.append(lm.logits(ids, len(row.kept))[0].log_softmax(-1).to(device))
    return torch.cat(found)
