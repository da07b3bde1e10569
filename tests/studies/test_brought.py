"""Nothing one visitor does changes a byte of what another sees; and what was brought says so wherever it stands."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import ModelSpec
from analysis.cache_home import cache_home
from analysis.study import edited_hash, pack
from app.bench.hostile import edits
from app.bench.hostile.valid import tiny as hostile_model
from app.charts.html import result_html
from app.exports.edit_notebook import edit_notebook
from app.exports.heading import heading
from app.exports.json_csv import to_csv, to_json
from app.exports.recipe_files import save_as
from app.exports.sheet import sheet
from app.jobs import services as shared
from app.jobs.compute import stored
from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from app.registry.studies import STUDIES
from editors.attention_drift.result import DriftsRequest
from editors.edit.edit import Edit
from editors.edit.probes import Probe
from editors.generation.result import GenerateRequest
from editors.recipes.recipe import BROUGHT, SEARCH_BROUGHT, recipe_of
from editors.recipes.signatures import fingerprint, new_key, public_of, read_key, signed
from tests.kit.recipes import made
from tests.kit.visiting import FACT, fine, forget_services, press, run, text, until, visit, wrote
from tests.studies.test_bring_edit import open_files, pair
from tests.studies.test_edit_page import edit_of

LIE = "A LIE"


def forged(edit: Edit) -> Edit:
    """The same request and factors, and everything else invented."""
    said = replace(
        edit.after,
        said=[LIE] * len(edit.after.said),
        new=np.ones(len(edit.probes)),
        new_greedy=np.ones(len(edit.probes), dtype=bool),
    )
    probes = [replace(one, old=LIE) for one in edit.probes]
    other = replace(
        edit, probes=probes, before=said, after=said, warnings=[LIE], glance=None, model=edit.model | {"name": LIE}
    ).by(LIE)
    assert other.id == edit.id
    return other


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.fixture
def visitors(ready, monkeypatch) -> Iterator[Any]:
    """A public server; the visitor who is there is the one named last."""
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")

    def named(name: str) -> None:
        monkeypatch.setattr("app.session.edit_stack.visitor", lambda fresh: name * 32)

    return named


def test_nothing_one_visitor_does_changes_a_byte_another_sees(visitors, ready):
    visitors("a")
    mine = wrote(fine(visit("edit", **FACT)))
    edit = edit_of(mine)
    run(mine, "generate-go", "generate")
    seen = text(mine)
    kept = files(cache_home() / "results")
    assert LIE not in seen

    visitors("b")
    lie = forged(edit)
    theirs = fine(visit("edit"))
    open_files(theirs, pair(lie))
    assert LIE in text(theirs)
    assert BROUGHT in text(theirs).lower()
    run(theirs, "generate-go", "generate")
    fine(theirs.text_input(key=f"edit-author-{lie.id}").set_value(f"{LIE} too").run())
    fine(visit("edit", **FACT | {"target": LIE}))
    fine(visit("evaluate", study="edit", result=edit.id, note=LIE))
    wrote(fine(visit("edit", **FACT)))  # the same request: what is stored is shown to them, not written again

    visitors("a")
    after = files(cache_home() / "results")
    assert {name: after.get(name) for name in kept} == kept
    again = fine(visit("edit", **FACT))
    assert edit_of(again).whole_id == edit.whole_id
    run(again, "generate-go", "generate")
    assert text(again) == text(fine(mine.run())) == seen
    assert LIE not in text(again)
    assert [job for job in ready.worker.jobs() if job.error] == []


ASKED = {"generate": GenerateRequest(prompt=("the old tower",), tokens=2), "drifts": DriftsRequest(heads=1)}
NUMBERS = ("new", "old", "new_greedy", "old_greedy", "said_probability")


@pytest.mark.parametrize("study", list(ASKED))
def test_results_under_a_brought_edit_are_not_those_under_the_one_found_here(ready, tiny, study):
    """Studies show prompts and titles of the edits that are on; so what an id leaves out must not be shared by it."""
    probes = [*made().probes, Probe(0, "distracting", "the old tower of Aldra stands in a", "river", "city")]
    twice = {name: np.resize(getattr(made().before, name), 2) for name in NUMBERS}
    answers, request_ = replace(made().before, said=["city"] * 2, **twice), ASKED[study]
    honest = replace(made(), probes=probes, before=answers, after=answers)
    lie = forged(honest).as_brought()
    keys = [request_.key(edited_hash(tiny.own_hash, [one.key])) for one in (honest, lie)]
    assert keys[0] != keys[1]
    one = stored(STUDIES[study], request_, tiny, ready.store, edits=(lie,))
    assert one.model["weights_hash"] == edited_hash(tiny.own_hash, [lie.key])
    assert ready.store.load(STUDIES[study], keys[0]) is None
    other = stored(STUDIES[study], request_, tiny, ready.store, edits=(honest,))
    assert LIE not in json.dumps(pack(other)[0])


def test_an_edit_is_stored_by_all_it_says(ready):
    one, lie = made(), forged(made()).as_brought()
    assert one.whole_id != one.by("Ada").whole_id != lie.whole_id
    assert one.key == one.by("Ada").key == one.id
    ready.store.save(STUDIES["edit"], lie.whole_id, lie)
    back = ready.store.load(STUDIES["edit"], lie.whole_id)
    assert (back.whole_id, back.key, back.brought) == (lie.whole_id, lie.key, True)


def test_a_stack_of_before_is_found_again_and_counts_as_brought(ready):
    older = made()
    ready.store.save(STUDIES["edit"], older.id, older)
    place = cache_home() / "stack.json"
    place.write_text(json.dumps([{"edit": older.id, "on": True}]), encoding="utf-8")
    assert BROUGHT in text(fine(visit("edit")))
    place.write_text(json.dumps([{"edit": "0" * 24, "on": True}]), encoding="utf-8")
    assert "the model is as it was trained" in text(fine(visit("edit")))


def test_what_was_brought_says_so_in_every_form(tmp_path):
    own, one = made(), made().as_brought()
    assert heading(one).made.endswith(BROUGHT)
    for form in (to_csv, to_json, result_html, edit_notebook, lambda edit: json.dumps(sheet(edit))):
        assert BROUGHT in form(one)
        assert BROUGHT not in form(own)
    for form in ("bundle", "peft", "script"):
        save_as(one, form, tmp_path / form)
        assert BROUGHT in (tmp_path / form / "README.md").read_text(encoding="utf-8")
    assert recipe_of(one)[0] == recipe_of(own)[0] | {"brought": BROUGHT}


def test_margin_and_page_tell_whose_key_signed(ready, tmp_path):
    place = tmp_path / "key.pem"
    place.write_bytes(new_key())
    key = read_key(place)
    recipe, payload = recipe_of(made())
    at = fine(visit("edit"))

    def opened(data: dict[str, Any]) -> str:
        open_files(at, [("a.json", json.dumps(data).encode()), ("a.safetensors", payload)])
        said = text(at)
        press(at, f"written-{made().id}-remove")
        return said

    assert "not signed" in opened(recipe)
    whole = signed(recipe, key, "Ada")
    assert opened(whole).count(f"igned by “Ada”, key {fingerprint(public_of(key))}") == 2
    whole["signatures"][0]["who"] = "Bo"
    assert "he signature in the name “Bo” does not hold" in opened(whole)


def test_what_was_brought_is_measured_here_once_it_is_found_here(ready):
    edit = edit_of(wrote(fine(visit("edit", **FACT))))
    at = fine(visit("edit"))
    press(at, f"written-{edit.id}-remove")
    open_files(at, pair(forged(edit)))
    assert BROUGHT in text(at)
    at = wrote(fine(visit("edit", **FACT)))
    assert BROUGHT not in text(at)
    assert "1 of 1 on" in text(at)
    assert LIE not in text(at)


@pytest.fixture
def forgers(monkeypatch) -> Iterator[shared.Services]:
    """A process with the model that hostile recipes are made for."""
    monkeypatch.setattr(
        "app.jobs.processes.apart.SMALL", 1 << 30
    )  # a page that is tested is no program to begin another from
    monkeypatch.setattr(shared, "RunApart", lambda: RunHere(ModelSlot(lambda spec, report: hostile_model())))
    monkeypatch.setattr("app.session.edit_stack.visitor", lambda fresh: fresh)
    shared.services.clear()
    services = shared.services()
    services.begin()
    until(lambda: ModelSpec() in services.models.cards)
    yield services
    forget_services()


def test_the_page_shows_whatever_recipe_was_taken(forgers):
    """Odd texts, invented numbers, settings at their ends: margin and page draw them, again and again."""
    given, shown = edits.kind().inputs(np.random.default_rng(5)), 0
    while shown < 6:
        label, held = next(given)
        at = fine(visit("edit"))
        open_files(at, held)
        layers = at.session_state["written"].layers if "written" in at.session_state else ()
        if not layers:
            assert at.error, label
            continue
        shown += 1
        assert BROUGHT in text(fine(at.run())), label
        key = layers[-1].edit.id
        press(at, f"written-{key}-remove")


def test_a_brought_edit_is_measured_here_in_its_place(ready, tiny):
    edit = wrote(fine(visit("edit", **FACT)))
    honest = edit_of(edit)
    press(edit, f"written-{honest.id}-remove")
    at = fine(visit("edit"))
    open_files(at, pair(forged(honest)))
    assert LIE in text(at)
    assert BROUGHT in text(at).lower()
    run(at, "edit-measure", "measure")
    fine(at.run())
    (layer,) = at.session_state["written"].layers
    assert (layer.edit.measured, layer.edit.id) == (True, honest.id)
    assert layer.edit.after.said == honest.after.said
    seen = text(fine(at.run())).lower()
    assert "what was seen while it was sought is as its recipe says" in seen
    assert SEARCH_BROUGHT in seen
    assert "edit-measure" not in [one.key for one in at.button]
    assert ready.worker.jobs()[-1].error is None
