"""A method of editing of a package of its own is used as ours are; its edits stay when the package is gone."""

import json
from typing import Any

import pytest
import torch

import analysis
from analysis.study import pack, unpack
from app.cli import main
from app.exports.edit_notebook import edit_notebook
from app.exports.json_csv import to_csv
from app.exports.notebook import result_code
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from editors.cases.case import Case
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.evaluation.result import EvaluateRequest
from editors.evaluation.run import evaluate
from editors.layer_sweep.result import LayersRequest
from editors.lifelong_editing.result import LifelongRequest
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.quizzes.result import QuizRequest
from editors.recipes.recipe import read_recipe, recipe_of
from editors.registry.methods import METHODS
from editors.registry.ours import OURS
from editors.registry.versions import compared, label_of
from tests.editors.test_evaluate import CASES
from tests.kit.commands import refused, specs
from tests.kit.edits import TOWER
from tests.kit.installing import Installed, installed, nearest
from tests.kit.visiting import FACT as FORM
from tests.kit.visiting import fine, text, visit, wrote

__all__ = ["installed", "nearest", "specs"]
FEW: dict[str, Any] = {"contexts": 2, "context_tokens": 4, "tokens": 600, "steps": 4}
FLAGS = ["--contexts", "2", "--context-tokens", "4", "--tokens", "600", "--steps", "4"]
FACT = ["--prompt", TOWER.prompt, "--subject", TOWER.subject, "--target", TOWER.target]
ENTRY = """
from editors.registry.entry import Method

def method(**other):
    own = dict(name="other", label="Other", does="write", source="nobody", write="broken:method")
    return Method(**own | other)
"""


def asked(**more: Any) -> EditRequest:
    return EditRequest(facts=(TOWER,), method="nearest", **FEW | more)


