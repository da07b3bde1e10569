"""The pages, run in process on a tiny model: every page opens, nonsense gets a sentence, figures show the numbers."""

import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from analysis import ModelSpec, TraceResult, trace
from analysis.errors import ModelTooLarge
from app.jobs import services as shared
from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from app.registry.studies import STUDIES
from app.session.fields import slot
from tests.kit.traces import PROMPT, SUBJECT, asked
from tests.kit.visiting import (
    LINK,
    MAIN,
    WAIT,
    address,
    charts,
    fine,
    forget_services,
    numbers,
    offered,
    press,
    run,
    text,
    until,
    visit,
)

REQUEST = asked(kinds=("state", "mlp"))
TITLES = {
    "trace": "Where is the fact kept?",
    "average": "Where are facts kept?",
    "lens": "What would each state say?",
    "neurons": "Which neurons say it?",
    "edit": "Write over a fact",
    "evaluate": "How good is an edit?",
    "models": "Which model?",
}


def partial_trace(lm: Any, rows: int = 3) -> TraceResult:
    """A trace as it is when someone stops it."""
    seen: list[TraceResult] = []

    class Enough(Exception):
        pass

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        if partial is not None:
            seen.append(partial)
        if len(seen) > rows:
            raise Enough

    with pytest.raises(Enough):
        trace(lm, REQUEST, report)
    return seen[-1]


@pytest.mark.parametrize("page", list(TITLES))
def test_a_page_opens_as_the_first_thing_on_a_fresh_server(loader, page):
    at = fine(visit(page))
    assert [title.value for title in at.title] == [TITLES[page]]
    assert "#### Model" in text(at)


def test_the_landing_page_opens(loader):
    at = fine(AppTest.from_file(MAIN, default_timeout=WAIT).run())
    assert [header.value for header in at.header] == ["Follow one fact", "Begin with an example"]


def test_all_pages_in_one_visit(ready):
    at = fine(AppTest.from_file(MAIN, default_timeout=WAIT).run())
    for page, title in [*TITLES.items(), *TITLES.items()]:
        fine(at.switch_page(f"../pages/{page}.py").run())
        assert [shown.value for shown in at.title] == [title]
    assert "tiny-llama" in text(at)


def test_a_link_fills_the_form(ready):
    at = fine(visit("trace", **LINK, answer="river"))
    state = at.session_state
    held = {name: state[slot("trace", name)] for name in ("prompt", "subject", "answer", "kinds", "samples", "sigma")}
    assert held == {
        "prompt": PROMPT, "subject": SUBJECT, "answer": "river", "kinds": ["state", "mlp"], "samples": 3, "sigma": 0.2,
    }  # fmt: skip
    assert address(at) == {**LINK, "answer": "river"}


def test_a_link_may_leave_the_prompt_to_the_form(ready):
    at = fine(visit("trace", kinds="state", samples="2"))
    assert not at.error
    assert at.session_state["trace.samples"] == 2
    assert at.session_state["trace.kinds"] == ["state"]
    assert at.session_state["trace.prompt"].startswith("The Eiffel Tower")


def test_a_trace_is_drawn_as_it_was_computed(ready, tiny):
    at = run(fine(visit("trace", **LINK)))
    result = ready.find(STUDIES["trace"], REQUEST, ModelSpec())
    assert (result.scores("state") == trace(tiny, REQUEST).scores("state")).all()
    maps = charts(at)[:2]
    for chart, kind in zip(maps, ("state", "mlp"), strict=True):
        heat = json.loads(chart.spec)["data"][0]
        inked = np.clip(result.scores(kind) - result.low, 0, heat["zmax"])
        assert np.allclose(numbers(heat["z"]), inked.T, atol=1e-7)
        best = np.unravel_index(result.scores(kind).argmax(), result.scores(kind).shape)
        assert f"layer {best[0]}: {100 * result.scores(kind)[best]:.0f}" in chart.alt
        assert PROMPT in chart.alt

    layer, token = at.session_state["trace.cell"]
    kind = at.session_state["trace.kind"]
    shares = {"Clean": result.high, "Blurred": result.low, "Repaired here": float(result.scores(kind)[layer, token])}
    assert {metric.label: metric.value for metric in at.metric} == {
        name: f"{100 * share:.0f}\u202f%" for name, share in shares.items()
    }
    twin = at.dataframe[0].value
    assert len(twin) == 2 * result.scores("state").size
    assert np.allclose(twin[twin["kind"] == "state"]["probability"], result.scores("state").ravel())


def test_a_run_stands_on_the_rail_and_opens_again(ready):
    at = run(fine(visit("trace", **LINK)))
    (entry,) = ready.history.recent("local")
    assert (entry.title, entry.study) == (SUBJECT, "trace")
    assert "#### Earlier runs" in text(at)
    later = fine(visit("trace", **LINK))
    assert [chart.alt for chart in charts(later)] == [chart.alt for chart in charts(at)]
    assert "trace.job" not in later.session_state


