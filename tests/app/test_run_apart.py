"""Runs in a process of their own: the same bits, cancelled and gone on with as ever; when it dies no other does."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import LensRequest, TraceRequest
from analysis.study import Study, pack
from app.jobs.known_models import look_at
from app.jobs.model_slot import ModelSlot
from app.jobs.processes import run_apart
from app.jobs.processes.deadly import REST, Deadly
from app.jobs.run_here import RunHere
from app.jobs.store import ResultStore
from app.jobs.worker import Worker
from app.registry.studies import STUDIES
from editors import write
from tests.kit.apart import BEGINNING, ENDLESS, apart, ask, deaths, ended, has_part, process_of
from tests.kit.edits import asked
from tests.kit.installing import DEATHS
from tests.kit.places import ROOT
from tests.kit.steps import SPEC, StepsRequest, StepsResult, until

__all__ = ["apart", "deaths"]
PROMPT = "the old tower of Aldra stands in a city"
TRACE = TraceRequest(prompt=PROMPT, subject="old tower", samples=2)
LENS = LensRequest(prompt=PROMPT)


def bits(result: Any) -> Any:
    data, arrays = pack(replace(result, provenance={}))
    return data, {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def test_a_run_gives_the_same_bits_in_either_process(apart, tiny, tmp_path):
    here = Worker(RunHere(ModelSlot(lambda spec, report: tiny)), ResultStore(tmp_path / "here"))
    edit = write(tiny, asked())
    for name, request in (("trace", TRACE), ("lens", LENS), ("edit", asked())):
        for edits in ((), (edit,)):
            one, two = (ended(worker.submit(STUDIES[name], request, SPEC, "me", edits)) for worker in (apart, here))
            assert (one.state, one.error, one.key, one.whole) == ("done", None, two.key, True)
            assert bits(one.result) == bits(two.result)
            assert bits(apart.store.load(STUDIES[name], one.key)) == bits(two.result)
    here.close()


def test_what_is_known_of_a_model_is_known_without_it(apart, tiny):
    ended(apart.submit(None, None, SPEC, "me"))
    known, look = apart.runner.known, look_at(tiny)
    assert known.cards[SPEC] == look.card
    assert known.matrices[SPEC] == look.matrices
    assert known.tokenizers[SPEC](PROMPT) == tiny.tokenizer(PROMPT)
    assert known.paces.seconds("lens", 1e9, SPEC) != run_apart.Known().paces.seconds("lens", 1e9, SPEC)


def test_a_cancelled_run_keeps_its_part_and_goes_on(apart):
    job = ask(apart, "never", steps=3)
    has_part(job, 3)
    assert (job.done, job.total, job.share, job.note) == (3, 3, 1.0, "steps")
    process = process_of(apart)
    apart.leave(job, "me")
    assert ended(job).state == "stopped"
    assert job.result.done == 3
    assert apart.store.load(job.study, job.key, stopped=True) == job.result
    again = ended(ask(apart, "never", steps=3))
    assert (again.state, again.result.begun, again.result.process) == ("done", 3, process)
    assert not again.whole
    assert ended(ask(apart, "never", steps=3)).result == again.result


def test_whatever_ends_a_run_the_others_go_on(apart):
    """Ended by itself, by a fault of memory, by the system: the next run has a process of its own."""
    jobs = [ask(apart, end, owner=end, steps=1) for end in ("exit", "segfault", "kill", "well")]
    told = {"exit": "exit code 7", "segfault": "signal 11, SIGSEGV", "kill": "as a system does where memory runs out"}
    for job in jobs[:3]:
        assert ended(job).state == "failed"
        assert f"its process ended ({told[job.request.end]}" in job.error.replace("it was killed, ", "")
        assert "All other runs go on. What it had found is kept; asked again, it goes on from there." in job.error
        assert job.result.done == 1
        assert apart.store.load(job.study, job.key, stopped=True) == job.result
    assert ended(jobs[3]).state == "done"
    assert jobs[3].result.process == process_of(apart)
    assert len({job.result.process for job in jobs}) == 4
    assert ended(ask(apart, "kill", steps=1)).result.begun == 1


def test_a_run_that_ends_its_process_each_time_is_refused_and_no_other(apart):
    """Everybody's model is read anew each time: asked a third time, the process others use is left alone."""
    for _ in range(2):
        assert "its process ended (exit code 7)" in ended(ask(apart, "always", steps=1)).error
    alive = ended(ask(apart, "well", name="between")).result.process
    third = ended(ask(apart, "always", steps=1, owner="another"))
    assert third.state == "failed"
    assert third.error.startswith("This run has ended its process 2 times in a row here, so it is not begun again for")
    assert process_of(apart) == alive
    assert "its process ended" in ended(ask(apart, "always", steps=2)).error


def test_one_that_came_further_counts_anew_and_after_a_while_all_are_begun():
    now = [0.0]
    deadly = Deadly(lambda: now[0])
    deadly.died("a", 0.1)
    deadly.died("a", 0.2)
    assert deadly.refused("a") is None
    deadly.died("a", 0.2)
    assert "for 10\u202fmin." in deadly.refused("a")
    assert deadly.refused("b") is None
    now[0] = REST
    assert deadly.refused("a") is None
    for _ in range(2):
        deadly.died("a", 0.0)
        deadly.lived("a")
    assert deadly.refused("a") is None


