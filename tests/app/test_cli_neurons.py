"""`palimpsest neurons` and `palimpsest hops`: what they promise, and a sentence for what cannot be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import ModelSpec, NeuronsRequest, neurons
from analysis.model.language_model import LanguageModel
from app.cli import main
from app.terminal import request_flags

PROMPT = "the old tower of Aldra stands in a city"
WORDS = ["neurons", "--prompt", PROMPT, "--top", "4", "--counts", "1,3", "--draws", "1"]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tiny: LanguageModel) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)


def test_neurons_write_what_they_promise(tmp_path: Path, tiny: LanguageModel, capsys: Any) -> None:
    files = {form: tmp_path / f"out.{form}" for form in ("json", "csv", "html")}
    assert main([*WORDS, *(word for form, file in files.items() for word in (f"--{form}", str(file)))]) == 0
    data = json.loads(files["json"].read_text(encoding="utf-8"))
    own = neurons(tiny, NeuronsRequest(prompt=PROMPT, top=4, counts=(1, 3), draws=1))
    assert np.allclose(data["mlp"], own.mlp)
    assert data["neurons_scored"] == own.mlp.size
    assert [card["name"] for card in data["value"]] == [card.name for card in own.value]
    table = pd.read_csv(files["csv"])
    assert len(table) == len(own.value) + len(own.query)
    assert "plotly" in files["html"].read_text(encoding="utf-8").lower()
    said = capsys.readouterr().out
    assert own.value[0].name in said
    assert "neurons off" in said


def test_hops_count_what_is_right(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "hops.csv"
    assert main(["hops", "--limit", "3", "--csv", str(file)]) == 0
    assert "3 chains" in capsys.readouterr().out
    assert len(pd.read_csv(file)) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["hops", "--second", "colour"], "no second hop"), ([*WORDS[:3], "--counts", "0"], "from 1 to")],
)
def test_nonsense_gets_a_sentence(words: list[str], sentence: str, capsys: Any) -> None:
    assert main(words) == 2
    assert sentence in capsys.readouterr().err


EDIT = ["edit", "--prompt", "the old {} stands in a", "--subject", "tower of Aldra", "--target", "river"]
EDIT += ["--steps", "3", "--contexts", "1", "--context-tokens", "3", "--tokens", "600", "--layers", "1"]


def test_ace_and_ifmet_write_two_groups_of_layers(tmp_path: Path, capsys: Any) -> None:
    for words in (["--method", "ace"], ["--method", "ifmet", "--two-hop", "near mother of Brin speaks a"]):
        file = tmp_path / f"{words[1]}.json"
        assert main([*EDIT, *words, "--shallow", "0", "--out", str(file)]) == 0
        recipe = json.loads(file.read_text(encoding="utf-8"))
        assert [tensor["layer"] for tensor in recipe["artefact"]["tensors"]] == [0, 1]
    capsys.readouterr()
    assert main([*EDIT, "--method", "ifmet"]) == 2
    assert "over a hop before it" in capsys.readouterr().err
