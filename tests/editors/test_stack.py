"""The stack of edits is a value, and edits over shared weights leave no trace, whoever else computes."""

import hashlib
import threading
from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
import torch

from analysis import LensRequest, ModelSpec, TraceRequest, logit_lens, trace
from analysis.errors import BadRequest
from analysis.model.language_model import LanguageModel
from analysis.study import Study
from app.jobs.job import Job
from app.jobs.model_slot import ModelSlot
from app.jobs.run_here import RunHere
from app.jobs.store import ResultStore
from app.jobs.worker import Worker
from app.registry.studies import STUDIES
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.stack import EditStack
from editors.methods.run import write
from tests.conftest import cached
from tests.kit.edits import CITY, LAST, TOWER, asked
from tests.kit.families import language_model
from tests.kit.steps import WAIT, over, until

SPEC = ModelSpec(source="one")
IDS = torch.tensor([[1, 2, 3, 4, 5, 8]])
PROMPT = "the old tower of Aldra stands in a city"
LENS, TRACE = LensRequest(prompt=PROMPT), TraceRequest(prompt=PROMPT, subject="old tower", samples=2)


@cache
def three(family: str = "llama") -> tuple[Edit, Edit, Edit]:
    """Edits of one layer, of another, and of both."""
    lm = cached(family)
    several = asked("memit", LAST) if family != "gemma2" else asked("pmet", LAST)
    return write(lm, asked()), write(lm, asked("rome", CITY, layers=(2,))), write(lm, several)


@cache
def upon() -> Edit:
    """An edit that was found on top of the first."""
    return write(cached("llama"), asked("alphaedit", CITY), stack=three()[:1])


def stack_of(*edits: Edit) -> EditStack:
    stack = EditStack()
    for edit in edits:
        stack = stack.add(edit)
    return stack


def shape(stack: EditStack) -> list[tuple[str, bool]]:
    return [(layer.edit.id, layer.on) for layer in stack.layers]


def all_bytes(lm: LanguageModel) -> str:
    digest = hashlib.sha256()
    for name, parameter in lm.parameters.items():
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


# A value


def test_edits_stand_in_the_order_they_were_written():
    a, b, c = three()
    stack = stack_of(a, b, c)
    assert len(stack) == 3
    assert stack.on == (a, b, c)
    assert stack.find(b.id).edit is b
    assert EditStack().on == ()


def test_nothing_is_written_twice():
    a, b, _ = three()
    for stack in (stack_of(a, b), stack_of(a, b).switch(a.id, False)):
        with pytest.raises(BadRequest, match="written already"):
            stack.add(a)


def test_edits_of_other_weights_do_not_meet():
    foreign = write(language_model("llama", seed=5), asked())
    with pytest.raises(BadRequest, match="other weights"):
        stack_of(three()[0]).add(foreign)
    assert stack_of(foreign).on == (foreign,)


def test_switch_remove_and_move():
    a, b, c = three()
    stack = stack_of(a, b, c)
    assert stack.switch(b.id, False).on == (a, c)
    assert shape(stack.switch(b.id, False).switch(b.id, True)) == shape(stack)
    assert stack.remove(b.id).on == (a, c)
    assert stack.move(c.id, 0).on == (c, a, b)
    assert stack.move(a.id, 2).on == (b, c, a)
    assert stack.move(a.id, 99).on == (b, c, a)
    assert shape(stack.move(b.id, 1)) == shape(stack)
    assert stack.switch(b.id, False).move(b.id, 0).on == (a, c)
    assert stack.switch_all(False).on == ()
    assert stack.switch_all(False).switch_all(True).on == (a, b, c)


def test_what_is_not_there_is_said():
    stack = stack_of(three()[0])
    for act in (stack.find, stack.remove, lambda edit: stack.switch(edit, True), lambda edit: stack.move(edit, 0)):
        with pytest.raises(BadRequest, match="no edit nobody"):
            act("nobody")


def test_the_stacks_before_are_all_there_to_undo():
    a, b, c = three()
    steps = [EditStack()]
    steps += [steps[-1].add(a)]
    steps += [steps[-1].add(b)]
    steps += [steps[-1].switch(a.id, False)]
    steps += [steps[-1].add(c)]
    steps += [steps[-1].move(c.id, 0)]
    steps += [steps[-1].remove(b.id)]
    assert [shape(stack) for stack in steps] == [
        [],
        [(a.id, True)],
        [(a.id, True), (b.id, True)],
        [(a.id, False), (b.id, True)],
        [(a.id, False), (b.id, True), (c.id, True)],
        [(c.id, True), (a.id, False), (b.id, True)],
        [(c.id, True), (a.id, False)],
    ]


