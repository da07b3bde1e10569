"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING, Any

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import names_below

if TYPE_CHECKING:
    from argparse import Namespace

    from analysis import LanguageModel
    from editors.layer_sweep.result import LayersResult


def _layers_figures(add: Add, found: "LayersResult") -> None:
    score, effect, n = found.mean(found.score)[0], found.mean(found.effect)[0], len(found.request.facts)
    for at, layer in enumerate(found.layers):
        add(f"{layer}.score", score[at], "rewrite score", n)
        add(f"{layer}.effect", effect[layer], "P(answer) brought back", n)
        for kind in ("paraphrase", "neighbour"):
            add(f"{layer}.{kind}", 100 * found.mean(found.likelier[kind])[0][at], "% likelier", n)
    add("correlation", found.correlation(), "Pearson, rewrite score and effect", len(found.layers))


def _layers_rows() -> Rows:
    layers = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, "layers") if name[0].isdigit()})
    for layer in layers:
        if layer % 3 == 0:
            shares = [value("layers", f"{layer}.{kind}") for kind in ("paraphrase", "neighbour")]
            yield str(layer), value("layers", f"{layer}.score", 2), *shares, value("layers", f"{layer}.effect", 2)


def _asks(args: "Namespace", lm: "LanguageModel") -> dict[str, Any]:
    from app.studies.edit.commands.command import facts_of

    return {"facts": facts_of(args)}


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "layers": Example(
            'layers --prompt "{} is located in the city of" --subject "The Eiffel Tower" --target "Rome"',
            ("layer", "rewrite score", "said otherwise, %", "neighbours kept, %", "brought back"),
            _layers_figures,
            _layers_rows,
            _asks,
        ),
    }
