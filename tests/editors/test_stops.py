"""When a search may end because its answer is said (MPES), over tiny models of every family."""

import numpy as np
import pytest

from app.bench.plain.target import plain_search
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.methods.search.target_search import search
from editors.methods.search.token_rows import contexts, rows_of
from tests.kit.edits import CITY, LAST, TOWER, asked

OPEN = {"kl": 0.0, "rate": 0.2, "decay": 0.0, "steps": 40, "enough": 1e-9, "clamp": 60.0, "contexts": 1}
OTHER = LAST.model_copy(update={"subject": "river", "target": "mother"})


def searched(lm, *facts, **changes):
    request = settled(lm, asked("memit", *facts, **OPEN | changes))
    rows = rows_of(lm, facts, contexts(lm, request))
    return search(lm, rows, 1, ("value",), request), rows, request


def steps(found) -> list[int]:
    return np.isfinite(found.loss).sum(0).tolist()


def test_it_ends_so_many_steps_after_every_prompt_says_the_answer(tiny):
    at_once = steps(searched(tiny, LAST, OTHER, stop_after=0)[0])
    later = steps(searched(tiny, LAST, OTHER, stop_after=3)[0])
    assert all(1 < one < OPEN["steps"] - 3 for one in at_once)
    assert later == [one + 3 for one in at_once]  # the answer stays said meanwhile


def test_it_ends_where_the_answer_is_so_probable(tiny):
    found = searched(tiny, LAST, OTHER, stop_at=0.3)[0]
    for fact, last in enumerate(steps(found)):
        assert last < OPEN["steps"]
        assert found.probability[last - 1, fact] >= 0.3
        assert (found.probability[: last - 1, fact] < 0.3).all()


@pytest.mark.parametrize("stop", [{"stop_after": 2}, {"stop_at": 0.2}])
def test_the_plain_search_ends_there_too(family, stop):
    found, rows, request = searched(family, LAST, CITY, **stop)
    for fact in range(2):
        plain = plain_search(family, [row for row in rows if row.fact == fact], 1, ("value",), request)["value"]
        assert (plain - found.change["value"][fact]).norm() / plain.norm() < 5e-3


def test_up_to_its_end_it_is_the_search_without(family):
    whole, early = searched(family, LAST)[0], searched(family, LAST, stop_after=1)[0]
    last = steps(early)[0]
    assert np.array_equal(whole.loss[:last], early.loss[:last])


@pytest.mark.parametrize("method", ["rome", "memit", "emmet", "alphaedit", "pmet", "ace"])
def test_a_restrained_search_may_end_as_the_plain_one_does(tiny, method):
    """With a term that stays, the loss never falls below `enough`; the answer is said all the same."""
    many = {
        "sadr": 5.0,
        "sadr_selective": False,
        "stop_after": 0,
        "steps": 30,
        "enough": 1e-9,
        "clamp": 60.0,
        "rate": 0.2,
    }
    if method == "ace":
        many["shallow"] = ()
    found = write(tiny, asked(method, LAST, **many), glance=False, probe=False).found
    assert np.isfinite(found.loss).sum() < 30
    assert np.nanmax(found.probability) > 0


def test_left_out_it_is_as_ever(tiny):
    assert not {"stop_after", "stop_at"} & set(settled(tiny, asked("rome", TOWER)).model_dump(mode="json"))