def test_an_edit_needs_what_it_was_found_on_below_it_and_on():
    a, b, _ = three()
    d = upon()
    assert d.built_on == [a.id]
    stack = stack_of(a, b, d)
    refusals: tuple[Any, ...] = (
        lambda: stack_of(b, d),
        lambda: stack_of(d),
        lambda: stack.switch(a.id, False),
        lambda: stack.remove(a.id),
        lambda: stack.move(a.id, 2),
        lambda: stack.move(d.id, 0),
        lambda: stack.switch(d.id, False).switch(a.id, False).switch(d.id, True),
        lambda: stack.switch(d.id, False).move(d.id, 0).switch(d.id, True),
        lambda: stack.switch_all(False).move(d.id, 0).switch_all(True),
    )
    for refused in refusals:
        with pytest.raises(BadRequest, match="was found on top of"):
            refused()
    assert stack.switch(d.id, False).switch(a.id, False).on == (b,)
    assert stack.switch(b.id, False).on == (a, d)
    assert stack.remove(b.id).on == (a, d)
    assert stack.remove(d.id).remove(a.id).on == (b,)
    assert stack.move(b.id, 0).on == (b, a, d)


def test_a_fact_that_is_written_over_already_is_told():
    a, b, _ = three()
    again = asked("memit", TOWER.model_copy(update={"target": "mother"}), LAST)
    stack = stack_of(a, b)
    assert stack.conflicts(again) == ["“the old tower of Aldra stands in a” is written over already, with “river”."]
    assert stack.switch(a.id, False).conflicts(again) == []
    assert stack.conflicts(asked("rome", LAST)) == []
    assert EditStack().conflicts(again) == []


# Over shared weights


@pytest.mark.parametrize("family_name", ["llama", "gpt2", "gemma2"])
def test_every_subset_in_every_order_leaves_every_byte(family_name):
    lm = cached(family_name)
    before, own = all_bytes(lm), lm.weights_hash
    seen: dict[str, tuple] = {}
    for size in range(4):
        for chosen in combinations(three(family_name), size):
            first = None
            for order in permutations(chosen):
                with written_over(lm, order):
                    assert lm.edits == tuple(edit.id for edit in order)
                    seen[lm.weights_hash] = order
                    assert (all_bytes(lm) == before) == (size == 0)
                    logits = lm.logits(IDS)
                assert all_bytes(lm) == before
                assert (lm.edits, lm.weights_hash) == ((), own)
                first = logits if first is None else first
                assert torch.allclose(logits, first, atol=1e-4)
    assert len(seen) == 1 + 3 + 6 + 6
    assert seen[own] == ()


def test_an_edit_that_is_off_has_no_part(tiny):
    a, b, c = three()
    with written_over(tiny, stack_of(a, b, c).switch(b.id, False).on):
        without = tiny.logits(IDS)
    with written_over(tiny, (a, c)):
        assert torch.equal(tiny.logits(IDS), without)


@pytest.mark.parametrize("fault", [RuntimeError("on purpose"), KeyboardInterrupt()])
def test_whatever_is_raised_inside_every_byte_comes_back(tiny, fault):
    before, own = all_bytes(tiny), tiny.weights_hash
    with pytest.raises(type(fault)), written_over(tiny, three()):
        assert all_bytes(tiny) != before
        raise fault
    assert all_bytes(tiny) == before
    assert (tiny.edits, tiny.weights_hash) == ((), own)


def test_an_edit_that_does_not_fit_takes_those_before_it_along(tiny):
    foreign = write(language_model("llama", seed=5), asked())
    before = all_bytes(tiny)
    with pytest.raises(BadRequest, match="other weights"), written_over(tiny, (*three(), foreign)):
        pytest.fail("it was applied")
    assert all_bytes(tiny) == before
    assert tiny.edits == ()


# Jobs


@pytest.fixture
def worker(tmp_path, tiny) -> Iterator[Worker]:
    made = Worker(RunHere(ModelSlot(lambda spec, report: tiny)), ResultStore(tmp_path / "results"))
    yield made
    made.close()


def alone(lm: LanguageModel, edits: tuple[Edit, ...]) -> dict[str, Any]:
    with written_over(lm, edits):
        return {"lens": logit_lens(lm, LENS), "trace": trace(lm, TRACE)}


def numbers(name: str, result: Any) -> np.ndarray:
    return result.lens.answer_probability if name == "lens" else result.scores("state")


