"""What tests of sweeps ask: six cases, a model in a folder, and results beside each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.study import pack
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.cases.case import Case
from editors.edit.probes import Probe
from editors.edit.request import Rewrite
from tests.kit.families import build, word_tokenizer

SUBJECTS = ("tower of Aldra", "mother", "city", "tower", "Brin Corvo", "Aldra")
FIELDS = {"methods": ("ft",), "words": 2}


def case(subject: str) -> Case:
    fact = Rewrite(prompt="the old {} stands in a", subject=subject, target="river")
    probes = (Probe(0, "rewrite", fact.text, "river", "city"), Probe(0, "neighbour", "near the", "river", "city"))
    return Case((fact,), ("city",), probes, (), subject.replace(" ", "-"))


CASES = tuple(case(subject) for subject in SUBJECTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    build("llama").save_pretrained(place)
    word_tokenizer().save_pretrained(place)
    return place


def numbers(study: str, keys: Sequence[str], store: ResultStore) -> list[Any]:
    """Results without when and how long."""
    found = []
    for key in keys:
        data, arrays = pack(store.load(STUDIES[study], key))
        found.append((data | {"provenance": None, "seconds": None}, arrays, data["seconds"]["$array"]))
    return found


def same(one: list[Any], other: list[Any], tolerance: float = 0.0) -> bool:
    return all(
        a[0] == b[0]
        and all(
            np.allclose(a[1][name], b[1][name], rtol=0, atol=tolerance, equal_nan=True) for name in a[1] if name != a[2]
        )
        for a, b in zip(one, other, strict=True)
    )
