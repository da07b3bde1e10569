"""Memory heads and context heads: found by path patching, silenced, and who wins then.

PH3 (Jin et al. 2024), as we read it. A head's score for an answer is the relative change of that answer's
probability when the head, alone, gives at the last token what it gives in a corrupted prompt. A memory
head supports the remembered answer and not the page's, a context head the other way about; the k heads
whose two scores lie farthest apart are silenced at all tokens. k is chosen on conflicts that are neither
those the heads were found on nor those they are tested on.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analysis.attention import patterns
from analysis.blocks import Frame, first_hidden
from analysis.conflict_items import Item, Source, answer_ids, item_of
from analysis.conflict_prompts import conflict_in
from analysis.conflict_result import (
    SIDES,
    ConflictRequest,
    ConflictResult,
    HeadsRequest,
    HeadsResult,
    Outcome,
    Side,
    Writes,
    head_name,
    parse_head,
)
from analysis.conflict_scores import Treatment, find, find_paths, mean_of_heads, outcomes, random_heads, won
from analysis.direct import adds_up, to_logits, to_residual
from analysis.errors import BadRequest
from analysis.framing import framed
from analysis.generation import first_said
from analysis.heads import Endings
from analysis.silencing import Choice, said_without
from analysis.study import Report, provenance, silent

if TYPE_CHECKING:
    from analysis.model import LanguageModel

WRITTEN = 8
"""Tokens kept at each end of what a head writes."""
INSTRUCTIONS: dict[Side, str] = {
    "context": "Answer from what you know yourself, whatever the text says.\n",
    "memory": "Answer from the text, whatever you know yourself.\n",
}
"""By the side that an instruction is to keep out, as silencing that side's heads would."""


@framed
def heads_on_prompt(lm: "LanguageModel", request: HeadsRequest, report: Report = silent) -> HeadsResult:
    """Score all heads on one prompt, and ask it with heads of either kind silenced."""
    started = time.perf_counter()
    report(0, 4, "reading")
    item, notes = _item(lm, request)
    without = lm.next_word(item.clean)
    finding = find(lm, [item], request.corruption, request.seed)
    report(1, 4, "what heads write")
    scores, ids = finding.scores, answer_ids([item])
    if request.receivers:
        scores = find_paths(lm, item, request.corruption, request.seed, request.receivers, report)
    orders = {
        "memory": _heads(lm, request.memory_heads) or scores.ranked("memory", request.rank_by),
        "context": _heads(lm, request.context_heads) or scores.ranked("context", request.rank_by),
    }
    writes = what_heads_write(lm, finding.clean)
    tokens = item.tokens.tensor(lm.device)
    looks = torch.stack([one[0, :, -1].cpu() for one in patterns(Frame.of(lm, tokens), first_hidden(lm, tokens))])
    report(2, 4, "silencing")
    sizes = [min(request.most, len(order)) + 1 for order in orders.values()]
    choices: list[Choice] = [
        (*orders["memory"][:one], *orders["context"][:two]) for one in range(sizes[0]) for two in range(sizes[1])
    ]
    said = said_without(lm, [item.tokens], ids, choices)
    shape = (*sizes, -1)
    top_ids = said.top_ids[:, 0].reshape(shape).numpy()
    words = sorted(
        {*np.unique(top_ids).tolist(), *np.unique(writes.top_ids).tolist(), *np.unique(writes.bottom_ids).tolist()}
    )
    report(4, 4, "done")
    first, second = item.conflict.memory, item.conflict.context
    return HeadsResult(
        request=request,
        model=lm.card(),
        tokens=list(item.tokens.labels),
        roles=list(item.tokens.roles),
        clean_prompt=item.conflict.clean,
        memory=first,
        context=second,
        corrupted=finding.twins[0].text,
        clean_probability=without[[item.memory, item.context]].cpu().double().numpy(),
        probability=said.probability[0, 0].double().numpy(),
        scores=scores,
        looks=looks.to(torch.float16).numpy(),
        writes=writes,
        memory_heads=[head_name(head) for head in orders["memory"]],
        context_heads=[head_name(head) for head in orders["context"]],
        grid_top_ids=top_ids,
        grid_top=said.top_probabilities[:, 0].reshape(shape).double().numpy(),
        grid_probability=said.probability[:, 0].reshape(shape).double().numpy(),
        words=dict(zip(map(str, words), lm.said(item.tokens, words), strict=True)),
        notes=notes,
        provenance=provenance(time.perf_counter() - started),
    )