def test_a_page_switch_keeps_form_and_figure(ready):
    at = run(fine(visit("trace", **LINK)))
    before = [chart.alt for chart in charts(at)]
    at.query_params.clear()
    fine(at.switch_page("../pages/lens.py").run())
    at.query_params.clear()
    fine(at.switch_page("../pages/trace.py").run())
    assert at.session_state["trace.prompt"] == PROMPT
    assert at.session_state["trace.kinds"] == ["state", "mlp"]
    assert [chart.alt for chart in charts(at)] == before
    assert address(at) == LINK


def test_another_layer_of_the_same_row(ready):
    at = run(fine(visit("trace", **LINK)))
    token = at.session_state["trace.cell"][1]
    fine(at.number_input(key="trace.layer").set_value(2).run())
    assert at.session_state["trace.cell"] == (2, token)
    assert ", layer 2" in text(at)


@pytest.mark.parametrize("metric", ["logit_difference", "normalised_logit_difference", "kl"])
def test_every_measure_can_be_shown(ready, metric):
    at = run(fine(visit("trace", **LINK)))
    fine(at.selectbox(key="trace.metric").set_value(metric).run())
    result = ready.find(STUDIES["trace"], REQUEST, ModelSpec())
    heat = json.loads(charts(at)[0].spec)["data"][0]
    assert np.allclose(
        numbers(heat["z"]), np.clip(result.indirect_effects("state", metric).T, 0, heat["zmax"]), atol=1e-6
    )


def test_a_subject_that_is_not_there_is_named_and_mended(ready):
    at = fine(visit("trace", **LINK | {"subject": "towr of Aldra"}))
    assert "“towr of Aldra” is not in the prompt. Did you mean “tower of Aldra”?" in text(at)
    press(at, "trace-use")
    assert at.session_state["trace.subject"] == "tower of Aldra"
    assert "is not in the prompt" not in text(at)


def test_a_subject_that_is_there_twice_is_chosen(ready):
    at = fine(visit("trace", **LINK | {"prompt": "the tower near the tower stands in", "subject": "tower"}))
    assert "occurs 2 times" in text(at)
    press(at, "trace-occurrence-1")
    assert "occurs 2 times" not in text(at)
    run(at)
    assert at.session_state["trace.job"].result.subject == (4, 5)


