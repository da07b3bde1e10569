"""The edit studio, run in process on a tiny model: several facts, recipes in and out, own prompts, order, exports."""

import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from analysis import ModelSpec
from app.jobs.job import Job
from app.session.permalinks import to_query
from app.studies.edit.forms.form import EditForm, Line, form_of
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write
from editors.methods.search.target_search import SoFar
from tests.kit.visiting import FACT, LINK, address, charts, fine, offered, press, run, text, until, visit, wrote

SECOND = Line(prompt="the old city of Corvo stands near", subject="city of Corvo", target="tower")
THIRD = Line(prompt="Brin wrote, speaks and plays in", subject="Brin", target="river")


def several(**other: Any) -> dict[str, str]:
    """A link to three facts."""
    return FACT | {"more": json.dumps([SECOND.model_dump(), THIRD.model_dump()]), "method": "memit"} | other


def edit_of(at: AppTest) -> Edit:
    return at.session_state["written"].layers[-1].edit


def test_a_fact_is_written_over_seen_and_switched(ready, tiny):
    before = {name: parameter.detach().clone() for name, parameter in tiny.parameters.items()}
    at = wrote(fine(visit("edit", **FACT)))
    (layer,) = at.session_state["written"].layers
    edit = layer.edit
    assert edit.request.facts[0].target == "river"
    assert "1 of 1 on" in text(at)
    assert {"Before", "After"} <= {part.proto.alt.split(":")[0] for part in at.get("plotly_chart")}
    assert all((before[name] == parameter).all() for name, parameter in tiny.parameters.items())
    assert offered(at, "edit") == ["CSV", "JSON", "HTML", "Notebook"]

    fine(at.toggle(key=f"written-{edit.id}").set_value(False).run())
    assert "0 of 1 on" in text(at)
    press(at, "written-undo")
    assert "1 of 1 on" in text(at)
    press(at, f"written-{edit.id}-remove")
    assert "the model is as it was trained" in text(at)
    press(at, "written-undo")
    assert "1 of 1 on" in text(at)
    again = fine(visit("trace"))
    assert "1 of 1 on" in text(again)


def test_a_trace_runs_under_the_edits_that_are_on(ready, tiny):
    at = wrote(fine(visit("edit", **FACT)))
    edit = at.session_state["written"].layers[0].edit
    traced = run(fine(visit("trace", **LINK)))
    assert traced.session_state["trace.job"].result.model["edits"] == [edit.id]
    fine(traced.toggle(key=f"written-{edit.id}").set_value(False).run())
    run(traced)
    assert traced.session_state["trace.job"].result.model["edits"] == []
    assert tiny.edits == ()


def drawn(at: AppTest) -> set[str]:
    return {one.key.removeprefix("edit.") for one in at.number_input}


def test_settings_are_those_the_method_reads_and_keep_their_values(ready):
    at = fine(visit("edit", **FACT | {"method": "memit", "passes": "3"}))
    assert {"passes", "moments_weight"} <= drawn(at)
    assert not {"leak_weight", "refresh", "batch_ridge", "warm_up", "norm"} & drawn(at)
    fine(at.button_group(key="edit.method").set_value("ultraedit").run())
    assert {"batch_ridge", "warm_up"} <= drawn(at)
    assert not {"passes", "moments_weight", "steps", "kl", "contexts"} & drawn(at)
    fine(at.button_group(key="edit.method").set_value("betaedit").run())
    assert {"leak_weight", "refresh", "protect", "passes"} <= drawn(at)
    assert at.number_input(key="edit.passes").value == 3
    fine(at.number_input(key="edit.refresh").set_value(2).run())
    request = edit_of(wrote(at)).request
    assert (request.method, request.passes, request.refresh) == ("betaedit", 3, 2)
    assert form_of(request).passes == 3


def test_the_same_edit_twice_is_told(ready):
    at = wrote(fine(visit("edit", **FACT)))
    run(at, "edit-go", "edit")
    assert "is written already. Nothing was changed." in text(at)


WRONG_EDITS = {
    "absent subject": ({"subject": "zebra"}, "“zebra” is not in the prompt"),
    "no answer": ({"target": " "}, "The new answer is empty"),
    "no layer": ({"layers": "400"}, "there is no layer 400"),
}


@pytest.mark.parametrize("fault", list(WRONG_EDITS))
def test_an_edit_of_nonsense_gets_a_sentence(ready, fault):
    change, sentence = WRONG_EDITS[fault]
    at = fine(visit("edit", **FACT | change))
    press(at, "edit-go")
    if "edit.job" in at.session_state:
        job = at.session_state["edit.job"]
        until(lambda: job.over)
        fine(at.run())
    assert sentence in text(at)
    assert "the model is as it was trained" in text(at)


def test_several_facts_are_written_together_and_shown(ready):
    at = wrote(fine(visit("edit", **several())))
    edit = edit_of(at)
    assert [fact.text for fact in edit.request.facts] == [FACT["prompt"], SECOND.prompt, THIRD.prompt]
    assert [fact.subject for fact in edit.request.facts][1:] == [SECOND.subject, THIRD.subject]
    assert "All that was written" in text(at)
    assert " of 3 follow" in text(at)
    assert address(at) == several()
    (entry,) = ready.history.recent("local")
    assert entry.title.endswith(" and 2 more")


