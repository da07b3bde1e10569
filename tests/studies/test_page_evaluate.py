"""The page of evaluations, run in process on a tiny model: cases, scores, the worst, and the report."""

import json
import re
from dataclasses import replace

import numpy as np
import streamlit as st

from app.charts.frame import intervals
from app.charts.palette import written
from app.charts.prompt_kinds import TITLES
from app.exports.heading import key_of
from app.jobs.compute import stored
from app.jobs.run_entry import run_of
from app.registry.studies import STUDIES
from app.studies.evaluate.figure import evaluate_alt, evaluate_dots, shown
from app.studies.evaluate.reports.markdown import markdown_report
from app.studies.evaluate.view import PROTOCOL_WORDS
from app.studies.lifelong.figure import age_bars, retention_alt, retention_curves
from editors.evaluation.gates import DEFAULT
from editors.evaluation.result import PROTOCOLS, EvaluateRequest
from editors.evaluation.run import evaluate
from editors.lifelong_editing import run as lifelong_editing
from editors.lifelong_editing.result import LifelongRequest, LifelongResult
from tests.editors.test_case_files import COUNTERFACT, TABLE
from tests.editors.test_case_forms import FORMS
from tests.editors.test_evaluate import CASES
from tests.kit.visiting import charts, fine, offered, run, text, visit


def test_methods_side_by_side_on_our_facts(ready):
    at = fine(visit("evaluate"))
    at.session_state["evaluate.methods"] = ["ft"]
    at.session_state["evaluate.n"] = 1
    at.session_state["evaluate.free"] = False
    at = run(fine(at.run()), "evaluate-go", "evaluate")
    result = at.session_state["evaluate.job"].result
    assert len(result.request.cases) == 1
    assert charts(at)[0].alt.startswith("Scores by likelihood. The fact itself: No edit ")
    assert "Worst first" in text(at)
    assert re.search("Fine-tuning: (hold|reject), ", text(at))  # one case admits nothing
    assert DEFAULT.hash in text(at)
    assert offered(at, "evaluate") == ["CSV", "JSON", "HTML", "Report", "Notebook"]
    linked = fine(visit("evaluate", study="evaluate", result=key_of(result)))  # the store has it, the form says it
    assert charts(linked)[0].alt == charts(at)[0].alt
    assert linked.session_state["evaluate.methods"] == ["ft"]
    elsewhere = visit("evaluate", study="evaluate", result="0" * 24)
    assert "not on this server" in text(fine(elsewhere))
    at.session_state["evaluate-protocol"] = "kl"
    assert charts(fine(at.run()))[0].alt.startswith("Scores by kl.")
    assert len(at.dataframe[-1].value) > 10


def upload(monkeypatch, name, content):
    class File:
        def __init__(self):
            self.name = name

        def getvalue(self):
            return content.encode()

    monkeypatch.setattr(st, "file_uploader", lambda *args, **kwargs: File())


def test_a_file_is_told_row_by_row(ready, monkeypatch):
    wrong = {"requested_rewrite": {"prompt": "x"}}
    upload(monkeypatch, "cases.json", json.dumps([COUNTERFACT, COUNTERFACT, wrong]))
    at = fine(visit("evaluate"))
    at.session_state["evaluate-source"] = "A file of mine"
    at = fine(at.run())
    assert "2 of 3 records read as CounterFact; 1 with a fault, left out." in text(at)
    assert "10 prompts of the records are kept, 1 is left out. The file holds 2 cases." in text(at)
    labels = "".join(box.label for box in at.expander)
    assert "1 record with faults" in labels
    assert "1 prompt left out, and why" in labels
    assert "2 duplicates" in labels
    upload(monkeypatch, "cases.json", "[" * 10_000)
    assert "nested too deep" in text(fine(at.run()))


def test_a_record_without_an_answer_is_asked_for_one_and_questions_are_no_cases(ready, monkeypatch):
    upload(monkeypatch, "known.json", (FORMS / "known_1000.json").read_text(encoding="utf-8"))
    at = fine(visit("evaluate"))
    at.session_state["evaluate-source"] = "A file of mine"
    at = fine(at.run())
    assert "4 of 5 records read as known_1000; 1 with a fault, left out." in text(at)
    at = fine(at.text_input(key="evaluate-new-answer").set_value("Dorn").run())
    assert "5 of 5 records read as known_1000." in text(at)
    upload(monkeypatch, "forget01.json", (FORMS / "tofu_forget01.json").read_text(encoding="utf-8"))
    assert "questions without a fact to write (forget)" in text(fine(at.run()))


