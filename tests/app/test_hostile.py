"""Hostile input of every kind: refused with a sentence or good for every door; and the kit that tries it."""

import numpy as np
import pytest

from app.bench.form import Bench
from app.bench.hostile.kind import Kind, attempt, put_down
from app.bench.hostile.registry import KINDS
from app.bench.hostile.valid import pair, through, valid
from editors.recipes.recipe import recipe_of

COUNTS = {"recipe": 120, "weights": 150, "archive": 25, "edit": 4, "link": 100, "file": 150}
"""What is refused takes milliseconds, what is taken a second and more."""


@pytest.mark.parametrize("number", range(3))
def test_what_is_changed_was_good_before(number):
    assert through(pair(*recipe_of(valid(number))))


@pytest.mark.parametrize("name", list(KINDS))
def test_nothing_hostile_breaks_anything(name):
    outcome = attempt(KINDS[name](), COUNTS.get(name, 50), seed=8)
    assert outcome.failures == []
    assert outcome.tried == COUNTS.get(name, 50)


def test_the_same_seed_gives_the_same_inputs():
    def labels(seed: int) -> list[str]:
        found = KINDS["weights"]().inputs(np.random.default_rng(seed))
        return [next(found)[0] for _ in range(20)]

    assert labels(1) == labels(1) != labels(2)


def test_what_a_judge_raises_is_a_failure_and_is_told():
    def judge(given: int) -> bool:
        return bool(1 / given) and given > 1

    bench = Bench({}, {})
    put_down(bench, [attempt(Kind("numbers", lambda draw: ((f"number {n}", n) for n in range(100)), judge), 5)])
    figures = {one.name: one.value for one in bench.figures}
    assert figures["hostile.tried"] == figures["hostile.numbers.tried"] == 5
    assert figures["hostile.failed"] == figures["hostile.numbers.failed"] == 1
    assert figures["hostile.numbers.taken"] == 3
    (told,) = bench.tables["hostile"]
    assert told["label"] == "number 0"
    assert "ZeroDivisionError" in told["traceback"]
