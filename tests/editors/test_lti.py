"""Laws of LTI, over tiny models of every family: the model that is told the fact as the search's teacher."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import BadRequest
from app.bench.plain.target import plain_search
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.methods.search import lti
from editors.methods.search.lti import with_teacher
from editors.methods.search.target_search import search
from editors.methods.search.token_rows import contexts, rows_of
from tests.kit.edits import CITY, LAST, TOWER, asked
from tests.kit.families import LAYERS

TAUGHT = {"lti_subject": 2.0, "lti_output": 3.0, "answer_weight": 0.5}
OPEN = {"kl": 0.5, "rate": 0.05, "enough": 1e-9, "clamp": 20.0, "contexts": 2}


def asking(lm, *facts, **changes):
    request = settled(lm, asked("memit", *facts, layers=(1,), **OPEN | changes))
    before = contexts(lm, request)
    return request, with_teacher(lm, request, rows_of(lm, request.facts, before), before)


@pytest.mark.parametrize("sites", [("value",), ("hidden",), ("attn", "value")])
def test_the_search_with_a_teacher_is_the_whole_models(family, sites):
    request, rows = asking(family, LAST, **TAUGHT)
    found = search(family, rows, 1, sites, request)
    plain = plain_search(family, rows, 1, sites, request)
    for site in sites:
        far = (plain[site] - found.change[site][0]).norm() / plain[site].norm()
        assert far < 2e-3, site


def test_facts_of_a_batch_keep_their_own_teachers(tiny):
    """One ends before the others, and takes its teacher along."""
    facts = (CITY, LAST, TOWER)
    request = settled(tiny, asked("memit", *facts, layers=(1,), **OPEN | TAUGHT | {"enough": 4.5, "rate": 0.3}))
    before = contexts(tiny, request)
    rows = with_teacher(tiny, request, rows_of(tiny, facts, before), before)
    found = search(tiny, rows, 1, ("value",), request)
    assert len(set(np.isfinite(found.loss).sum(0).tolist())) > 1
    for fact in range(len(facts)):
        plain = plain_search(tiny, [row for row in rows if row.fact == fact], 1, ("value",), request)["value"]
        assert (plain - found.change["value"][fact]).norm() / plain.norm() < 5e-3


def test_without_weights_it_is_the_search_without(family):
    request, rows = asking(family, LAST, **TAUGHT)
    off = request.model_copy(update={"lti_subject": 0.0, "lti_output": 0.0, "answer_weight": 1.0})
    plain = [replace(row, told=None) for row in rows]
    with_it, without = (search(family, each, 1, ("value",), off) for each in (rows, plain))
    assert np.array_equal(with_it.loss, without.loss)
    assert with_it.change["value"].equal(without.change["value"])


def test_a_teacher_that_is_told_nothing_agrees_before_any_change(family, monkeypatch):
    monkeypatch.setattr(lti, "TELL", "")
    request, rows = asking(family, LAST, **TAUGHT, decay=0.0)
    found = search(family, rows, 1, ("value",), request)
    assert np.isclose(found.loss[0, 0], -0.5 * np.log(found.probability[0, 0]), atol=1e-4)


def test_the_teacher_is_read_at_the_subjects_last_token(family):
    request, rows = asking(family, LAST, TOWER, **TAUGHT)
    assert len([row for row in rows if row.told]) == 2 * (1 + request.contexts)
    for row in rows:
        if row.told:
            assert row.told.ids[row.told.start] == row.ids[row.start]
            assert row.told.ids[row.told.first + 1 :] == row.targets[:-1]
            assert len(row.told.ids) > len(row.ids)


def test_the_middle_lies_above_what_is_written(tiny):
    assert settled(tiny, asked("rome", LAST, layers=(0,), **TAUGHT)).lti_layer == max(1, round(0.55 * LAYERS))
    assert settled(tiny, asked("rome", LAST, layers=(0,))).lti_layer is None
    for layer in (1, LAYERS):
        with pytest.raises(BadRequest, match=f"layer {layer} .lti_layer., which must be above layer 1"):
            settled(tiny, asked("rome", LAST, layers=(1,), lti_layer=layer, **TAUGHT))


@pytest.mark.parametrize("method", ["rome", "memit", "emmet", "alphaedit", "rls", "pmet", "ace"])
def test_methods_take_it_and_leave_the_model_as_it_was(tiny, method):
    edit = write(tiny, asked(method, LAST, steps=3, contexts=1, **TAUGHT), glance=False)
    plain = write(tiny, asked(method, LAST, steps=3, contexts=1), glance=False)
    assert any(not np.allclose(one.left, other.left) for one, other in zip(edit.changes, plain.changes, strict=True))
