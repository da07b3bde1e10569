"""A brought edit measured here says what the one found here says, whatever its recipe made of it."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import BadRequest
from analysis.study import pack
from editors.edit.edit import Edit
from editors.edit.probes import Probe
from editors.edit.request import EditRequest
from editors.edit.solved import solved
from editors.methods.measure_again import measure_again
from editors.methods.run import write
from editors.recipes.recipe import edit_of, recipe_of
from tests.conftest import cached
from tests.kit.edits import CITY, LAST, TOWER, asked

LIE = "a lie"


def forged(edit: Edit) -> Edit:
    """The same change of weights with other probes and answers, and a search of its own."""
    said = replace(edit.after, said=[LIE] * len(edit.after.said), new=np.ones_like(edit.after.new))
    probes = [replace(edit.probes[0], old=LIE), *(Probe(one.fact, one.kind, LIE, LIE, LIE) for one in edit.probes[1:])]
    found = replace(edit.found, probability=np.ones_like(edit.found.probability))
    return replace(edit, probes=probes, before=said, after=said, glance=None, found=found, warnings=[LIE]).as_brought()


def measured_of(edit: Edit) -> str:
    """All that is measured, as text."""
    return str(pack(replace(edit, found=None, warnings=[], provenance={})))  # type: ignore[arg-type]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "neox"])
def test_the_answers_are_those_of_the_edit_found_here(family):
    lm = cached(family)
    edit = write(lm, asked())
    again = measure_again(lm, forged(edit))
    assert again.id == edit.id
    assert measured_of(again) == measured_of(edit)
    assert (again.measured, again.brought) == (True, True)
    assert again.warnings == [LIE]  # of the search, which cannot be seen again, as its mark says
    assert again.key != edit.key
    assert edit_of(*recipe_of(again)).as_brought().brought


def test_several_facts_are_measured_each(tiny):
    edit = write(tiny, asked("memit", TOWER, CITY))
    assert measured_of(measure_again(tiny, forged(edit))) == measured_of(edit)


def test_an_edit_on_top_of_others_is_measured_on_top_of_them(tiny):
    below = write(tiny, asked("rome", CITY))
    edit = write(tiny, asked(), stack=[below])
    assert measured_of(measure_again(tiny, forged(edit), stack=[below])) == measured_of(edit)
    for stack in ([], [below, below], [edit]):
        with pytest.raises(BadRequest, match="on top of"):
            measure_again(tiny, forged(edit), stack=stack)


def test_it_is_measured_on_top_of_edits_that_were_solved_together(tiny):
    """What it is built on names these as well as their solution; a joint edit stays one when it is measured itself."""
    parts = [write(tiny, asked("rls", fact, layers=(1,)), glance=False) for fact in (TOWER, CITY)]
    below = solved(parts)
    edit = write(tiny, asked("memit", LAST), stack=below)
    assert measured_of(measure_again(tiny, forged(edit), stack=below)) == measured_of(edit)
    assert measure_again(tiny, below[0].as_brought()).parts == below[0].parts


def test_silenced_heads_are_measured_whole(tiny):
    edit = write(tiny, EditRequest(facts=(TOWER,), method="prune", heads=("1.2",)))
    again = measure_again(tiny, replace(edit, warnings=[LIE]).as_brought())
    assert measured_of(again) == measured_of(edit)
    assert (again.brought, again.warnings) == (False, [])
    change = replace(edit.changes[0], left=edit.changes[0].left * 0.5)
    with pytest.raises(BadRequest, match="does not silence"):
        measure_again(tiny, replace(edit, changes=[change]).as_brought())


def test_other_weights_are_refused(tiny):
    edit = forged(write(tiny, asked()))
    with pytest.raises(BadRequest, match="other weights"):
        measure_again(cached("gpt2"), edit)
    other = replace(edit, changes=[replace(edit.changes[0], base_hash="0" * 24)])
    with pytest.raises(BadRequest, match="another"):
        measure_again(tiny, other)
