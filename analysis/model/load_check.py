"""What a loaded model can do, tried on itself against its own plain forward.

Whatever studies run later is run here once, on a few tokens: blocks one at a time, from a middle token on, prompts of
different length side by side, gradients, heads, patterns, neurons, generation. What differs from the plain way, or
fails, is refused by name with the reason; a model whose blocks cannot be read is refused whole. So no study has to
look at an architecture, and none gives a wrong number for one it does not know.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from analysis.errors import UnknownArchitecture, WorkbenchError
from analysis.forward.architecture import from_token, side_by_side, told
from analysis.forward.blocks import Frame, Passage, PrefixCache, Site, at_sites, call_block
from analysis.forward.generation import logits_after
from analysis.forward.packed_weights import packed
from analysis.internals.attention_patterns import at_patterns
from analysis.internals.head_outputs import at_heads, attention_given, given
from analysis.internals.key_value_memory import OutputMatrix, at_keys, attention_matrix, output_matrix
from analysis.internals.residual_stream import PARTS, read_residual_stream
from analysis.model.capabilities import CAPABILITIES, Capability
from analysis.neuron_attribution.query_neurons import Place, subkeys

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

log = logging.getLogger(__name__)

LOGITS = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 5e-2}
"""Largest difference of logits, as a share of what lies between the largest and the least of them."""
TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.5, torch.bfloat16: 2.0}
"""Largest difference of logits, however far apart they lie."""
SHARE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Largest difference of other numbers, as a share of the largest of them."""
FAILURES = (TypeError, AttributeError, LookupError, ValueError, RuntimeError, NotImplementedError, AssertionError)
"""What code raises that was written for other architectures."""
BETWEEN = "a gate or a norm stands between what the heads mix and the output matrix of the attention"
LONG, SHORT, END = 8, 6, 4
"""Tokens of the two prompts, and of their ends that are run side by side."""


