"""People at one worker: who comes, who is gone, whose turn it is, and how long the line says it takes."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from app.jobs.store import ResultStore
from app.jobs.worker import AWAY, LOOK, Worker
from tests.kit.steps import over, steps, submit, until

__all__ = ["steps"]


class Clock:
    """A clock that stands until a test moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Room:
    """A worker whose people come and go as a test says, by a clock of its own."""

    def __init__(self, tmp_path, lm: Any):
        self.clock, self.gone = Clock(), set[str]()
        self.worker = Worker(
            RunHere(ModelSlot(lambda spec, report: lm)),
            ResultStore(tmp_path / "results"),
            there=lambda owner: owner not in self.gone,
            person=lambda owner: owner.partition("/")[0],
            clock=self.clock,
        )

    def look(self, later: float = LOOK) -> None:
        """So many seconds pass, and whoever runs looks up."""
        self.clock.now += later


@pytest.fixture
def room(tmp_path, tiny) -> Iterator[Room]:
    made = Room(tmp_path, tiny)
    yield made
    made.worker.close()


def test_a_run_nobody_waits_for_ends_and_keeps_its_part(room, steps):
    job = submit(room.worker, steps, "left", 3, owner="ada")
    assert steps.has_begun("left")
    steps.allow(1)
    until(lambda: job.partial is not None, "the first step is not made")
    room.gone.add("ada")
    room.look()
    until(lambda: "ada" in room.worker._seen, "nobody looks")
    assert not job.cancelled.is_set()
    room.look(AWAY + 1)
    assert over(job).state == "stopped"
    assert room.worker.store.load(steps.study, job.key, stopped=True).done == 1


def test_the_runs_of_one_who_left_do_not_stand_before_the_next(room, steps):
    first = submit(room.worker, steps, "0", owner="ada")
    assert steps.has_begun("0")
    left = [submit(room.worker, steps, str(number), owner="ada") for number in range(1, 8)]
    room.gone.add("ada")
    room.look()
    until(lambda: "ada" in room.worker._seen, "nobody looks")
    waits = submit(room.worker, steps, "waits", owner="bob")
    room.look(AWAY + 1)
    assert over(first).state == "stopped"
    steps.allow(1)
    assert over(waits).state == "done"
    assert all(over(job).state == "stopped" for job in left)
    assert steps.ran == ["0", "waits"]


def test_a_session_that_comes_back_in_time_keeps_its_run(room, steps):
    job = submit(room.worker, steps, "a", owner="ada/before")
    assert steps.has_begun("a")
    room.gone.add("ada/before")
    room.look(AWAY / 2)
    room.worker.join(job, "ada/after")
    room.look(AWAY + 1)
    until(lambda: job.owners == {"ada/after"}, "the session that is gone still holds it")
    steps.allow(1)
    assert over(job).state == "done"


def test_one_of_two_who_is_gone_leaves_the_others_run_going(room, steps):
    job = submit(room.worker, steps, "a", owner="ada")
    assert submit(room.worker, steps, "a", owner="bob") is job
    assert steps.has_begun("a")
    room.gone.add("ada")
    room.look()
    until(lambda: "ada" in room.worker._seen, "nobody looks")
    room.look(AWAY + 1)
    until(lambda: job.owners == {"bob"}, "the session that is gone still holds it")
    steps.allow(1)
    assert over(job).state == "done"


def test_people_take_turns_whatever_they_asked_and_the_line_says_so(room, steps):
    running = submit(room.worker, steps, "a0", owner="ada/1")
    assert steps.has_begun("a0")
    jobs = {name: submit(room.worker, steps, name, owner=owner) for name, owner in (
        ("a1", "ada/1"), ("a2", "ada/2"), ("b1", "bob"), ("b2", "bob"), ("c1", "cyd"),
    )}  # fmt: skip
    assert room.worker.ahead(jobs["a2"]) == [running, *(jobs[name] for name in ("b1", "c1", "a1", "b2"))]
    steps.allow(6)
    for job in jobs.values():
        assert over(job).state == "done"
    assert steps.ran == ["a0", "b1", "c1", "a1", "b2", "a2"]


def test_a_run_two_wait_for_keeps_its_place_when_the_first_leaves(room, steps):
    submit(room.worker, steps, "a0", owner="ada")
    assert steps.has_begun("a0")
    shared, other = submit(room.worker, steps, "s", owner="ada"), submit(room.worker, steps, "c", owner="cyd")
    assert room.worker.ahead(shared)[1:] == [other]
    submit(room.worker, steps, "s", owner="bob")
    room.worker.leave(shared, "ada")
    assert shared.turn.person == "bob"
    steps.allow(3)
    assert over(shared).state == over(other).state == "done"


def test_the_time_until_a_turn_is_that_of_the_runs_before(tmp_path, tiny, steps):
    known: dict[str, float | None] = {"a": 40.0, "b": 30.0, "c": None}
    worker = Worker(
        RunHere(ModelSlot(lambda spec, report: tiny)),
        ResultStore(tmp_path / "results"),
        expected=lambda study, request, spec: known.get(request.name),
    )
    running = submit(worker, steps, "a", owner="ada")
    assert steps.has_begun("a")
    first, second = submit(worker, steps, "b", owner="bob"), submit(worker, steps, "c", owner="cyd")
    third = submit(worker, steps, "d", owner="dan")
    assert 30 < running.seconds_left <= 40
    assert worker.seconds_until(first) == pytest.approx(running.seconds_left, abs=1)
    assert worker.seconds_until(second) == pytest.approx(running.seconds_left + 30, abs=1)
    assert worker.seconds_until(third) is None
    worker.close()
