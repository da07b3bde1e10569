"""The length new values have on the model without edits (NAS), over tiny models of every family."""

import numpy as np
import pytest
import torch

from analysis.facts.facts import Fact, another_object, read_facts
from analysis.internals.key_value_memory import output_matrix
from analysis.study import silent
from editors.edit.apply import apply, written_over
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.methods.search import norm_anchor, stored_rewrites
from editors.methods.search.norm_anchor import anchor_length, anchored
from editors.methods.search.target_search import search
from editors.methods.search.token_rows import rows_of
from editors.recipes.recipe import recipe_of
from tests.kit.edits import CITY, LAST, TOWER, asked

SITES = [("value",), ("hidden",), ("attn", "value")]


@pytest.fixture(autouse=True)
def few_facts(monkeypatch, tmp_path):
    """Facts in words the tiny models know."""
    facts = [
        Fact(id=str(number), relation="r", subject=subject, object="a", prompt=prompt)
        for number, (subject, prompt) in enumerate(
            [("tower", "the old {}"), ("river", "the old {}"), ("mother", "near {} a"), ("tower of Aldra", "near {} a")]
        )
    ]
    monkeypatch.setattr(stored_rewrites, "read_facts", lambda: facts)
    monkeypatch.setattr(
        stored_rewrites, "another_object", lambda fact: "river" if fact.subject != "river" else "mother"
    )
    monkeypatch.setattr(norm_anchor, "cache_home", lambda: tmp_path)
    return facts


def found_for(lm, sites, *facts, **changes):
    request = settled(lm, asked("memit", *facts, contexts=0, **changes))
    rows = rows_of(lm, facts, ())
    return search(lm, rows, 1, sites, request), rows, request


def length_of(lm, sites, request):
    lm.memo.clear()
    return anchor_length(lm, request, 1, sites, (), silent)


def wanted(lm, found, sites, rows):
    return norm_anchor._old(lm, found, sites, rows, 1) + found.change[sites[-1]]


@pytest.mark.parametrize("sites", SITES)
def test_on_the_model_without_edits_only_the_length_changes(family, sites):
    found, rows, _ = found_for(family, sites, TOWER, CITY)
    before = wanted(family, found, sites, rows)
    size = before.norm(dim=1)
    new, left_out = anchored(family, found, sites, rows, 1, float(size.mean()))
    after = wanted(family, new, sites, rows)
    assert not left_out
    assert torch.allclose(torch.nn.functional.cosine_similarity(before, after), torch.ones(2), atol=1e-5)
    assert torch.allclose(after.norm(dim=1), size.mean().expand(2), rtol=1e-4)
    again, _ = anchored(family, new, sites, rows, 1, float(size.mean()))
    assert torch.allclose(new.change[sites[-1]], again.change[sites[-1]], atol=1e-5 * float(size.mean()))


def test_the_length_is_the_mean_of_values_found_for_the_facts(family, few_facts):
    request = settled(family, asked("memit", TOWER, contexts=0, steps=3))
    length = length_of(family, ("value",), request)
    each = []
    for fact in few_facts:
        own = Rewrite.of(fact, stored_rewrites.another_object(fact))
        found, _rows, _ = found_for(family, ("value",), own, steps=3)
        each.append(float(found.target("value").norm()))
    assert length == pytest.approx(np.mean(each), rel=1e-3)


def test_it_is_found_once_and_kept_on_the_disk(tiny, monkeypatch):
    request = settled(tiny, asked("memit", TOWER, contexts=0, steps=2))
    first = length_of(tiny, ("hidden",), request)
    monkeypatch.setattr(norm_anchor, "search", lambda *_: pytest.fail("searched again"))
    assert length_of(tiny, ("hidden",), request) == first
    other = request.model_copy(update={"steps": 3})
    with pytest.raises(pytest.fail.Exception):
        length_of(tiny, ("hidden",), other)


def test_it_does_not_depend_on_the_edits_that_are_on(tiny):
    made = write(tiny, asked("rome", TOWER, clamp=40.0, rate=2.0), glance=False, probe=False)
    alone = write(tiny, asked("rome", CITY, norm_anchor=True), glance=False, probe=False)
    tiny.memo.clear()
    on_top = write(tiny, asked("rome", CITY, norm_anchor=True), stack=[made], glance=False, probe=False)
    lengths = []
    for edits in ([alone], [made, on_top]):
        row = rows_of(tiny, [CITY], ())[0]
        with Overlay(tiny) as overlay:
            for edit in edits:
                apply(tiny, edit, overlay)
            keys = norm_anchor.keys_at_end(tiny, [row.to_subject], 1)
            lengths.append(float(output_matrix(tiny, 1).value(keys.float()).norm()))
    assert lengths[0] == pytest.approx(lengths[1], rel=0.2)  # the write meets the mean key, not the bare one


def test_a_value_that_is_too_long_is_not_written_and_said_so(tiny, monkeypatch):
    monkeypatch.setattr("editors.methods.closed_road.anchor_length", lambda *_: 1e-3)
    made = write(tiny, asked("rome", LAST, norm_anchor=True), glance=False, probe=False)
    assert any("is not written" in text for text in made.warnings)
    assert not made.changes[0].left.any()
    both = write(tiny, asked("memit", LAST, CITY, norm_anchor=True), glance=False)
    assert sum("is not written" in text for text in both.warnings) == 2
    assert np.isnan(both.found.written).all()
    assert recipe_of(both)[0]["id"]


@pytest.mark.parametrize("method", ["rome", "memit", "emmet", "alphaedit", "pmet"])
def test_left_out_it_is_the_base_editor_bit_for_bit(tiny, method):
    base, off = (write(tiny, asked(method, **more), glance=False, probe=False) for more in ({}, {"norm_anchor": False}))
    on = write(tiny, asked(method, norm_anchor=True), glance=False, probe=False)
    assert "norm_anchor" not in base.request.model_dump(mode="json")
    for one, other, third in zip(base.changes, off.changes, on.changes, strict=True):
        assert (one.left == other.left).all()
        assert not np.array_equal(one.left @ one.right, third.left @ third.right)


def test_on_the_embedded_model_an_edit_holds_at_the_length_of_others(smol, monkeypatch):
    monkeypatch.setattr(stored_rewrites, "read_facts", read_facts)
    monkeypatch.setattr(stored_rewrites, "another_object", another_object)
    monkeypatch.setattr(norm_anchor, "FACTS", 3)
    fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
    made = write(smol, EditRequest(facts=(fact,), norm_anchor=True), glance=False, probe=False)
    (length,) = (value for known, value in smol.memo.items() if known[0] == "anchor")
    row = rows_of(smol, [fact], ())[0]
    with written_over(smol, [made]):
        key = norm_anchor.keys_at_end(smol, [row.to_subject], made.changes[0].layer)
        value = output_matrix(smol, made.changes[0].layer).value(key.float())
        said = smol.next_word(smol.encode(fact.text)).argmax()
    assert smol.words([int(said)]) == [" Rome"]
    assert float(value.norm()) == pytest.approx(length, rel=0.25)  # the write meets the mean key, not the bare one