def test_it_writes_what_its_form_says(nearest: Installed, tiny: Any) -> None:
    assert list(METHODS)[-1] == "nearest"
    full = settled(tiny, asked())
    assert (full.layers, full.clamp, full.rate) == ((tiny.n_layers // 2,), 2.0, 0.5)
    edit = write(tiny, asked(contexts=0), probe=False, glance=False)
    assert [change.rank for change in edit.changes] == [1]
    assert edit.found.written == [pytest.approx(1.0, abs=1e-3)]  # the bare prompt's key is sent to its value
    assert edit.provenance["package"] == "some-studies 1.0"


def test_the_terminal_writes_with_it_and_puts_it_on_without_it(
    nearest: Installed, specs: Any, capsys: Any, tmp_path: Any, tiny: Any
) -> None:
    place = tmp_path / "near.json"
    assert main(["edit", *FACT, "--method", "nearest", *FLAGS, "--out", str(place)]) == 0
    capsys.readouterr()
    recipe = json.loads(place.read_text(encoding="utf-8"))
    assert recipe["method"]["provenance"]["package"] == "some-studies 1.0"
    edit, stored = read_recipe(place), pack(read_recipe(place))
    prompt = torch.tensor([[5, 9, 2]])
    with written_over(tiny, [edit]):
        with_package = tiny.logits(prompt)
    nearest.remove()
    assert "nearest" not in METHODS
    alone = read_recipe(place)
    with written_over(tiny, [alone]):
        assert torch.equal(tiny.logits(prompt), with_package)
    assert unpack(Edit, *stored).id == alone.id == edit.id
    assert recipe_of(alone)[0]["id"] == recipe["id"]
    assert label_of("nearest") == "nearest"


def test_what_it_wrote_is_taken_away_and_stored_as_ours_is(nearest: Installed, tiny: Any, monkeypatch: Any) -> None:
    edit = write(tiny, asked(), glance=False)
    store, study = ResultStore(), STUDIES["edit"]
    store.save(study, edit.id, edit)
    assert to_csv(store.load(study, edit.id)) == to_csv(edit)
    assert "Nearest, recipe" in edit_notebook(edit)
    monkeypatch.setattr(analysis, "load", lambda *_, **__: tiny)
    names: dict[str, Any] = {}
    exec(result_code(edit), names)  # noqa: S102 - the snippet is ours
    assert names["result"].id == edit.id


def test_comparisons_and_sweeps_name_it(nearest: Installed, specs: Any, capsys: Any, tiny: Any, tmp_path: Any) -> None:
    assert {"nearest", "rome+sadr"} <= set(compared())
    cases: tuple[Case, ...] = CASES[:1]
    for kind in (EvaluateRequest, QuizRequest):
        assert kind(cases=cases, methods=("nearest", "nearest+sadr")).needs()
    assert LifelongRequest(cases=cases, method="nearest").needs()
    assert LayersRequest(facts=(TOWER,), method="nearest").method == "nearest"
    found = evaluate(tiny, EvaluateRequest(cases=cases, methods=("nearest",), free=False))
    assert found.versions == ["none", "nearest"]
    assert not found.faults
    data, out = tmp_path / "cases.csv", tmp_path / "sweep.json"
    row = "the old tower of Aldra stands in a,tower of Aldra,river,city"
    data.write_text(f"prompt,subject,target,old\n{row}\n", encoding="utf-8")
    words = ["sweep", "evaluate", "--data", str(data), "--vary", "methods=nearest,rome", "--no-free", "--out", str(out)]
    assert main(words) == 0
    assert "2 requests: 2 computed" in capsys.readouterr().out


def test_the_pages_offer_it_and_show_what_it_wrote_when_it_is_gone(nearest: Installed, ready: Any) -> None:
    at = fine(visit("edit", **FORM | {"method": "nearest"}))
    assert "Nearest" in at.button_group(key="edit.method").options
    at = wrote(at)
    assert "Nearest · layer" in text(at)
    offered = fine(visit("evaluate")).button_group(key="evaluate.methods").options
    assert {"Nearest", "IFMET", "Fine-tuning", "ROME with SADR"} <= set(offered)
    nearest.remove()
    after = fine(visit("edit"))
    assert "nearest · layer" in text(after)
    assert "Nearest" not in after.button_group(key="edit.method").options


def test_its_edition_renews_its_keys_and_no_others(nearest: Installed) -> None:
    before = {name: EditRequest(facts=(TOWER,), method=name).key("weights") for name in METHODS}
    several = EvaluateRequest(cases=CASES[:1], methods=("rome", "nearest")).key("weights")
    object.__setattr__(METHODS["nearest"], "edition", 1)
    after = {name: EditRequest(facts=(TOWER,), method=name).key("weights") for name in METHODS}
    assert {name for name in METHODS if before[name] != after[name]} == {"nearest"}
    assert EvaluateRequest(cases=CASES[:1], methods=("rome", "nearest")).key("weights") != several


def test_one_there_is_none_of_is_refused_with_those_there_are(nearest: Installed, specs: Any, capsys: Any) -> None:
    said = refused(capsys, "edit", *FACT, "--method", "scalpel")
    assert "there is no method “scalpel”; there are rome, memit, " in said
    assert "nearest" in said
    said = refused(capsys, "layers", *FACT, "--method", "memit")
    assert "no method of one layer “memit”; there are rome, emmet, ft, nearest" in said
    with pytest.raises(ValueError, match="there is no method “scalpel”; take rome, "):
        EvaluateRequest(cases=CASES[:1], methods=("scalpel",))


def test_a_schema_lists_those_there_are(nearest: Installed) -> None:
    listed = EditRequest.model_json_schema()["properties"]["method"]["enum"]
    assert listed == [*(method.name for method in OURS), "nearest"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("raise RuntimeError('no\\nluck')", "broken:OTHER cannot be read (RuntimeError: no luck)"),
        ("OTHER = method", "is no Method of editors.registry.entry"),
        ("OTHER = method(colour='red')", "unexpected keyword argument 'colour'"),
        ("OTHER = method(name='rome')", "there is a method “rome” already"),
        ("OTHER = method(name='none')", "there is a method “none” already"),
        ("OTHER = method(name='rome+sadr')", "its name is “rome+sadr”"),
        ("OTHER = method(label='')", "it has no label"),
        ("OTHER = method(write='')", "it names either write, which makes the changes, or whole"),
        ("OTHER = method(whole='broken:method')", "it names either write"),
        ("OTHER = method(write='nowhere:method')", "its write is “nowhere:method”; there is no module nowhere"),
        ("OTHER = method(layers='broken')", "its layers is “broken”; it is written module:attribute"),
        ("OTHER = method(uses=('colour',))", "it speaks of “colour”, which is no field of EditRequest"),
        ("OTHER = method(defaults={'colour': 1})", "it speaks of “colour”"),
        ("OTHER = method(uses=('heads',))", "only a method of the workbench itself silences"),
        ("OTHER = method(defaults=3)", "its fields cannot be read (TypeError"),
    ],
)
def test_one_at_fault_is_named_in_a_sentence_and_left_out(
    installed: Installed, tmp_path: Any, caplog: Any, made: str, said: str
) -> None:
    (tmp_path / "broken.py").write_text(f"{ENTRY}\n{made}\n", encoding="utf-8")
    installed("palimpsest.editors", tmp_path, other="broken:OTHER")
    assert list(METHODS) == [method.name for method in OURS]
    (sentence,) = [record.getMessage() for record in caplog.records]
    assert sentence.startswith("The method “other” of some-studies is left out: ")
    assert said in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", list(METHODS))
def test_a_method_of_ours_is_complete(name: str) -> None:
    method = METHODS[name]
    assert all((method.label, method.does, method.source))
    assert bool(method.write) != bool(method.whole)
    assert all(callable(method.read(field)) for field in method.named())
    assert {*method.uses, *method.defaults} <= set(EditRequest.model_fields)
