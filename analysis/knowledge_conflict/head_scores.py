"""Scores of every head over some conflicts, and who wins with heads silenced."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.internals.head_names import head_name
from analysis.internals.head_outputs import Endings, endings
from analysis.knowledge_conflict.prompts import Conflict, Corruption
from analysis.knowledge_conflict.result import Outcome, Scores
from analysis.knowledge_conflict.tokenised import Item, answer_ids, twin
from analysis.patching.direct_effects import direct_effects, estimated_effects
from analysis.patching.head_ablation import Choice, said_without
from analysis.patching.path_patching import Patched, patched_heads
from analysis.patching.path_patching_qkv import parse_receiver, patched_pathways
from analysis.study import Report, silent
from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

MEANS = 8
"""Corrupted prompts a single prompt's mean is taken over."""


@dataclass(frozen=True)
class Finding:
    """Items, what they were patched with, and every head's scores."""

    items: list[Item]
    twins: list[Conflict]
    clean: Endings
    patched: Patched
    scores: Scores


def find(
    lm: "LanguageModel",
    items: Sequence[Item],
    option: Corruption,
    seed: int,
    report: Report = silent,
    parts: list[tuple[Tensor, ...]] | None = None,
) -> Finding:
    """Path-patch all heads of some conflicts, and rank them cheaply beside it. `parts`: see `patched_heads`.

    `mean`: a head is given the mean of what it gives at the last token of the other prompts of the relation; of
    `MEANS` corrupted ones where there are none.
    """
    clean = endings(lm, [item.tokens for item in items])
    twins, corrupted = _corrupted(lm, items, clean, option, seed)
    ids = answer_ids(items)
    patched = patched_heads(lm, clean, corrupted, ids, report, parts)
    relative, logits = patched.relative, patched.logit_difference
    direct = direct_effects(lm, clean, corrupted, ids)
    scores = Scores(
        memory=_mean(relative[..., 0]),
        context=_mean(relative[..., 1]),
        logit_difference=_mean(logits),
        memory_half=_half(relative[..., 0]),
        context_half=_half(relative[..., 1]),
        logit_half=_half(logits),
        attribution=_mean(estimated_effects(lm, clean, corrupted, ids)),
        direct=None if direct is None else _mean(direct[..., 1] - direct[..., 0]),
    )
    return Finding(list(items), twins, clean, patched, scores)


def find_paths(
    lm: "LanguageModel", item: Item, option: Corruption, seed: int, names: Sequence[str], report: Report = silent
) -> Scores:
    """Scores of one prompt's heads by their paths to inputs of later heads, everything behind those running freely."""
    if option == "mean":
        raise BadRequest(
            "Paths to queries, keys and values need a corrupted prompt; take another corruption than the mean."
        )
    receivers = [parse_receiver(name) for name in names]
    twin_tokens = twin(lm, item, option, seed)[1]
    patched = patched_pathways(lm, item.tokens, twin_tokens, receivers, answer_ids([item])[0], report=report)
    relative, logits = patched.relative, patched.logit_difference
    none = np.full(relative.shape[1:3], np.nan)
    return Scores(
        _mean(relative[..., 0]), _mean(relative[..., 1]), _mean(logits), none, none, none, None, None
    )  # fmt: skip


def _corrupted(
    lm: "LanguageModel", items: Sequence[Item], clean: Endings, option: Corruption, seed: int
) -> tuple[list[Conflict], Tensor]:
    if option != "mean":
        found = [twin(lm, item, option, seed) for item in items]
        return [made for made, _ in found], endings(lm, [tokens for _, tokens in found]).z
    parts, twins = [], []
    for row, item in enumerate(items):
        others = [i for i, other in enumerate(items) if other.conflict.relation == item.conflict.relation and i != row]
        if others:
            parts.append(clean.z[:, others].mean(1))
        else:
            some = [twin(lm, item, "both", seed + step)[1] for step in range(MEANS)]
            parts.append(endings(lm, some).z.mean(1))
        twins.append(item.conflict)
    return twins, torch.stack(parts, 1)


def _mean(values: Tensor) -> np.ndarray:
    return values.mean(0).double().numpy()


def _half(values: Tensor) -> np.ndarray:
    """Half width of the 95 % interval of the mean over prompts."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return 1.96 * values.double().std(0).numpy() / np.sqrt(len(values))


@dataclass
class Treatment:
    """Heads to silence, one choice a draw."""

    name: str
    side: str
    k: int
    draws: list[Choice] = field(default_factory=list)


def outcomes(
    lm: "LanguageModel",
    items: Sequence[Item],
    treatments: Sequence[Treatment],
    *,
    mean: Tensor | None = None,
    clean: bool = True,
    report: Report = silent,
) -> list[Outcome]:
    """Who wins under each treatment; `clean`: also ask the clean prompts, where heads were not drawn."""
    drawn = [tuple(sorted(choice)) for one in treatments for choice in one.draws]
    choices: list[Choice] = list(dict.fromkeys(drawn))  # a set of heads drawn twice is asked once
    rows = [choices.index(choice) for choice in drawn]
    ids = answer_ids(items)
    said = said_without(lm, [item.tokens for item in items], ids, choices, mean=mean, report=report)
    first, probability = said.top_ids[rows, :, 0].numpy(), said.probability[rows].mean(1).double().numpy()
    asked = [i for i, one in enumerate(treatments) if clean and len(one.draws) == 1]
    right: dict[int, float] = {}
    if asked:
        single = [treatments[i].draws[0] for i in asked]
        plain = said_without(lm, [item.clean for item in items], ids, single, mean=mean)
        right = dict(zip(asked, won(items, plain.top_ids[..., 0].numpy())[:, 0], strict=True))
    shares = won(items, first)
    found, begin = [], 0
    for index, one in enumerate(treatments):
        own = slice(begin, begin := begin + len(one.draws))
        found.append(
            Outcome(
                one.name,
                one.side,
                one.k,
                [head_name(head) for head in one.draws[0]],
                shares[own, 0],
                shares[own, 1],
                probability[own, 0],
                probability[own, 1],
                np.array([right.get(index, np.nan)]),
                len(items),
            )
        )
    return found


def won(items: Sequence[Item], first: np.ndarray) -> np.ndarray:
    """Shares of first words (V, n) that are the remembered answer, RM, and the page's, RC: (V, 2)."""
    memory = np.array([[int(said) in item.memories for said, item in zip(row, items, strict=True)] for row in first])
    context = first == np.array([item.context for item in items])
    return np.stack([memory.mean(1), context.mean(1)], -1)


def random_heads(heads: Choice, draws: int, per_layer: int, seed: int) -> list[Choice]:
    """As many other heads of the same layers, without replacement; of any of these layers where one is used up."""
    random = np.random.default_rng(seed)
    taken = set(heads)
    found: list[Choice] = []
    for _ in range(draws):
        choice: list[tuple[int, int]] = []
        for layer, _own in heads:
            free = [
                (layer, head) for head in range(per_layer) if (layer, head) not in taken and (layer, head) not in choice
            ]
            if not free:
                free = [(at, head) for at in {at for at, _ in heads} for head in range(per_layer)
                        if (at, head) not in taken and (at, head) not in choice]  # fmt: skip
            if free:
                choice.append(free[random.integers(len(free))])
        found.append(tuple(choice))
    return found


def mean_of_heads(lm: "LanguageModel", prompts: Sequence[Tokens]) -> Tensor:
    """What every head gives on average over the last tokens of prompts, (L, H, d_head)."""
    return endings(lm, prompts).z.mean(1)
