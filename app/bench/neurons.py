"""Neuron scores: how fast and how exact; what switching neurons off does; how far edits reach along chains.

Chains are those of the assets whose hops and whole the model answers; of each one hop is written over, the first and
the second in turn. The whole is right when any of its wordings is answered with the new answer, in text the model goes
on with by itself (the any-of-three of MQuAKE, 2305.14795, on questions of our own).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis import HopsRequest, HopsResult, LanguageModel
from analysis.errors import WorkbenchError
from analysis.facts.chains import Chain
from analysis.forward.packed_weights import packed
from analysis.internals.frozen_lens import FrozenLens
from analysis.internals.residual_stream import ResidualStream, read_residual_stream
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from analysis.multihop.result import ASKED
from analysis.neuron_attribution.ablation import Scaled, outcomes
from analysis.neuron_attribution.run import Field, top_proven
from analysis.study import Report, silent
from app.bench.editing import known
from app.bench.entry import Benchmark, number_flag, word_flag
from app.bench.form import Bench
from app.bench.machine import describe, matmul_rates, wait
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.cases.chain_case import ChainCase
from editors.cases.chain_files import case_of_chain
from editors.chain_reach.parts import joined
from editors.chain_reach.result import ReachRequest, ReachResult
from editors.chain_reach.run import Make, reached, writer
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.ace import choose_layers
from editors.methods.defaults import default_layers
from editors.methods.run import write

PROMPT = "The Eiffel Tower is located in the city of"
OFF = 100


def neurons_bench(lm: LanguageModel, options: "NeuronOptions", report: Report = silent) -> Bench:
    """Measure mlp.*, screened.*, ablate.*, hops.* and multihop.*."""
    bench = Bench(describe(lm.device), lm.card())
    parts = options.parts or PARTS
    if "neurons" in parts:
        with packed(lm):
            _scores(bench, lm, options.plain or (16 if options.quick else 96), report)
            _switching(bench, lm, options.facts or (3 if options.quick else 40), report)
    editors = {name: make for name, make in VARIANTS.items() if name in parts}
    count = options.chains if options.chains is not None else (0 if options.quick else 50)
    if count and editors:
        _multihop(bench, lm, editors, count, options.thinking, report)
    return bench


@torch.no_grad()
def _scores(bench: Bench, lm: LanguageModel, sample: int, report: Report) -> None:
    report(0, 1, "scoring every neuron")
    stream, lens = _read(lm, PROMPT)
    field = Field.of(stream, "mlp")
    began = time.perf_counter()
    gains = torch.stack([field.scores(lens, layer).cpu() for layer in range(lm.n_layers)])
    wait(lm.device)
    seconds = time.perf_counter() - began
    rates = matmul_rates(lm.device, torch.float32)
    bench.machine["matmul_peak_gflops"] = max(rates.values()) / 1e9
    work = 2 * gains.numel() * lm.d_model * len(lens.unembedding)
    bench.add("mlp.neurons", gains.numel(), "scored")
    bench.add("mlp.seconds", seconds, "s")
    bench.add("mlp.share_of_peak", work / seconds / max(rates.values()), "of matrix products")
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randperm(gains.numel(), generator=generator)[:sample]
    drawn = torch.cat((drawn, gains.flatten().topk(min(sample, gains.numel())).indices))
    places = [(i // gains.shape[1], i % gains.shape[1]) for i in drawn.tolist()]
    began = time.perf_counter()
    loop = [_plain(field, lens, *place) for place in places]
    wait(lm.device)
    per_neuron = (time.perf_counter() - began) / len(places)
    bench.add("mlp.plain_seconds_per_neuron", per_neuron, "s", len(places))
    bench.add("mlp.ratio", per_neuron * gains.numel() / seconds, "× a plain loop", len(places))
    own = torch.stack([gains[place] for place in places])
    bench.add("mlp.max_abs_difference", float((own - torch.stack(loop)).abs().max()), "nats", len(places))
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


def _read(lm: LanguageModel, prompt: str) -> tuple[ResidualStream, FrozenLens]:
    tokens = lm.encode(prompt)
    stream = read_residual_stream(lm, tokens.tensor(lm.device))
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
        field = Field.of(stream, "mlp")
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
        chosen.setdefault(("mlp", layer), []).append(index)
    return chosen


def _others(places: Sequence[tuple[int, int]], width: int, generator: torch.Generator) -> dict[Any, list[int]]:
    """As many neurons of the same layers, none of them among `places`."""
    made = {}
    for at, own in _grouped(places).items():
        drawn = [i for i in torch.randperm(width, generator=generator).tolist() if i not in set(own)]
        made[at] = drawn[: len(own)]
    return made


def _multihop(
    bench: Bench, lm: LanguageModel, editors: dict[str, Make], count: int, thinking: int, report: Report
) -> None:
    moments(lm, MomentsRequest(layers=tuple(range(lm.n_layers - 1))), report)  # of all layers in one pass
    asked: HopsResult = stored(STUDIES["hops"], HopsRequest(limit=4 * count), lm, ResultStore(), report)
    known = asked.both() & asked.whole_correct.any(1)
    for place, asked_name in enumerate(ASKED):
        bench.mean(f"hops.{asked_name}", asked.correct[:, place].astype(float).tolist(), "share of chains right")
    bench.add("hops.genuine", int(asked.genuine().sum()), "chains right whole, by no shortcut", len(asked.chains))
    cases = _cases([one for one, fine in zip(asked.chains, known, strict=True) if fine])[:count]
    if not cases:
        return
    _scored(bench, "multihop", _reached(lm, ReachRequest(cases=cases), editors, report))
    names = [name for name in ReachRequest(cases=cases).methods if name in editors]
    if thinking and names:
        few = ReachRequest(cases=cases[:thinking], thoughts=True)
        _scored(bench, "thinking", _reached(lm, few, {name: editors[name] for name in names}, report))


def _reached(lm: LanguageModel, request: ReachRequest, editors: dict[str, Make], report: Report) -> ReachResult:
    """Case by case and editor by editor through the store: a bench that was ended goes on, two may share one."""
    store, study, parts = ResultStore(), STUDIES["reach"], []
    every = [(case, name) for case in request.cases for name in editors]
    for number, (case, name) in enumerate(every):
        report(number, len(every), f"chains, {name}")
        one = request.model_copy(update={"cases": (case,), "methods": ()})
        key = one.model_copy(update={"methods": (f"bench, {name}",)}).key(lm.weights_hash)
        if (found := store.load(study, key)) is None:
            found = reached(lm, one, {name: editors[name]})
            store.save(study, key, found)
        parts.append(found)
    return joined(request.model_copy(update={"methods": tuple(editors)}), parts)


def _cases(chains: Sequence[Chain]) -> list[ChainCase]:
    """One hop of each chain written over, first and second in turn, pairs of relations in turn."""
    found: list[ChainCase] = []
    for number, one in enumerate(chains):
        for which in ("first", "second") if number % 2 == 0 else ("second", "first"):
            try:
                found.append(case_of_chain(one, which))  # type: ignore[arg-type]
            except WorkbenchError:
                continue
            break
    return found


def _scored(bench: Bench, name: str, found: ReachResult) -> None:
    """MQuAKE's metrics of each version; the multi-hop one by the hop that was written over, too."""
    kinds = [case.kind for case in found.request.cases]
    for metric, values in found.scores().items():
        said = {"multi_hop": name, "multi_hop_thoughts": f"{name}.thoughts"}.get(metric, f"{name}.{metric}")
        for version, row in zip(found.versions, values, strict=True):
            head, _, tail = said.partition(".")
            full = ".".join(part for part in (head, version, tail) if part)
            if (done := row[~np.isnan(row)].tolist()) == []:
                continue
            bench.mean(full, done, "%", times=100)
            for kind in sorted(set(kinds)) if metric == "multi_hop" else ():
                own = [value for value, of in zip(row, kinds, strict=True) if of == kind and value == value]
                if own:
                    bench.mean(f"{full}.{kind}_hop_edited", own, "%", times=100)
    for version in found.versions[1:]:
        refused = sum(fault.startswith(f"{version}, ") for fault in found.faults)
        bench.add(f"{name}.{version}.refused", refused, "cases", len(kinds))