def test_two_people_with_their_own_edits_never_see_each_others(worker, tiny):
    a, b, c = three()
    stacks = {"ada": (a,), "bob": (b, c), "eve": ()}
    wanted = {owner: alone(tiny, edits) for owner, edits in stacks.items()}
    for name in ("lens", "trace"):
        assert not np.array_equal(numbers(name, wanted["ada"][name]), numbers(name, wanted["bob"][name]))
        assert not np.array_equal(numbers(name, wanted["ada"][name]), numbers(name, wanted["eve"][name]))
    before, start = all_bytes(tiny), threading.Barrier(len(stacks))
    jobs: dict[str, list[tuple[str, Job]]] = {owner: [] for owner in stacks}

    def work(owner: str) -> None:
        start.wait(WAIT)
        for name, request in (("trace", TRACE), ("lens", LENS), ("trace", TRACE), ("lens", LENS)):
            job = worker.submit(STUDIES[name], request, SPEC, owner, stacks[owner])
            jobs[owner].append((name, job))
            over(job)

    threads = [threading.Thread(target=work, args=(owner,)) for owner in stacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * WAIT)
    for owner, edits in stacks.items():
        assert len(jobs[owner]) == 4
        for name, job in jobs[owner]:
            assert job.state == "done", job.error
            assert job.result.model["edits"] == [edit.id for edit in edits]
            assert job.result.model["weights_hash"] == wanted[owner][name].model["weights_hash"]
            assert np.array_equal(numbers(name, job.result), numbers(name, wanted[owner][name]))
    keys = {job.key for owner in stacks for _, job in jobs[owner]}
    assert len(keys) == 2 * len(stacks)
    assert all_bytes(tiny) == before
    assert tiny.edits == ()


def test_equal_questions_on_different_edits_are_different_jobs(worker):
    a, b, _ = three()
    held, go = threading.Event(), threading.Event()

    def hold(lm: Any, request: Any, report: Any) -> None:
        held.set()
        go.wait(WAIT)

    worker.submit(Study("lens", LensRequest, type(None), hold), LENS.model_copy(update={"prompt": "x"}), SPEC, "me")
    assert held.wait(WAIT)
    jobs = [worker.submit(STUDIES["lens"], LENS, SPEC, "me", edits) for edits in ((a,), (b,), (a, b), (b, a), (), (a,))]
    go.set()
    assert len({id(job) for job in jobs}) == 5
    assert jobs[0] is jobs[-1]
    for job in jobs:
        over(job)


def test_a_job_cancelled_half_way_leaves_every_byte(worker, tiny):
    before, study, inside = all_bytes(tiny), STUDIES["trace"], []

    def run(lm: Any, request: Any, report: Any, *, resume_from: Any = None) -> Any:
        def listening(*args: Any, **named: Any) -> None:
            report(*args, **named)
            if args[0] >= 9 and resume_from is None:
                inside.append((all_bytes(lm), lm.edits))
                job.cancelled.set()

        ready.wait(WAIT)
        return study.run(lm, request, listening, resume_from=resume_from)

    ready, watched = threading.Event(), Study("trace", study.request, study.result, run, resumable=True)
    edits = three()[1:]
    job = worker.submit(watched, TRACE, SPEC, "me", edits)
    ready.set()
    assert over(job).state == "stopped"
    assert inside[0][0] != before
    assert inside[0][1] == tuple(edit.id for edit in edits)
    assert all_bytes(tiny) == before
    assert (tiny.edits, tiny.weights_hash) == ((), tiny.own_hash)
    assert 0 < job.result.cells[0] < job.result.cells[1]

    plain = over(worker.submit(STUDIES["trace"], TRACE, SPEC, "me"))
    assert plain.result.model["edits"] == []
    assert np.array_equal(plain.result.scores("state"), trace(tiny, TRACE).scores("state"))
    whole = over(worker.submit(watched, TRACE, SPEC, "me", edits))
    assert whole.state == "done"
    assert np.array_equal(whole.result.scores("state"), alone(tiny, edits)["trace"].scores("state"))


def test_a_job_that_fails_leaves_every_byte(worker, tiny):
    before = all_bytes(tiny)

    def fail(lm: Any, *_: Any) -> None:
        assert all_bytes(lm) != before
        raise ZeroDivisionError

    job = over(worker.submit(Study("lens", LensRequest, type(None), fail), LENS, SPEC, "me", three()))
    assert job.state == "failed"
    until(lambda: tiny.edits == (), "the edits stay")
    assert all_bytes(tiny) == before


def test_an_edit_is_found_on_top_of_those_that_are_on(worker, tiny):
    a, _, _ = three()
    before = all_bytes(tiny)
    job = over(worker.submit(STUDIES["edit"], asked("alphaedit", CITY), SPEC, "me", (a,)))
    assert job.state == "done", job.error
    assert job.result.id == upon().id
    assert job.result.built_on == [a.id]
    assert job.result.model["weights_hash"] == tiny.own_hash
    assert all_bytes(tiny) == before
