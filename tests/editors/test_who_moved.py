"""Who moved: an edit solved anew is the edit, other weights move the protected less, and the model is as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis import LanguageModel
from analysis.errors import BadRequest
from analysis.internals.key_value_memory import keys
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.run import write
from editors.methods.search.token_rows import placed
from editors.methods.solved_anew import OTHERWISE, Anew, why_not
from editors.who_moved.result import MovedRequest
from editors.who_moved.run import moved
from tests.kit.edits import CITY, TOWER, asked, parameters, unchanged

NEAR = Protected(prompt="the old {} stands in a", subject="Brin Corvo")
OTHER = Protected(prompt="near {} a", subject="mother")
PROTECTING = ("rome", "memit", "emmet", "alphaedit", "betaedit", "rls", "pmet")


def quiet(*_: object, **__: object) -> None:
    return None


def anew(lm: LanguageModel, edit: Edit, request: EditRequest, weight: float, below: tuple[Edit, ...] = ()) -> list:
    made = Anew(lm, edit, request, (weight,), below, quiet)
    with Overlay(lm) as overlay:
        for one in below:
            for change in one.changes:
                overlay.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
            made.read(one)
        ((_, changes),) = made.changes()
    return changes


def apart(one: list, other: list) -> float:
    """Largest difference of two edits' changes, in units of the first's largest number."""
    pairs = [(a.left @ a.right, b.left @ b.right) for a, b in zip(one, other, strict=True)]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


@pytest.mark.parametrize("method", PROTECTING)
def test_solved_anew_under_its_own_weight_an_edit_is_itself(tiny: LanguageModel, method: str) -> None:
    """And under none it is the edit that protects nobody, whose value is sought in the same way."""
    plain = write(tiny, asked(method), glance=False, probe=False)
    guarded = write(tiny, asked(method, protected=(NEAR,), protect_weight=0.5), glance=False, probe=False)
    assert why_not(guarded) == ""
    assert apart(plain.changes, guarded.changes) > 1e-3
    assert apart(guarded.changes, anew(tiny, guarded, guarded.request, 0.5)) < 1e-4
    assert apart(plain.changes, anew(tiny, guarded, guarded.request, 0.0)) < 1e-4


def test_on_top_of_another_edit_it_is_itself_too(tiny: LanguageModel) -> None:
    first = write(tiny, asked("alphaedit", CITY), glance=False, probe=False)
    own = asked("alphaedit", protected=(NEAR,))
    second = write(tiny, own, glance=False, probe=False, stack=(first,))
    assert apart(second.changes, anew(tiny, second, second.request, 1.0, (first,))) < 1e-4


@pytest.mark.parametrize("method", ["anyedit", "ultraedit", "rome"])
def test_the_map_reads_keys_where_the_method_has_them(tiny: LanguageModel, method: str) -> None:
    """At the prompt's end where the answer is written there, as with windows, and at the subject otherwise."""
    facts = (TOWER,) if method == "rome" else (TOWER, CITY)
    asked_for = asked(method, *facts, warm_up=0, layers=(0,), window=1, protected=(NEAR,))
    edit = write(tiny, asked_for, glance=False, probe=False)
    found = moved(tiny, MovedRequest(weights=(1.0,)), stack=[edit])
    assert bool(found.told) == (method != "rome")  # no other weight can be tried
    moves = []
    for one in (TOWER, NEAR):
        tokens, last = placed(tiny, "", one)
        ids = tokens.ids[: last + 1] if method == "rome" else tokens.ids
        key = keys(tiny, torch.tensor([ids]), [0])[0][0, -1].numpy()
        moves.append(np.linalg.norm(edit.changes[0].left @ (edit.changes[0].right @ key)))
    assert found.subjects[:2] == [TOWER.subject, NEAR.subject]
    assert found.shift[0, :2] == pytest.approx(np.array(moves) / moves[0], rel=1e-3)