def test_one_that_ended_between_two_runs_is_begun_again(apart):
    before = ended(ask(apart, "well")).result.process
    os.kill(before, signal.SIGKILL)
    assert ended(ask(apart, "well", name="next")).result.process not in (None, before)


def test_ctrl_c_does_not_reach_a_process_that_begins(apart):
    os.kill(before := ended(ask(apart, "well", name="last")).result.process, signal.SIGKILL)
    job = ask(apart, "well", name="interrupted")
    until(lambda: process_of(apart) not in (None, before), "no process is begun")
    os.kill(begun := process_of(apart), signal.SIGINT)
    assert ended(job).result.process == begun


def test_asked_to_end_by_itself_it_stops_its_run_and_is_gone(apart):
    job = ask(apart, "never", name="asked to end")
    has_part(job)
    os.kill(process_of(apart), signal.SIGINT)  # of a group that is interrupted: its server says what to do
    os.kill(process_of(apart), signal.SIGTERM)
    assert ended(job).state == "stopped"
    assert job.result.done == 2
    assert ended(ask(apart, "well", name="after")).state == "done"


def test_a_run_that_hears_nothing_is_ended_with_its_process(apart, monkeypatch):
    monkeypatch.setattr(run_apart, "PATIENCE", 0.2)
    job = ask(apart, "deaf")
    has_part(job)
    apart.leave(job, "me")
    assert ended(job).state == "stopped"
    assert job.result.done == 2
    assert ended(ask(apart, "well", name="after")).state == "done"


def test_a_model_that_is_being_read_is_let_go_of_at_once(apart, monkeypatch):
    """What has read no model yet has nothing to lose."""
    monkeypatch.setattr(run_apart, "PATIENCE", 1e9)
    os.kill(ended(ask(apart, "well", name="before")).result.process, signal.SIGKILL)
    job = apart.submit(None, None, ENDLESS, "me")
    until(lambda: job.note == "weights", "no progress", BEGINNING)
    apart.leave(job, "me")
    assert ended(job).state == "stopped"
    assert ended(ask(apart, "well", name="after it")).state == "done"


@pytest.mark.parametrize(("end", "sentence"), [("refused", "The subject is gone."), ("fault", "Something went wrong")])
def test_a_fault_comes_up_as_its_sentence(apart, end, sentence):
    job = ended(ask(apart, end))
    assert job.state == "failed"
    assert job.error.startswith(sentence)


def test_a_study_the_process_does_not_have_fails_alone(apart):
    study = Study("nowhere", StepsRequest, StepsResult, lambda *_: None)
    job = ended(apart.submit(study, StepsRequest(name="a"), SPEC, "me"))
    assert (job.state, job.error[:20]) == ("failed", "Something went wrong")
    assert ended(ask(apart, "well", name="after")).state == "done"


def test_what_the_disk_does_not_take_is_held_by_the_server(apart, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(apart, "store", store := ResultStore(tmp_path / "file" / "results"))
    job = ask(apart, "never", name="disk")
    has_part(job)
    apart.leave(job, "me")
    assert ended(job).state == "stopped"
    assert store.held(job.key)
    assert "is not a folder" in store.disk.said()
    again = ended(ask(apart, "never", name="disk"))
    assert again.result.begun == 2  # its part was in the server's memory alone
    assert store.load(job.study, job.key) == again.result
    (tmp_path / "file").unlink()
    store.settle()
    assert store.disk.said() is None
    assert ResultStore(store.root).load(job.study, job.key) == again.result


def test_many_runs_leave_nothing_behind(apart):
    def open_now() -> tuple[int, int]:
        files = Path("/proc/self/fd")
        return threading.active_count(), len(list(files.iterdir())) if files.exists() else 0

    ended(ask(apart, "well", name="first"))
    before = open_now()
    for number in range(20):
        assert ended(ask(apart, "well", name=str(number))).state == "done"
    assert open_now() == before


def test_the_end_is_quick_keeps_the_part_and_leaves_no_process(deaths, apart, tmp_path, caplog):
    from tests.kit.apart import RunApart, load

    worker = Worker(RunApart(load), ResultStore(tmp_path / "results"))
    job = ask(worker, "never", name="closing")
    has_part(job)
    process = process_of(worker)
    worker.close()
    assert job.state == "stopped"
    assert "deaths: was stopped after 2 of 2 steps; asked again, it goes on there." in caplog.messages
    assert gone(process)
    assert worker.store.load(job.study, job.key, stopped=True).done == 2


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_ends_with_a_server_that_was_killed_and_stores_its_part(deaths, tmp_path):
    """What would not have been possible in one process: nothing of the run is lost."""
    path = os.pathsep.join([str(ROOT), *(place for place in sys.path if "site" in place), str(DEATHS)])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.kit.apart", str(tmp_path / "results")],
        env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    process = int(server.stdout.readline())
    server.kill()
    server.wait()
    until(lambda: gone(process), "the process of the runs is still there")
    (left,) = (tmp_path / "results").glob("*.stopped")
    assert ResultStore(tmp_path / "results").load(STUDIES["deaths"], left.stem, stopped=True).done == 2
