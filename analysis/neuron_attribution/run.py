"""Which neurons raise the answer: exact log-probability gains of all of them, their queries, their cards.

Yu & Ananiadou, 2312.12141; ACE, 2510.07896, for the layer scores and query neurons. Scores are at the last token,
through the lens with its norm held still (`analysis.internals.frozen_lens`). The base of an MLP neuron is h + A of its
layer, as in the published code; the paper writes h. The layer's own score is lp(h + A + F) − lp(h + A), the code's; the
paper sums its neurons' (`NeuronsResult.layer_sum`). Scores of layers add up to lp(last state) − lp(embedding).
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analysis.forward.blocks import Site
from analysis.forward.generation import answer_word
from analysis.forward.packed_weights import packed
from analysis.internals.frozen_lens import FrozenLens
from analysis.internals.residual_stream import PARTS, ResidualStream, read_residual_stream
from analysis.neuron_attribution.ablation import Scaled, outcomes
from analysis.neuron_attribution.integrated_gradients import integrated
from analysis.neuron_attribution.query_neurons import Place, Queries, queries
from analysis.neuron_attribution.result import WORDS, Ablation, Neuron, NeuronsRequest, NeuronsResult, Role
from analysis.neuron_attribution.token_attribution import token_parts
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from analysis.text.tokens import answer_token

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

AT_ONCE = 512
"""Candidates a screening scores together."""
WIDER = 4
"""Soft caps leave no bound: attention's sources are then told apart for this many times the neurons asked for."""


@dataclass(frozen=True)
class Field:
    """All neurons of a part at the last token: per layer a base, vectors (n, d), weights (S, n); S sources, or 1."""

    bases: list[Tensor]
    vectors: list[Tensor]
    weights: list[Tensor]

    @classmethod
    def of(cls, stream: ResidualStream, part: Site, *, by_source: bool = False) -> "Field":
        """The neurons of a part; attention's also apart by the token they come from."""
        layers = range(stream.frame.lm.n_layers)
        weights = [stream.by_source(at) if by_source else stream.weights(part, at)[-1:] for at in layers]
        vectors = [stream.vectors(part, at) for at in layers]
        return cls([stream.before(part, at)[-1] for at in layers], vectors, weights)

    def scores(self, lens: FrozenLens, layer: int, chosen: Tensor | None = None) -> Tensor:
        """Gains of one layer's neurons, all (S · n,), or the `chosen` of them by flat index."""
        sources, count = self.weights[layer].shape
        chosen = torch.arange(sources * count) if chosen is None else chosen
        weights = self.weights[layer].flatten()[chosen.to(self.weights[layer].device)]
        rows = self.vectors[layer][(chosen % count).to(self.vectors[layer].device)]
        return lens.gains(self.bases[layer], weights[:, None].to(rows) * rows)