def test_a_table_asks_which_column_is_which(ready, monkeypatch):
    upload(monkeypatch, "cases.csv", TABLE)
    at = fine(visit("evaluate"))
    at.session_state["evaluate-source"] = "A file of mine"
    at = fine(at.run())
    assert "Say which column is the prompt" in text(at)
    at = fine(at.selectbox(key="evaluate-map-prompt").set_value("question").run())
    assert "1 of 1 record read as table." in text(at)


def test_the_form_stays_while_there_are_no_cases(ready, monkeypatch):
    upload(monkeypatch, "cases.csv", TABLE)
    at = fine(visit("evaluate"))
    at.session_state["evaluate-source"] = "A file of mine"
    fine(at.run())
    fine(at.selectbox(key="evaluate-map-prompt").set_value("question").run())
    fine(at.pills(key="evaluate.methods").set_value(["ft"]).run())
    fine(at.toggle(key="evaluate.free").set_value(False).run())
    monkeypatch.setattr(st, "file_uploader", lambda *args, **kwargs: None)
    assert "Drop a file of cases here" in text(fine(at.run()))
    assert at.pills(key="evaluate.methods").value == ["ft"]
    assert at.button(key="evaluate-go").disabled
    fine(fine(at.switch_page("../pages/lens.py").run()).switch_page("../pages/evaluate.py").run())
    upload(monkeypatch, "cases.csv", TABLE)
    assert "1 of 1 record read as table." in text(fine(at.run()))
    assert (at.pills(key="evaluate.methods").value, at.toggle(key="evaluate.free").value) == (["ft"], False)
    upload(monkeypatch, "other.csv", TABLE.replace("question", "asked"))
    assert "Say which column is the prompt" in text(fine(at.run()))


def test_what_was_said_of_a_model_stays_while_another_page_is_looked_at(ready):
    at = fine(visit("models"))
    fine(at.text_input(key="model-source").set_value("owner/name").run())
    fine(at.switch_page("../pages/lens.py").run())
    assert fine(at.switch_page("../pages/models.py").run()).text_input(key="model-source").value == "owner/name"


def test_no_method_is_no_edit_alone(ready):
    at = fine(visit("evaluate"))
    at.session_state["evaluate.methods"] = []
    at.session_state["evaluate.n"] = 1
    fine(at.run())
    at = run(at, "evaluate-go", "evaluate")
    assert at.session_state["evaluate.job"].result.versions == ["none"]


def test_figures_and_report_say_every_protocol(tiny):
    result = evaluate(tiny, EvaluateRequest(cases=CASES, methods=("ft",), words=2))
    assert PROTOCOL_WORDS.keys() == PROTOCOLS.keys()
    assert set(TITLES) >= set(result.there())
    report = markdown_report(result)
    for protocol in PROTOCOLS:
        figure = evaluate_dots(result, protocol, written("light"))
        assert len(figure.data) == 2
        assert len(figure.data[1].x) == len(shown(result, protocol))
        assert evaluate_alt(result, protocol).startswith(f"Scores by {protocol}.")
        assert f"## {protocol}" in report
    assert "(n=2)" in report


def test_a_stream_of_edits_on_our_facts(ready, monkeypatch):
    monkeypatch.setattr(lifelong_editing, "TEXT_TOKENS", 256)
    at = fine(visit("evaluate"))
    at.session_state["evaluate.kind"] = "lifelong"
    at.session_state["lifelong.method"] = "ft"
    at.session_state["evaluate.n"] = 2
    at = run(fine(at.run()), "evaluate-go", "lifelong")
    result = at.session_state["lifelong.job"].result
    assert result.milestones == [0, 1, 2]
    assert run_of(STUDIES["lifelong"], "key", result).title == "2 facts in a row"
    alone = replace(result, request=result.request.model_copy(update={"cases": result.request.cases[:1]}))
    assert run_of(STUDIES["lifelong"], "key", alone).title == "1 fact in a row"
    assert "After **2 edits** with Fine" in text(at)
    assert [chart.alt.split(":")[0] for chart in charts(at)] == [
        "What is left",
        "Facts still said at the end, by age",
        "How far the edits move what the changed layers write",
    ]
    moved = next(one.value for one in at.dataframe if "Near, by its own edit" in one.value)
    assert list(moved["Text"]) == ["0.0 %", "–", "–"]  # fine-tuning reads no second moments
    assert moved["Near, by its own edit"][1] != "–"
    assert list(at.dataframe[0].value["Edits"]) == [0, 1, 2]
    assert "Perplexity" in at.dataframe[0].value
    assert offered(at, "lifelong") == ["CSV", "JSON", "HTML", "Notebook"]
    assert list(at.dataframe[-1].value["edits"]) == [0, 1, 2]


