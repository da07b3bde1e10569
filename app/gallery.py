"""Examples to begin with, each with its result stored beside the app.

A stored result is a real run of the embedded model, found by the same key as any other, so it
shows at once while the model is still being loaded. `python -m app.gallery` computes them anew.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from typing import Any

import analysis
from analysis import AverageRequest, LensRequest, TraceRequest
from analysis.study import Request
from app.compute import compute
from app.rail_entries import run_of
from app.store import SHIPPED, ResultStore
from app.studies import STUDIES


@dataclass(frozen=True)
class Example:
    """One plate of the gallery."""

    id: str
    group: str
    title: str
    sub: str
    study: str
    request: Request


KINDS = ("state", "mlp", "attn")
EIFFEL = TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower", kinds=KINDS)
EXAMPLES = (
    Example("eiffel", "Known facts", "The Eiffel Tower", "is located in the city of Paris", "trace", EIFFEL),
    Example(
        "great-wall",
        "Known facts",
        "The Great Wall",
        "is located in the country of China",
        "trace",
        TraceRequest(prompt="The Great Wall is located in the country of", subject="The Great Wall", kinds=KINDS),
    ),
    Example(
        "einstein",
        "Known facts",
        "Albert Einstein",
        "worked in the field of physics",
        "trace",
        TraceRequest(prompt="Albert Einstein worked in the field of", subject="Albert Einstein", kinds=KINDS),
    ),
    Example(
        "swapped",
        "Other ways to blur",
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
)


def example(name: str) -> Example:
    """The example with this id."""
    return next(example for example in EXAMPLES if example.id == name)


def build(names: list[str]) -> None:
    """Compute the stored results that are missing, or the named ones anew, and write the index."""
    lm = analysis.load()
    store = ResultStore(SHIPPED, SHIPPED)
    plates: list[dict[str, Any]] = []
    for example in EXAMPLES:
        study, key = STUDIES[example.study], example.request.key(lm.weights_hash)
        result = store.load(study, key)
        if (result is None and not names) or example.id in names:
            result = compute(study, example.request, lm, store)
        if result is None:
            continue
        plates.append({"id": example.id, "key": key, "thumb": run_of(study, key, result).thumbnail})
    kept = {plate["key"] for plate in plates}
    for folder in SHIPPED.iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder)
    index = {"model": lm.card(), "gallery": plates}
    (SHIPPED / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    build(sys.argv[1:])
