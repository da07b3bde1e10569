"""Neuron scores: how fast and how exact; what switching neurons off does; how far edits reach along chains.

Chains are those of the assets whose hops and whole the model answers. Of each, the first hop is written over in one
edit and the second in another; the whole is right when any of its wordings is answered with the new answer's first
token (the any-of-three of MQuAKE, 2305.14795, on questions of our own, asked directly).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis import HopsRequest, LanguageModel, hops, read_facts
from analysis.attribution import Field, top_proven
from analysis.chains import Chain, read_chains
from analysis.errors import WorkbenchError
from analysis.facts import Fact, another_object
from analysis.frozen_lens import FrozenLens
from analysis.hops_result import ASKED
from analysis.moments import moments
from analysis.moments_request import MomentsRequest
from analysis.neuron_ablation import Scaled, outcomes
from analysis.packed import packed
from analysis.stream import Stream, read_stream
from analysis.study import Report, silent
from analysis.tokens import answer_token
from app.bench.editing import known
from app.bench.form import Bench
from app.bench.machine import describe, matmul_rates, wait
from editors.applying import written_over
from editors.edit import Edit
from editors.request import EditRequest, Rewrite, default_layers
from editors.writing import write

PROMPT = "The Eiffel Tower is located in the city of"
OFF = 100


@dataclass(frozen=True)
class NeuronOptions:
    """How much to measure."""

    quick: bool = False
    plain: int | None = None  # neurons of the plain loop; 96, 16 when quick
    facts: int | None = None  # facts whose neurons are switched off; 40, 3 when quick
    chains: int | None = None  # chains written over; 50, 0 when quick


def neurons_bench(lm: LanguageModel, options: NeuronOptions, report: Report = silent) -> Bench:
    """Measure ffn.*, screened.*, ablate.*, hops.* and multihop.*."""
    bench = Bench(describe(lm.device), lm.card())
    with packed(lm):
        _scores(bench, lm, options.plain or (16 if options.quick else 96), report)
        _switching(bench, lm, options.facts or (3 if options.quick else 40), report)
    count = options.chains if options.chains is not None else (0 if options.quick else 50)
    if count:
        _multihop(bench, lm, count, report)
    return bench


@torch.no_grad()
def _scores(bench: Bench, lm: LanguageModel, sample: int, report: Report) -> None:
    report(0, 1, "scoring every neuron")
    stream, lens = _read(lm, PROMPT)
    field = Field.of(stream, "ffn")
    began = time.perf_counter()
    gains = torch.stack([field.scores(lens, layer).cpu() for layer in range(lm.n_layers)])
    wait(lm.device)
    seconds = time.perf_counter() - began
    rates = matmul_rates(lm.device, torch.float32)
    bench.machine["matmul_peak_gflops"] = max(rates.values()) / 1e9
    work = 2 * gains.numel() * lm.d_model * len(lens.unembedding)
    bench.add("ffn.neurons", gains.numel(), "scored")
    bench.add("ffn.seconds", seconds, "s")
    bench.add("ffn.share_of_peak", work / seconds / max(rates.values()), "of matrix products")
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randperm(gains.numel(), generator=generator)[:sample]
    drawn = torch.cat((drawn, gains.flatten().topk(min(sample, gains.numel())).indices))
    places = [(i // gains.shape[1], i % gains.shape[1]) for i in drawn.tolist()]
    began = time.perf_counter()
    loop = [_plain(field, lens, *place) for place in places]
    wait(lm.device)
    per_neuron = (time.perf_counter() - began) / len(places)
    bench.add("ffn.plain_seconds_per_neuron", per_neuron, "s", len(places))
    bench.add("ffn.ratio", per_neuron * gains.numel() / seconds, "× a plain loop", len(places))
    own = torch.stack([gains[place] for place in places])
    bench.add("ffn.max_abs_difference", float((own - torch.stack(loop)).abs().max()), "nats", len(places))
    if lens.cap is None:
        began = time.perf_counter()
        found, scored, _ = top_proven(lens, field, OFF)
        wait(lm.device)
        bench.add("screened.ratio", seconds / (time.perf_counter() - began), "× scoring all", 1)
        bench.add("screened.scored", float(scored.isfinite().float().mean()), "of all neurons")
        true = set(gains.flatten().topk(OFF).indices.tolist())
        hit = len(true & {layer * gains.shape[1] + index for layer, index, _ in found}) / OFF
        bench.add("screened.recall_of_top100", hit, "share", OFF)


def _plain(field: Field, lens: FrozenLens, layer: int, index: int) -> Tensor:
    """One neuron's gain, by the definition: two readings through the lens, in float64 from the logits on."""
    base = field.bases[layer]
    vector = field.weights[layer][0, index] * field.vectors[layer][index]
    with_it, without = lens.logits(base + vector).double(), lens.logits(base).double()
    return (with_it.log_softmax(-1) - without.log_softmax(-1))[lens.answer].float()


