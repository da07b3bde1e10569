"""Memory heads and context heads: found by path patching, silenced, and who wins then.

PH3 (Jin et al. 2024), as we read it. A head's score for an answer is the relative change of that answer's
probability when the head, alone, gives at the last token what it gives in a corrupted prompt. A memory
head supports the remembered answer and not the page's, a context head the other way about; the k heads
whose two scores lie farthest apart are silenced at all tokens. k is chosen on conflicts that are neither
those the heads were found on nor those they are tested on.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analysis.errors import BadRequest
from analysis.forward.blocks import Frame, first_hidden
from analysis.forward.generation import first_said
from analysis.internals.attention_patterns import patterns
from analysis.internals.head_names import head_name, parse_head
from analysis.internals.head_outputs import Endings
from analysis.knowledge_conflict.head_scores import (
    Treatment,
    find,
    find_paths,
    mean_of_heads,
    outcomes,
    random_heads,
    won,
)
from analysis.knowledge_conflict.prompts import conflict_in
from analysis.knowledge_conflict.result import (
    SIDES,
    ConflictRequest,
    ConflictResult,
    HeadsRequest,
    HeadsResult,
    Outcome,
    Scores,
    Side,
    Writes,
)
from analysis.knowledge_conflict.tokenised import Item, Source, answer_ids, item_of
from analysis.patching.direct_effects import adds_up, to_logits, to_residual
from analysis.patching.head_ablation import Choice, said_without
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

WRITTEN = 8
"""Tokens kept at each end of what a head writes."""
INSTRUCTIONS: dict[Side, str] = {
    "context": "Answer from what you know yourself, whatever the text says.\n",
    "memory": "Answer from the text, whatever you know yourself.\n",
}
"""By the side that an instruction is to keep out, as silencing that side's heads would."""
KINDS: tuple[tuple[str, Side | None], ...] = (
    ("none", None), ("ranked", "memory"), ("random", "memory"), ("ranked", "context"), ("random", "context"),
    ("weakest", None),
)  # fmt: skip
"""Treatments, a step each."""


@framed
def heads_on_prompt(lm: "LanguageModel", request: HeadsRequest, report: Report = silent) -> HeadsResult:
    """Score all heads on one prompt, and ask it with heads of either kind silenced.

    Args:
        lm: a loaded model; left as it was.
        request: a prompt that contradicts what is known, its subject, and the page's answer.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        Scores (layers, heads) for memory and page, and P of both answers with heads silenced.
    Raises:
        `BadRequest` and its kind where prompt, subject and answers do not fit.
    Source:
        Jin et al. 2024, 2402.18154 (PH3), in our reading: see `HeadsRequest`.
    Example:
        >>> from analysis import HeadsRequest
        >>> page = "The capital of France is Rome. The capital of France is"
        >>> asked = HeadsRequest(prompt=page, subject="France", context="Rome", most=1)
        >>> heads_on_prompt(lm, asked).scores.memory.shape  # layers, heads
        (30, 9)
    """
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
def conflict(
    lm: "LanguageModel", request: ConflictRequest, report: Report = silent, *, resume_from: ConflictResult | None = None
) -> ConflictResult:
    """Find heads on some conflicts, choose k on others, and test on others again.

    Steps: the conflicts, asked one by one; the scores of all heads, in batches of prompts; k of either side; the
    outcomes, one kind of treatment after another. A batch, a choice of k and a kind of treatment are not taken apart.
    `resume_from`, a stopped result of the same request, has some.

    Args:
        lm: a loaded model; left as it was.
        request: which facts are contradicted in which form, how many conflicts to find heads on, choose k on and test
            on.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        resume_from: a stopped result of the same request.
    Returns:
        Scores of all heads, the ks chosen, and who wins under each treatment, with its controls.
    Raises:
        `BadRequest` where too few of the facts are known.
    Source:
        Jin et al. 2024, 2402.18154 (PH3), in our reading: see `ConflictRequest`.
    Example:
        >>> from analysis import ConflictRequest
        >>> asked = ConflictRequest(relations=("capital",), find=2, test=1, validation=1, ks=(1,), draws=1)
        >>> conflict(lm, asked).scores.context.shape  # layers, heads
        (30, 9)
    """
    return _Study(lm, request, report, resume_from).run()


