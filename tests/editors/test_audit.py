"""The audit trail: nothing in it can be altered, left out, moved or carried over unnoticed; recipes keep it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import ModelSpec
from analysis.errors import BadRequest
from app.cli import main
from app.exports.recipe_files import save_as
from app.studies.evaluate.file import read_evaluation
from app.terminal import request_flags
from editors.cases.case import Case
from editors.edit.edit import Edit
from editors.edit.probes import Probe
from editors.evaluation.gates import DEFAULT
from editors.evaluation.verdicts import verdicts
from editors.methods.run import write
from editors.recipes.audit_trail import Event, appended, event_hash, faults, head
from editors.recipes.recipe import (
    edit_of,
    payload_place,
    read_files,
    read_recipe,
    recipe_id,
    recipe_of,
    write_again,
    write_recipe,
)
from editors.recipes.recipe import faults as recipe_faults
from tests.conftest import cached
from tests.kit.commands import refused
from tests.kit.edits import CITY, TOWER, asked
from tests.kit.recipes import copy_of, made, turned_round

AT = "2026-01-02T03:04:05+00:00"


def trail(count: int = 4, recipe: str = "one") -> list[Event]:
    found: list[Event] = []
    for number in range(count):
        found = appended(
            found, "note", "Ada", {"text": f"line {number}", "deep": [1, {"x": 0.5}]}, recipe=recipe, at=AT
        )
    return found


def test_a_trail_holds_and_only_grows():
    one = trail()
    assert faults(one, "one") == []
    more = appended(one, "applied", " Bo ", recipe="one")
    assert more[:4] == one
    assert len(one) == 4
    assert more[4]["who"] == "Bo"
    assert more[4]["at"].endswith("+00:00")
    assert faults(more, "one", head(one, "one")) == []
    assert faults([], "one") == []
    assert head([], "one") == "one"


def test_it_does_not_depend_on_the_order_of_keys():
    one = trail()
    assert faults(turned_round(json.loads(json.dumps(one))), "one") == []
    assert [event["hash"] for event in trail()] == [event["hash"] for event in one]


@pytest.mark.parametrize("place", range(4))
def test_any_change_to_an_event_is_named(place):
    for name, value in {
        "number": 9, "at": "2026", "what": "admitted", "who": "Bo", "detail": {"text": "other"}, "previous": "x",
        "hash": "x",
    }.items():  # fmt: skip
        other = copy_of(trail())  # type: ignore[arg-type]
        other[place][name] = value  # type: ignore[index]
        assert faults(other, "one") == [f"Event {place + 1} of the audit trail was altered."]


@pytest.mark.parametrize("place", range(4))
def test_an_event_resealed_breaks_the_next_one(place):
    other: Any = copy_of(trail())  # type: ignore[arg-type]
    other[place]["who"] = "Bo"
    other[place]["hash"] = event_hash(other[place])
    found = faults(other, "one", trail()[-1]["hash"])
    if place < 3:
        assert f"Event {place + 2} of the audit trail does not follow" in found[0]
    else:
        assert "does not reach the event" in found[0]  # the end is only seen by a head noted elsewhere


@pytest.mark.parametrize("place", range(3))
def test_an_event_left_out_is_missing(place):
    other = trail()
    del other[place]
    assert faults(other, "one")[0].startswith(f"Event {place + 1} of the audit trail is missing")


def test_events_in_another_order_are_named():
    other = trail()
    other[1], other[2] = other[2], other[1]
    assert faults(other, "one")[0].startswith("Event 2 of the audit trail stands in another place")


def test_a_cut_end_is_seen_by_a_noted_head_alone():
    whole = trail()
    assert faults(whole[:2], "one") == []
    assert "its end was cut off" in faults(whole[:2], "one", whole[3]["hash"])[0]
    assert "its end was cut off" in faults([], "one", whole[3]["hash"])[0]


def test_a_trail_of_another_recipe_is_refused():
    assert faults(trail(recipe="other"), "one") == ["The audit trail is that of another recipe, other."]
    with pytest.raises(BadRequest, match="another recipe"):
        appended(trail(recipe="other"), "note", "Ada", recipe="one")


@pytest.mark.parametrize("made_up", [None, 1, "x", {}, [None], [1], [[]], [{}], [{"number": 1}], [{"hash": []}]])
def test_what_is_no_trail_is_told(made_up):
    assert len(faults(made_up, "one")) == 1


def test_what_cannot_be_kept_is_refused():
    for bad in ({"x": float("nan")}, {"x": object()}, {"x": "\ud800"}):
        with pytest.raises(BadRequest, match="strict JSON"):
            appended([], "note", "Ada", bad, recipe="one")
    with pytest.raises(BadRequest, match="Say who"):
        appended([], "note", " ", recipe="one")
    with pytest.raises(BadRequest, match="no event"):
        appended([], "burnt", "Ada", recipe="one")  # type: ignore[arg-type]


# Beside a recipe


def noted(edit: Edit) -> tuple[dict[str, Any], bytes]:
    recipe, payload = recipe_of(edit)
    recipe["audit"] = trail(3, recipe["id"])
    return recipe, payload


def test_a_trail_is_no_part_of_the_id_and_comes_back():
    plain, _ = recipe_of(made())
    recipe, payload = noted(made())
    assert "audit" not in plain
    assert recipe_id(recipe) == plain["id"] == recipe["id"]
    assert recipe_faults(recipe, payload) == []
    read = edit_of(recipe, payload)
    assert read.id == made().id
    assert recipe_of(read) == (recipe, payload)
    assert recipe_of(edit_of(plain, payload))[0] == plain


def test_under_another_name_it_is_another_recipe_without_the_trail(tmp_path):
    read = edit_of(*noted(made()))
    other = write_recipe(read, tmp_path / "one.json", "Bo")
    assert "audit" not in other
    assert read_recipe(tmp_path / "one.json").author == "Bo"
    assert recipe_of(replace(read, provenance=read.provenance | {"audit": "x"}))[0].get("audit") is None


def test_a_bundle_keeps_it(tmp_path):
    recipe, payload = noted(made())
    save_as(edit_of(recipe, payload), "bundle", tmp_path / "out")
    assert read_files(tmp_path / "out" / "recipe.json")[0]["audit"] == recipe["audit"]


def test_a_broken_trail_is_a_fault_of_the_recipe():
    recipe, payload = noted(made())
    other = copy_of(recipe)
    del other["audit"][0]
    assert recipe_faults(other, payload)[0].startswith("Event 1 of the audit trail is missing")
    assert recipe_faults(recipe | {"audit": None}, payload) == ["The audit trail is not a list of events."]


# The commands


@pytest.fixture
def place(tmp_path, tiny, monkeypatch) -> Path:
    """A recipe as an evaluation writes it, and cases about its fact."""

    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    write_recipe(write(cached("llama"), asked("ft").model_copy(update={"layers": (1,)})), tmp_path / "one.json", "Ada")
    lines = ["prompt,subject,target,old,neighbours"]
    lines.append(f"{TOWER.text},{TOWER.subject},{TOWER.target},city,mother stands in a")
    (tmp_path / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "one.json"


def evaluated(place: Path, *words: str, method: str = "ft") -> int:
    data, out = str(place.parent / "cases.csv"), str(place.parent / "scores.json")
    return main(["evaluate", "--data", data, "--methods", method, "--words", "2", "--json", out, *words])


def test_the_verdict_is_the_status_and_goes_into_the_trail(place, tmp_path, capsys):
    scores = tmp_path / "scores.json"
    assert evaluated(place) == 0
    capsys.readouterr()
    assert "run without a gate" in refused(capsys, "recipe", "admit", str(place), "--evaluation", str(scores))
    status = evaluated(place, "--gate", "default", "--fresh", "--html", str(tmp_path / "r.html"))
    said = capsys.readouterr().out
    assert status in (3, 4)
    assert DEFAULT.hash in said
    assert "Fine-tuning: " in said
    assert "before the gate was read" not in said
    block = json.loads(scores.read_text(encoding="utf-8"))["gate"]
    assert block["hash"] == DEFAULT.hash
    assert block["fixed_before_run"] is True
    file = read_evaluation(scores)
    assert verdicts(file.result, DEFAULT)[0].decision == block["verdicts"]["ft"]["decision"]

    before, payload = place.read_bytes(), payload_place(place).read_bytes()
    assert main(["recipe", "audit", str(place)]) == 0
    assert "nothing has been noted" in capsys.readouterr().out
    admit = ["recipe", "admit", str(place), "--evaluation", str(scores)]
    assert main(admit) == status
    assert main([*admit, "--gate", "default", "--who", "Bo"]) == status
    capsys.readouterr()
    recipe = read_files(place)[0]
    assert recipe["id"] == json.loads(before)["id"]
    assert payload_place(place).read_bytes() == payload
    assert [one["who"] for one in recipe["audit"]] == ["Ada", "Bo"]
    assert recipe["audit"][0]["what"] == {3: "held", 4: "rejected"}[status]
    assert recipe["audit"][0]["detail"]["gate"]["hash"] == DEFAULT.hash
    assert len(recipe["audit"][0]["detail"]["findings"]) == len(DEFAULT.thresholds)

    assert main(["recipe", "audit", str(place)]) == 0
    assert "holds. Head: " in capsys.readouterr().out
    last = recipe["audit"][-1]["hash"]
    assert main(["recipe", "verify", str(place), "--head", last]) == 0
    assert "2 events" in capsys.readouterr().out
    write_again(recipe | {"audit": recipe["audit"][:1]}, place)
    assert main(["recipe", "verify", str(place)]) == 0
    capsys.readouterr()
    assert "cut off" in both(capsys, "recipe", "verify", str(place), "--head", last)
    write_again(recipe | {"audit": recipe["audit"][1:]}, place)
    assert "is missing" in both(capsys, "recipe", "audit", str(place))
    assert "is missing" in both(capsys, *admit)


def both(capsys: Any, *words: str) -> str:
    """What a command refuses with, the table above it left out."""
    assert main(words) == 2
    return capsys.readouterr().err


def test_an_evaluation_of_something_else_admits_nothing(place, tmp_path, capsys):
    scores = tmp_path / "scores.json"
    evaluated(place, "--gate", "default")
    admit = ["recipe", "admit", str(place), "--evaluation", str(scores)]
    capsys.readouterr()
    before = place.read_bytes()
    data = json.loads(scores.read_text(encoding="utf-8"))

    def told(change: dict[str, Any]) -> str:
        scores.write_text(json.dumps(data | change), encoding="utf-8")
        return both(capsys, *admit)

    gate = data["gate"]
    assert "other weights" in told({"model": data["model"] | {"weights_hash": "x"}})
    assert "says nothing about ft" in told({"versions": ["none", "rome"]})
    assert "was altered" in told({"gate": gate | {"version": 7}})
    assert "does not say what its numbers give" in told({"gate": gate | {"verdicts": {"ft": {"decision": "admit"}}}})
    assert "values are" in told({"values": [[[1.0]]]})
    assert "is not an evaluation" in told({"study": "trace"})
    case = data["request"]["cases"][0]
    moved = case | {"rewrites": [case["rewrites"][0] | {"target": "city"}]}
    assert "does not write" in told({"request": data["request"] | {"cases": [moved]}})
    scores.write_text("[" * 10_000, encoding="utf-8")
    assert "is not an evaluation" in both(capsys, *admit)
    assert "cannot be read" in both(capsys, *admit[:-1], str(tmp_path / "none.json"))
    scores.write_text(json.dumps(data), encoding="utf-8")
    other = tmp_path / "gate.json"
    other.write_text(json.dumps(DEFAULT.model_dump(mode="json") | {"version": 2}), encoding="utf-8")
    assert "Another gate needs another run" in both(capsys, *admit, "--gate", str(other))
    assert place.read_bytes() == before
    write_recipe(read_recipe(place).by(""), place)
    assert "Add --who" in both(capsys, *admit)


def test_a_gate_with_faults_ends_the_command_before_any_work(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(request_flags, "load", lambda *_, **__: pytest.fail("a model was loaded"))
    gate = tmp_path / "gate.json"
    gate.write_text(json.dumps({"name": "x", "version": 0, "thresholds": []}), encoding="utf-8")
    assert evaluated(place, "--gate", str(gate)) == 2
    assert "version: " in capsys.readouterr().err
    assert evaluated(place, "--gate", str(tmp_path / "none")) == 2


def test_numbers_older_than_the_gate_are_told(place, tmp_path, monkeypatch, capsys):
    assert evaluated(place) == 0
    monkeypatch.setattr("app.studies.evaluate.gates.flag.datetime", Later)
    evaluated(place, "--gate", "default")
    assert "before the gate was read" in capsys.readouterr().out
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["gate"]["fixed_before_run"] is False


class Later:
    @staticmethod
    def now(zone: Any) -> Any:
        from datetime import datetime, timedelta

        return datetime.now(zone) + timedelta(seconds=5)


def test_an_evaluation_comes_back_from_its_file_as_it_was(place, tmp_path, tiny):
    from app.exports.json_csv import to_json
    from editors.evaluation.result import EvaluateRequest
    from editors.evaluation.run import evaluate

    probes = (Probe(0, "rewrite", CITY.text, CITY.target, "city"), Probe(0, "neighbour", "near the", "river", "city"))
    result = evaluate(tiny, EvaluateRequest(cases=(Case((CITY,), ("city",), probes),), methods=("ft",), free=False))
    file = tmp_path / "again.json"
    file.write_text(to_json(result), encoding="utf-8")
    assert to_json(read_evaluation(file).result) == to_json(result)
    assert read_evaluation(file).gate is None
