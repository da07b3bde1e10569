"""Asking a model its probes, both answers teacher-forced."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import WorkbenchError
from analysis.forward.generation import answer_word, texts_after
from analysis.text.tokens import answer_tokens
from editors.edit.probes import Answers, Glance, Probe
from editors.scoring.teacher_forced import measured

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def ask(lm: "LanguageModel", probes: Sequence[Probe]) -> Answers:
    """Ask the model every probe, both answers teacher-forced; an answer that is not known counts as impossible."""
    found = measured(lm, probes)
    probability = np.nan_to_num(np.exp(found.mean), nan=0.0)
    greedy = found.fraction == 1
    return Answers(
        probability[0],
        probability[1],
        greedy[0],
        greedy[1],
        [answer_word(lm, place, token, None).strip() for place, token in zip(found.places, found.said, strict=True)],
        found.said_probability,
    )


def answerable(lm: "LanguageModel", probes: Sequence[Probe]) -> list[Probe]:
    """Probes this tokenizer can read."""
    kept = []
    for probe in probes:
        try:
            tokens = lm.encode(probe.prompt)
            answer_tokens(lm.tokenizer, tokens, probe.new)
            if probe.old:
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
        self.place = lm.encode(prompt)
        now = lm.next_word(self.place)
        wanted = answer_tokens(lm.tokenizer, self.place, target)[0]
        likely = [int(token) for token in now.topk(WORDS + 1).indices]
        self.ids = list(dict.fromkeys([likely[0], wanted, *likely[1:]]))[:WORDS]
        self.words = [word.strip() for word in lm.said(self.place, self.ids)]
        if wanted in self.ids:
            self.words[self.ids.index(wanted)] = answer_word(lm, self.place, wanted, target).strip()
        self.before, self.texts = self._look()

    def _look(self) -> tuple[np.ndarray, list[str]]:
        said = self.lm.next_word(self.place)[self.ids].cpu().numpy()
        return said, texts_after(self.lm, self.prompts, TEXT_TOKENS)

    def again(self) -> Glance:
        """The same look at the model as it is now, beside the first."""
        after, texts = self._look()
        return Glance(
            self.prompt,
            self.words,
            self.before,
            after,
            list(zip(self.prompts, self.texts, texts, strict=True)),
        )