def _ifmet(lm: LanguageModel, case: ChainCase, stack: Sequence[Edit]) -> list[Edit]:
    """With no question that reaches the fact over another hop, the first stage alone."""
    if any(one.two_hop is None for one in case.rewrites):
        request = EditRequest(facts=case.rewrites, method="pmet", layers=default_layers(lm, "pmet"))
        return [write(lm, request, stack=stack, glance=False)]
    return writer("ifmet")(lm, case, stack)


def _ace_at(which: str) -> Make:
    """ACE's ablations: one group alone, or as many layers drawn at random."""

    def make(lm: LanguageModel, case: ChainCase, stack: Sequence[Edit]) -> list[Edit]:
        query, value = choose_layers(lm, case.rewrites)
        if which == "random":
            drawn = np.random.default_rng(sum(map(ord, case.rewrites[0].text)))
            layers = sorted(drawn.choice(lm.n_layers - 1, len(query) + len(value), replace=False).tolist())
            query, value = tuple(layers[: len(query)]), tuple(layers[len(query) :])
        groups = {"value": ((), value), "query": ((), query), "random": (query, value)}
        shallow, deep = groups[which]
        request = EditRequest(facts=case.rewrites, method="ace", shallow=shallow, layers=deep)
        return [write(lm, request, stack=stack, glance=False)]

    return make


VARIANTS: dict[str, Make] = {
    "rome": writer("rome"),
    "memit": writer("memit"),
    "pmet": writer("pmet"),
    "ace": writer("ace"),
    "ifmet": _ifmet,
    "ace_value_only": _ace_at("value"),
    "ace_query_only": _ace_at("query"),
    "ace_random": _ace_at("random"),
}
PARTS = ("neurons", *VARIANTS)
"""What may be measured alone: neurons and their switching off, one editor's chains."""


@dataclass(frozen=True)
class NeuronOptions:
    """How much to measure."""

    quick: bool = False
    plain: int | None = None  # neurons of the plain loop; 96, 16 when quick
    facts: int | None = None  # facts whose neurons are switched off; 40, 3 when quick
    chains: int | None = number_flag("chains", "chains written over (default: 50; 0 when quick)", least=0)
    thinking: int = 10  # of them, also asked with chain of thought
    parts: tuple[str, ...] = word_flag("parts", f"{', '.join(PARTS)} (default: all)", PARTS)


BENCH = Benchmark("neurons", neurons_bench, NeuronOptions)