def _read(lm: LanguageModel, prompt: str) -> tuple[Stream, FrozenLens]:
    tokens = lm.encode(prompt)
    stream = read_stream(lm, tokens.tensor(lm.device))
    answer = int(lm.readout(stream.passage.last)[0].argmax())
    return stream, FrozenLens(lm, stream.passage.last[0], answer)


@torch.no_grad()
def _switching(bench: Bench, lm: LanguageModel, count: int, report: Report) -> None:
    """Facts whose answer stays the likeliest with the top value neurons, or random ones of their layers, off."""
    kept: dict[str, list[float]] = {"top": [], "random": []}
    left: dict[str, list[float]] = {"top": [], "random": []}
    facts = known(lm, count, report)
    for number, fact in enumerate(facts):
        report(number, len(facts), "facts with neurons off")
        stream, lens = _read(lm, fact.text)
        field = Field.of(stream, "ffn")
        width = len(field.vectors[0])
        if lens.cap is None:
            best = [(layer, index) for layer, index, _ in top_proven(lens, field, OFF)[0]]
        else:
            gains = torch.stack([field.scores(lens, layer).cpu() for layer in range(lm.n_layers)])
            best = [(i // width, i % width) for i in gains.flatten().topk(OFF).indices.tolist()]
        generator = torch.Generator().manual_seed(number)
        sets = {"top": _grouped(best), "random": _others(best, width, generator)}
        probability, said = outcomes(stream, [Scaled({}), *(Scaled(one) for one in sets.values())], lens.answer)
        for place, name in enumerate(sets, start=1):
            kept[name].append(float(said[place] == lens.answer))
            left[name].append(float(probability[place] / probability[0]))
    for name in kept:
        bench.mean(f"ablate.{name}{OFF}.kept", kept[name], "share of facts")
        bench.mean(f"ablate.{name}{OFF}.probability", left[name], "of the answer's probability")


def _grouped(places: Sequence[tuple[int, int]]) -> dict[Any, list[int]]:
    chosen: dict[Any, list[int]] = {}
    for layer, index in places:
        chosen.setdefault(("ffn", layer), []).append(index)
    return chosen


def _others(places: Sequence[tuple[int, int]], width: int, generator: torch.Generator) -> dict[Any, list[int]]:
    """As many neurons of the same layers, none of them among `places`."""
    made = {}
    for at, own in _grouped(places).items():
        drawn = [i for i in torch.randperm(width, generator=generator).tolist() if i not in set(own)]
        made[at] = drawn[: len(own)]
    return made


def _multihop(bench: Bench, lm: LanguageModel, count: int, report: Report) -> None:
    moments(lm, MomentsRequest(layers=tuple(range(lm.n_layers - 1))), report)  # of all layers in one pass
    asked = hops(lm, HopsRequest(limit=4 * count), report)
    right = asked.both() & asked.whole_correct.any(1)
    for place, asked_name in enumerate(ASKED):
        bench.mean(f"hops.{asked_name}", asked.correct[:, place].astype(float).tolist(), "share of chains right")
    bench.add("hops.genuine", int(asked.genuine().sum()), "chains right whole, by no shortcut", len(asked.chains))
    usable = [one for one, fine in zip(asked.chains, right, strict=True) if fine]
    cases = [case for one in _in_turn(usable)[:count] for case in _cases(one)]
    bench.add("multihop.chains", min(count, len(usable)), "chains, each hop written over", len(cases))
    for name, make in VARIANTS.items():
        done: dict[str, list[float]] = {"held": [], "first": [], "second": []}
        for number, case in enumerate(cases):
            report(number, len(cases), f"edits with {name}")
            try:
                edit = make(lm, case)
            except WorkbenchError:
                continue
            with written_over(lm, [edit]):
                done["held"].append(_says(lm, case.rewrite.text, case.rewrite.target))
                wordings = range(len(case.chain.questions))
                done[case.hop].append(max(_says(lm, case.chain.whole(i), case.wanted) for i in wordings))
        both = done["first"] + done["second"]
        if both:
            bench.mean(f"multihop.{name}", both, "%", times=100)
            for hop in ("first", "second"):
                if done[hop]:
                    bench.mean(f"multihop.{name}.{hop}_hop_edited", done[hop], "%", times=100)
            bench.mean(f"multihop.{name}.edit_holds", done["held"], "%", times=100)


@dataclass(frozen=True)
class Case:
    """One edit of one hop of a chain, and what the whole must then be answered with."""

    chain: Chain
    hop: str
    rewrite: Rewrite
    wanted: str


def _in_turn(chains: Sequence[Chain]) -> list[Chain]:
    groups: dict[tuple[str, str], list[Chain]] = {}
    for one in chains:
        groups.setdefault((one.first, one.second), []).append(one)
    longest = max(map(len, groups.values()), default=0)
    return [group[i] for i in range(longest) for group in groups.values() if i < len(group)]


def _cases(one: Chain) -> list[Case]:
    """The first hop led to another bridge, and the second to another answer."""
    facts = {(fact.relation, fact.subject): fact for fact in read_facts()}
    first, second = facts[one.first, one.subject], facts[one.second, one.bridge]
    others = [
        fact for (relation, _), fact in facts.items()
        if relation == one.second and fact.object != one.answer and fact.subject != one.bridge
    ]  # fmt: skip
    found = []
    bridges = sorted({f.object for f in facts.values() if f.relation == one.first})
    reached: list[Fact] = [fact for fact in others if fact.subject in bridges]
    if reached:
        new = reached[sum(map(ord, one.id)) % len(reached)]
        found.append(Case(one, "first", Rewrite.of(first, new.subject), new.object))
    target = another_object(second)
    question = next(
        (c.whole() for c in read_chains() if (c.second, c.bridge) == (one.second, one.bridge) and c.id != one.id), None
    )
    rewrite = Rewrite.of(second, target).model_copy(update={"two_hop": question})
    return [*found, Case(one, "second", rewrite, target)]


def _says(lm: LanguageModel, prompt: str, answer: str) -> float:
    tokens = lm.encode(prompt)
    return float(int(lm.next_word(tokens).argmax()) == answer_token(lm.tokenizer, tokens, answer))


def _with(method: str, **settings: Any) -> Callable[[LanguageModel, Case], Edit]:
    def make(lm: LanguageModel, case: Case) -> Edit:
        return write(lm, EditRequest(facts=(case.rewrite,), method=method, **settings), glance=False)  # type: ignore[arg-type]

    return make


def _ifmet(lm: LanguageModel, case: Case) -> Edit:
    """With no question that reaches the fact over another hop, the first stage alone."""
    if case.rewrite.two_hop is None:
        return _with("pmet", layers=default_layers(lm, "pmet"))(lm, case)
    return _with("ifmet")(lm, case)


def _ace_at(which: str) -> Callable[[LanguageModel, Case], Edit]:
    """ACE's ablations: one group alone, or as many layers drawn at random."""

    def make(lm: LanguageModel, case: Case) -> Edit:
        from editors.ace import choose_layers

        query, value = choose_layers(lm, [case.rewrite.text])
        if which == "random":
            drawn = np.random.default_rng(sum(map(ord, case.rewrite.text)))
            layers = sorted(drawn.choice(lm.n_layers - 1, len(query) + len(value), replace=False).tolist())
            query, value = tuple(layers[: len(query)]), tuple(layers[len(query) :])
        groups = {"value": ((), value), "query": ((), query), "random": (query, value)}
        shallow, deep = groups[which]
        return _with("ace", shallow=shallow, layers=deep)(lm, case)

    return make


VARIANTS: dict[str, Callable[[LanguageModel, Case], Edit]] = {
    "rome": _with("rome"),
    "memit": _with("memit"),
    "pmet": _with("pmet"),
    "ace": _with("ace"),
    "ifmet": _ifmet,
    "ace_value_only": _ace_at("value"),
    "ace_query_only": _ace_at("query"),
    "ace_random": _ace_at("random"),
}
