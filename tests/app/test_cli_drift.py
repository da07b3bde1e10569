"""Attention drift from the terminal: recipes in, maps and files out, one sentence for a fault."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import ModelSpec
from app.cli import main
from app.exports.json_csv import to_csv, to_json
from app.exports.notebook import notebook
from app.exports.tables import table
from app.jobs import compute as computing
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from editors.attention_drift.result import DriftRequest, DriftsRequest, PatchRequest
from editors.attention_drift.run import drift, patch
from editors.attention_drift.tasks_run import drifts
from editors.edit.probes import Probe
from editors.recipes.recipe import read_recipe, write_recipe
from tests.editors.test_drift import PROMPT, SUBJECT, edit_of
from tests.kit.commands import refused

ASK = ["--prompt", PROMPT, "--subject", SUBJECT]
PROBES = (
    Probe(0, "other", "the old tower of Aldra speaks", "river", "mother"),
    Probe(0, "neighbour", "the old Brin stands in a", "river", "city"),
)


@pytest.fixture
def recipe(tmp_path, tiny) -> Path:
    place = tmp_path / "one.json"
    write_recipe(edit_of(tiny, layer=0, probes=PROBES), place)
    return place


def test_drift_is_shown_and_written(specs, recipe, tiny, tmp_path, capsys):
    files = {form: tmp_path / f"out.{form}" for form in ("json", "csv", "html")}
    words = [word for form, place in files.items() for word in (f"--{form}", str(place))]
    assert main(["drift", *ASK, "--answer", "city", "--recipe", str(recipe), *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "without the edits" in out
    assert specs == [ModelSpec(source=tiny.card()["source"])]
    data = json.loads(files["json"].read_text())
    assert np.shape(data["drift"]) == (3, 4)
    assert np.shape(data["grids"]["mlp"]["answer"]) == (3, 13)
    assert data["model"]["edits"]
    rows = pd.read_csv(files["csv"])
    assert rows["kind"].value_counts().to_dict() == {"heads": 12, "layers": 3, "mlp": 39, "attn": 39}
    assert np.allclose(rows["drift"].dropna(), np.ravel(data["drift"]), atol=1e-7)
    assert "<html" in files["html"].read_text()[:200]


def test_what_ctrl_c_ends_under_an_edit_goes_on_from_there(specs, recipe, tiny, monkeypatch, capsys):
    run = computing.compute

    def interrupted(what: Any, request: Any, lm: Any, store: Any, report: Any, *edits: Any, **more: Any) -> Any:
        def once(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
            report(done, total, note, partial, share)
            if partial is not None:
                raise KeyboardInterrupt

        return run(what, request, lm, store, once, *edits, **more)

    monkeypatch.setattr(computing, "compute", interrupted)
    assert main(["drift", *ASK, "--recipe", str(recipe)]) == 130
    assert "goes on from here" in capsys.readouterr().err
    key = computing.key_of(DriftRequest(prompt=PROMPT, subject=SUBJECT), tiny, [read_recipe(recipe)])
    assert ResultStore().load(STUDIES["drift"], key, stopped=True) is not None


def test_heads_are_set_back(specs, recipe, tmp_path, capsys):
    place = tmp_path / "patch.json"
    assert main(["patch", *ASK, "--heads", "1.0,2", "--recipe", str(recipe), "--json", str(place)]) == 0
    assert "1.0, 2 set back" in capsys.readouterr().out
    data = json.loads(place.read_text())
    assert list(data["said"]) == ["without the edits", "with them", "heads set back"]


def test_over_all_prompts(specs, recipe, tmp_path, capsys):
    place = tmp_path / "drifts.json"
    assert main(["drifts", "--recipe", str(recipe), "--heads", "2", "--json", str(place)]) == 0
    out = capsys.readouterr().out
    assert "relation" in out
    assert "distracting" in out
    data = json.loads(place.read_text())
    assert len(data["prompts"]) == 2
    assert np.shape(data["mean_drift"]["all"]) == (3, 4)


def test_faults_get_a_sentence(specs, recipe, capsys):
    for name, entry in ENTRIES.items():
        if entry.needs_edits:
            told = refused(capsys, name, *(ASK if name in ("drift", "patch") else ()))
            assert f"--recipe must be given: “{entry.question}” is asked of an edit" in told
    assert "is no head" in refused(capsys, "patch", *ASK, "--heads", "x.1", "--recipe", str(recipe))
    assert "there is no 9.9" in refused(capsys, "patch", *ASK, "--heads", "9.9", "--recipe", str(recipe))
    assert "is not in the prompt" in refused(
        capsys, "drift", "--prompt", PROMPT, "--subject", "the Louvre", "--recipe", str(recipe)
    )


def test_tables_and_files_say_the_same(tiny):
    stack = [edit_of(tiny, layer=0, probes=PROBES)]
    results = [
        drift(tiny, DriftRequest(prompt=PROMPT, subject=SUBJECT, grids=("layers",)), stack=stack),
        patch(tiny, PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=("1",)), stack=stack),
        drifts(tiny, DriftsRequest(heads=2), stack=stack),
    ]
    for result in results:
        data = json.loads(to_json(result), parse_constant=lambda name: pytest.fail(name))
        assert data["model"] == result.model
        assert type(result.request).model_validate(data["request"]) == result.request
        assert len(to_csv(result).splitlines()) == len(table(result)) + 1


def test_the_notebook_reads_its_edits(tiny, recipe, monkeypatch):
    monkeypatch.setattr("analysis.load", lambda: tiny)
    names: dict[str, Any] = {}
    request = DriftRequest(prompt=PROMPT, subject=SUBJECT, grids=("layers",))
    monkeypatch.chdir(recipe.parent)
    exec(notebook("drift", request, edits=(read_recipe(recipe).id,)), names)  # noqa: S102 - the snippet is ours
    assert names["result"].request == request


def test_an_edit_may_hold_attention_back(specs, tmp_path):
    from tests.app.test_cli_editing import EDIT

    place = tmp_path / "held.json"
    assert main([*EDIT, "--sadr", "0.5", "--sadr-steps", "2", "--out", str(place)]) == 0
    asked = json.loads(place.read_text())["request"]
    assert (asked["sadr"], asked["sadr_selective"]) == (0.5, True)