def top_proven(lens: FrozenLens, field: Field, count: int) -> tuple[list[tuple[int, int, float]], Tensor, float]:
    """The `count` largest gains of a field without scoring all of it, and the proof.

    As lp is concave, no gain is larger than slope · vector. Neurons are scored in the order of that bound until it
    falls below the smallest of the best: (layer, flat index, gain) in order; all gains, NaN where not scored, (L, S·n);
    the bound of the rest.
    """
    bounds = torch.stack(
        [
            (weights * (vectors @ lens.slope(base).to(vectors))).flatten().cpu()
            for base, vectors, weights in zip(field.bases, field.vectors, field.weights, strict=True)
        ]
    )
    width = bounds.shape[1]
    limits, order = bounds.flatten().sort(descending=True)
    gains = torch.full_like(bounds, math.nan)
    done, best = 0, torch.tensor([])
    while done < len(order) and (len(best) < count or best[-1] < limits[done]):
        part = order[done : done + AT_ONCE]
        for layer in (part // width).unique().tolist():
            inside = part[part // width == layer] % width
            gains[layer, inside] = field.scores(lens, layer, inside).cpu()
        best = torch.cat((best, gains.flatten()[part])).sort(descending=True).values[:count]
        done += len(part)
    ranked = gains.flatten().nan_to_num(-math.inf).topk(min(count, done))
    found = [(i // width, i % width, v) for v, i in zip(*(x.tolist() for x in ranked), strict=True)]
    return found, gains, float(limits[done]) if done < len(order) else -math.inf


class _Run:
    """One attribution under way."""

    def __init__(self, lm: "LanguageModel", request: NeuronsRequest, report: Report):
        self.lm, self.request = lm, request
        self._report, self._told = report, (0, 1, "")
        self.tokens = lm.encode(request.prompt)
        self.total = lm.n_layers + 4
        self.report(0, self.total, "reading the prompt")
        self.stream = read_residual_stream(lm, self.tokens.tensor(lm.device))
        with torch.no_grad():
            logits = lm.readout(self.stream.passage.last)[0]
        self.said = int(logits.argmax())
        self.answer = answer_token(lm.tokenizer, self.tokens, request.answer) if request.answer else self.said
        self.probability = logits.softmax(-1)[self.answer].item()
        self.lens = FrozenLens(lm, self.stream.passage.last[0], self.answer, look=self.look)
        self.notes: list[str] = []
        self.exact = request.mode == "exact"

    def report(self, done: int, total: int, note: str) -> None:
        """Say how far it is."""
        self._told = done, total, note
        self._report(done, total, note)

    def look(self) -> None:
        """Say it once more: whoever listens may end the run, and a long prompt has much between two steps."""
        self._report(*self._told)

    def layers(self) -> tuple[float, float, np.ndarray, np.ndarray, np.ndarray]:
        """The lp of first and last state, and the gains of attentions, MLPs and heads."""
        lens, stream, lm = self.lens, self.stream, self.lm
        gained: dict[Site, list[float]] = {part: [] for part in PARTS}
        heads = []
        with torch.no_grad():
            for layer in range(lm.n_layers):
                for part in PARTS:
                    base = stream.before(part, layer)[-1]
                    whole = lens.log_probability(base + stream.written(part, layer)[-1]) - lens.log_probability(base)
                    gained[part].append(whole.item())
                vectors, weights = stream.vectors("attn", layer), stream.weights("attn", layer)[-1]
                written = (weights.reshape(lm.n_heads, 1, -1) @ vectors.reshape(lm.n_heads, -1, lm.d_model))[:, 0]
                heads.append(lens.gains(stream.before("attn", layer)[-1], written).cpu().numpy())
            ends = [lens.log_probability(stream.passage.hidden[at][0, -1].float()).item() for at in (0, -1)]
        return ends[0], ends[1], np.array(gained["attn"]), np.array(gained["mlp"]), np.stack(heads)

    def neurons(self) -> tuple[Tensor, Tensor, float]:
        """Gains of all MLP neurons (L, N) and attention neurons (L, M); the bound of those screened out."""
        mlp, attn = Field.of(self.stream, "mlp"), Field.of(self.stream, "attn")
        if not self.exact:
            self.report(1, self.total, "screening the neurons")
            wanted = max(self.request.top, *self.request.counts) if self.request.counts else self.request.top
            _, gains, rest = top_proven(self.lens, mlp, wanted)
            return gains, torch.full((self.lm.n_layers, attn.weights[0].shape[1]), math.nan), rest
        found: list[list[Tensor]] = [[], []]
        for layer in range(self.lm.n_layers):
            self.report(layer + 1, self.total, "layers")
            for into, field in zip(found, (mlp, attn), strict=True):
                into.append(field.scores(self.lens, layer).cpu())
        return torch.stack(found[0]), torch.stack(found[1]), -math.inf

    def attention_values(self, joined: Tensor) -> list[tuple[Place, float]]:
        """The attention neurons that gain most, apart by the token they come from."""
        field, count = Field.of(self.stream, "attn", by_source=True), self.request.top
        width = field.weights[0].shape[1]
        if self.lens.cap is None:
            found = top_proven(self.lens, field, count)[0]
        else:
            self.notes.append(
                "Logits are softly capped here, so no bound proves which attention neurons come first once their "
                f"sources are told apart; the {WIDER * count} with the largest gain over all sources were."
            )
            best = joined.flatten().topk(min(WIDER * count, joined.numel())).indices
            found = []
            for layer in (best // width).unique().tolist():
                inside = best[best // width == layer] % width
                chosen = (torch.arange(len(self.tokens))[:, None] * width + inside).flatten()
                gains = field.scores(self.lens, layer, chosen)
                found += [(layer, i, g) for i, g in zip(chosen.tolist(), gains.tolist(), strict=True)]
            found = sorted(found, key=lambda one: -one[2])[:count]
        return [(Place("attn", layer, i % width, i // width), gain) for layer, i, gain in found]

    def ablations(self, role: Role, ranked: Tensor) -> Ablation:
        """The strongest switched off together, against random ones of the same layers; `ranked` (L, N)."""
        neurons = ranked.shape[1]
        order = ranked.nan_to_num(-math.inf).flatten()
        possible = int((order > -math.inf).sum())
        counts = sorted({min(count, possible) for count in self.request.counts} - {0})
        best = order.topk(max(counts, default=0)).indices
        generator = torch.Generator().manual_seed(self.request.seed)
        sets = [_at(best[:count], neurons) for count in counts]
        for _ in range(self.request.draws):
            drawn = [torch.randperm(neurons, generator=generator) for _ in range(self.lm.n_layers)]
            sets += [_others(best[:count], neurons, drawn) for count in counts]
        probability, said = outcomes(self.stream, sets, self.answer)
        rows = (probability.reshape(-1, len(counts)).numpy(), (said == self.said).reshape(-1, len(counts)).numpy())
        return Ablation(role, counts, rows[0][0], rows[1][0], rows[0][1:], rows[1][1:])

    def cards(self, role: Role, places: Sequence[Place], scores: Sequence[float]) -> list[Neuron]:
        """The cards of neurons: words of the value vector, and the answer with the neuron zeroed and doubled."""
        if not places:
            return []
        lm, stream = self.lm, self.stream
        vectors = torch.stack(
            [stream.vectors(place.part, place.layer)[place.index].to(self.lens.device) for place in places]
        )
        up, down = self.lens.words(vectors, WORDS)
        sets = [Scaled({(p.part, p.layer): [p.index]}, factor) for factor in (0.0, 2.0) for p in places]
        probability, _ = outcomes(stream, sets, self.answer)
        by_source = {at: stream.by_source(at) for at in {p.layer for p in places if p.part == "attn"}}
        cards = []
        for number, (place, score) in enumerate(zip(places, scores, strict=True)):
            own = stream.weights("mlp", place.layer) if place.part == "mlp" else by_source[place.layer]
            head = place.index // (own.shape[1] // lm.n_heads) if place.part == "attn" else -1
            cards.append(
                Neuron(
                    role,
                    place.part,
                    place.layer,
                    place.index,
                    head,
                    place.token,
                    float(own[place.token, place.index]),
                    score,
                    lm.words(up[number]),
                    lm.words(down[number]),
                    float(probability[number]),
                    float(probability[len(places) + number]),
                )
            )
        return cards


def _at(flat: Tensor, neurons: int, factor: float = 0.0) -> Scaled:
    """Neurons of an (L, N) map by flat index, to be scaled."""
    chosen: dict[tuple[Site, int], list[int]] = {}
    for index in flat.tolist():
        chosen.setdefault(("mlp", index // neurons), []).append(index % neurons)
    return Scaled(chosen, factor)


def _others(flat: Tensor, neurons: int, drawn: list[Tensor]) -> Scaled:
    """As many neurons of the same layers, none of them in `flat`, in the order `drawn` for each layer."""
    own = _at(flat, neurons).neurons
    return Scaled(
        {at: [i for i in drawn[at[1]].tolist() if i not in set(inside)][: len(inside)] for at, inside in own.items()}
    )


@framed
def neurons(lm: "LanguageModel", request: NeuronsRequest, report: Report = silent) -> NeuronsResult:
    """Attribute the answer of a prompt to layers, heads and neurons, exactly, and find the neurons that query them.

    Raises `UnknownArchitecture` where a model normalises its residual stream, `BadRequest` where a screening cannot
    be proven or the prompt or answer does not fit.

    Args:
        lm: a loaded model; left as it was.
        request: the prompt, how many neurons are listed, and whether all are scored exactly or screened with a proof.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        Scores of layers, heads and neurons in nats of log-probability, the neurons that switch the first ones on, and
        what switching off does.
    Source:
        Yu and Ananiadou 2024, 2312.12141; ACE, 2510.07896.
    Example:
        >>> from analysis import NeuronsRequest
        >>> asked = NeuronsRequest(prompt="The capital of France is", mode="screened", top=5, counts=(5,), draws=1)
        >>> found = neurons(lm, asked)
        >>> found.answer
        ' Paris'
    """
    with packed(lm):
        return _attributed(lm, request, report)


def _attributed(lm: "LanguageModel", request: NeuronsRequest, report: Report) -> NeuronsResult:
    started = time.perf_counter()
    run = _Run(lm, request, report)
    stream, total = run.stream, run.total
    start, end, attn_layer, mlp_layer, heads = run.layers()
    mlp, attn, rest = run.neurons()
    run.report(lm.n_layers + 1, total, "attention by source")
    best = mlp.nan_to_num(-math.inf).flatten().topk(min(request.top, mlp.numel()))
    last = len(run.tokens) - 1
    values = [
        (Place("mlp", i // mlp.shape[1], i % mlp.shape[1], last), gain)
        for gain, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ] + run.attention_values(attn)
    places, gains = [place for place, _ in values], [gain for _, gain in values]
    run.report(lm.n_layers + 2, total, "query neurons")
    asked: Queries = queries(stream, places, torch.tensor(gains), request.top, request.form, run.look)
    second = integrated(stream, run.answer, report) if request.second_opinion else torch.zeros(0, 0)
    ranked = asked.share if request.form == "share" else asked.dot
    run.report(lm.n_layers + 3, total, "switching neurons off")
    top_scores = [float(ranked[place.layer, place.index]) for place in asked.top]
    result = NeuronsResult(
        request=request,
        model=lm.card(),
        tokens=list(run.tokens.labels),
        roles=list(run.tokens.roles),
        answer=answer_word(lm, run.tokens, run.answer, request.answer),
        answer_id=run.answer,
        probability=run.probability,
        said=lm.said(run.tokens, [run.said])[0],
        start=start,
        end=end,
        attn_layer=attn_layer,
        mlp_layer=mlp_layer,
        heads=heads,
        mlp=mlp.numpy(),
        attn=attn.numpy(),
        coefficient=torch.stack([stream.weights("mlp", at)[-1].cpu() for at in range(lm.n_layers)]).numpy(),
        query_dot=asked.dot.numpy(),
        query_share=asked.share.numpy(),
        value=run.cards("value", places, gains),
        query=run.cards("query", asked.top, top_scores),
        links=asked.links_share.numpy(),
        links_dot=asked.links_dot.numpy(),
        unsure=asked.unsure,
        ablations=[run.ablations("value", mlp), run.ablations("query", ranked)] if request.counts else [],
        integrated=second.numpy(),
        largest_unscored=rest,
        notes=run.notes,
        provenance=provenance(time.perf_counter() - started),
        **_of_tokens(lm, run),
    )
    report(total, total, "done")
    return result


def _of_tokens(lm: "LanguageModel", run: _Run) -> dict[str, Any]:
    """What each token adds, where a second opinion was asked for."""
    if not run.request.second_opinion:
        return {}
    (ablated, integrated), gain = token_parts(lm, run.tokens, run.answer)
    return {"tokens_ablated": ablated.numpy(), "tokens_integrated": integrated.numpy(), "tokens_gain": gain}
