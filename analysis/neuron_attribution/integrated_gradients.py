"""Knowledge neurons: integrated gradients of the answer's probability along an MLP's own activations.

Dai et al., 2104.08696: the activations of one layer at the last token are scaled together from 0 to what they are, and
each neuron gets its part of what the probability gains on the way. Computed by Captum (`IntegratedGradients` with a
zero baseline, on a function of the activations) with Gauss–Legendre nodes, where the published code takes a left
Riemann sum; so a layer's parts add up to the gain. A second opinion beside the lens: it runs the model, and it is
about probability, not log-probability.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.forward.architecture import writes_through
from analysis.forward.blocks import PrefixCache
from analysis.internals.residual_stream import ResidualStream, matrix_of
from analysis.study import Report, silent

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

NODES = 20
ROWS = 64


def probability_of(stream: ResidualStream, layer: int, activations: Tensor, answer: int) -> Tensor:
    """P(answer), (rows,), with the MLP neurons' activations at the last token set to `activations` (rows, N).

    Only the last token is run, from this layer on: nothing else changes.
    """
    lm: LanguageModel = stream.frame.lm
    last = stream.frame.length - 1

    def put(_: Any, args: tuple) -> tuple:
        return (activations.to(args[0]).reshape(args[0].shape), *args[1:])

    hidden = stream.passage.hidden[layer][:, -1:].expand(len(activations), -1, -1)
    handle = matrix_of(lm, "mlp", layer).register_forward_pre_hook(put)
    try:
        for block in range(layer, lm.n_layers):
            cache = PrefixCache(stream.passage.prefix_before(block, last))
            hidden = stream.frame.run(block, hidden, start=last, cache=cache)
    finally:
        handle.remove()
    return lm.readout(hidden[:, -1]).softmax(-1)[:, answer]


def integrated(stream: ResidualStream, answer: int, report: Report = silent) -> Tensor:
    """Each MLP neuron's part of P(answer), (L, N): a layer's parts add up to P − P(its activations all zero).

    Raises `BadRequest` where a norm stands behind the MLP: scaling its activations then changes nothing until they
    are zero, so the path has no gradient to integrate.
    """
    lm = stream.frame.lm
    if any(writes_through(block, "mlp") is not None for block in lm.blocks):
        raise BadRequest(
            f"{lm.name} normalises what its MLPs write, so scaling their activations changes nothing until they are "
            "zero, and integrated gradients have nothing to integrate. Leave the second opinion out."
        )
    from captum.attr import IntegratedGradients  # here, as few ask for it

    layers = range(lm.n_layers)
    found = []
    for layer in layers:
        report(layer, len(layers), "integrated gradients, layers")

        def gained(activations: Tensor, layer: int = layer) -> Tensor:
            return probability_of(stream, layer, activations, answer)

        own = stream.coefficients["mlp"][layer][-1:].detach()
        with torch.enable_grad():
            parts = IntegratedGradients(gained).attribute(
                own, torch.zeros_like(own), n_steps=NODES, method="gausslegendre", internal_batch_size=ROWS
            )
        found.append(parts[0].detach().cpu())
    return torch.stack(found).float()