def prompt(vocabulary: int) -> Tensor:
    """Token ids (1, 8) from all over a vocabulary; its beginning, of 6, is the second prompt."""
    return (torch.arange(1, 1 + LONG) * vocabulary // (LONG + 3)).clamp_max(vocabulary - 1)[None]


def rounding(logits: Tensor, dtype: torch.dtype) -> float:
    """How far logits may lie from these, (1, tokens, vocabulary), and still be the same ones but for rounding."""
    spread = (logits.max() - logits.min()).item()
    return min(TOLERANCE.get(dtype, 1e-3), LOGITS.get(dtype, 1e-4) * spread)


def kinds_of_layers(lm: "LanguageModel") -> list[int]:
    """The first layer of each kind, told apart by what it is made of and what it is handed, and the last."""
    types = getattr(lm.config, "layer_types", None) or [""] * lm.n_layers
    made = [
        (types[layer], *((name, parameter.shape) for name, parameter in lm.blocks[layer].named_parameters()))
        for layer in range(lm.n_layers)
    ]
    return sorted({*(made.index(kind) for kind in set(made)), lm.n_layers - 1})


def why(error: Exception) -> str:
    """The reason an error gives, in one sentence without advice."""
    line = (str(error).strip().splitlines() or [""])[0].strip()
    if isinstance(error, WorkbenchError):
        return re.sub(r"\s+(Choose|Take|Leave)\b[^.]*\.$", "", line).rstrip(".") + "."
    log.info("an architecture was refused", exc_info=error)
    return "this family’s code does not run in this way."


def refuse_what_looks_ahead(lm: "LanguageModel", logits: Tensor, short: Tensor) -> None:
    """Raise `UnknownArchitecture` where a token is read with those behind it: `short` are logits of the beginning."""
    moved = (logits[:, :SHORT] - short).abs().max().item()
    if not moved <= rounding(logits, lm.dtype):
        raise UnknownArchitecture(
            f"{lm.name} reads every token together with those behind it (an encoder, such as BERT); this workbench "
            "reads decoder-only models, which predict the next token from those before it. Choose one of these."
        )


def written_factors(lm: "LanguageModel", run: Passage) -> dict[Site, float]:
    """What attention's and MLPs' outputs are multiplied by on their way into the stream: a number the config names."""
    parts = [torch.cat([one.flatten().double().cpu() for one in run.outputs[site]]) for site in ("attn", "mlp")]
    hidden = [one.flatten().double().cpu() for one in run.hidden]
    steps = torch.cat([after - before for before, after in pairwise(hidden)])
    found = torch.linalg.lstsq(torch.stack(parts, 1), steps[:, None]).solution[:, 0].tolist()
    return {"attn": told(found[0], lm.config), "mlp": told(found[1], lm.config)}


@dataclass(frozen=True)
class Tried:
    """The plain runs everything is held against."""

    lm: "LanguageModel"
    ids: Tensor  # (1, 8)
    logits: Tensor  # of the plain model, (1, 8, vocabulary)
    frames: tuple[Frame, Frame]  # of the prompt and of its beginning
    run: Passage
    layers: list[int]  # one of each kind

    def share(self, one: Tensor, other: Tensor, otherwise: str = "") -> float:
        """Largest difference of two tensors; refused where it is more than rounding, `otherwise` being the reason."""
        apart = (one.float().to(other.device) - other.float()).abs().max().item()
        if not apart <= SHARE.get(self.lm.dtype, 1e-3) * (1 + other.float().abs().max().item()):
            raise UnknownArchitecture(otherwise or f"what is computed differs from the plain way by {apart:.2g}.")
        return apart

    def apart(self, one: Tensor, other: Tensor) -> float:
        """Largest difference of two tensors of logits; refused where it is more than rounding."""
        apart = (one.float().to(other.device) - other.float()).abs().max().item()
        if not apart <= rounding(other.float(), self.lm.dtype):
            raise UnknownArchitecture(f"its logits then differ by {apart:.2g}.")
        return apart


def tried(lm: "LanguageModel", ids: Tensor, logits: Tensor, frame: Frame, run: Passage) -> dict[str, Capability]:
    """All of `CAPABILITIES`, tried; `logits` are those of the plain model, `run` a recorded one with both sites.

    Frames are of other prompts of the same length, as what blocks are handed must depend on nothing else.
    """
    plain = Tried(lm, ids, logits, (frame, Frame(lm, ids.flip(1)[:, :SHORT])), run, kinds_of_layers(lm))
    return {name: _capability(name, TRIALS[name], plain) for name in CAPABILITIES}


def _capability(name: str, trial: Callable[[Tried], float], by: Tried) -> Capability:
    try:
        with torch.no_grad():
            return Capability(name, trial(by))
    except torch.OutOfMemoryError:
        raise
    except (*FAILURES, WorkbenchError) as error:
        return Capability(name, None, why(error))


def _parts(by: Tried) -> float:
    """With nothing added, a block gives on what it got; one that normalises the sum gives on each token by itself."""
    lm, worst = by.lm, 0.0

    def nothing(_: Site, __: int, output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    with at_sites(lm, ("attn", "mlp"), nothing):
        for layer in by.layers:
            got = by.run.hidden[layer]
            left = by.frames[0].run(layer, got)
            if (left - got.to(left)).abs().max() <= SHARE.get(lm.dtype, 1e-3) * (1 + got.abs().max()):
                worst = max(worst, (left - got.to(left)).abs().max().item())
                continue
            again = by.frames[0].run(layer, got.flip(1)).flip(1)
            alike = (left[:, :1] - left).abs().max() <= SHARE.get(lm.dtype, 1e-3) * (1 + left.abs().max())
            if alike or (left - again).abs().max() > SHARE.get(lm.dtype, 1e-3) * (1 + left.abs().max()):
                raise UnknownArchitecture(
                    f"layer {layer} adds more to the residual stream than what its MLP and its attention give."
                )
            worst = max(worst, (left - again).abs().max().item())
    return worst


def _rows(by: Tried) -> float:
    """The ends of the prompt and of its beginning as one batch, each behind its own stored keys."""
    lm, starts = by.lm, (LONG - END, SHORT - END)
    hidden = torch.cat([by.run.hidden[0][:, start : start + END] for start in starts])
    for layer in range(lm.n_layers):
        device = lm.block_devices[layer]
        parts = [from_token(f.arguments[layer], start, device) for f, start in zip(by.frames, starts, strict=True)]
        arguments = side_by_side(parts, [1, 1])
        if arguments is None:
            raise UnknownArchitecture("its masks are of a form that cannot be joined.")
        stored = [by.run.prefix_before(layer, start) for start in starts]
        keys, values = (
            torch.cat([nn.functional.pad(one, (0, 0, starts[0] - one.shape[2], 0)) for one in part])
            for part in zip(*stored, strict=True)
        )
        hidden = call_block(lm, layer, hidden, arguments, PrefixCache((keys, values)))
    return by.apart(lm.readout(hidden), torch.cat([by.logits[:, start : start + END] for start in starts]))


@torch.enable_grad()
def _gradient(by: Tried) -> float:
    """The slope of a logit on the state a block gives, through the next blocks and through the whole model."""
    lm, layer = by.lm, max(0, by.lm.n_layers - 2)
    token = int(by.logits[0, -1].argmax())
    state = by.run.hidden[layer][:, END:].clone().requires_grad_(True)
    hidden = state
    for at in range(layer, lm.n_layers):
        hidden = by.frames[0].run(at, hidden, start=END, cache=PrefixCache(by.run.prefix_before(at, END)))
    (resumed,) = torch.autograd.grad(lm.readout(hidden[:, -1])[0, token], state)
    leaf: list[Tensor] = []

    def take(_: object, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        got = args[0] if args else kwargs["hidden_states"]
        leaf.append(got.detach().requires_grad_(True))
        return ((leaf[0], *args[1:]), kwargs) if args else ((), kwargs | {"hidden_states": leaf[0]})

    handle = lm.blocks[layer].register_forward_pre_hook(take, with_kwargs=True)
    try:
        (whole,) = torch.autograd.grad(lm.logits(by.ids, 1)[0, -1, token], leaf)
    finally:
        handle.remove()
    return by.share(resumed, whole[:, END:])


def _matrices(by: Tried) -> list[OutputMatrix]:
    """The output matrices of the layers tried that have one; the refusal of the first where none has."""
    found, refusals = [], []
    for layer in by.layers:
        try:
            found.append(output_matrix(by.lm, layer))
        except UnknownArchitecture as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    return found


def _memory(by: Tried) -> float:
    """A key through its output matrix is the value the model computes, in every layer that has one."""
    worst, matrices = 0.0, _matrices(by)
    keys: dict[int, Tensor] = {}
    values: dict[int, Tensor] = {}
    handles = [
        one.module.register_forward_hook(lambda _, __, value, layer=one.layer: values.update({layer: value}))
        for one in matrices
    ]
    try:
        with at_keys(matrices, lambda layer, key: keys.update({layer: key})):
            for one in matrices:
                by.frames[0].run(one.layer, by.run.hidden[one.layer])
    finally:
        for handle in handles:
            handle.remove()
    for one in matrices:
        if one.layer not in keys:
            raise UnknownArchitecture(f"the output matrix of layer {one.layer}'s MLP is not run as one.")
        if keys[one.layer].reshape(-1, keys[one.layer].shape[-1]).shape[0] != LONG:
            raise UnknownArchitecture(f"the MLP of layer {one.layer} does not read one key a token.")
        worst = max(worst, by.share(one.value(keys[one.layer]).to(values[one.layer]), values[one.layer]))
    return worst


def _stream(by: Tried) -> float:
    """Output = input + attention's + W k + b, in every layer with an output matrix."""
    lm, worst = by.lm, 0.0
    keys: dict[int, Tensor] = {}
    for one in _matrices(by):
        run, layer = by.run, one.layer
        with at_keys([one], lambda layer, key: keys.update({layer: key})):
            by.frames[0].run(layer, run.hidden[layer])
        value = one.value(keys[layer]).reshape(run.hidden[layer].shape) * lm.factors["mlp"]
        before = run.hidden[layer].float() + run.outputs["attn"][layer].float().to(run.hidden[layer].device)
        reached = run.hidden[layer + 1].to(value.device)
        normed = f"{lm.name} normalises what the MLP of layer {layer} writes before it gets there."
        worst = max(worst, by.share(before.to(value) + value, reached, normed))
    return worst


def _heads(by: Tried) -> float:
    """Heads' z through the output matrix is what attention gives, summed over heads too, and blocks take it back."""
    lm, run, worst = by.lm, by.run, 0.0
    matrices = [attention_matrix(lm, layer) for layer in by.layers]
    mixed: dict[int, Tensor] = {}
    raw: dict[int, Tensor] = {}
    handles = [
        lm.blocks[layer].attn.o.register_forward_hook(lambda _, __, out, layer=layer: raw.update({layer: out}))
        for layer in by.layers
    ]
    try:
        with at_heads(lm, lambda layer, z: mixed.update({layer: z})):
            for layer in by.layers:
                by.frames[0].run(layer, run.hidden[layer])
    finally:
        for handle in handles:
            handle.remove()
    outputs: dict[int, Tensor] = {}
    for layer, matrix in zip(by.layers, matrices, strict=True):
        if layer not in mixed:
            raise UnknownArchitecture(f"layer {layer} has no attention heads.")
        outputs[layer] = given(lm, layer, mixed[layer])
        worst = max(worst, by.share(outputs[layer], raw[layer].reshape(outputs[layer].shape)))
        weight, bias = matrix.weight.unflatten(1, (lm.n_heads, -1)), getattr(matrix.module, "bias", None)
        summed = torch.einsum("...he,dhe->...hd", mixed[layer], weight).sum(-2) + (0 if bias is None else bias)
        worst = max(worst, by.share(summed, outputs[layer]))
    with attention_given(lm, outputs):
        for layer in by.layers:
            left = by.frames[0].run(layer, run.hidden[layer])
            worst = max(worst, by.share(left, run.hidden[layer + 1]))
    return worst


def _looks(by: Tried) -> float:
    """A layer tells its pattern once: shares of what is behind each token, which a sink may leave below one."""
    lm, worst = by.lm, 0.0
    seen: list[Tensor] = []

    def keep(layer: int, pattern: Tensor) -> None:
        if pattern.shape != (1, lm.n_heads, LONG, LONG):
            raise UnknownArchitecture(f"the attention of layer {layer} is no table of heads by tokens by tokens.")
        seen.append(pattern[0].float())

    with at_patterns(lm, keep):
        for layer in by.layers:
            by.frames[0].run(layer, by.run.hidden[layer])
    if len(seen) != len(by.layers):
        raise UnknownArchitecture("not every layer tells its attention.")
    for layer, pattern in zip(by.layers, seen, strict=True):
        ahead, more = pattern.triu(1).abs().max().item(), (pattern.sum(-1) - 1).max().item()
        if max(ahead, more) > SHARE.get(lm.dtype, 1e-3) or (pattern < 0).any():
            raise UnknownArchitecture(f"what layer {layer} tells of its attention are no shares.")
        worst = max(worst, ahead, more)
    return worst


def _patterns(by: Tried) -> float:
    """A pattern written over itself changes nothing."""
    lm, run, worst = by.lm, by.run, 0.0

    def again(_: int, pattern: Tensor) -> Tensor:
        return pattern.clone()

    with at_patterns(lm, again):
        for layer in by.layers:
            left = by.frames[0].run(layer, run.hidden[layer])
            worst = max(worst, by.share(left, run.hidden[layer + 1], f"{BETWEEN} of layer {layer}."))
    return worst


def _neurons(by: Tried) -> float:
    """What neurons write adds up to what their layer writes, and that to the stream; and each has a subkey."""
    stream, worst = read_residual_stream(by.lm, by.ids.to(by.lm.device)), 0.0
    for layer in range(by.lm.n_layers):
        for part in PARTS:
            vectors = stream.vectors(part, layer)
            written = stream.weights(part, layer).to(vectors) @ vectors
            worst = max(worst, by.share(written + stream.constant(part, layer), stream.written(part, layer)))
        mixed = stream.by_source(layer).sum(0)
        worst = max(worst, by.share(mixed, stream.weights("attn", layer)[-1], f"{BETWEEN} of layer {layer}."))
    subkeys(stream, [Place(part, by.lm.n_layers - 1, 0, LONG - 1) for part in PARTS])
    return worst


def _generation(by: Tried) -> float:
    """The last token of a prompt read behind the stored others."""
    lm, ids = by.lm, by.ids.to(by.lm.device)
    cache = DynamicCache(config=lm.model.config)
    before = by.apart(logits_after(lm, ids[:, :-1], cache), by.logits[:, -2])
    return max(before, by.apart(logits_after(lm, ids[:, -1:], cache), by.logits[:, -1]))


def _texts(by: Tried) -> float:
    """The prompt and its beginning without their last tokens, filled up in front, then these, from one cache."""
    lm, ids = by.lm, by.ids.to(by.lm.device)
    cache = DynamicCache(config=lm.model.config)
    filled = torch.cat((ids, torch.cat((ids.new_zeros(1, LONG - SHORT), ids[:, :SHORT]), 1)))
    mask = torch.ones_like(filled)
    mask[1, : LONG - SHORT] = 0
    worst = 0.0
    for tokens, seen, places in (
        (filled[:, :-1], mask[:, :-1], (-2, SHORT - 2)),
        (filled[:, -1:], mask, (-1, SHORT - 1)),
    ):
        wanted = torch.cat([by.logits[:, place] for place in places])
        worst = max(worst, by.apart(logits_after(lm, tokens, cache, seen), wanted))
    return worst


def _packed(by: Tried) -> float:
    """One block multiplied by packed weights."""
    lm = by.lm
    layer = lm.n_layers - 1
    with packed(lm):
        left = by.frames[0].run(layer, by.run.hidden[layer])
    return by.share(left, by.run.hidden[layer + 1])


TRIALS: dict[str, Callable[[Tried], float]] = {
    "parts": _parts,
    "rows": _rows,
    "gradient": _gradient,
    "memory": _memory,
    "stream": _stream,
    "heads": _heads,
    "looks": _looks,
    "patterns": _patterns,
    "neurons": _neurons,
    "generation": _generation,
    "texts": _texts,
    "packed": _packed,
}
