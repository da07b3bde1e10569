"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

import numpy as np

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import names_below

if TYPE_CHECKING:
    from analysis import NeuronsResult


def _neurons_figures(add: Add, found: "NeuronsResult") -> None:
    add("clean", found.probability, "P(answer)")
    for name, values in (("attention", found.attn_layer), ("MLPs", found.mlp_layer)):
        add(f"{name}.gain", float(values.sum()), "nats")
        add(f"{name}.layer", int(values.argmax()), "layer")
    for one in found.ablations:
        for count, probability, drawn in zip(one.counts, one.probability, one.random.T, strict=True):
            add(f"{one.role}.{count}", float(probability), "P(answer)")
            add(f"{one.role}.{count}.random", float(np.mean(drawn)) if len(drawn) else np.nan, "P(answer)", len(drawn))


def _neurons_rows() -> Rows:
    yield "as it stands", value("neurons", "clean", 2), ""
    for role in ("value", "query"):
        counts = [name for name in names_below(BENCH, f"neurons.{role}") if name.isdigit()]
        for count in counts:
            drawn = value("neurons", f"{role}.{count}.random", 2)
            off = f"the strongest {role} neuron off" if count == "1" else f"the {count} strongest {role} neurons off"
            yield off, value("neurons", f"{role}.{count}", 2), drawn


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "neurons": Example(
            'neurons --prompt "The capital of France is" --draws 1 --counts 1,10,100',
            ("run", "P(Paris)", "as many at random off"),
            _neurons_figures,
            _neurons_rows,
        ),
    }
