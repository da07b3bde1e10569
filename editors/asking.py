"""Asking a model its probes, both answers teacher-forced."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.errors import WorkbenchError
from analysis.generation import continued
from analysis.tokens import answer_tokens
from editors.probes import Answers, Glance, Probe

if TYPE_CHECKING:
    from analysis.model import LanguageModel

ROWS_AT_ONCE = 32


def ask(lm: "LanguageModel", probes: Sequence[Probe]) -> Answers:
    """Ask the model every probe, both answers teacher-forced."""
    rows: list[tuple[int, int, tuple[int, ...], int]] = []  # probe, which answer, ids, prompt length
    for index, probe in enumerate(probes):
        tokens = lm.encode(probe.prompt)
        for which, answer in enumerate((probe.new, probe.old)):
            target = answer_tokens(lm.tokenizer, tokens, answer)
            rows.append((index, which, (*tokens.ids, *target), len(tokens)))
    probability = np.zeros((2, len(probes)))
    greedy = np.zeros((2, len(probes)), dtype=bool)
    said = np.zeros(len(probes), dtype=np.int64)
    said_probability = np.zeros(len(probes))
    for part in _alike(rows):
        ids = torch.tensor([ids for _, _, ids, _ in part])
        with torch.no_grad():
            logs = lm.logits(ids[:, :-1]).log_softmax(-1).cpu()
        for row, (index, which, own, length) in enumerate(part):
            slots = logs[row, length - 1 :]
            wanted = torch.tensor(own[length:])
            chosen = slots.gather(1, wanted[:, None])[:, 0]
            probability[which, index] = chosen.mean().exp().item()
            greedy[which, index] = bool((slots.argmax(-1) == wanted).all())
            if which == 0:
                best = slots[0].max(-1)
                said[index], said_probability[index] = int(best.indices), best.values.exp().item()
    return Answers(
        probability[0],
        probability[1],
        greedy[0],
        greedy[1],
        [word.strip() for word in lm.words(said)],
        said_probability,
    )


def _alike(rows: list[tuple[int, int, tuple[int, ...], int]]) -> list[list[tuple[int, int, tuple[int, ...], int]]]:
    """Rows parted by length, so that none is padded."""
    by_length: dict[int, list] = {}
    for row in rows:
        by_length.setdefault(len(row[2]), []).append(row)
    return [
        part[start : start + ROWS_AT_ONCE] for part in by_length.values() for start in range(0, len(part), ROWS_AT_ONCE)
    ]


def answerable(lm: "LanguageModel", probes: Sequence[Probe]) -> list[Probe]:
    """Probes this tokenizer can read."""
    kept = []
    for probe in probes:
        try:
            tokens = lm.encode(probe.prompt)
            answer_tokens(lm.tokenizer, tokens, probe.new)
            answer_tokens(lm.tokenizer, tokens, probe.old)
        except WorkbenchError:
            continue
        kept.append(probe)
    return kept


WORDS, TEXT_TOKENS = 5, 14


class Looking:
    """Looks at one prompt and some others twice, before an edit and after it."""

    def __init__(self, lm: "LanguageModel", prompt: str, target: str, others: Sequence[str]):
        self.lm, self.prompt, self.prompts = lm, prompt, (prompt, *others)
        tokens = lm.encode(prompt)
        now = lm.next_word(tokens)
        wanted = answer_tokens(lm.tokenizer, tokens, target)[0]
        likely = [int(token) for token in now.topk(WORDS + 1).indices]
        self.ids = list(dict.fromkeys([likely[0], wanted, *likely[1:]]))[:WORDS]
        self.before, self.texts = self._look()

    def _look(self) -> tuple[np.ndarray, list[str]]:
        said = self.lm.next_word(self.lm.encode(self.prompt))[self.ids].cpu().numpy()
        texts = [(list(continued(self.lm, prompt, TEXT_TOKENS)) or [""])[-1] for prompt in self.prompts]
        return said, texts

    def again(self) -> Glance:
        """The same look at the model as it is now, beside the first."""
        after, texts = self._look()
        return Glance(
            self.prompt,
            [word.strip() for word in self.lm.words(self.ids)],
            self.before,
            after,
            list(zip(self.prompts, self.texts, texts, strict=True)),
        )