FAULTS = {
    "empty prompt": ({"prompt": " "}, "The prompt is empty"),
    "absent subject": ({"subject": "zebra"}, "“zebra” is not in the prompt"),
    "subject twice": ({"prompt": "tower near tower in", "subject": "tower"}, "occurs 2 times"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_nonsense_gets_a_sentence(ready, fault):
    change, sentence = FAULTS[fault]
    at = press(fine(visit("trace", **LINK | change)), "trace-go")
    assert sentence in text(at)
    assert "trace.job" not in at.session_state, "nothing waits in line that cannot be run"


def test_what_only_the_run_can_tell_is_told_by_it(ready):
    for change in (
        {"corruption": "replace", "replacement": "city"},
        {"prompt": "the tower of Aldra " * 20 + "Brin", "subject": "Brin"},
    ):
        at = run(fine(visit("trace", **LINK | change)))
        assert "token" in text(at)
        assert at.session_state["trace.job"].state == "failed"


def test_a_trace_of_nothing_is_refused(ready):
    at = fine(visit("trace", **LINK))
    at.session_state["trace.kinds"] = []
    fine(at.run())
    press(at, "trace-go")
    assert "kinds: choose at least one (what to repair" in text(at)
    assert "trace.job" not in at.session_state


def test_a_prompt_stays_text(ready):
    prompt = "<script> **the** $tower$ of Aldra [x](y) stands in"
    at = run(fine(visit("trace", **LINK | {"prompt": prompt, "subject": "Aldra"})))
    assert at.session_state["trace.job"].state == "done"
    fine(at.text_input(key="trace.prompt").set_value("the tower of Aldra stands in").run())
    assert any("\\*\\*the\\*\\*" in part.value for part in at.markdown)


def test_a_stopped_trace_goes_on(ready, tiny):
    part = partial_trace(tiny)
    study, key = STUDIES["trace"], REQUEST.key(tiny.weights_hash)
    ready.store.save(study, key, part, stopped=True)
    at = fine(visit("trace", **LINK))
    assert f"Stopped after {part.cells[0]} of {part.cells[1]} cells." in text(at)
    run(at, "trace-continue")
    assert "Stopped after" not in text(at)
    assert ready.find(study, REQUEST, ModelSpec()).complete


def test_a_stopped_trace_is_put_away(ready, tiny):
    study, key = STUDIES["trace"], REQUEST.key(tiny.weights_hash)
    ready.store.save(study, key, partial_trace(tiny), stopped=True)
    at = press(fine(visit("trace", **LINK)), "trace-discard")
    assert "Nothing traced yet" in text(at)
    assert ready.store.load(study, key, stopped=True) is None


def test_two_runs_side_by_side(ready):
    run(fine(visit("trace", **LINK)))
    at = run(fine(visit("trace", **LINK | {"samples": "2"})))
    at.session_state["marked"] = [entry.key for entry in ready.history.recent("local")]
    at = press(fine(at.run()), "rail-compare")
    assert [title.value for title in at.title] == ["Side by side"]
    assert len({chart.alt for chart in charts(at)}) >= 4


def test_a_run_and_an_example_of_another_study_side_by_side(ready, monkeypatch):
    run(fine(visit("trace", **LINK)))
    lens = run(fine(visit("lens", prompt=PROMPT)), "lens-go", "lens")
    one, other = ready.history.recent("local")
    at = fine(visit("compare", one=f"{one.study}:{one.key}", other=f"{other.study}:{other.key}"))
    assert len(charts(at)) == 3
    assert {"Where is the fact kept?", "What would each state say?"} <= set(re.findall(r"### (.*)", text(at)))
    assert lens.session_state["lens.job"].key in str(address(at))
    names = at.selectbox(key="compare.0").options
    assert any("example" in name for name in names)
    gone = fine(visit("compare", one="trace:0123abc", other=f"{other.study}:{other.key}"))
    assert "not on this server" in text(gone)


def test_the_lens_reads_a_prompt(ready):
    at = run(fine(visit("lens", prompt=PROMPT)), "lens-go", "lens")
    assert at.session_state["lens.job"].state == "done"
    assert len(charts(at)) == 1
    assert len(at.dataframe[0].value) > 0
    assert offered(at, "lens") == ["CSV", "JSON", "HTML", "Notebook"]


@pytest.mark.parametrize(("prompt", "state"), [("", None), ("tower " * 40, "failed"), ("tower", "done")])
def test_the_lens_answers_to_anything(ready, prompt, state):
    at = fine(visit("lens"))
    at.text_input(key="lens.prompt").set_value(prompt)
    if state is None:
        assert "The prompt is empty" in text(press(at, "lens-go"))
        assert "lens.job" not in at.session_state
    else:
        assert run(at, "lens-go", "lens").session_state["lens.job"].state == state


def test_an_average_without_known_facts_says_so(ready):
    at = run(fine(visit("average", facts="2", kinds="state", samples="1")), "average-go", "average")
    assert at.session_state["average.job"].state == "failed"
    assert len(at.error) == 1


def test_the_facts_are_asked(ready):
    at = run(fine(visit("models")), "facts-go", "facts")
    assert (" facts are known" in text(at) and offered(at, "facts") == ["CSV", "JSON", "HTML", "Notebook"]) or at.error


@pytest.mark.parametrize(
    ("source", "sentence"), [("./nowhere", "There is no file or folder"), ("a/b/c", "neither a folder here nor")]
)
def test_a_model_that_is_not_there_is_named(ready, source, sentence):
    at = fine(visit("models"))
    at.text_input(key="model-source").set_value(source)
    press(at, "model-load")
    assert sentence in text(at)
    assert at.session_state["spec"] == ModelSpec()


def test_a_failed_loading_is_told(monkeypatch):
    def load(spec: ModelSpec, report: Any) -> Any:
        raise ModelTooLarge("It does not fit. It needs 9.9 GB; 0.1 GB are free. [Choose] a smaller one.")

    monkeypatch.setattr(shared, "RunApart", lambda: RunHere(ModelSlot(load)))
    shared.services.clear()
    try:
        made = shared.services()
        made.begin()
        until(lambda: made.worker.jobs()[0].over)
        at = fine(visit("trace"))
        assert "It needs 9.9 GB; 0.1 GB are free. [Choose] a smaller one." in text(at)
        run(at)
        assert at.error[0].value.replace("\\", "").startswith("It does not fit.")
    finally:
        forget_services()


def test_a_page_is_drawn_before_torch_is_read():
    """A stored result shows at once on a fresh server: what pages are made of must not wait for torch."""
    modules = [
        "app.jobs.services",
        "app.shell.margin",
        "app.session.run_flow",
        "app.studies.trace.form",
        "app.studies.trace.view",
        "app.studies.edit.forms.form",
    ]
    modules += [
        "app.studies.edit.view",
        "app.session.edit_stack",
        "app.shell.gallery",
        "app.shell.open_example",
        "app.session.export_row",
        "app.jobs.compute",
    ]
    code = f"import sys, {', '.join(modules)}; sys.exit(any(m in sys.modules for m in ('torch', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=MAIN.parents[1]).returncode == 0
