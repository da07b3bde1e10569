"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

import numpy as np

from app.chapters.example import BENCH, Add, Example, Rows, unit, value
from app.chapters.stored_figures import n_of

if TYPE_CHECKING:
    from analysis import AverageResult, TraceResult

REPAIRED = {"state": "hidden state", "mlp": "MLP outputs", "attn": "attention outputs"}


def _trace_figures(add: Add, found: "TraceResult") -> None:
    add("clean", found.high, "P(answer)")
    add("blurred", found.low, "P(answer)", found.request.samples)
    samples = found.samples("state")
    for name, tokens in (("subject", range(*found.subject)), ("last", [len(found.tokens) - 1])):
        own = found.scores("state")[:, tokens]
        layer, at = np.unravel_index(own.argmax(), own.shape)
        cell = samples[:, layer, tokens[at]]
        half = 1.96 * float(cell.std(ddof=1)) / np.sqrt(len(cell))
        add(f"{name}.layer", float(layer), f"layer, token {tokens[at]}")
        add(f"{name}.repaired", float(own.max()), "P(answer)", len(cell), half)


def _trace_rows() -> Rows:
    yield "as it stands", "", value("trace", "clean", 3), n_of(BENCH, "trace.clean")
    yield "subject blurred", "", value("trace", "blurred", 3), n_of(BENCH, "trace.blurred")
    for name, words in (("subject", "the subject’s best state repaired"), ("last", "the last token’s best repaired")):
        where = f"{unit('trace', f'{name}.layer').removeprefix('layer, ')}, layer {value('trace', f'{name}.layer')}"
        yield words, where, value("trace", f"{name}.repaired", 3), n_of(BENCH, f"trace.{name}.repaired")


def _average_figures(add: Add, found: "AverageResult") -> None:
    add("total_effect", 100 * found.total_effect[0], "points", len(found.ids), 100 * found.total_effect[1])
    for kind in found.mean:
        for row in ("last subject token", "last token"):
            layer, mean, half = found.peak(kind, row)
            add(f"{kind}.{row}", 100 * mean, "points", len(found.ids), 100 * half)
            add(f"{kind}.{row}.layer", layer, "layer")


def _average_rows() -> Rows:
    n = n_of(BENCH, "average.total_effect")
    yield "everything", "", "", value("average", "total_effect"), n
    for kind, words in REPAIRED.items():
        for row in ("last subject token", "last token"):
            yield words, row, value("average", f"{kind}.{row}.layer"), value("average", f"{kind}.{row}"), n


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "trace": Example(
            'trace --prompt "The Eiffel Tower is located in the city of" --subject "The Eiffel Tower"',
            ("run", "where", "P(Paris)", "noise samples"),
            _trace_figures,
            _trace_rows,
        ),
        "average": Example(
            "average --facts 50 --samples 3",
            ("repaired", "token", "layer", "points of probability brought back", "facts"),
            _average_figures,
            _average_rows,
        ),
    }
