"""Both answers of many prompts, teacher-forced in batches: everything the field's protocols are made of.

Prompts of one length are read together and none is padded, so a prompt's numbers do not depend on its company.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.forward.by_length import by_length
from analysis.text.tokens import Tokens, answer_tokens
from editors.edit.probes import WANT_NEW, Probe

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS_AT_ONCE = 32
NEW, OLD = 0, 1


@dataclass(frozen=True)
class Measured:
    """P probes, each with its new and its old answer; NaN where an answer is not known."""

    mean: np.ndarray  # (2, P) mean log-probability of the answer's tokens
    summed: np.ndarray  # (2, P) their sum
    fraction: np.ndarray  # (2, P) share of the answer's tokens that are the likeliest where they stand
    said: np.ndarray  # (P,) id of the likeliest next token
    said_probability: np.ndarray  # (P,)
    slots: Tensor | None  # (P, V) log-probabilities of the next token, on the CPU, where asked for
    places: list[Tokens]  # (P,) the prompts as they were read

    def of_wanted(self, probes: Sequence[Probe]) -> np.ndarray:
        """Share of the wanted answer's tokens that are the likeliest, (P,); `probes` are those that were read."""
        wanted = [NEW if probe.kind in WANT_NEW else OLD for probe in probes]
        return self.fraction[wanted, np.arange(len(probes))]


@dataclass(frozen=True)
class _Line:
    """One answer behind its prompt."""

    probe: int
    which: int
    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """What the model must have read; it is not asked what follows the answer."""
        return (*self.prompt, *self.answer[:-1])


def measured(
    lm: "LanguageModel", probes: Sequence[Probe], *, slots: bool = False, rows: int = ROWS_AT_ONCE
) -> Measured:
    """Read every probe with both answers, `rows` at once; raises for prompts and answers that have no tokens."""
    lines: list[_Line] = []
    places = [lm.encode(probe.prompt) for probe in probes]
    for index, (probe, tokens) in enumerate(zip(probes, places, strict=True)):
        for which, answer in ((NEW, probe.new), (OLD, probe.old)):
            if answer or which == NEW:
                lines.append(_Line(index, which, tuple(tokens.ids), tuple(answer_tokens(lm.tokenizer, tokens, answer))))
    mean, summed, fraction = (np.full((2, len(probes)), np.nan) for _ in range(3))
    said, said_probability = np.zeros(len(probes), dtype=np.int64), np.zeros(len(probes))
    kept: list[Tensor | None] = [None] * len(probes)
    for part in _together(lines, rows):
        first = min(len(line.prompt) for served in part.values() for line in served)
        ids = torch.tensor(list(part))
        with torch.no_grad():
            logs = lm.logits(ids, ids.shape[1] - first + 1).log_softmax(-1).cpu()
        for row, served in enumerate(part.values()):
            for line in served:
                at = logs[row, len(line.prompt) - first :][: len(line.answer)]
                wanted = torch.tensor(line.answer)
                chosen = at.gather(1, wanted[:, None])[:, 0].double()
                mean[line.which, line.probe], summed[line.which, line.probe] = chosen.mean(), chosen.sum()
                fraction[line.which, line.probe] = (at.argmax(-1) == wanted).double().mean()
                if line.which == NEW:
                    best = at[0].max(-1)
                    said[line.probe], said_probability[line.probe] = int(best.indices), best.values.exp().item()
                    kept[line.probe] = at[0].clone() if slots else None
    found = torch.stack([one for one in kept if one is not None]) if slots and probes else None
    return Measured(mean, summed, fraction, said, said_probability, found, places)


def _together(lines: list[_Line], rows: int) -> list[dict[tuple[int, ...], list[_Line]]]:
    """What is read, and the lines it serves, parted by length: an answer is read off the other where that goes on."""
    longest: dict[int, tuple[int, ...]] = {}
    for line in lines:
        longest[line.probe] = max(longest.get(line.probe, ()), line.read, key=len)
    served: dict[tuple[int, ...], list[_Line]] = {}
    for line in lines:
        other = longest[line.probe]
        read = other if other[: len(line.read)] == line.read else line.read
        served.setdefault(read, []).append(line)
    reads = list(served)
    return [{reads[index]: served[reads[index]] for index in part} for part in by_length(reads, rows=rows)]