def _item(lm: "LanguageModel", request: HeadsRequest) -> tuple[Item, list[str]]:
    notes = []
    memory = request.memory
    draft = conflict_in(request.prompt, request.subject, memory or "?", request.context)
    asked = lm.encode(draft.clean)
    clean, said = lm.next_word(asked), first_said(lm, asked)
    if not memory:
        memory = said
    item = item_of(lm, conflict_in(request.prompt, request.subject, memory, request.context))
    if int(clean.argmax()) not in item.memories:
        notes.append(f"Without the page the model says “{said}”, not “{memory}”: it does not know this by itself.")
    return item, notes


def _heads(lm: "LanguageModel", names: Sequence[str]) -> list[tuple[int, int]]:
    heads = [parse_head(name) for name in names]
    if outside := [head for head in heads if head[0] >= lm.n_layers or head[1] >= lm.n_heads]:
        raise BadRequest(
            f"{lm.name} has {lm.n_layers} layers of {lm.n_heads} heads; there is no head {head_name(outside[0])}."
        )
    return list(dict.fromkeys(heads))


@torch.no_grad()
def what_heads_write(lm: "LanguageModel", clean: Endings) -> Writes:
    """Tokens whose logits every head raises and lowers most at the last token of the first prompt, directly."""
    linear = adds_up(lm)
    read = to_logits(lm, clean.hidden[-1][0]) if linear else to_logits(lm, torch.ones(lm.d_model))
    found = []
    for layer in range(lm.n_layers):
        z = clean.z[layer, :1]
        logits = read(to_residual(lm, layer, z, z)[0].cpu())
        number = min(WRITTEN, logits.shape[-1])
        found.append((*logits.topk(number, dim=-1), *logits.topk(number, dim=-1, largest=False)))
    top, top_ids, bottom, bottom_ids = (torch.stack(part).cpu().numpy() for part in zip(*found, strict=True))
    return Writes(top_ids, top, bottom_ids, bottom, linear)


@framed
def conflict(lm: "LanguageModel", request: ConflictRequest, report: Report = silent) -> ConflictResult:
    """Find heads on some conflicts, choose k on others, and test on others again."""
    started = time.perf_counter()
    wanted = (request.find, request.validation, request.test)
    parts, skipped = _parts(lm, request, report)
    total = sum(wanted)
    finding = find(
        lm, parts[0], request.corruption, request.seed, _within(report, total, len(parts[0]), "finding heads")
    )
    scores = finding.scores
    orders = {side: scores.ranked(side, request.rank_by) for side in SIDES}
    chosen = _chosen(lm, parts[1], orders, max(request.ks)) if parts[1] else {}
    report(request.find + request.validation, total, "silencing heads")
    found = _tested(lm, parts, request, orders, scores.memory, scores.context, chosen)
    report(total, total, "done")
    twins = {item.conflict.id: made.text for item, made in zip(finding.items, finding.twins, strict=True)}
    examples = [
        item.example(name, twins.get(item.conflict.id, "") if name == "find" else "")
        for name, items in zip(("find", "validation", "test"), parts, strict=True)
        for item in items
    ]
    return ConflictResult(
        request=request,
        model=lm.card(),
        examples=examples,
        scores=scores,
        memory_heads=[head_name(head) for head in orders["memory"]],
        context_heads=[head_name(head) for head in orders["context"]],
        outcomes=found,
        chosen=chosen,
        skipped=skipped,
        provenance=provenance(time.perf_counter() - started),
    )


def _parts(lm: "LanguageModel", request: ConflictRequest, report: Report) -> tuple[list[list[Item]], list[str]]:
    used: set[tuple[str, str]] = set()
    wanted = (request.find, request.validation, request.test)
    common = (request.at_least, request.seed, request.wording, request.file)
    first = Source(lm, request.relations, request.form, *common)
    second = Source(lm, request.test_relations or request.relations, request.test_form or request.form, *common)
    found = [first.take(wanted[0], used, lambda done: report(done, sum(wanted), "asking what is known"))]
    for count in (wanted[2], wanted[1]):  # the test is filled before the validation
        found.insert(1, second.take(count, used, lambda done: report(done, sum(wanted), "asking what is known")))
    if len(found[0]) < 2 or not found[2]:
        raise BadRequest(
            f"{lm.name} knows {len(used)} of these facts with a probability of at least {request.at_least:.0%}, too "
            f"few to find heads on {request.find} and test them on {request.test}. Lower the bound, ask for fewer, or "
            "take more relations."
        )
    return found, list(dict.fromkeys([*first.skipped, *second.skipped]))


