"""Several passes of one write: the first is what it always was, each brings the values nearer, the rank stays where it
can."""

import math

import numpy as np
import pytest

from analysis.model.language_model import LanguageModel
from editors.edit.edit import Edit
from editors.edit.pairs import solved_factors
from editors.edit.solved import joint
from editors.methods import passes
from editors.methods.run import write
from editors.recipes.recipe import edit_of, recipe_of
from tests.kit.edits import CITY, LAST, POST_NORM, TOWER, asked

ALL = ("memit", "rls", "emmet", "alphaedit", "betaedit", "pmet")


@pytest.fixture
def never_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "WITHIN", -math.inf)


def found(lm: LanguageModel, method: str, number: int, *facts: object, stack: tuple = (), **fields: object) -> Edit:
    request = asked(method, *(facts or (TOWER, CITY)), passes=number, **fields)
    return write(lm, request, stack=stack, probe=False, glance=False)


def delta(edit: Edit, layer: int) -> np.ndarray:
    (own,) = [change for change in edit.changes if change.layer == layer]
    return own.left.astype(float) @ own.right


@pytest.mark.parametrize("method", ALL)
def test_who_is_near_enough_after_one_pass_is_written_as_ever(
    tiny: LanguageModel, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "WITHIN", math.inf)
    once, most = found(tiny, method, 1), found(tiny, method, 5)
    assert (once.found.passes, most.found.passes) == (None, 1)
    for one, other in zip(once.changes, most.changes, strict=True):
        assert np.array_equal(one.left, other.left)
        assert np.array_equal(one.right, other.right)
        assert one.base_hash == other.base_hash


def test_every_pass_at_one_layer_brings_the_values_nearer_at_the_same_rank(
    family: LanguageModel, never_enough: None
) -> None:
    if family.name in POST_NORM:
        return
    once, twice, often = (found(family, "memit", number, layers=(1,), moments_weight=1.0) for number in (1, 2, 4))
    assert often.found.passes == 4
    assert [edit.changes[0].rank for edit in (once, twice, often)] == [2, 2, 2]
    assert np.array_equal(once.changes[0].right, often.changes[0].right)
    assert often.changes[0].base_hash == once.changes[0].base_hash
    missing = [np.abs(1 - np.array(edit.found.written)).max() for edit in (once, twice, often)]
    assert missing[0] > missing[1] > missing[2]


def test_at_several_layers_keys_move_and_ranks_add_up(tiny: LanguageModel, never_enough: None) -> None:
    twice = found(tiny, "memit", 2)
    assert [change.rank for change in twice.changes] == [2, 4]  # nothing moves below the lowest
    again = edit_of(*recipe_of(write(tiny, asked("memit", TOWER, CITY, passes=2))))
    assert again.found.passes == 2


def test_what_can_be_solved_stays_so(tiny: LanguageModel, never_enough: None) -> None:
    once, often = found(tiny, "rls", 1), found(tiny, "rls", 3)
    for change in often.changes:
        assert change.rank == 2
        assert change.pairs is not None
        left, right = solved_factors(change.pairs)
        assert np.allclose(left @ right, delta(often, change.layer), atol=1e-6 * np.abs(left @ right).max())
    assert not np.allclose(delta(once, 1), delta(often, 1))
    top = found(tiny, "rls", 2, LAST, stack=(often,), targets="stacked")
    for layer in (0, 1):
        both = delta(often, layer) + delta(top, layer)
        assert np.linalg.norm(delta(joint([often, top]), layer) - both) < 1e-5 * np.linalg.norm(both)
