"""Query neurons: MLP neurons further down that a value neuron's coefficient comes from.

A value neuron reads the stream along a direction, its subkey. What a neuron below has written along it is its query
score (Yu & Ananiadou, 2312.12141, section 3.4; ACE, 2510.07896). Two forms: `dot`, the plain product, summed over the
value neurons (the papers' form); `share`, the product over that of the whole state, times the value neuron's own score
(the published code's form). Both keep the norm's centring, which the code leaves out; its scale cancels in a share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.forward.blocks import PrefixCache, Site
from analysis.internals.frozen_norm import FrozenNorm
from analysis.internals.residual_stream import ResidualStream, matrix_of

SURE = 1e-3
"""Cosine of state and subkey below which a share says nothing: its denominator is a small difference of large parts."""


@dataclass(frozen=True)
class Place:
    """A neuron of a prompt's run: part, layer, index (attention: head · d_head + dimension) and the token it reads."""

    part: Site
    layer: int
    index: int
    token: int


def subkeys(
    stream: ResidualStream, values: Sequence[Place], look: Callable[[], None] = lambda: None
) -> tuple[Tensor, Tensor]:
    """Subkey of every value neuron, pulled in front of its norm, and the state it reads; each (n, d_model).

    The subkey is the gradient of the neuron's coefficient by the norm's output: the row of the input matrix for an
    ungated MLP (times the slope of the activation, which cancels in a share), SiLU'(g·n)(u·n) g + SiLU(g·n) u for a
    gated one, the row of W_V for attention, of the key head its head shares.
    """
    width = stream.frame.lm.d_model
    found, states = torch.zeros(len(values), width), torch.zeros(len(values), width)
    for layer in sorted({value.layer for value in values}):
        look()
        chosen = [number for number, value in enumerate(values) if value.layer == layer]
        for number, (key, state) in zip(chosen, _of_layer(stream, layer, [values[i] for i in chosen]), strict=True):
            found[number], states[number] = key.cpu(), state.cpu()
    return found, states


@torch.enable_grad()
def _of_layer(stream: ResidualStream, layer: int, values: list[Place]) -> list[tuple[Tensor, Tensor]]:
    """The subkeys of one layer: its block is run once more, with the outputs of its norms as leaves.

    Where norms stand behind the parts only (OLMo 2), the parts read the stream itself, and what they read is a leaf.
    """
    lm = stream.frame.lm
    block, width = lm.blocks[layer], lm.d_model
    leaves: list[tuple[object, Tensor, Tensor]] = []  # norm, what it read, what it gave
    coefficients: list[Tensor] = []

    def cut(norm: object, args: tuple, output: Tensor) -> Tensor:
        leaf = output.detach().requires_grad_(True)
        leaves.append((norm, args[0].detach().reshape(-1, width), leaf))
        return leaf

    def cut_bare(_: object, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        got = args[0] if args else kwargs["hidden_states"]
        leaf = got.detach().requires_grad_(True)
        leaves.append((None, got.detach().reshape(-1, width), leaf))
        return ((leaf, *args[1:]), kwargs) if args else ((), kwargs | {"hidden_states": leaf})

    def keep(_: object, args: tuple) -> None:
        coefficients.append(args[0].reshape(-1, args[0].shape[-1]))

    norms = [getattr(block, name) for name in ("ln1", "ln2") if hasattr(block, name)]
    handles = [norm.register_forward_hook(cut) for norm in norms]
    if not norms:
        handles += [part.register_forward_pre_hook(cut_bare, with_kwargs=True) for part in (block.attn, block.mlp)]
    handles.append(matrix_of(lm, "mlp", layer).register_forward_pre_hook(keep))
    cache = PrefixCache()
    try:
        stream.frame.run(layer, stream.passage.hidden[layer].detach(), cache=cache)
    finally:
        for handle in handles:
            handle.remove()
    group = lm.n_heads // cache.values.shape[1]
    d_head = cache.values.shape[-1]
    given = [leaf for _, _, leaf in leaves]
    results = []
    for value in values:
        if value.part == "mlp":
            coefficient = coefficients[0][value.token, value.index]
        else:
            head, dimension = divmod(value.index, d_head)
            coefficient = cache.values[0, head // group, value.token, dimension]
        gradients = torch.autograd.grad(coefficient, given, retain_graph=True, allow_unused=True)
        at = next(place for place, gradient in enumerate(gradients) if gradient is not None)
        norm, read, _ = leaves[at]
        gradient = gradients[at].reshape(-1, width)[value.token].float()
        state = read[value.token].float()
        results.append((FrozenNorm.of(norm, state).pulled(gradient).detach(), state))
    return results


@dataclass(frozen=True)
class Queries:
    """Query scores of all MLP neurons; L layers, N neurons, n value neurons."""

    dot: Tensor  # (L, N) summed over value neurons and tokens
    share: Tensor  # (L, N) times the value neurons' scores
    top: list[Place]  # the strongest, by `form`
    links_dot: Tensor  # (top, n) product of what each wrote with the subkey
    links_share: Tensor  # (top, n) share of each in the value neuron's state, not times its score
    unsure: list[int]  # value neurons whose shares were left out (see SURE)


@torch.no_grad()
def queries(
    stream: ResidualStream,
    values: Sequence[Place],
    scores: Tensor,
    count: int,
    form: str,
    look: Callable[[], None] = lambda: None,
) -> Queries:
    """Score every MLP neuron below the value neurons; `scores` (n,) are theirs, `form` is share or dot.

    `look` is called between layers.
    """
    lm = stream.frame.lm
    keys, states = subkeys(stream, values, look)
    whole = (keys * states).sum(1)
    sure = whole.abs() > SURE * keys.norm(dim=1) * states.norm(dim=1)
    tokens = sorted({value.token for value in values})
    layers = torch.tensor([value.layer for value in values])
    at = torch.tensor([value.token for value in values])
    row = torch.tensor([tokens.index(value.token) for value in values])
    factor = torch.where(sure, scores / whole, 0.0)
    dots, shares, products = [], [], []
    for layer in range(lm.n_layers):
        look()
        vectors = stream.vectors("mlp", layer)
        weights = stream.weights("mlp", layer).to(vectors)
        product = (vectors @ keys.to(vectors).T).T * weights[at]  # n, N
        product = (product * (layers > layer).to(product)[:, None]).cpu()
        products.append(product)
        by_token = torch.zeros(2, len(tokens), product.shape[1])
        by_token[0].index_add_(0, row, product)
        by_token[1].index_add_(0, row, product * factor[:, None])
        dots.append(by_token[0])
        shares.append(by_token[1])
    dot, share = torch.stack(dots), torch.stack(shares)  # L, tokens, N
    ranked = (share if form == "share" else dot).flatten()
    best = ranked.topk(min(count, len(ranked))).indices.tolist()
    neurons = dot.shape[2]
    top = [
        Place("mlp", i // (len(tokens) * neurons), i % neurons, tokens[i // neurons % len(tokens)])
        for i in best
        if ranked[i] > 0
    ]
    links = torch.zeros(len(top), len(values))
    for number, place in enumerate(top):
        links[number] = products[place.layer][:, place.index] * (at == place.token)
    return Queries(
        dot=dot.sum(1),
        share=share.sum(1),
        top=top,
        links_dot=links,
        links_share=links * torch.where(sure, 1 / whole, 0.0),
        unsure=(~sure).nonzero()[:, 0].tolist(),
    )
