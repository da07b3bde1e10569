"""Attention heads one by one: what each gives, and what the model says with some of them silenced.

A head gives z, its mixture of values, (rows, tokens, d_head); the output matrix turns the heads'
joined z into what attention adds. Whatever is done to a head here is done to z, so heads that
share keys and values (grouped queries) stay apart.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.forward.architecture import carried
from analysis.forward.blocks import Frame, first_hidden
from analysis.forward.by_length import by_length
from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

AT_ONCE = 16
"""Prompts of one length that are run together."""
Act = Callable[[int, Tensor], Tensor | None]
"""`act(layer, z)`: z is (rows, tokens, heads, d_head); a returned one takes its place."""


@contextmanager
def at_heads(lm: "LanguageModel", act: Act) -> Iterator[None]:
    """Call `act` on what the heads of every layer give, before the output matrix, while the context is open."""

    def hook(layer: int) -> Any:
        def call(_: Any, __: Any, joined: Tensor) -> Tensor | None:
            new = act(layer, joined.unflatten(-1, (lm.n_heads, -1)))
            return None if new is None else new.flatten(-2).to(joined)

        return call

    handles = [block.attn.hook_z.register_forward_hook(hook(layer)) for layer, block in enumerate(lm.blocks)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def given(lm: "LanguageModel", layer: int, z: Tensor) -> Tensor:
    """What attention gives, (…, d_model), for its heads' z (…, heads, d_head): the output matrix and its bias."""
    return lm.blocks[layer].attn.o.original_component(z.flatten(-2))


@contextmanager
def attention_given(lm: "LanguageModel", outputs: dict[int, Tensor]) -> Iterator[None]:
    """Blocks take what their attention gives from `outputs` (rows, tokens, d_model) by layer; it is not computed.

    Everything else of a block, its norms, its MLP, the order it adds them in, runs as in the model.
    """

    def instead(layer: int) -> Any:
        def given(*args: Any, **kwargs: Any) -> tuple[Tensor, None]:
            stream = carried(lm.blocks[layer].attn, args, kwargs)
            return outputs[layer] if stream is None else outputs[layer] + stream, None

        return given

    for layer, block in enumerate(lm.blocks):
        block.attn.__dict__["forward"] = instead(layer)
    try:
        yield
    finally:
        for block in lm.blocks:
            block.attn.__dict__.pop("forward", None)


@dataclass(frozen=True)
class Endings:
    """What passes at the last token of n prompts of any lengths; L layers, H heads."""

    hidden: Tensor  # (L+1, n, d_model) input of each block, last the output of the last
    z: Tensor  # (L, n, H, d_head)
    arguments: list[dict[str, Any]]  # of each block's call, of one of the prompts
    length: int  # of that prompt

    def part(self, rows: slice) -> "Endings":
        """The same of some of the prompts."""
        return Endings(self.hidden[:, rows], self.z[:, rows], self.arguments, self.length)


@torch.no_grad()
def endings(lm: "LanguageModel", prompts: Sequence[Tokens]) -> Endings:
    """Run prompts block by block, those of one length together, and keep what passes at their last tokens."""
    hidden: list[Tensor | None] = [None] * len(prompts)
    z: list[Tensor | None] = [None] * len(prompts)
    frame = Frame.of(lm, prompts[0].tensor(lm.device))
    for rows in by_length(prompts, rows=AT_ONCE):
        ids = torch.tensor([prompts[row].ids for row in rows], device=lm.device)
        kept: list[Tensor] = []

        def keep(_: int, z: Tensor, kept: list[Tensor] = kept) -> None:
            kept.append(z[:, -1].cpu())

        states, own = [first_hidden(lm, ids)], Frame.of(lm, ids)
        with at_heads(lm, keep):
            for layer in range(lm.n_layers):
                states.append(own.run(layer, states[-1]))
        ends, heads = torch.stack([state[:, -1].cpu() for state in states], 1), torch.stack(kept, 1)
        for place, row in enumerate(rows):
            hidden[row], z[row] = ends[place], heads[place]
    together = torch.stack([h for h in hidden if h is not None], 1), torch.stack([x for x in z if x is not None], 1)
    return Endings(together[0], together[1], frame.arguments, frame.length)
