"""Path patching to a later head's query, key or value, so that a pathway can be followed backwards.

The general frozen pass of path patching (Wang et al. 2022, appendix; four forwards in the reference code):
every head gives what it gives in the clean prompt, but for one sender that gives what it gives in the
corrupted one; MLPs and norms are recomputed; what the receiver is handed there is handed to it in a
clean forward in which everything behind it runs freely. Key and value receivers are key heads, which
a group of query heads may share.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.forward.architecture import key_heads
from analysis.internals.head_names import parse_head
from analysis.internals.head_outputs import at_heads
from analysis.patching.path_patching import Patched
from analysis.study import Report, silent
from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

SENDERS_AT_ONCE = 32
Input = Literal["q", "k", "v"]


@dataclass(frozen=True)
class Receiver:
    """An input of a head: its query, or the key or value of a key head."""

    layer: int
    head: int
    input: Input


def parse_receiver(text: str) -> Receiver:
    """Layer, head and input of “23.4.q”; `BadRequest` for anything else."""
    head, _, where = text.strip().rpartition(".")
    if where not in ("q", "k", "v"):
        raise BadRequest(f"“{text}” is no input of a head. Write layer, head and q, k or v, such as 23.4.q.")
    return Receiver(*parse_head(head), where)  # type: ignore[arg-type]


@contextmanager
def at_inputs(lm: "LanguageModel", receivers: Sequence[Receiver], act: Any) -> Iterator[None]:
    """Call `act(receiver, projected) -> Tensor | None`, (rows, tokens, d_head), on the receivers' inputs."""

    def hook(receiver: Receiver) -> Any:
        def call(_: Any, __: Any, output: Tensor) -> Tensor | None:
            width = output.shape[-1] // heads_of(lm, receiver.input)
            own = slice(receiver.head * width, (receiver.head + 1) * width)
            new = act(receiver, output[..., own])
            if new is None:
                return None
            output = output.clone()
            output[..., own] = new
            return output

        return call

    handles = [
        getattr(lm.blocks[receiver.layer].attn, receiver.input).register_forward_hook(hook(receiver))
        for receiver in receivers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def heads_of(lm: "LanguageModel", where: Input) -> int:
    """Query heads, or key heads for keys and values, as many as their projection is wide."""
    return lm.n_heads if where == "q" else key_heads(lm.blocks[0].attn, lm.n_heads)


@torch.no_grad()
def patched_pathways(
    lm: "LanguageModel",
    clean: Tokens,
    corrupted: Tokens,
    receivers: Sequence[Receiver],
    answers: Tensor,
    *,
    positions: Literal["all", "last"] = "all",
    report: Report = silent,
) -> Patched:
    """Every head below the receivers as sender, at all tokens or at the last; heads above change nothing.

    One prompt; `answers` are two ids (2,). Prompts must have as many tokens each.
    """
    if len(clean) != len(corrupted):
        raise BadRequest(
            f"The prompts have {len(clean)} and {len(corrupted)} tokens. Paths to queries, keys and values need "
            "as many in both."
        )
    for one in receivers:
        count = heads_of(lm, one.input)
        if not 0 <= one.layer < lm.n_layers or not 0 <= one.head < count:
            raise BadRequest(f"{lm.name} has {lm.n_layers} layers with {count} heads for {one.input}; not {one}.")
    if not receivers:
        raise BadRequest("Name at least one receiver.")
    ids = clean.tensor(lm.device)
    z, other = _outputs(lm, ids), _outputs(lm, corrupted.tensor(lm.device))
    base = lm.logits(ids)[0, -1].cpu()
    log = base.log_softmax(-1)[answers].repeat(1, lm.n_layers, lm.n_heads, 1)
    logit = base[answers].repeat(1, lm.n_layers, lm.n_heads, 1)
    highest = max(one.layer for one in receivers)
    senders = [(layer, head) for layer in range(highest) for head in range(lm.n_heads)]
    for start in range(0, len(senders), SENDERS_AT_ONCE):
        report(start, len(senders), "paths")
        some = senders[start : start + SENDERS_AT_ONCE]
        logits = _through(lm, ids, z, other, some, receivers, positions).cpu()
        for row, (layer, head) in enumerate(some):
            log[0, layer, head] = logits[row].log_softmax(-1)[answers]
            logit[0, layer, head] = logits[row][answers]
    return Patched(log, logit, base.log_softmax(-1)[answers][None], base[answers][None])


def _outputs(lm: "LanguageModel", ids: Tensor) -> list[Tensor]:
    found: list[Tensor] = []

    def keep(_: int, z: Tensor) -> None:
        found.append(z)

    with at_heads(lm, keep):
        lm.logits(ids)
    return found


def _through(
    lm: "LanguageModel",
    ids: Tensor,
    z: list[Tensor],
    other: list[Tensor],
    senders: Sequence[tuple[int, int]],
    receivers: Sequence[Receiver],
    positions: str,
) -> Tensor:
    """Logits (senders, vocabulary) at the last token."""
    handed: dict[Receiver, Tensor] = {}
    where = slice(None) if positions == "all" else slice(-1, None)

    def frozen(layer: int, now: Tensor) -> Tensor:
        held = z[layer].to(now).repeat(len(senders), 1, 1, 1)
        for row, (at, head) in enumerate(senders):
            if at == layer:
                held[row, where, head] = other[layer].to(now)[0, where, head]
        return held

    def keep(receiver: Receiver, output: Tensor) -> None:
        handed[receiver] = output.clone()

    many = ids.expand(len(senders), -1)
    with at_heads(lm, frozen), at_inputs(lm, receivers, keep):
        lm.logits(many)
    with at_inputs(lm, receivers, lambda receiver, _: handed[receiver]):
        return lm.logits(many)[:, -1]