class _Study:
    """The steps, and what was found so far."""

    def __init__(self, lm: "LanguageModel", request: ConflictRequest, report: Report, begun: ConflictResult | None):
        self.lm, self.request, self.report, self.begun = lm, request, report, begun
        self.started = time.perf_counter()
        self.known = dict(begun.known) if begun else {}
        flat = [torch.from_numpy(part) for part in begun.paths] if begun else []
        self.paths = [tuple(flat[at : at + 4]) for at in range(0, len(flat), 4)]
        self.scores = begun.scores if begun else Scores.blank(lm.n_layers, lm.n_heads)
        self.examples = list(begun.examples) if begun else []
        self.outcomes = list(begun.outcomes) if begun else []
        self.chosen = dict(begun.chosen) if begun else {}
        self.skipped: list[str] = []
        self.parts: list[list[Item]] = []
        self.steps: list[tuple[str, Callable[[], None]]] = [
            ("asking what is known", self.take),
            ("finding heads", self.find),
            *((f"choosing k of {side} heads", functools.partial(self.choose, side)) for side in SIDES),
            *(("silencing heads", functools.partial(self.test, kind)) for kind in KINDS),
            ("silencing heads", self.hold),
            ("asking otherwise", self.ask_otherwise),
        ]
        self.done = begun.steps[0] if begun else 0

    def run(self) -> ConflictResult:
        """All steps that are left."""
        if self.done:
            self.take()  # known already, so nothing is asked
        while self.done < len(self.steps):
            self.tell()
            self.steps[self.done][1]()
            self.done += 1
        self.tell()
        return self.result()

    def tell(self, share: float = 0.0) -> None:
        """How far it is, with what there is; `share` of the step under way."""
        total = len(self.steps)
        note = f"steps, {self.steps[self.done][0]}" if self.done < total else "done"
        self.report(self.done, total, note, self.result(), (self.done + share) / total)

    def within(self, done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        """The progress inside a step."""
        self.tell(done / max(total, 1))

    def take(self) -> None:
        """The conflicts of all three parts."""
        self.parts, self.skipped = _parts(self.lm, self.request, self.within, self.known)

    def find(self) -> None:
        """The scores of all heads."""
        asked = self.request
        finding = find(self.lm, self.parts[0], asked.corruption, asked.seed, self.within, self.paths)
        twins = {item.conflict.id: made.text for item, made in zip(finding.items, finding.twins, strict=True)}
        self.scores = finding.scores
        self.examples = [
            item.example(name, twins.get(item.conflict.id, "") if name == "find" else "")
            for name, items in zip(("find", "validation", "test"), self.parts, strict=True)
            for item in items
        ]

    def heads(self, side: Side) -> list[tuple[int, int]]:
        """Of a side, strongest first."""
        return self.scores.ranked(side, self.request.rank_by)

    def choose(self, side: Side) -> None:
        """K of a side, on validation."""
        if self.parts[1] and (order := self.heads(side)):
            self.chosen[side] = _chosen(self.lm, self.parts[1], side, order, max(self.request.ks))

    def test(self, kind: tuple[str, Side | None]) -> None:
        """Outcomes of one kind of treatment."""
        if treatments := self.treatments(*kind):
            self.outcomes += outcomes(self.lm, self.parts[2], treatments)

    def treatments(self, name: str, side: Side | None) -> list[Treatment]:
        """Nothing silenced; 1 … k of a side; at the asked k random heads of the same layers; the weakest heads."""
        ks, heads = self.request.ks, self.heads(side) if side else []
        if name == "none":
            return [Treatment("none", "", 0, [()])]
        if name == "weakest":
            order = np.argsort(np.abs(self.scores.memory) + np.abs(self.scores.context), axis=None, kind="stable")
            weakest = [(int(i) // self.lm.n_heads, int(i) % self.lm.n_heads) for i in order]
            return [Treatment(name, "", k, [tuple(weakest[:k])]) for k in ks if k <= len(weakest)]
        assert side is not None
        if name == "ranked":
            most = min(max(ks), len(heads))
            return [Treatment(name, side, k, [tuple(heads[:k])]) for k in range(1, most + 1)]
        return [
            Treatment(name, side, k, random_heads(heads[:k], self.request.draws, self.lm.n_heads, self.request.seed))
            for k in ks
            if k <= len(heads)
        ]

    def hold(self) -> None:
        """Outcomes with heads held at their mean."""
        held = [
            Treatment("mean", side, k, [tuple(heads[:k])])
            for side in SIDES
            for heads in (self.heads(side),)
            for k in sorted({*self.request.ks, self.chosen.get(side, 1)})
            if k <= len(heads)
        ]
        if held:
            mean = mean_of_heads(self.lm, [item.tokens for item in self.parts[0]])
            self.outcomes += outcomes(self.lm, self.parts[2], held, mean=mean)

    def ask_otherwise(self) -> None:
        """Outcomes of what silences no head."""
        self.outcomes += baselines(self.lm, self.parts[2], self.request.contrast)

    def result(self) -> ConflictResult:
        """What there is."""
        before = self.begun.provenance["seconds"] if self.begun else 0.0
        whole, found = self.done == len(self.steps), bool(self.examples)
        return ConflictResult(
            request=self.request,
            model=self.lm.card(),
            examples=list(self.examples),
            scores=self.scores,
            memory_heads=[head_name(head) for head in self.heads("memory")],
            context_heads=[head_name(head) for head in self.heads("context")],
            outcomes=list(self.outcomes),
            chosen=dict(self.chosen),
            skipped=list(self.skipped),
            provenance=provenance(before + time.perf_counter() - self.started),
            known={} if whole else dict(self.known),
            paths=[] if found else [part.numpy() for batch in self.paths for part in batch],
            steps=(self.done, len(self.steps)),
        )


def _parts(
    lm: "LanguageModel", request: ConflictRequest, report: Report, known: dict[str, bool]
) -> tuple[list[list[Item]], list[str]]:
    used: set[tuple[str, str]] = set()
    wanted = (request.find, request.validation, request.test)
    common = (request.at_least, request.seed, request.wording, request.file, known)
    first = Source(lm, request.relations, request.form, *common)
    second = Source(lm, request.test_relations or request.relations, request.test_form or request.form, *common)

    def step(_: int) -> None:
        report(len(used), sum(wanted))

    found = [first.take(wanted[0], used, step)]
    for count in (wanted[2], wanted[1]):  # the test is filled before the validation
        found.insert(1, second.take(count, used, step))
    if len(found[0]) < 2 or not found[2]:
        raise BadRequest(
            f"{lm.name} knows {len(used)} of these facts with a probability of at least {request.at_least:.0%}, too "
            f"few to find heads on {request.find} and test them on {request.test}. Lower the bound, ask for fewer, or "
            "take more relations."
        )
    return found, list(dict.fromkeys([*first.skipped, *second.skipped]))


def _chosen(lm: "LanguageModel", items: list[Item], side: Side, order: list[tuple[int, int]], most: int) -> int:
    """K of a side whose silencing lets the other win most often; the more probable, then the smaller, in a tie."""
    treatments = [Treatment("ranked", side, k, [tuple(order[:k])]) for k in range(1, min(most, len(order)) + 1)]

    def merit(one: Outcome) -> tuple[float, float, int]:
        share, probability = (one.context, one.p_context) if side == "memory" else (one.memory, one.p_memory)
        return float(share[0]), float(probability[0]), -one.k

    return max(outcomes(lm, items, treatments, clean=False), key=merit).k


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