def test_the_map_in_every_family(family: LanguageModel) -> None:
    """The fact's own shift is the unit; who is protected moves less the more it weighs; no weight is left changed."""
    before = parameters(family)
    edit = write(family, asked("rome", layers=(0,), kl=0.0, protected=(NEAR, OTHER)), glance=False)
    found = moved(family, MovedRequest(weights=(0.0, 1.0, 1e3)), stack=[edit])
    assert unchanged(family, before)
    assert found.told == ""
    assert found.weights.tolist() == [0.1, 0.0, 1.0, 1e3]
    assert [found.subjects[p] for p in range(3)] == [TOWER.subject, "Brin Corvo", "mother"]
    assert found.standings[:3] == ["written", "protected", "protected"]
    assert np.allclose(found.shift[:, 0], 1.0)
    assert found.cosine[0] == pytest.approx(1.0)
    together = np.linalg.norm(found.shift[[found.order[at] for at in (0, 2, 3)]][:, 1:3], axis=1)
    assert together[0] > together[1] > together[2]
    assert found.after[0].new[0] == pytest.approx(edit.after.new[0], rel=1e-4)


def test_the_first_row_is_the_edit_as_it_is(tiny: LanguageModel) -> None:
    edit = write(tiny, asked("ft"), glance=False)
    found = moved(tiny, MovedRequest(), stack=[edit])
    assert "no place for protected keys" in found.told
    assert found.weights.tolist() == [0.0]
    assert found.share(0, "written") == (int(edit.after.new_greedy[0]), 1)


@pytest.mark.parametrize(("changes", "words"), [({"passes": 2}, "several passes"), ({"norm_anchor": True}, "length")])
def test_what_cannot_be_read_off_an_edit_is_said(tiny: LanguageModel, changes: dict, words: str) -> None:
    edit = write(tiny, asked("memit", protected=(NEAR,), **changes), glance=False, probe=False)
    assert words in why_not(edit)
    assert words in moved(tiny, MovedRequest(), stack=[edit]).told


def test_factors_that_are_not_the_requests_are_told_and_no_weight_is_tried(tiny: LanguageModel) -> None:
    """A recipe may say anything of its factors; the map of the edit as it is stands."""
    edit = write(tiny, asked("rome", protected=(NEAR,)), glance=False)
    (change,) = edit.changes
    turned = replace(change, left=2 * change.left, right=change.right / 2)
    wider = replace(change, left=np.hstack([change.left] * 2), right=np.vstack([change.right] * 2) / 2)
    for other in (turned, wider):
        found = moved(tiny, MovedRequest(), stack=[replace(edit, changes=[other])])
        assert found.told == OTHERWISE
        assert found.weights.tolist() == [0.1]
        assert np.allclose(found.shift[0], moved(tiny, MovedRequest(weights=()), stack=[edit]).shift[0], atol=1e-5)
    elsewhere = replace(edit, model=edit.model | {"weights_hash": "0" * 24})
    with pytest.raises(BadRequest, match="other weights"):
        moved(tiny, MovedRequest(), stack=[elsewhere])


def test_the_card_says_which_edits_it_is_about(tiny: LanguageModel) -> None:
    edit = write(tiny, asked("rome"), glance=False, probe=False)
    assert moved(tiny, MovedRequest(weights=()), stack=[edit]).model["edits"] == [edit.key]


def test_a_question_about_no_edit_or_no_fact_is_refused(tiny: LanguageModel) -> None:
    with pytest.raises(BadRequest, match="write one"):
        moved(tiny, MovedRequest())
    edit = write(tiny, asked("rome"), glance=False, probe=False)
    with pytest.raises(BadRequest, match="counted from 0"):
        moved(tiny, MovedRequest(fact=1), stack=[edit])
    with pytest.raises(ValueError, match="no weight"):
        MovedRequest(weights=(-1.0,))
    with pytest.raises(ValueError, match="finite"):
        MovedRequest(weights=(float("nan"),))


@pytest.mark.real
def test_on_the_embedded_model_protection_holds_neighbours_it_does_not_name(smol: LanguageModel) -> None:
    """Those that are scored are never protected; their keys are like those that are, and so they move less as well."""
    fact = Rewrite(prompt="The main language spoken in {} is", subject="Spain", target="Portuguese")
    edit = write(smol, EditRequest(facts=(fact,)), glance=False)
    found = moved(smol, MovedRequest(weights=(0.0, 0.1)), stack=[edit])
    scored = np.array([one == "scored" for one in found.standings])
    assert "protected" in found.standings
    assert scored.any()
    bare, held = found.shift[0][scored].mean(), found.shift[1][scored].mean()
    assert held < 0.5 * bare
    assert found.after[1].said[0] == "Portuguese"