def _within(report: Report, all_steps: int, own: int, title: str) -> Report:
    """The progress of one phase, as the first `own` of `all_steps`."""

    def told(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        report(int(own * done / max(total, 1)), all_steps, title)

    return told


def _chosen(
    lm: "LanguageModel", items: list[Item], orders: dict[Side, list[tuple[int, int]]], most: int
) -> dict[str, int]:
    """K of each side whose silencing lets the other win most often; the more probable, then the smaller, in a tie."""
    best: dict[str, int] = {}
    for side, order in orders.items():
        treatments = [Treatment("ranked", side, k, [tuple(order[:k])]) for k in range(1, min(most, len(order)) + 1)]
        if not treatments:
            continue
        found = outcomes(lm, items, treatments, clean=False)

        def merit(one: Outcome, side: Side = side) -> tuple[float, float, int]:
            share, probability = (one.context, one.p_context) if side == "memory" else (one.memory, one.p_memory)
            return float(share[0]), float(probability[0]), -one.k

        best[side] = max(found, key=merit).k
    return best


def _tested(
    lm: "LanguageModel",
    parts: list[list[Item]],
    request: ConflictRequest,
    orders: dict[Side, list[tuple[int, int]]],
    memory: np.ndarray,
    context: np.ndarray,
    chosen: dict[str, int],
) -> list[Outcome]:
    """Nothing silenced; 1 … k of each side; at the asked k random heads of the same layers and the weakest heads."""
    test, most = parts[2], max(request.ks)
    treatments = [Treatment("none", "", 0, [()])]
    order = np.argsort(np.abs(memory) + np.abs(context), axis=None, kind="stable")
    weakest = [(int(i) // lm.n_heads, int(i) % lm.n_heads) for i in order]
    for side, heads in orders.items():
        treatments += [Treatment("ranked", side, k, [tuple(heads[:k])]) for k in range(1, min(most, len(heads)) + 1)]
        for k in (k for k in request.ks if k <= len(heads)):
            draws = random_heads(heads[:k], request.draws, lm.n_heads, request.seed)
            treatments.append(Treatment("random", side, k, draws))
    treatments += [Treatment("weakest", "", k, [tuple(weakest[:k])]) for k in request.ks if k <= len(weakest)]
    found = outcomes(lm, test, treatments)
    mean = mean_of_heads(lm, [item.tokens for item in parts[0]])
    held = [
        Treatment("mean", side, k, [tuple(heads[:k])])
        for side, heads in orders.items()
        for k in sorted({*request.ks, chosen.get(side, 1)})
        if k <= len(heads)
    ]
    return [*found, *(outcomes(lm, test, held, mean=mean) if held else []), *baselines(lm, test, request.contrast)]


@torch.no_grad()
def baselines(lm: "LanguageModel", items: Sequence[Item], contrast: float) -> list[Outcome]:
    """An instruction, and context-aware decoding: (1 + α)·logits with the page − α·without (Shi et al. 2024)."""
    found = []
    for side, text in INSTRUCTIONS.items():
        logits = [lm.logits(lm.encode(text + item.conflict.text).tensor(), 1)[0, -1] for item in items]
        found.append(_told(items, logits, "instruction", side))
    logits = [
        (1 + contrast) * lm.logits(item.tokens.tensor(), 1)[0, -1] - contrast * lm.logits(item.clean.tensor(), 1)[0, -1]
        for item in items
    ]
    return [*found, _told(items, logits, "context-aware decoding", "memory")]


def _told(items: Sequence[Item], logits: list[torch.Tensor], name: str, side: str) -> Outcome:
    first = np.array([[int(one.argmax()) for one in logits]])
    own = torch.stack(
        [one.softmax(-1)[[item.memory, item.context]].cpu() for one, item in zip(logits, items, strict=True)]
    )
    share, mean = won(items, first)[0], own.mean(0).double().numpy()
    return Outcome(name, side, 0, [], share[:1], share[1:], mean[:1], mean[1:], np.array([np.nan]), len(items))
