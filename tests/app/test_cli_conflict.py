"""Memory against page from the terminal, on the tiny model."""

import csv
import json
from collections.abc import Iterator
from typing import Any

import pytest

from analysis import ModelSpec
from app.cli import main
from app.terminal import request_flags
from editors.recipes.recipe import read_recipe
from tests.kit.commands import refused
from tests.kit.conflicts import readable

PROMPT = ["--prompt", "the w24 stands in old . the w24 stands in a", "--subject", "w24", "--context", "old"]
MANY = ["conflict", "--find", "3", "--validation", "2", "--test", "3", "--ks", "1,2", "--draws", "2", "--at-least", "0"]


@pytest.fixture(autouse=True)
def model(monkeypatch, tiny) -> Iterator[None]:
    """Every command gets the tiny model and facts it is taken to know."""

    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    with readable(tiny):
        yield


def test_heads_of_a_prompt_and_their_files(tmp_path, capsys):
    place = tmp_path / "heads.json"
    assert main(["heads", *PROMPT, "--json", str(place), "--csv", str(tmp_path / "heads.csv")]) == 0
    out = capsys.readouterr().out
    assert "Heads that speak for memory" in out and "our reading" in out
    data = json.loads(place.read_text(encoding="utf-8"))
    rows = list(csv.DictReader((tmp_path / "heads.csv").open(encoding="utf-8")))
    assert len(rows) == len(data["heads"]) == 12
    assert float(rows[5]["score_memory"]) == data["heads"][5]["score_memory"]


def test_a_study_and_a_recipe_of_what_it_found(tmp_path, capsys):
    place, recipe = tmp_path / "study.json", tmp_path / "pruned.json"
    assert main([*MANY, "--json", str(place)]) == 0
    data = json.loads(place.read_text(encoding="utf-8"))
    assert data["reading"] == "PH3 (our reading)"
    assert {"none", "ranked", "random", "weakest", "mean", "instruction"} <= {
        one["treatment"] for one in data["outcomes"]
    }
    side = next(side for side in ("memory", "context") if data[f"{side}_heads"])
    assert main(["prune", "--study", str(place), "--side", side, "--k", "1", "--out", str(recipe)]) == 0
    edit = read_recipe(recipe)
    assert list(edit.request.heads) == data[f"{side}_heads"][:1]
    assert main(["generate", "--recipe", str(recipe), "--prompt", "the w24 stands", "--tokens", "2"]) == 0
    assert main(["recipe", "show", str(recipe)]) == 0
    assert "silent" in capsys.readouterr().out


def test_knockouts_and_transfer(tmp_path, capsys):
    place = tmp_path / "knockout.csv"
    assert main(["knockout", "--n", "2", "--at-least", "0", "--no-modules", "--csv", str(place)]) == 0
    assert len(list(csv.DictReader(place.open(encoding="utf-8")))) == 3 * 3
    few = ["--find", "2", "--test", "2", "--k", "1", "--at-least", "0"]
    assert main(["transfer", "--relations", "capital,language", "--forms", "sentence", *few]) == 0
    assert "found on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["heads", *PROMPT[:3], "w99", *PROMPT[4:]], "subject “w99” is not in the prompt"),
        (["heads", *PROMPT, "--memory-heads", "7.1"], "there is no head 7.1"),
        (["prune"], "--heads must be given"),
        (["prune", "--heads", "9.9"], "there is no head 9.9"),
        (["prune", "--heads", "1.1", "--prompt", "the {}"], "go together"),
        (["prune", "--study", "absent.json", "--side", "memory"], "not the JSON of a study"),
        (["conflict", "--file", "absent.json"], "not a file of conflicts"),
        (["conflict", "--ks", "0"], "between 1 and 50"),
    ],
)
def test_a_fault_gets_one_sentence(capsys, words, sentence):
    assert sentence in refused(capsys, *words)


def test_the_bench_compares_fast_with_plain(tmp_path, capsys):
    place = tmp_path / "bench.json"
    assert main(["bench", "conflict", "--quick", "--json", str(place)]) == 0
    figures = {one["name"]: one["value"] for one in json.loads(place.read_text(encoding="utf-8"))["figures"]}
    assert figures["patching.max_abs_difference"] <= 1e-5
    assert {"patching.ratio", "base.RM", "base.RC"} <= figures.keys()
    capsys.readouterr()
    assert "--parts is" in refused(capsys, "bench", "conflict", "--parts", "none")
