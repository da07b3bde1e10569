"""Ways to corrupt the subject, all ending in the same thing: other inputs to block 0.

Gaussian noise is ROME's; symmetric token replacement stays on distribution (Zhang & Nanda,
2309.16042). Whatever comes after does not need to know which one was used.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest, ReplacementMismatch
from analysis.facts.facts import read_facts
from analysis.forward.blocks import first_hidden
from analysis.text.tokens import Tokens, find_own, refuse_beyond

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@dataclass(frozen=True)
class Corrupted:
    """Block 0's input of the corrupted prompt, (S, T, d_model), and what was done to it."""

    hidden: Tensor
    tokens: Tokens
    sigma: float | None
    """Standard deviation of subject embeddings, where noise was used; the noise is a multiple of it."""


def subject_scale(lm: "LanguageModel") -> float:
    """Standard deviation of the embedding module's output over all tokens of all subjects of the assets.

    One scalar pooled over tokens and dimensions, unbiased; each subject is encoded alone,
    without a leading space and without special tokens (ROME, appendix B).
    """
    subjects = tuple(fact.subject for fact in read_facts())
    known = lm.memo.get(("subject_scale", subjects))
    if known is not None:
        return known
    ids = [token for text in subjects for token in lm.tokenizer(text, add_special_tokens=False)["input_ids"]]
    refuse_beyond(lm.tokenizer, ids, lm.n_ids, "A subject of the known facts")
    with torch.no_grad():
        scale = lm.bridge.embed(torch.tensor([ids], device=lm.device)).float().std().item()
    lm.memo["subject_scale", subjects] = scale
    return scale


def noisy(
    lm: "LanguageModel", tokens: Tokens, subject: tuple[int, int], *, scale: float, samples: int, seed: int
) -> Tensor:
    """Block 0's input with Gaussian noise of standard deviation `scale` on the subject, (samples, T, d_model).

    The draw is ROME's: NumPy's legacy `RandomState(seed).randn`, one draw for all samples, so
    every cell of a trace sees the same noise and effects are paired differences.
    """
    begin, end = subject
    width = lm.bridge.embed(torch.tensor([tokens.ids[:1]], device=lm.device)).shape[-1]
    draw = np.random.RandomState(seed).randn(samples, end - begin, width) * scale
    return first_hidden(lm, tokens.tensor(lm.device), torch.from_numpy(draw), start=begin)


def replaced(lm: "LanguageModel", tokens: Tokens, subject: tuple[int, int], text: str) -> Tokens:
    """The prompt with `text` in the subject's place, refused unless only the subject's tokens change."""
    begin, end = subject
    left = next(a for a, b in tokens.spans[begin:end] if b > a)
    right = tokens.spans[end - 1][1]
    while left < right and tokens.text[left].isspace():
        left += 1
    left, right = left - tokens.begin, right - tokens.begin
    other = lm.encode(tokens.prompt[:left] + text.strip() + tokens.prompt[right:])
    same_length = len(other) == len(tokens)
    same_rest = same_length and other.ids[:begin] == tokens.ids[:begin] and other.ids[end:] == tokens.ids[end:]
    if not same_rest:
        count = len(other) - len(tokens) + end - begin
        raise ReplacementMismatch(
            f"“{text.strip()}” takes {count} tokens where the subject has {end - begin}. "
            f"Choose a text of {end - begin} tokens, so that every other word keeps its place."
        )
    if other.ids == tokens.ids:
        raise ReplacementMismatch(f"“{text.strip()}” is the subject itself. Choose another text.")
    return other


def other_subject(lm: "LanguageModel", tokens: Tokens, subject: str, subject_tokens: tuple[int, int]) -> str:
    """A subject of the assets with as many tokens, of the same relation where there is one."""
    facts = read_facts()
    start, end = find_own(tokens, subject, occurrence=0)
    relation = next((fact.relation for fact in facts if fact.subject == tokens.text[start:end]), None)
    own = {fact.object for fact in facts if fact.subject == subject}
    ranked = sorted((f for f in facts if f.object not in own), key=lambda fact: fact.relation != relation)
    for fact in ranked:
        try:
            replaced(lm, tokens, subject_tokens, fact.subject)
        except (ReplacementMismatch, BadRequest):
            continue
        return fact.subject
    raise ReplacementMismatch(
        f"None of the stored subjects has {subject_tokens[1] - subject_tokens[0]} tokens in this place. "
        "Write a text of your own, or blur with noise."
    )


def replace_subject(lm: "LanguageModel", tokens: Tokens, subject: tuple[int, int], text: str) -> Corrupted:
    """Block 0's input of the prompt about something else, one row."""
    other = replaced(lm, tokens, subject, text)
    return Corrupted(first_hidden(lm, other.tensor(lm.device)), other, None)
