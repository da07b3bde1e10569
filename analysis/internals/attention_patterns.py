"""Attention patterns, read and overwritten.

Not every family lets its pattern be changed where it is computed. So a changed pattern is written
where it ends: values times the new pattern, through the output matrix, in place of what the
attention gave. That is the same sum in every family, and exact.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.errors import UnknownArchitecture
from analysis.forward.architecture import CACHE_ARGUMENTS
from analysis.forward.blocks import Frame, PrefixCache

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Act = Callable[[int, Tensor], Tensor | None]
"""`act(layer, pattern)`: a pattern is (rows, heads, queries, keys); a returned one takes its place."""


@contextmanager
def at_patterns(lm: "LanguageModel", act: Act) -> Iterator[None]:
    """Call `act` on every attention pattern (after softmax) while the context is open.

    Blocks must be called one at a time (`Frame.run`, `record`): the values come from the cache
    they are given. A block whose pattern is left alone computes exactly what it always does.
    """
    caches: dict[int, PrefixCache | None] = {}
    changed: dict[int, Tensor] = {}
    told: set[int] = set()

    def remember(layer: int) -> Any:
        def call(_: Any, __: Any, kwargs: dict) -> None:
            caches[layer] = next((kwargs[name] for name in CACHE_ARGUMENTS if kwargs.get(name)), None)

        return call

    def projected(layer: int, pattern: Tensor) -> Tensor:
        cache = caches[layer]
        assert cache is not None, "patterns are overwritten in blocks called one at a time"
        return lm.blocks[layer].attn.o.original_component(mixed(pattern, cache.values))

    def read(layer: int) -> Any:
        def call(_: Any, __: Any, pattern: Tensor) -> None:
            if layer not in told and (new := act(layer, pattern)) is not None:
                changed[layer] = new

        return call

    def write(layer: int) -> Any:
        def call(_: Any, __: Any, output: Tensor) -> Tensor | None:
            return projected(layer, changed.pop(layer)).reshape(output.shape) if layer in changed else None

        return call

    def inside(layer: int) -> Any:  # families whose own attention runs: it gives output and pattern together
        def call(_: Any, __: Any, output: Any) -> Any:
            told.add(layer)
            new = act(layer, output[1])
            return None if new is None else (projected(layer, new), *output[1:])

        return call

    bare = [layer for layer, block in enumerate(lm.blocks) if not hasattr(block.attn, "o")]
    if bare:
        raise UnknownArchitecture(f"The attention of layer {bare[0]} of {lm.name} has no single output matrix.")
    handles = []
    for layer, block in enumerate(lm.blocks):
        handles.append(block.register_forward_pre_hook(remember(layer), with_kwargs=True))
        handles.append(block.attn.original_component.register_forward_hook(inside(layer)))
        handles.append(block.attn.hook_pattern.register_forward_hook(read(layer)))
        handles.append(block.attn.o.register_forward_hook(write(layer)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def mixed(pattern: Tensor, values: Tensor) -> Tensor:
    """Heads' outputs before the output matrix, joined: (rows, queries, heads · d_head).

    `pattern` is (rows, heads, queries, keys), `values` (rows, key heads, keys, d_head); with
    grouped queries, each key head serves heads / key heads query heads in a row.
    """
    values = values.repeat_interleave(pattern.shape[1] // values.shape[1], dim=1)
    return (pattern.to(values) @ values).transpose(1, 2).flatten(2)


@torch.no_grad()
def patterns(frame: Frame, hidden: Tensor) -> list[Tensor]:
    """Attention of every layer, each (rows, heads, tokens, tokens), for block 0's input `hidden`."""
    found: list[Tensor] = []
    with at_patterns(frame.lm, lambda _, pattern: found.append(pattern)):
        for layer in range(frame.lm.n_layers):
            hidden = frame.run(layer, hidden)
    return found


@dataclass(frozen=True)
class Edges:
    """Attention from query tokens to key tokens, by position in the prompt."""

    queries: tuple[int, ...]
    keys: tuple[int, ...]


@contextmanager
def knocked_out(lm: "LanguageModel", edges: Edges, layers: range) -> Iterator[None]:
    """Cut `edges` in all heads of `layers` (attention knock-out, Geva et al. 2023, section 4).

    The score before the softmax becomes −∞. After the softmax that is: weight zero, and the rest of
    the row shared out anew. A query that sees nothing else gets nothing.
    """

    def cut(layer: int, pattern: Tensor) -> Tensor | None:
        if layer not in layers:
            return None
        kept = torch.ones_like(pattern)
        for query in edges.queries:
            kept[:, :, query, list(edges.keys)] = 0
        return without(pattern, kept)

    with at_patterns(lm, cut):
        yield


ROUNDING = 1e-4
"""How far shares that add up to one may be from it."""


def without(pattern: Tensor, kept: Tensor) -> Tensor:
    """A pattern with the weights where `kept` is 0 taken out and each changed row shared out anew.

    What a row lacks to one is a sink's, which keeps its part: as a mask on the scores would have it.
    """
    rest = pattern * kept
    sink = 1 - pattern.sum(-1, keepdim=True)
    total = rest.sum(-1, keepdim=True) + torch.where(sink > ROUNDING, sink, 0.0)
    return torch.where(total > 0, rest / total.clamp_min(torch.finfo(rest.dtype).tiny), rest)
