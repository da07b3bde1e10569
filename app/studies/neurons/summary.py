"""Neurons in lines of text."""

import numpy as np

from analysis import NeuronsResult
from app.terminal.text import STRONGEST, columns, model_line, shades, word


def neurons_summary(result: NeuronsResult) -> str:
    """Gains by layer, the strongest neurons, what is left without them."""
    gained = result.end - result.start
    parts = [
        f"{model_line(result.model)}\n"
        f"“{word(result.answer)}”: probability {result.probability:.3f}; attention raises its "
        f"log-probability by {result.attn_layer.sum():.2f}, MLPs by {result.mlp_layer.sum():.2f}, {gained:.2f} in all. "
        f"{result.scored} of {result.mlp.size} MLP neurons scored."
    ]
    layers = [
        (
            name,
            f"│{shades(np.maximum(values, 0), 0, float(max(values.max(), 1e-9)))}│",
            f"most at layer {values.argmax()}",
        )
        for name, values in (("attention", result.attn_layer), ("MLP", result.mlp_layer))
    ]
    parts.append(f"gain by layer\n{columns(layers)}")
    for role, cards in (("value", result.value), ("query", result.query)):
        rows = [
            (card.name, word(result.tokens[card.token]), card.score, card.zeroed, " ".join(map(word, card.promotes)))
            for part in ("mlp", "attn")
            for card in [one for one in cards if one.part == part][:STRONGEST]
        ]
        parts.append(columns(rows, (f"{role} neuron", "at", "score", "zeroed", "promotes")))
    for one in result.ablations:
        lines = [
            (count, p, float(np.mean(control)) if len(control) else "–")
            for count, p, control in zip(one.counts, one.probability, one.random.T, strict=True)
        ]
        parts.append(columns(lines, (f"{one.role} neurons off", f"P({word(result.answer)})", "as many at random")))
    if (agreement := result.agreement()) is not None:
        parts.append(
            f"Integrated gradients agree with these scores by a rank correlation of {agreement[0]:.2f}; "
            f"{agreement[1]:.0%} of the first 100 are the same."
        )
    if (agreed := result.tokens_agree()) is not None:
        words = zip(map(word, result.tokens), result.tokens_ablated, result.tokens_integrated, strict=True)
        parts.append(columns(list(words), ("token", "replaced", "integrated")))
        parts.append(
            f"What tokens add agrees by a correlation of {agreed:.2f}; the integrated parts add to "
            f"{result.tokens_integrated.sum():.2f} of {result.tokens_gain:.2f}."
        )
    return "\n\n".join([*parts, *result.notes])
