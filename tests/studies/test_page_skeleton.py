"""What pages have in common between form and figure."""

from types import SimpleNamespace

from analysis import ModelSpec
from app.jobs.job import Job
from app.registry.studies import STUDIES
from tests.kit.traces import asked
from tests.kit.visiting import LINK, charts, fine, press, text, visit

GOES_ON = "This run began under other edits than are on now."


def test_a_subject_that_is_not_there_is_told_once_when_trace_is_pressed(ready):
    at = fine(visit("trace", **LINK | {"subject": "towr of Aldra"}))
    press(at, "trace-go")
    assert text(at).count("“towr of Aldra” is not in the prompt.") == 1


def test_a_run_under_an_edit_that_was_switched_off_stands_over_no_empty_map(ready):
    at = fine(visit("trace", **LINK))
    assert [chart.alt for chart in charts(at)] == ["An empty map: nothing traced yet."]
    request = asked(kinds=("state", "mlp"), samples=3, sigma=0.2, window=2)
    edit = SimpleNamespace(id="switched off", key="switched off")
    at.session_state["trace.job"] = job = Job(STUDIES["trace"], request, ModelSpec(), {"me"}, (edit,), state="running")
    fine(at.run())
    assert GOES_ON in text(at)
    assert not charts(at)
    job.state = "stopped"
    fine(at.run())
    assert GOES_ON not in text(at)
