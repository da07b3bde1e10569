"""The benchmark of a server for many, without a server: what becomes of what was seen."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from analysis import LensRequest, ModelSpec, read_facts
from analysis.errors import WorkbenchError
from app.bench.form import Bench
from app.bench.server import cancels, estimates
from app.bench.server import run as bench_server
from app.bench.server.estimates import Looks, Timed, put
from app.bench.visits.protocol import Visit
from app.jobs.processes.run_apart import PATIENCE
from app.registry.studies import STUDIES
from editors.cases.case import own_cases

CASES = own_cases(read_facts())[:2]


def figures(bench: Bench) -> dict[str, float]:
    return {one.name: one.value for one in bench.figures}


def test_estimates_are_told_by_the_worst_and_by_their_order():
    bench = Bench({}, {})
    put(bench, [Timed("a", 2.0, 1.0), Timed("b", 5.0, 10.0), Timed("c", 6.0, 2.0), Timed("d", 1.0, 40.0)])
    found = figures(bench)
    assert found["estimate.factor_a"] == 2
    assert found["estimate.factor_b"] == 0.5
    assert found["estimate.worst_factor"] == 40
    assert found["estimate.wrong_order"] == 4  # d was told shortest; c longer than b
    assert bench.figures[-1].n == 5


def test_the_longest_time_between_two_looks_is_kept(monkeypatch):
    clock = iter([0.0, 1.0, 1.5, 6.5, 7.0])
    monkeypatch.setattr(estimates, "time", SimpleNamespace(perf_counter=lambda: next(clock), process_time=lambda: 0.0))
    looks = Looks()
    for done in range(4):
        looks(done, 4, "step")
    assert (looks.longest, looks.computed) == (5.0, 0.0)
    bench = Bench({}, {})
    put(bench, [Timed("a", 1.0, 1.0, 0.2, 0.1), Timed("b", 1.0, 1.0, 3.0, 0.4)])
    assert figures(bench)["looks.worst"] == figures(bench)["looks.longest_b"] == 3.0
    assert figures(bench)["looks.worst_computed"] == 0.4
    assert [row["run"] for row in bench.tables["looks"]] == ["a", "b"]


def test_every_study_that_takes_a_while_is_timed():
    """Those that are left out run others of them, or need a file."""
    assert {study for study, _ in estimates.requests().values()} >= {*STUDIES} - {"heads", "transfer", "abilities"}


@pytest.mark.parametrize(("told", "others"), [([0.5, 0.7], 0), ([0.5, 0.5], 1), ([0.9, 0.7], 1)])
def test_who_is_told_what_another_wrote_is_counted(monkeypatch, told, others):
    def lens(number: int) -> SimpleNamespace:
        request = LensRequest(prompt=CASES[number].rewrite.text)
        return SimpleNamespace(
            request=request, lens=SimpleNamespace(top_probabilities=np.full((2, 3, 5), told[number]))
        )

    monkeypatch.setattr(bench_server, "results", lambda home, study: [lens(0), lens(1)])
    alone = {0: 0.5, 1: 0.7}
    bench = Bench({}, {})
    bench_server._cross_talk(
        bench, None, CASES, lambda number, case: (np.full((2, 3, 5), alone[number]), np.zeros((2, 3, 5)))
    )  # type: ignore[arg-type]
    assert figures(bench)["visitors2.cross_talk"] == others
    with pytest.raises(WorkbenchError, match="was told nothing"):
        monkeypatch.setattr(bench_server, "results", lambda home, study: [lens(0)])
        bench_server._cross_talk(bench, None, CASES, lambda *_: (np.zeros((2, 3, 5)),) * 2)  # type: ignore[arg-type]


def test_everybody_in_a_room_has_another_edit():
    from app.bench.server.room import Person
    from app.studies.edit.forms.form import EditForm

    asked = [EditForm.model_validate(Person(number, None, case).edit).asked() for number, case in enumerate(CASES)]
    assert [request.facts[0].target for request in asked] == [case.rewrite.target for case in CASES]
    assert STUDIES["edit"].request is type(asked[0])


@dataclass
class Socket:
    """A server's side of the line: what it says, and what was said to it."""

    says: list[ForwardMsg]

    def __post_init__(self) -> None:
        self.heard: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.heard.append(data)

    def recv(self, timeout: float) -> bytes:
        return self.says.pop(0).SerializeToString()


def page(button: str, text: str) -> list[ForwardMsg]:
    begun, press, words, end = (ForwardMsg() for _ in range(4))
    begun.new_session.name = "main"
    press.metadata.delta_path[:] = [0, 0]
    press.delta.new_element.button.id = f"$$ID-abc-{button}"
    words.metadata.delta_path[:] = [0, 1]
    words.delta.new_element.markdown.body = text
    early = ForwardMsg()
    early.script_finished = ForwardMsg.FINISHED_EARLY_FOR_RERUN
    end.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
    return [begun, press, words, early, begun, press, words, end]


def test_a_visit_reads_a_page_to_its_end_and_presses_what_is_on_it():
    socket = Socket([*page("lens-go", "first"), *page("lens-cancel", "second")])
    visit = Visit(socket)
    visit.open("lens", {"prompt": "a b"})
    assert visit.has("lens-go")
    assert visit.text().strip() == "first"
    visit.press("lens-go")
    assert visit.text().strip() == "second"
    assert not visit.has("lens-go")
    assert b"prompt=a+b" in socket.heard[0]
    assert b"$$ID-abc-lens-go" in socket.heard[1]
    with pytest.raises(WorkbenchError, match="no button lens-go"):
        visit.press("lens-go")


@pytest.mark.real
def test_runs_that_are_given_up_stop_before_their_process_has_to_be_ended(monkeypatch):
    monkeypatch.setattr(cancels, "LATEST", 0.3)
    bench = Bench({}, {})
    cancels.add_cancels(bench, ModelSpec(), ("evaluate_two",), 1)
    found = figures(bench)
    assert 0 < found["cancel.evaluate_two"] == found["cancel.longest"] < PATIENCE
