"""Examples to begin with, each with its result stored beside the app.

A stored result is a real run of the embedded model, found by the same key as any other, so it
shows at once while the model is still being loaded. `python -m app.shell.gallery` computes those that are missing (an
hour for all), and anew those it is told by their ids.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import analysis
from analysis import AverageRequest, HopsRequest, KnownRequest, LensRequest, NeuronsRequest, TraceRequest, read_facts
from analysis.study import Request
from app.jobs.compute import stored
from app.jobs.run_entry import run_of
from app.jobs.store import SHIPPED, ResultStore, shipped_index
from app.registry.studies import STUDIES
from app.studies.conflict.form import EXAMPLE as LONDON
from app.studies.drift.figure import drift_thumbnail
from app.studies.edit.form import EditForm
from app.studies.evaluate.words import METHODS
from editors.attention_drift.result import DriftRequest
from editors.cases.case import Case, own_cases
from editors.evaluation.result import EvaluateRequest
from editors.lifelong_editing.result import LifelongRequest

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
PROMPTS = (
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


EVALUATED, IN_A_ROW = 100, 200
"""Facts of the evaluation and of the stream."""


@cache
def examples() -> tuple[Example, ...]:
    """All plates; those about many cases are there once it is stored which facts the model knows."""
    model = shipped_index()["model"]
    key = KnownRequest().key(model["weights_hash"]) if model else ""
    asked = ResultStore(SHIPPED, SHIPPED).load(STUDIES["facts"], key)
    if asked is None:
        return PROMPTS
    facts, sure, said = read_facts(), set(asked.known(0.3)), set(asked.known())
    evaluated = own_cases(fact for fact in facts if fact.id in sure)[:EVALUATED]
    stream = [case for case in own_cases(facts) if case.id in said][:IN_A_ROW]
    return (*PROMPTS, *_of_many(tuple(evaluated), tuple(stream)))


def _of_many(evaluated: tuple[Case, ...], stream: tuple[Case, ...]) -> tuple[Example, ...]:
    return (
        Example(
            "evaluate",
            "Evaluate",
            "Eight methods side by side",
            f"Each writes the same {len(evaluated)} facts, one at a time",
            "evaluate",
            EvaluateRequest(cases=evaluated, methods=METHODS),
        ),
        Example(
            "lifelong",
            "Evaluate",
            f"{len(stream)} edits in a row",
            "What is left of the first, and of the model",
            "lifelong",
            LifelongRequest(cases=stream, method="memit"),
        ),
    )


def example(name: str) -> Example:
    """The example with this id."""
    return next(example for example in examples() if example.id == name)


def build(names: list[str]) -> None:
    """Compute the stored results that are missing, or the named ones anew, and write the index."""
    lm = analysis.load()
    kept = {_ship(lm, "facts", KnownRequest(), fresh="facts" in names)}
    _write(lm, shipped_index()["gallery"])
    examples.cache_clear()
    plates: list[dict[str, Any]] = []
    for example in examples():
        for name, request in ((example.study, example.request), *example.beside):
            key = _ship(lm, name, request, fresh=example.id in names)
            kept.add(key)
            if name == example.study:
                study = STUDIES[name]
                result = ResultStore(SHIPPED, SHIPPED).load(study, key)
                plates.append({"id": example.id, "key": key, "thumb": run_of(study, key, result).thumbnail})
    plates.append({"id": "drift", "key": None, "thumb": _drift_of_the_first_edit(lm)})
    for folder in SHIPPED.iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder)
    _write(lm, plates)


def _ship(lm: "LanguageModel", name: str, request: Request, *, fresh: bool) -> str:
    """Have a result beside the app, and its key; what this machine has computed of it is not computed again."""
    study, key = STUDIES[name], request.key(lm.weights_hash)
    shipped = ResultStore(SHIPPED, SHIPPED)
    if fresh or shipped.load(study, key) is None:
        shipped.save(study, key, stored(study, request, lm, ResultStore(), fresh=fresh))
    return key


def _write(lm: "LanguageModel", plates: list[dict[str, Any]]) -> None:
    index = {"model": lm.card(), "gallery": plates}
    (SHIPPED / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _drift_of_the_first_edit(lm: "LanguageModel") -> list[list[float]]:
    """What the fact on the edit page does to attention: it is made on the page, so only its picture is kept."""
    edit = STUDIES["edit"].run(lm, EditForm().asked())
    return drift_thumbnail(STUDIES["drift"].run(lm, LOUVRE, stack=[edit]).drift)


if __name__ == "__main__":
    build(sys.argv[1:])