def test_a_stored_stream_of_a_method_with_something_beside_fills_the_form(ready, monkeypatch):
    monkeypatch.setattr(lifelong_editing, "TEXT_TOKENS", 256)
    at = fine(visit("evaluate"))
    at.session_state["evaluate.kind"] = "lifelong"
    at.session_state["lifelong.method"], at.session_state["lifelong.extras"] = "ft", ["sadr", "protect"]
    at.session_state["evaluate.n"] = 1
    at = run(fine(at.run()), "evaluate-go", "lifelong")
    result = at.session_state["lifelong.job"].result
    assert result.request.method == "ft+sadr"  # fine-tuning protects no keys, so it is not offered
    linked = fine(visit("evaluate", study="lifelong", result=key_of(result)))
    assert linked.session_state["lifelong.method"] == "ft"
    assert linked.session_state["lifelong.extras"] == ["sadr"]
    assert "valid string" not in text(linked)
    assert "Fine-tuning with SADR" in text(linked)


def test_a_stored_comparison_of_versions_that_are_not_offered_fills_the_form(ready, tiny):
    made = stored(STUDIES["evaluate"], EvaluateRequest(cases=CASES[:1], methods=("ft", "ft+sadr"), free=False), tiny,
                  ready.store)  # fmt: skip
    linked = fine(visit("evaluate", study="evaluate", result=key_of(made)))
    assert linked.session_state["evaluate.methods"] == ["ft", "ft+sadr"]
    assert "Fine-tuning with SADR" in text(linked)


def test_a_quiz_on_our_facts(ready):
    at = fine(visit("evaluate"))
    at.session_state["evaluate.kind"] = "quiz"
    at.session_state["quiz.methods"] = ["ft"]
    at.session_state["evaluate.n"] = 1
    at = run(fine(at.run()), "evaluate-go", "quiz")
    assert run_of(STUDIES["quiz"], "key", at.session_state["quiz.job"].result).note == "quiz"
    assert charts(at)[0].alt.startswith("Share of questions answered as wished. Asked plainly: No edit ")
    at.session_state["quiz-by"] = True
    at = fine(at.run())
    assert "One of four" in charts(at)[0].alt
    assert "cannot read so long a talk as 1 doubts" in text(at)
    assert "Is it true that" in text(at)
    assert offered(at, "quiz") == ["CSV", "JSON", "HTML", "Notebook"]


def test_bars_of_shares_end_where_shares_do():
    bars = intervals([0.9, 0.05, 0.5], [0.2, 0.2, 0.2])
    assert np.allclose(bars["array"], [0.1, 0.2, 0.2])
    assert np.allclose(bars["arrayminus"], [0.2, 0.05, 0.2])
    assert intervals([3.0], [5.0], shares=False)["arrayminus"] == [5.0]


def test_the_curves_say_what_is_left():
    nothing = np.zeros(2)
    later = np.ones((2, 3, 2))
    later[1, 0] = [0, 1]
    result = LifelongResult(
        LifelongRequest(cases=CASES[:2]), {}, [0, 2], later[1], later, nothing, nothing, nothing, ["sums"],
        np.array([[0.5], [0.25]]), nothing, [], np.zeros(2),
    )  # fmt: skip
    figure = retention_curves(result, written("dark"))
    assert [trace.text[-1].split(",")[0] for trace in figure.data] == [
        "the facts",
        "in other words",
        "neighbours",
        "abilities",
    ]
    assert list(figure.data[0].y) == [0.5]
    assert "after 2 edits the facts 50\u202f%" in retention_alt(result)
    assert list(age_bars(result, written("light")).data[0].y) == [1, 0]
