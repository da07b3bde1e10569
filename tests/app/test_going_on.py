"""While a run goes on: its partial results are drawn, other tabs join it, a reload finds it, any page shows it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis import ModelSpec
from analysis.facts.chains import read_chains
from analysis.study import Study
from app.jobs.job import Job
from app.registry.studies import ENTRIES, STUDIES
from app.session.fields import loose
from editors.attention_drift.result import DriftRequest
from editors.cases.chain_files import case_of_chain
from editors.chain_reach.result import ReachRequest
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation.result import EvaluateRequest
from editors.generation.result import GenerateRequest
from editors.layer_sweep.result import LayersRequest
from editors.lifelong_editing import run as lifelong_editing
from editors.lifelong_editing.result import LifelongRequest
from editors.methods.search.target_search import SoFar
from editors.quizzes.result import QuizRequest
from tests.app.test_exports import averaged
from tests.editors.test_drift import edit_of
from tests.editors.test_lifelong import CASES as STREAM
from tests.editors.test_quiz import own
from tests.kit.traces import SUBJECT, asked
from tests.kit.visiting import FACT, LINK, fine, press, run, text, until, visit, wrote

TOWER = Rewrite(prompt="the old tower of {} stands in a", subject="Aldra", target="river")
TRACE = asked(kinds=("state", "mlp"))
DRIFT = DriftRequest(prompt="the old tower of Aldra stands in a", subject="Aldra", edited="river")
REQUESTS: dict[str, Any] = {
    "trace": TRACE,
    "edit": EditRequest(facts=(TOWER,), layers=(1,), contexts=1, steps=3, tokens=600),
    "drift": DRIFT,
    "generate": GenerateRequest(prompt=("the old",), tokens=3),
    "layers": LayersRequest(facts=(TOWER,), layers=(0, 1), samples=2),
    "evaluate": EvaluateRequest(cases=STREAM[:1], methods=("memit",), free=False),
    "quiz": QuizRequest(cases=(own("capital/france"),), methods=("memit",), turns=0, words=2),
    "lifelong": LifelongRequest(cases=STREAM[:2], method="memit", words=2, abilities=False),
    "reach": ReachRequest(cases=(case_of_chain(read_chains()[0], "first"),), methods=("memit",), words=2),
}


def parts_of(study: Study, lm: Any, request: Any) -> list[Any]:
    """Everything a run reports of its result while it goes on."""
    seen: list[Any] = []

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        seen.append(partial) if partial is not None else None

    options = {"stack": [edit_of(lm)] if study.name == "drift" else []} if study.on_edits else {}
    study.run(lm, request, report, **options)
    return seen


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(lifelong_editing, "TEXT_TOKENS", 256)


@pytest.mark.parametrize("name", list(REQUESTS))
def test_what_a_run_reports_is_its_own_result_so_far(tiny, short, name):
    """An evaluation once handed on the search of an edit it makes, and its page fell over it."""
    study = STUDIES[name]
    for part in parts_of(study, tiny, REQUESTS[name]):
        assert isinstance(part, SoFar if name == "edit" else study.result)


def at_page(page: str, study: str, request: Any, part: Any, edits: tuple = ()) -> AppTest:
    """The page of a study while a run of it has come so far."""
    at = fine(visit(page))
    if edits:
        at.session_state["written"] = at.session_state["written"].add(edits[0])
    at.session_state[f"{study}.fill"] = loose(request)
    at.session_state[f"{study}.job"] = Job(
        STUDIES[study], request, ModelSpec(), {"me"}, edits, state="running", partial=part, key="k", total=9, done=4
    )
    return fine(at.run())


DRAWN: dict[str, tuple[str, Callable[[Any], list[Any]]]] = {
    "trace": ("trace", lambda lm: parts_of(STUDIES["trace"], lm, TRACE)),
    "drift": ("drift", lambda lm: parts_of(STUDIES["drift"], lm, DRIFT)),
    "generate": ("generate", lambda lm: parts_of(STUDIES["generate"], lm, REQUESTS["generate"])),
    "average": ("average", lambda lm: [averaged(lm.card())]),
    "quiz": ("evaluate", lambda lm: parts_of(STUDIES["quiz"], lm, REQUESTS["quiz"])),
    "lifelong": ("evaluate", lambda lm: parts_of(STUDIES["lifelong"], lm, REQUESTS["lifelong"])),
}


@pytest.mark.parametrize("name", list(DRAWN))
def test_every_partial_is_drawn_by_its_page(ready, tiny, short, name):
    page, parts = DRAWN[name]
    seen = parts(tiny)
    assert seen
    edits = (edit_of(tiny),) if name == "drift" else ()
    for part in (seen[0], seen[len(seen) // 2], seen[-1]):
        at = at_page(page, name, part.request, part, edits)
        assert [one for one in at.button if one.key == f"{name}-cancel"], text(at)


class Held:
    """A trace that waits for leave before it ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        study = STUDIES["trace"]

        def held(lm: Any, request: Any, report: Any, **options: Any) -> Any:
            while not self.go.wait(0.01):
                report(0, 9, "cells")
            return study.run(lm, request, report, **options)

        monkeypatch.setitem(vars(ENTRIES["trace"]), "study", replace(study, run=held))


