"""Cheap rankings of heads, each labelled as what it is, beside the exact path patching.

Direct logit attribution: what a head's change adds to the answers' logits by the direct path alone,
MLPs and the norms' scales frozen; linear, so heads add up (Yu et al. 2023; B8 of our notes holds it to
a full forward). Attribution patching: first-order guess of path patching from one backward pass, heads
frozen, MLPs not (Nanda 2023; Kramár et al. 2024).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.forward.architecture import from_token
from analysis.forward.blocks import Frame, PrefixCache, call_block, first_hidden, record
from analysis.internals.frozen_norm import FrozenNorm
from analysis.internals.head_outputs import Endings, attention_given, given
from analysis.internals.key_value_memory import attention_matrix
from analysis.internals.residual_stream import left_over

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

TOLERANCE = 1e-2


@torch.no_grad()
def adds_up(lm: "LanguageModel") -> bool:
    """Whether a block's output is its input plus what attention and MLP give, each after its own norm where it has one.

    Measured on a few tokens; it does not hold where the sum itself is normalised (some OPTs).
    """
    if ("adds_up",) not in lm.memo:
        ids = torch.arange(2, 8).remainder(lm.config.vocab_size)[None].to(lm.device)
        run = record(Frame.of(lm, ids), first_hidden(lm, ids), ("attn", "mlp"))
        blocks = zip(run.hidden, run.hidden[1:], run.outputs["attn"], run.outputs["mlp"], strict=False)
        sums = (left_over(before, after, parts) for before, after, *parts in blocks)
        lm.memo["adds_up",] = all((rest.norm() / (1 + step.norm())).cpu() <= TOLERANCE for step, rest in sums)
    return lm.memo["adds_up",]


def to_residual(lm: "LanguageModel", layer: int, z: Tensor, change: Tensor) -> Tensor:
    """What changes (…, n, H, d_head) of single heads add to the residual stream, (…, n, H, d), scales frozen at z."""
    weight = attention_matrix(lm, layer).weight.float().unflatten(1, (lm.n_heads, -1))
    added = torch.einsum("...he,dhe->...hd", change.to(weight), weight) * lm.factors["attn"]
    after = getattr(lm.blocks[layer], "ln1_post", None)
    if after is None:
        return added
    return FrozenNorm.of(after, given(lm, layer, z.to(added.device, lm.dtype))[..., None, :])(added)


def to_logits(lm: "LanguageModel", final: Tensor) -> Callable[[Tensor], Tensor]:
    """Changes of the residual stream (…, d) as changes of all logits, the last norm's scale frozen at `final`.

    A soft cap on the logits is left out: it keeps their order.
    """
    steps = lm.readout.steps
    frozen = FrozenNorm.of(steps[0], final) if len(steps) > 1 and hasattr(lm.bridge, "ln_final") else None
    linear: list[Any] = [step.original_component for step in steps[1 if frozen else 0 :]]

    def read(change: Tensor) -> Tensor:
        change = frozen(change.to(frozen.scale.device)) if frozen else change
        for step in linear:
            change = change.to(step.weight).float() @ step.weight.float().T
        return change * lm.readout.scale

    return read


@torch.no_grad()
def direct_effects(lm: "LanguageModel", clean: Endings, corrupted: Tensor, answers: Tensor) -> Tensor | None:
    """Direct logit attribution of every head's change, (n, L, H, A) in logits; None where parts do not add up."""
    if not adds_up(lm):
        return None
    layers, count, heads, _ = clean.z.shape
    change = torch.stack(
        [to_residual(lm, layer, clean.z[layer], corrupted[layer] - clean.z[layer]).cpu() for layer in range(layers)], 1
    )  # (n, L, H, d)
    found = torch.empty(count, layers, heads, answers.shape[1])
    for row in range(count):  # one prompt's logits at a time
        found[row] = to_logits(lm, clean.hidden[-1][row])(change[row])[..., answers[row]].cpu()
    return found


def estimated_effects(lm: "LanguageModel", clean: Endings, corrupted: Tensor, answers: Tensor) -> Tensor:
    """Attribution patching's guess of the change of logit(second answer) − logit(first), (n, L, H)."""
    outputs: dict[int, Tensor] = {}
    with torch.enable_grad(), attention_given(lm, outputs):
        leaves = [z.to(lm.block_devices[layer]).clone().requires_grad_(True) for layer, z in enumerate(clean.z)]
        hidden = clean.hidden[0][:, None]
        for layer, leaf in enumerate(leaves):
            outputs[layer] = given(lm, layer, leaf)[:, None]
            arguments = from_token(clean.arguments[layer], clean.length - 1, lm.block_devices[layer])
            hidden = call_block(lm, layer, hidden, arguments, PrefixCache())
        logits = lm.readout(hidden[:, -1]).gather(-1, answers.to(hidden.device))
        gradients = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), leaves)
    slopes = torch.stack([gradient.cpu() for gradient in gradients])
    return ((corrupted - clean.z) * slopes).sum(-1).transpose(0, 1).detach()
