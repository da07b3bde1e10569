"""Decoder blocks called one at a time: the ground every partial forward stands on.

A full forward tells once what the model hands to each block (mask, positions). From then on
any block can be run on any suffix of the prompt, its earlier tokens given as stored keys and
values. Whatever an intervention cannot change is thereby never computed again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from analysis.errors import UnknownArchitecture
from analysis.forward.architecture import CACHE_ARGUMENTS, as_taken, block_arguments, from_token, put_out

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Site = Literal["mlp", "attn"]
"""A sub-block whose contribution to the residual stream can be read or overwritten."""


FRAMES = 32
"""Frames kept with a model, by length of prompt."""


class _Stop(Exception):
    """Ends a forward once the first block's input is known."""


class PrefixCache:
    """Stands in for a Hugging Face cache: prepends stored keys and values, keeps what it returned.

    The stored prefix has S rows (noise samples); the batch has a whole multiple of S rows.
    """

    def __init__(self, prefix: tuple[Tensor, Tensor] | None = None):
        self.prefix = prefix
        self.kept: tuple[Tensor, Tensor] | None = None

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Keys and values (rows, heads, tokens, d_head) of prefix and batch together."""
        if self.prefix is not None and self.prefix[0].shape[2]:
            keys, values = (
                torch.cat((stored.to(new.device).repeat(new.shape[0] // stored.shape[0], 1, 1, 1), new), dim=2)
                for stored, new in zip(self.prefix, (keys, values), strict=True)
            )
        self.kept = keys, values
        return keys, values

    @property
    def keys(self) -> Tensor:
        """What the block attended to, (rows, heads, tokens, d_head)."""
        return self._told[0]

    @property
    def values(self) -> Tensor:
        """What the block mixed, (rows, heads, tokens, d_head)."""
        return self._told[1]

    @property
    def _told(self) -> tuple[Tensor, Tensor]:
        if self.kept is None:
            raise UnknownArchitecture(
                "a block keeps no keys and values of the tokens it has read, so no forward can be resumed"
            )
        return self.kept

    def get_seq_length(self, *_: Any) -> int:
        """Tokens already stored."""
        return 0 if self.prefix is None else self.prefix[0].shape[2]


class Frame:
    """What the model hands to each of its blocks for a prompt of a given length.

    Masks and positions depend on the number of tokens only, so one frame serves every
    prompt of that length: the clean one, the corrupted ones, the repaired ones.
    """

    def __init__(self, lm: "LanguageModel", ids: Tensor):
        self.lm = lm
        self.length = ids.shape[1]
        self.arguments: list[dict[str, Any]] = []

        def capture(block: Any, args: tuple, kwargs: dict) -> None:
            self.arguments.append(block_arguments(block, args, kwargs))

        handles = [block.register_forward_pre_hook(capture, with_kwargs=True) for block in lm.blocks]
        try:
            with torch.no_grad():
                lm.logits(ids[:1], 1)
        finally:
            for handle in handles:
                handle.remove()

    @classmethod
    def of(cls, lm: "LanguageModel", ids: Tensor) -> "Frame":
        """The frame of a prompt's length, kept with the model: no forward where one of this length is there."""
        length = ids.shape[1]
        if length not in lm.frames:
            while len(lm.frames) >= FRAMES:
                lm.frames.pop(next(iter(lm.frames)))
            lm.frames[length] = cls(lm, ids)
        return lm.frames[length]

    def run(self, layer: int, hidden: Tensor, *, start: int = 0, cache: PrefixCache | None = None) -> Tensor:
        """Output (rows, tokens, d_model) of block `layer` for the tokens `start` and later.

        `hidden` (rows, tokens, d_model) is the block's input at these tokens; `cache` holds the
        keys and values of the tokens before `start`.
        """
        arguments = from_token(self.arguments[layer], start, self.lm.block_devices[layer])
        return call_block(self.lm, layer, hidden, arguments, cache or PrefixCache())


def call_block(
    lm: "LanguageModel", layer: int, hidden: Tensor, arguments: dict[str, Any], cache: PrefixCache
) -> Tensor:
    """Output (rows, tokens, d_model) of one block for its input, with the arguments that go with these tokens."""
    hidden = hidden.to(lm.block_devices[layer])
    output = lm.blocks[layer](hidden, **as_taken(arguments, len(hidden)), **dict.fromkeys(CACHE_ARGUMENTS, cache))
    return output[0] if isinstance(output, tuple) else output