def test_a_link_joins_the_run_that_goes_on(ready, monkeypatch):
    held = Held(monkeypatch)
    first = press(fine(visit("trace", **LINK)), "trace-go")
    job = first.session_state["trace.job"]
    second = fine(visit("trace", **LINK))
    assert second.session_state["trace.job"] is job
    assert [one for one in second.button if one.key == "trace-cancel"]
    assert "Stopped" not in text(second)
    press(first, "trace-cancel")
    assert not job.over, "the other tab still waits for it"
    assert "trace-cancel" not in {one.key for one in first.run().button}, "one who gave it up is not brought back"
    held.go.set()
    until(lambda: job.over)
    assert job.state == "done"
    assert "What am I looking at?" in text(fine(second.run()))


def test_runs_are_seen_and_ended_from_any_page(ready, monkeypatch):
    Held(monkeypatch)
    at = press(fine(visit("trace", **LINK)), "trace-go")
    job = at.session_state["trace.job"]
    assert "#### Going on" in text(at), "in the tab that began it, at once"
    assert "Nothing traced yet" not in text(at)
    elsewhere = fine(at.switch_page("../pages/lens.py").run())
    assert "#### Going on" in text(elsewhere)
    assert SUBJECT in text(elsewhere)
    press(elsewhere, "going-end-0")
    until(lambda: job.over)
    assert job.state == "stopped"
    assert "#### Going on" not in text(fine(elsewhere.run()))


def test_a_run_that_is_cancelled_says_so_until_it_has_ended(ready, monkeypatch):
    leave = threading.Event()
    study = STUDIES["trace"]

    def deaf(lm: Any, request: Any, report: Any, **options: Any) -> Any:
        assert leave.wait(30)
        report(0, 9, "cells")

    monkeypatch.setitem(vars(ENTRIES["trace"]), "study", replace(study, run=deaf))
    at = press(fine(visit("trace", **LINK)), "trace-go")
    press(at, "trace-cancel")
    assert "It is being stopped." in {bar.proto.text for bar in at.get("progress")}
    assert "trace-cancel" not in {one.key for one in at.button}
    leave.set()
    until(lambda: at.session_state["trace.job"].over)


def test_a_reload_shows_the_edit_that_is_on(ready):
    wrote(fine(visit("edit", **FACT)))
    again = fine(visit("edit", **FACT))
    assert "Nothing written yet" not in text(again)
    assert {"Before", "After"} <= {part.proto.alt.split(":")[0] for part in again.get("plotly_chart")}


def test_a_result_without_the_edits_is_told_of_and_shown(ready):
    traced = run(fine(visit("trace", **LINK)))
    key = traced.session_state["trace.job"].key
    wrote(fine(visit("edit", **FACT)))
    at = fine(visit("trace", **LINK))
    assert "A result of the model as it was trained is stored" in text(at)
    at = press(at, "trace-show-without")
    assert ready.store.load(STUDIES["trace"], key).model["edits"] == []
    assert "What am I looking at?" in text(at)
