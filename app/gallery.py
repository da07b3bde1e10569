"""Examples to begin with, each with its result stored beside the app.

A stored result is a real run of the embedded model, found by the same key as any other, so it
shows at once while the model is still being loaded. `python -m app.gallery` computes them anew.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import analysis
from analysis import AverageRequest, HopsRequest, LensRequest, NeuronsRequest, TraceRequest
from analysis.study import Request
from app.charts.drift_maps import drift_thumbnail
from app.compute import compute
from app.conflict_form import EXAMPLE as LONDON
from app.edit_form import EditForm
from app.rail_entries import run_of
from app.store import SHIPPED, ResultStore
from app.studies import STUDIES
from editors.drift_result import DriftRequest

if TYPE_CHECKING:
    from analysis import LanguageModel


@dataclass(frozen=True)
class Example:
    """One plate of the gallery."""

    id: str
    group: str
    title: str
    sub: str
    study: str
    request: Request
    beside: tuple[tuple[str, Request], ...] = ()
    """Studies its page shows with it, and what they are asked."""


KINDS = ("state", "mlp", "attn")
EIFFEL = TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower", kinds=KINDS)
COLOSSEUM = NeuronsRequest(
    prompt="The capital of the country where the Colosseum is located is the city of", mode="screened"
)
LOUVRE = DriftRequest(
    prompt="The Eiffel Tower is located in the city of Rome. The Louvre is a famous landmark in the city of",
    subject="The Eiffel Tower",
    grids=(),
)
EXAMPLES = (
    Example("eiffel", "Trace", "The Eiffel Tower", "is located in the city of Paris", "trace", EIFFEL),
    Example(
        "great-wall",
        "Trace",
        "The Great Wall",
        "is located in the country of China",
        "trace",
        TraceRequest(prompt="The Great Wall is located in the country of", subject="The Great Wall", kinds=KINDS),
    ),
    Example(
        "einstein",
        "Trace",
        "Albert Einstein",
        "worked in the field of physics",
        "trace",
        TraceRequest(prompt="Albert Einstein worked in the field of", subject="Albert Einstein", kinds=KINDS),
    ),
    Example(
        "swapped",
        "Trace",
        "France, not Germany",
        "Another subject in its place instead of noise",
        "trace",
        TraceRequest(
            prompt="The government of France has its capital in",
            subject="France",
            corruption="replace",
            replacement="Germany",
            kinds=KINDS,
        ),
    ),
    Example(
        "average",
        "Many facts",
        "Fifty facts at once",
        "Early site and late site, with their intervals",
        "average",
        AverageRequest(samples=3),
    ),
    Example(
        "lens",
        "Lens",
        "When does it know?",
        "What every state of the prompt would say",
        "lens",
        LensRequest(prompt=EIFFEL.prompt),
    ),
    Example(
        "conflict",
        "Conflict",
        "Paris or London?",
        "Heads that speak for memory, heads that read the page",
        "heads",
        LONDON,
    ),
    Example(
        "neurons",
        "Neurons",
        "The country of the Colosseum",
        "From the question to its capital, neuron by neuron",
        "neurons",
        COLOSSEUM,
        (("hops", HopsRequest(chains=("landmark_country/colosseum/capital",), knock_out=True, back_patch=True)),),
    ),
)


def example(name: str) -> Example:
    """The example with this id."""
    return next(example for example in EXAMPLES if example.id == name)


def build(names: list[str]) -> None:
    """Compute the stored results that are missing, or the named ones anew, and write the index."""
    lm = analysis.load()
    store = ResultStore(SHIPPED, SHIPPED)
    plates: list[dict[str, Any]] = []
    kept: set[str] = set()
    for example in EXAMPLES:
        for name, request in ((example.study, example.request), *example.beside):
            study, key = STUDIES[name], request.key(lm.weights_hash)
            result = store.load(study, key)
            if (result is None and not names) or example.id in names:
                result = compute(study, request, lm, store)
            if result is None:
                continue
            kept.add(key)
            if name == example.study:
                plates.append({"id": example.id, "key": key, "thumb": run_of(study, key, result).thumbnail})
    plates.append({"id": "drift", "key": None, "thumb": _drift_of_the_first_edit(lm)})
    for folder in SHIPPED.iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder)
    index = {"model": lm.card(), "gallery": plates}
    (SHIPPED / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _drift_of_the_first_edit(lm: "LanguageModel") -> list[list[float]]:
    """What the fact on the edit page does to attention: it is made on the page, so only its picture is kept."""
    edit = STUDIES["edit"].run(lm, EditForm().asked())
    return drift_thumbnail(STUDIES["drift"].run(lm, LOUVRE, stack=[edit]).drift)


if __name__ == "__main__":
    build(sys.argv[1:])