def test_an_edit_of_several_facts_opens_again_with_its_form(ready):
    edit = edit_of(wrote(fine(visit("edit", **several()))))
    form = form_of(edit.request)
    assert form.more == (SECOND, THIRD)
    assert form.asked().facts == edit.request.facts
    later = fine(visit("edit", **to_query(form)))
    assert later.session_state["edit.more"] == [SECOND.model_dump(), THIRD.model_dump()]


def test_one_fact_only_methods_say_so_and_offer_another(ready):
    at = fine(visit("edit", **several(method="rome")))
    assert "ROME writes one fact at a time. MEMIT writes all 3 together." in text(at)
    press(at, "edit-go")
    assert "edit.job" not in at.session_state
    press(at, "edit-memit")
    assert at.session_state["edit.method"] == "memit"
    assert "ROME writes one fact" not in text(at)


def test_a_fault_in_the_list_is_named_with_its_row(ready):
    rows = [SECOND.model_dump(), THIRD.model_dump() | {"subject": "zebra"}, dict.fromkeys(Line.model_fields, " ")]
    at = press(fine(visit("edit", **several(more=json.dumps(rows)))), "edit-go")
    assert "Row 2 of the list: “zebra” is not in the prompt." in text(at)
    assert "edit.job" not in at.session_state
    empty = EditForm(more=(Line(prompt="the tower in", subject="tower", target=" "),), method="emmet")
    at = press(fine(visit("edit", **to_query(empty))), "edit-go")
    assert "Row 1 of the list: The new answer is empty." in text(at)


def test_stored_facts_are_added_once(ready):
    at = fine(visit("edit", **FACT))
    for _ in range(2):
        fine(at.multiselect(key="edit-pick-more").set_value(["capital/france", "capital/spain"]).run())
        press(at, "edit-add-stored")
    assert len(at.session_state["edit.more"]) == 2
    assert all(row["subject"] in row["prompt"] for row in at.session_state["edit.more"])


def test_making_it_forget_writes_an_answer_that_tells_nothing(ready):
    at = fine(visit("edit", **several(target="tower")))
    press(at, "edit-forget-0")
    assert at.session_state["edit.target"] == "unknown"
    assert [row["target"] for row in at.session_state["edit.more"]] == ["unknown", "unknown"]
    assert "It is not deleted" in text(at)
    at = wrote(at)
    assert {probe.new for probe in edit_of(at).probes} == {"unknown"}
    assert text(at).count("It is not deleted") == 2


@pytest.mark.parametrize("method", ["rome", "memit", "pmet", "ft"])
def test_a_search_under_way_says_whose_curves_it_draws(tiny, method):
    seen: list[Any] = []

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        seen.append(partial) if partial is not None else None

    facts = tuple(line.rewrite() for line in ((SECOND,) if method == "rome" else (SECOND, THIRD)))
    edit = write(tiny, EditRequest(facts=facts, method=method, layers=(1,), contexts=1, steps=4, tokens=600), report)
    for so_far in seen:
        assert so_far.names == [(fact.target, said) for fact, said in zip(facts, said_first(edit), strict=True)]
        assert so_far.steps == 4
        assert so_far.probability.shape == so_far.former.shape == (len(so_far.former), len(facts))


def said_first(edit: Edit) -> list[str]:
    return [edit.before.said[index] for index, probe in enumerate(edit.probes) if probe.kind == "rewrite"]


def test_the_live_curve_is_named_and_as_long_as_the_search(ready, monkeypatch):
    at = fine(visit("edit", **FACT))
    drawn = SoFar(np.array([[0.1], [0.4]]), np.array([[0.9], [0.5]]), [("river", "city")], 7)
    job = Job(None, None, ModelSpec(), {"me"}, state="running", partial=drawn)
    at.session_state["edit.job"] = job
    fine(at.run())
    (chart,) = charts(at)
    assert chart.alt == "The search so far: river 40\u202f%, city 50\u202f%."
    figure = json.loads(chart.spec)
    assert figure["layout"]["xaxis"]["range"] == [0, 6]
    assert {note["text"] for note in figure["layout"]["annotations"]} == {"river", "city"}


def order(at: AppTest) -> list[str]:
    return [layer.edit.request.facts[0].target for layer in at.session_state["written"].layers]


def test_edits_are_reordered_in_the_margin(ready):
    at = wrote(fine(visit("edit", **FACT)))
    first = edit_of(at)
    assert not [one for one in at.button if one.key == f"written-{first.id}-up"]
    fine(at.text_input(key="edit.target").set_value("tower").run())
    wrote(at)
    assert order(at) == ["river", "tower"]
    assert at.button(key=f"written-{first.id}-down").disabled
    press(at, f"written-{first.id}-up")
    assert order(at) == ["tower", "river"]
    press(at, "written-undo")
    assert order(at) == ["river", "tower"]


def test_an_order_that_cannot_be_is_refused_in_the_margin(ready):
    at = wrote(fine(visit("edit", **FACT)))
    fine(at.text_input(key="edit.target").set_value("tower").run())
    fine(at.button_group(key="edit.method").set_value("alphaedit").run())
    wrote(at)
    above = edit_of(at)
    press(at, f"written-{above.id}-down")
    assert "was found on top of" in text(at)
    assert order(at) == ["river", "tower"]
