"""The worker: order, company, cancelling, and living on after faults."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from analysis import ModelSpec, TraceRequest, WorkbenchError
from analysis.study import Study
from app.jobs.job import Job
from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from app.jobs.store import ResultStore
from app.jobs.worker import Worker
from app.registry.studies import STUDIES
from tests.kit.families import language_model
from tests.kit.steps import SPEC, WAIT, StepsRequest, StepsResult, over, steps, submit, until

__all__ = ["steps"]
OTHER = ModelSpec(source="two")


@pytest.fixture
def finished() -> list[Job]:
    return []


@pytest.fixture
def worker(tmp_path, tiny, finished) -> Iterator[Worker]:
    made = Worker(
        RunHere(ModelSlot(lambda spec, report: tiny)), ResultStore(tmp_path / "results"), finished=finished.append
    )
    yield made
    made.close()


def test_jobs_run_in_their_order(worker, steps, finished):
    jobs = [submit(worker, steps, name) for name in "abc"]
    assert steps.has_begun("a")
    assert worker.ahead(jobs[0]) == []
    assert worker.ahead(jobs[2]) == jobs[:2]
    steps.allow(3)
    for job in jobs:
        assert over(job).state == "done"
        assert job.result.done == 1
    assert steps.ran == ["a", "b", "c"]
    assert finished == jobs
    assert worker.ahead(jobs[2]) == []
    assert worker.jobs() == jobs


def test_the_end_of_the_process_says_what_was_kept(worker, steps, caplog):
    job = submit(worker, steps, "a", 5)
    submit(worker, steps, "b")
    steps.allow(1)
    until(lambda: job.done == 1, "no progress")
    worker.close()
    assert [record.getMessage() for record in caplog.records] == [
        "steps: was stopped after 1 of 5 steps; asked again, it goes on there.",
        "steps: was stopped before anything was computed.",
    ]


def test_a_run_that_goes_on_is_found_by_what_was_asked(worker, steps):
    job = submit(worker, steps, "a")
    assert steps.has_begun("a")
    assert worker.going(steps.study, StepsRequest(name="a"), SPEC) is job
    assert worker.going(steps.study, StepsRequest(name="a"), OTHER) is None
    worker.leave(job, "me")
    assert job.left_by == {"me"}
    assert worker.going(steps.study, StepsRequest(name="a"), SPEC) is None


def test_a_cancel_comes_through_between_two_blocks(worker, tiny):
    begun, ids = threading.Event(), torch.arange(4).unsqueeze(0)

    def run(lm: Any, request: StepsRequest, report: Any) -> StepsResult:
        begun.set()
        while True:  # no report is ever made
            lm.logits(ids)

    job = worker.submit(Study("deaf", StepsRequest, StepsResult, run), StepsRequest(name="a"), SPEC, "me")
    assert begun.wait(WAIT)
    worker.leave(job, "me")
    assert over(job).state == "stopped"
    assert not any(block._forward_pre_hooks for block in tiny.blocks)


def test_a_cancel_comes_through_on_the_way_back(worker, tiny):
    """A step of a search for an edit: most of its time is in its gradient, which no report interrupts."""
    forward, ids = threading.Event(), torch.arange(4).unsqueeze(0)

    def run(lm: Any, request: StepsRequest, report: Any) -> StepsResult:
        states = lm.model.get_input_embeddings()(ids).detach().requires_grad_()
        last = lm.model(inputs_embeds=states).logits.sum()
        forward.set()
        assert job.cancelled.wait(WAIT)
        last.backward()
        raise AssertionError("the gradient came to its end")

    ready = threading.Event()
    study = Study("deaf", StepsRequest, StepsResult, lambda *given: ready.wait(WAIT) and run(*given))
    job = worker.submit(study, StepsRequest(name="a"), SPEC, "me")
    ready.set()
    assert forward.wait(WAIT)
    worker.leave(job, "me")
    assert over(job).state == "stopped"


def test_the_part_of_any_study_is_kept_but_no_sketch(worker, tiny):
    request = StepsRequest(name="a", steps=2)

    def run(lm: Any, request: StepsRequest, report: Any) -> StepsResult:
        report(1, 2, "steps", request.part)
        while True:
            report(1, 2, "steps")

    class Given(StepsRequest):
        part: Any = None

    for part, kept in ((StepsResult(request, 1), True), ("a sketch", False)):
        study = Study("part", Given, StepsResult, run)
        job = worker.submit(study, Given(name="a", part=part), SPEC, "me")
        until(lambda job=job: job.partial is not None, "there is no part")
        worker.leave(job, "me")
        assert over(job).state == "stopped"
        assert (job.result == part) is kept


def test_equal_jobs_are_one(worker, steps):
    first, second = submit(worker, steps, "a", owner="me"), submit(worker, steps, "a", owner="you")
    assert first is second
    assert first.owners == first.asked_by == {"me", "you"}
    assert worker.submit(steps.study, StepsRequest(name="a"), OTHER, "me") is not first
    steps.allow(1)
    over(first)
    assert steps.ran[0] == "a"


def test_progress(worker, steps):
    job = submit(worker, steps, "a", 4)
    assert job.seconds_left is None
    steps.allow(2)
    until(lambda: job.done == 2, "no progress")
    assert (job.total, job.share, job.note, job.partial.done) == (4, 0.5, "steps", 2)
    assert job.seconds_left is not None
    steps.allow(2)
    assert over(job).seconds > 0


def test_a_stored_result_is_not_computed_again(worker, steps):
    steps.allow(1)
    over(submit(worker, steps, "a"))
    again = over(submit(worker, steps, "a"))
    assert again.state == "done"
    assert again.result.done == 1
    assert steps.ran == ["a"]


def test_cancelling_ends_within_a_step_and_keeps_the_part(worker, steps):
    job = submit(worker, steps, "a", 5)
    steps.allow(2)
    until(lambda: job.done == 2, "no progress")
    began = time.monotonic()
    worker.leave(job, "me")
    assert over(job).state == "stopped"
    assert time.monotonic() - began < 1
    assert job.result.done == 2
    assert worker.store.load(steps.study, job.key) is None
    assert worker.store.load(steps.study, job.key, stopped=True).done == 2

    again = submit(worker, steps, "a", 5)
    assert again is not job
    steps.allow(3)
    assert over(again).state == "done"
    assert again.result.done == 5
    assert worker.store.load(steps.study, job.key, stopped=True) is None


def test_a_job_lives_while_somebody_waits_for_it(worker, steps):
    job = submit(worker, steps, "a", 2, owner="me")
    submit(worker, steps, "a", 2, owner="you")
    assert steps.has_begun("a")
    worker.leave(job, "me")
    assert not job.cancelled.is_set()
    steps.allow(2)
    assert over(job).state == "done"
    assert job.asked_by == {"me", "you"}


def test_leaving_the_line(worker, steps):
    running, waiting = submit(worker, steps, "a"), submit(worker, steps, "b")
    assert steps.has_begun("a")
    worker.leave(waiting, "me")
    assert waiting.state == "stopped"
    steps.allow(2)
    assert over(running).state == "done"
    assert over(submit(worker, steps, "c")).state == "done"
    assert steps.ran == ["a", "c"]


def test_one_who_asks_again_after_cancelling_gets_a_new_run(worker, steps):
    job = submit(worker, steps, "a", 2)
    assert steps.has_begun("a")
    worker.leave(job, "me")
    again = submit(worker, steps, "a", 2)
    assert again is not job
    assert over(job).state == "stopped"
    steps.allow(2)
    assert over(again).state == "done"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (WorkbenchError("The subject is gone."), "The subject is gone."),
        (ZeroDivisionError(), "Something went wrong"),
        (SystemExit(3), "Something went wrong"),
        (MemoryError(), "The run needed more memory than there is"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
            "The run needed more",
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "Something went wrong"),
    ],
)
def test_the_worker_lives_on_after_a_fault(worker, steps, fault, sentence):
    def fail(*_: Any, **__: Any) -> None:
        raise fault

    job = worker.submit(Study("fails", StepsRequest, StepsResult, fail), StepsRequest(name="x"), SPEC, "me")
    assert over(job).state == "failed"
    assert job.error.startswith(sentence)
    steps.allow(1)
    assert over(submit(worker, steps, "a")).state == "done"


def test_the_worker_lives_on_when_nothing_can_be_stored(worker, steps, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(worker.store, "save", full)
    job = submit(worker, steps, "a", 2)
    steps.allow(1)
    until(lambda: job.done == 1, "no progress")
    worker.leave(job, "me")
    assert over(job).state == "stopped"
    assert job.result.done == 1
    steps.allow(1)
    assert over(submit(worker, steps, "b")).result.done == 1


def test_a_fault_of_the_listener_is_not_the_jobs(tmp_path, tiny, steps):
    def fail(job: Job) -> None:
        raise RuntimeError("history")

    worker = Worker(RunHere(ModelSlot(lambda spec, report: tiny)), ResultStore(tmp_path / "results"), finished=fail)
    steps.allow(1)
    assert over(submit(worker, steps, "a")).state == "done"
    worker.close()


def test_closing_is_quick_and_keeps_the_part(worker, steps):
    job, waiting = submit(worker, steps, "a", 5), submit(worker, steps, "b")
    steps.allow(1)
    until(lambda: job.done == 1, "no progress")
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < 2
    assert job.state == "stopped"
    assert waiting.state == "stopped"
    assert worker.store.load(steps.study, job.key, stopped=True).done == 1
    assert submit(worker, steps, "c").state == "stopped"


def test_another_model_takes_the_first_ones_place(tmp_path, steps):
    alive: dict[str, weakref.ref] = {}

    def loader(spec: ModelSpec, report: Any) -> Any:
        assert all(model() is None for model in alive.values()), "two models in memory"
        lm = language_model("gpt2", seed=len(alive))
        alive[spec.source] = weakref.ref(lm)
        return lm

    slot = ModelSlot(loader)
    worker = Worker(RunHere(slot), ResultStore(tmp_path / "results"))
    steps.allow(1)
    over(submit(worker, steps, "a"))
    request = TraceRequest(prompt="the old tower of Aldra", subject="old tower", samples=2)
    traced = over(worker.submit(STUDIES["trace"], request, SPEC, "me"))
    assert traced.state == "done", traced.error
    assert slot.loaded == SPEC
    loaded = over(worker.submit(None, None, OTHER, "me"))
    assert loaded.state == "done", loaded.error
    gc.collect()
    assert alive["one"]() is None
    assert alive["two"]() is not None
    assert slot.loaded == OTHER
    assert set(slot.known.cards) == {SPEC, OTHER}
    worker.close()


def test_a_model_that_cannot_be_loaded(tmp_path, steps):
    def loader(spec: ModelSpec, report: Any) -> Any:
        raise WorkbenchError("It does not fit.")

    slot = ModelSlot(loader)
    worker = Worker(RunHere(slot), ResultStore(tmp_path / "results"))
    job = over(worker.submit(None, None, SPEC, "me"))
    assert (job.state, job.error) == ("failed", "It does not fit.")
    assert slot.loaded is None
    worker.close()


def test_a_stopped_trace_goes_on_where_it_stopped(worker, tiny):
    request = TraceRequest(prompt="the old tower of Aldra stands in a city", subject="old tower", samples=2)
    study, counted = STUDIES["trace"], []

    def run(lm: Any, request: Any, report: Any, *, resume_from: Any = None) -> Any:
        def listening(*args: Any, **named: Any) -> None:
            counted.append(args[0])
            report(*args, **named)
            if resume_from is None and args[0] >= 9:
                job.cancelled.set()

        ready.wait(WAIT)
        return study.run(lm, request, listening, resume_from=resume_from)

    ready = threading.Event()
    job = worker.submit(Study("trace", study.request, study.result, run, resumable=True), request, SPEC, "me")
    ready.set()
    assert over(job).state == "stopped"
    done, asked = job.result.cells
    assert 0 < done < asked

    counted.clear()
    whole = over(worker.submit(Study("trace", study.request, study.result, run, resumable=True), request, SPEC, "me"))
    assert whole.state == "done"
    assert counted[0] >= done
    fresh = study.run(tiny, request)
    assert (whole.result.scores("state") == fresh.scores("state")).all()
    assert whole.result.complete
