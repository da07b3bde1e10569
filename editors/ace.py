"""Which layers ACE writes to: value layers by what their MLPs add to the answer, query layers by what feeds those.

ACE (2510.07896, section 3) ranks layers by neurons' scores over a set of questions; here the set is the facts to
write, asked of the model as it is. Scores of layers are those of the published code (see `analysis.attribution`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.attribution import Field, top_proven
from analysis.frozen_lens import FrozenLens
from analysis.neuron_queries import Place, queries
from analysis.packed import packed
from analysis.stream import read_stream

if TYPE_CHECKING:
    from analysis.model import LanguageModel

VALUE_NEURONS = 30
"""Value neurons whose queries are looked for, as in the published code."""
VALUES, QUERIES = 3 / 28, 6 / 28
"""Share of all layers in each group: GPT-J's published three and six of 28."""


def layer_scores(lm: "LanguageModel", prompt: str) -> tuple[np.ndarray, np.ndarray]:
    """What each layer's MLP adds to the model's own answer, and its neurons' query shares summed; each (L,)."""
    known = ("ace layers", prompt, lm.edits)
    if known in lm.memo:
        return lm.memo[known]
    tokens = lm.encode(prompt)
    with packed(lm), torch.no_grad():
        stream = read_stream(lm, tokens.tensor(lm.device))
        answer = int(lm.readout(stream.passage.last)[0].argmax())
        lens = FrozenLens(lm, stream.passage.last[0], answer)
        value = []
        for layer in range(lm.n_layers):
            base = stream.before("ffn", layer)[-1]
            whole = lens.log_probability(base + stream.written("ffn", layer)[-1]) - lens.log_probability(base)
            value.append(whole.item())
        field, count = Field.of(stream, "ffn"), min(VALUE_NEURONS, lm.n_layers * len(stream.vectors("ffn", 0)))
        if lens.cap is None:
            best = top_proven(lens, field, count)[0]
        else:
            gains = torch.stack([field.scores(lens, layer).cpu() for layer in range(lm.n_layers)])
            found = gains.flatten().topk(count)
            pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
            best = [(i // gains.shape[1], i % gains.shape[1], gain) for i, gain in pairs]
        places = [Place("ffn", layer, index, len(tokens) - 1) for layer, index, _ in best]
        share = queries(stream, places, torch.tensor([gain for *_, gain in best]), 1, "share").share
    lm.memo[known] = np.array(value), share.sum(1).numpy()
    return lm.memo[known]


def choose_layers(
    lm: "LanguageModel", prompts: Sequence[str], value: tuple[int, ...] | None = None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Query layers and value layers for these prompts; `value` where the value layers are chosen already.

    Value layers are the best of the upper half but the last, where nothing reads the subject's state any more; query
    layers the best below the lowest of them.
    """
    scores = [layer_scores(lm, prompt) for prompt in prompts]
    gained, fed = (np.mean([one[at] for one in scores], axis=0) for at in (0, 1))
    if value is None:
        upper = range(max(1, lm.n_layers // 2), max(2, lm.n_layers - 1))
        value = _best(gained, upper, max(1, round(VALUES * lm.n_layers)))
    return _best(fed, range(min(value)), max(1, round(QUERIES * lm.n_layers))), value


def _best(scores: np.ndarray, layers: range, count: int) -> tuple[int, ...]:
    return tuple(sorted(sorted(layers, key=lambda layer: -scores[layer])[:count]))