def first_hidden(lm: "LanguageModel", ids: Tensor, noise: Tensor | None = None, start: int = 0) -> Tensor:
    """Input of block 0, (rows, tokens, d_model), with `noise` added to the embedding module's output.

    `ids` is (1 or rows, tokens); `noise` is (rows, n, d_embedding), added to the tokens from `start` on.
    Adding where the embedding module ends follows ROME's code: before GPT-2's positions are added.
    """
    found: list[Tensor] = []

    def add(_: Any, __: Any, output: Tensor) -> Tensor:
        if noise is None:
            return output
        output = output.clone()
        output[:, start : start + noise.shape[1]] += noise.to(output)
        return output

    def stop(_: Any, args: tuple, kwargs: dict) -> None:
        found.append(args[0] if args else kwargs["hidden_states"])
        raise _Stop

    if noise is not None:
        ids = ids.expand(noise.shape[0], -1)
    handles = [
        lm.bridge.embed.register_forward_hook(add),
        lm.blocks[0].register_forward_pre_hook(stop, with_kwargs=True),
    ]
    try:
        with torch.no_grad():
            lm.logits(ids)
    except _Stop:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found[0]


@contextmanager
def at_sites(lm: "LanguageModel", sites: tuple[Site, ...], act: Any) -> Iterator[None]:
    """Call `act(site, layer, output) -> Tensor | None` on sub-block outputs while the context is open.

    `output` is (rows, tokens, d_model), also for families that flatten rows and tokens in
    their MLP, and times what the family multiplies it by on its way: what is added to the
    residual stream. A returned tensor takes its place.
    """
    rows = [0]

    def remember(_: Any, args: tuple, kwargs: dict) -> None:
        rows[0] = (args[0] if args else kwargs["hidden_states"]).shape[0]

    def hook(site: Site, layer: int) -> Any:
        def call(_: Any, __: Any, output: Tensor) -> Tensor | None:
            factor = lm.factors[site]
            added = output.reshape(rows[0], -1, output.shape[-1])
            changed = act(site, layer, added if factor == 1 else added * factor)
            if changed is None:
                return None
            return (changed if factor == 1 else changed / factor).reshape(output.shape)

        return call

    handles = []
    for layer, block in enumerate(lm.blocks):
        handles.append(block.register_forward_pre_hook(remember, with_kwargs=True))
        for site in sites:
            handles.append(put_out(block, site).register_forward_hook(hook(site, layer)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Passage:
    """One run through all blocks, kept: everything a resumed forward may need.

    Shapes: S rows, T tokens, L layers.
    """

    hidden: list[Tensor]  # L+1 of (S, T, d_model): input of each block, last the output of the last
    prefix: list[tuple[Tensor, Tensor]]  # L of keys and values, each (S, key heads, T, d_head)
    outputs: dict[Site, list[Tensor]] = field(default_factory=dict)  # per site L of (S, T, d_model)

    @property
    def last(self) -> Tensor:
        """Output of the last block at the last token, (S, d_model)."""
        return self.hidden[-1][:, -1]

    def prefix_before(self, layer: int, token: int) -> tuple[Tensor, Tensor]:
        """Keys and values of `layer` at the tokens before `token`."""
        keys, values = self.prefix[layer]
        return keys[:, :, :token], values[:, :, :token]


def record(frame: Frame, hidden: Tensor, sites: tuple[Site, ...] = ()) -> Passage:
    """Run all blocks from block 0's input `hidden` (S, T, d_model) and keep what passes by."""
    passage = Passage([hidden], [], {site: [] for site in sites})

    def keep(site: Site, _: int, output: Tensor) -> None:
        passage.outputs[site].append(output)

    with at_sites(frame.lm, sites, keep):
        for layer in range(len(frame.lm.blocks)):
            cache = PrefixCache()
            hidden = frame.run(layer, hidden, cache=cache)
            passage.hidden.append(hidden)
            passage.prefix.append((cache.keys, cache.values))
    return passage
