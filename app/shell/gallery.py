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
from analysis import KnownRequest, KnownResult
from analysis.study import Request
from app.jobs.compute import stored
from app.jobs.run_entry import run_of
from app.jobs.store import SHIPPED, ResultStore, shipped_index
from app.registry.studies import ENTRIES, STUDIES, giving

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


@cache
def examples() -> tuple[Example, ...]:
    """All plates; those about many cases are there once it is stored which facts the model knows."""
    return tuple(one for entry in ENTRIES.values() if entry.examples for one in entry.read("examples")())


@cache
def known_facts_here() -> KnownResult | None:
    """Which facts the embedded model knows, once that is stored beside the app."""
    model = shipped_index()["model"]
    key = KnownRequest().key(model["weights_hash"]) if model else ""
    return ResultStore(SHIPPED, SHIPPED).load(giving(KnownResult).study, key)


def example(name: str) -> Example:
    """The example with this id."""
    return next(example for example in examples() if example.id == name)


def build(names: list[str]) -> None:
    """Compute the stored results that are missing, or the named ones anew, and write the index."""
    lm = analysis.load()
    facts = giving(KnownResult).name
    kept = {_ship(lm, facts, KnownRequest(), fresh=facts in names)}
    _write(lm, shipped_index()["gallery"])
    known_facts_here.cache_clear()
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
    made_on_pages = [entry for entry in ENTRIES.values() if entry.plate]
    plates += [{"id": entry.name, "key": None, "thumb": entry.read("plate")(lm)} for entry in made_on_pages]
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


if __name__ == "__main__":
    from app.shell import gallery  # the module that studies import, not this second one

    gallery.build(sys.argv[1:])
