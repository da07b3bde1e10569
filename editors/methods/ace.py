"""Which layers ACE writes to: value layers by what their MLPs add to the answer, query layers by what feeds those.

ACE (2510.07896, section 3) ranks layers by neurons' scores over a set of questions; here the set is the facts to
write, asked of the model as it is. Scores of layers are those of the published code (see
`analysis.neuron_attribution.run`).

They are read at the prompt's last token, but ACE writes at the subject's. A layer behind the last heads that read the
subject may score high and still have no way to change the answer from there, so value layers are those that are read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.forward.blocks import PrefixCache, first_hidden
from analysis.forward.packed_weights import packed
from analysis.internals.frozen_lens import FrozenLens
from analysis.internals.residual_stream import ResidualStream, read_residual_stream
from analysis.neuron_attribution.query_neurons import Place, queries
from analysis.neuron_attribution.run import Field, top_proven
from editors.edit.request import EditRequest, Rewrite
from editors.methods.search.token_rows import placed

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

VALUE_NEURONS = 30
"""Value neurons whose queries are looked for, as in the published code."""
VALUES, QUERIES = 3 / 28, 6 / 28
"""Share of all layers in each group: GPT-J's published three and six of 28."""


READ = 0.4
"""Of the most the answer ever hangs on the subject's state, the part that must be left behind a value layer.

On the embedded model it falls from .5 or more at layer 22 to .2 or less at 24 (12 facts); edits at the best scored
layers whatever is read there, 23, 24 and 27, held for one fact in six.
"""


@dataclass(frozen=True)
class LayerScores:
    """What each of L layers has to do with the answer of one fact, each (L,)."""

    gained: np.ndarray  # log-probability of the answer its MLP adds, nats
    fed: np.ndarray  # query shares of its neurons, summed
    read: np.ndarray  # how much the answer hangs on the subject's state behind it, of the most


def layer_scores(lm: "LanguageModel", fact: Rewrite, look: Callable[[], None] = lambda: None) -> LayerScores:
    """Scores of all layers for the model's own answer to the fact's prompt; `look` is called between products."""
    known = ("ace layers", fact.prompt, fact.subject, lm.edits, lm.framing_key)
    if known in lm.memo:
        return lm.memo[known]
    tokens, subject = placed(lm, "", fact)
    with packed(lm), torch.no_grad():
        ids = tokens.tensor(lm.device)
        stream = read_residual_stream(lm, ids)
        answer = int(lm.readout(stream.passage.last)[0].argmax())
        lens = FrozenLens(lm, stream.passage.last[0], answer, look=look)
        value = []
        for layer in range(lm.n_layers):
            base = stream.before("mlp", layer)[-1]
            whole = lens.log_probability(base + stream.written("mlp", layer)[-1]) - lens.log_probability(base)
            value.append(whole)
        field, count = Field.of(stream, "mlp"), min(VALUE_NEURONS, lm.n_layers * len(stream.vectors("mlp", 0)))
        if lens.cap is None:
            best = top_proven(lens, field, count)[0]
        else:
            gains = torch.stack([field.scores(lens, layer).cpu() for layer in range(lm.n_layers)])
            found = gains.flatten().topk(count)
            pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
            best = [(i // gains.shape[1], i % gains.shape[1], gain) for i, gain in pairs]
        places = [Place("mlp", layer, index, len(tokens) - 1) for layer, index, _ in best]
        share = queries(stream, places, torch.tensor([gain for *_, gain in best]), 1, "share").share
        read = _read_behind(stream, ids, subject, answer)
        gained = torch.stack([whole.to(value[0].device) for whole in value]).cpu().double().numpy()
    lm.memo[known] = LayerScores(gained, share.sum(1).numpy(), read)
    return lm.memo[known]


def _read_behind(stream: ResidualStream, ids: torch.Tensor, place: int, answer: int) -> np.ndarray:
    """Size of the state at `place` behind each layer times the answer's slope on it, over the largest, (L,)."""
    lm, states = stream.frame.lm, []
    with torch.enable_grad():
        hidden = first_hidden(lm, ids).detach().requires_grad_(True)
        for layer in range(lm.n_layers):
            hidden = stream.frame.run(layer, hidden, cache=PrefixCache())
            states.append(hidden)
        log = lm.readout(hidden[:, -1]).log_softmax(-1)[0, answer]
        slopes = torch.autograd.grad(log, states)
    pairs = zip(states, slopes, strict=True)
    sizes = (
        torch.stack(
            [
                torch.stack((state.detach()[0, place].norm(), slope[0, place].norm())).float().to(log.device)
                for state, slope in pairs
            ]
        )
        .cpu()
        .double()
        .prod(1)
        .numpy()
    )
    return sizes / max(*sizes, 1e-30)


def choose_layers(
    lm: "LanguageModel",
    facts: Sequence[Rewrite],
    value: tuple[int, ...] | None = None,
    look: Callable[[], None] = lambda: None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Query layers and value layers for these facts; `value` where the value layers are chosen already.

    Value layers are the best of the upper half up to the last behind which the subject's state is read, or just below
    that where it lies lower; query layers the best below the lowest of them.
    """
    scores = [layer_scores(lm, fact, look) for fact in facts]
    gained, fed, read = (np.mean([getattr(one, name) for one in scores], axis=0) for name in ("gained", "fed", "read"))
    if value is None:
        count = max(1, round(VALUES * lm.n_layers))
        deepest = int(np.flatnonzero(read >= READ * read.max())[-1])
        stop = max(2, min(lm.n_layers - 1, deepest + 1))
        value = _best(gained, range(max(1, min(lm.n_layers // 2, stop - count)), stop), count)
    return _best(fed, range(min(value)), max(1, round(QUERIES * lm.n_layers))), value


def _best(scores: np.ndarray, layers: range, count: int) -> tuple[int, ...]:
    return tuple(sorted(sorted(layers, key=lambda layer: -scores[layer])[:count]))


def with_layers(lm: "LanguageModel", request: EditRequest, look: Callable[[], None] = lambda: None) -> EditRequest:
    """The request with its aim and its two groups of layers, as far as they are left out chosen by their scores."""
    values: dict[str, object] = {"aim": request.where}
    if request.layers is None or request.shallow is None:
        query, value = choose_layers(lm, request.facts, request.layers, look)
        shallow = query if request.shallow is None else request.shallow
        values |= {"layers": request.layers or value, "shallow": shallow}
    return request.model_copy(update=values)
