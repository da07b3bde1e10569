"""BetaEdit: AlphaEdit without its weight, ENCORE without a projection, and directions found anew in a stream."""

import numpy as np
import pytest
import torch

from analysis.model.language_model import LanguageModel
from editors.edit.edit import Edit
from editors.methods import closed_forms
from editors.methods.closed_forms import Inverse
from editors.methods.run import write
from tests.kit.edits import CITY, LAST, POST_NORM, TOWER, asked, random_problem


def rights(edit: Edit) -> list[np.ndarray]:
    return [change.right for change in edit.changes]


def same(one: Edit, other: Edit) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(rights(one), rights(other), strict=True))


def test_without_its_weight_it_is_alphaedit(family: LanguageModel) -> None:
    if family.name in POST_NORM:
        return
    below = [write(family, asked("alphaedit", CITY), probe=False, glance=False)]
    alpha, zero, beta = (
        write(family, asked(method, **fields), stack=below, probe=False, glance=False)
        for method, fields in (("alphaedit", {}), ("betaedit", {"leak_weight": 0.0, "refresh": 1}), ("betaedit", {}))
    )
    assert same(alpha, zero)
    assert not same(alpha, beta)


def test_without_a_projection_it_is_encore() -> None:
    moment, k, r = random_problem()
    free = closed_forms.freedom(moment, 0.0)
    past = torch.randn(10, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    ours = closed_forms.alphaedit(free, k, r, [past @ past.T, 0.7 * moment], 0.2).matrix
    eye = torch.eye(10, dtype=torch.float64)
    wanted = r @ k.T @ torch.linalg.inv(0.7 * moment + 0.2 * eye + past @ past.T + k @ k.T)
    assert torch.allclose(ours, wanted, atol=1e-10)
    none = closed_forms.alphaedit(free, k, r, [0.7 * moment], 0.2).matrix
    inverse = Inverse(moment, 0.2 / 0.7 * 10 / float(moment.trace()))  # λC + μI = λ (C + μ/λ I)
    assert torch.allclose(none, closed_forms.rls(inverse, k, r, 0.7).matrix, atol=1e-10)


def test_in_the_papers_form() -> None:
    moment, k, r = random_problem()
    free = closed_forms.freedom(moment, 0.6)
    p, eye = free.basis @ free.basis.T, torch.eye(10, dtype=torch.float64)
    a = torch.diag(torch.arange(10, dtype=torch.float64))
    ours = closed_forms.alphaedit(free, k, r, [a, 0.7 * moment], 1.5).matrix
    theirs = torch.linalg.solve(p @ (k @ k.T + a + 0.7 * moment) + 1.5 * eye, p @ k @ r.T).T
    assert torch.allclose(ours, theirs, atol=1e-10)


def test_text_where_it_writes_is_moved_less_the_more_it_weighs() -> None:
    moment, k, r = random_problem()
    free = closed_forms.freedom(moment, 0.3)
    moved = []
    for weight in (0.0, 1.0, 100.0):
        delta = closed_forms.alphaedit(free, k, r, [weight * moment], 0.1).matrix
        moved.append(float((delta @ moment @ delta.T).trace()))
    assert moved[0] > moved[1] > moved[2]


def test_directions_are_found_anew_with_the_facts_in_them(tiny: LanguageModel) -> None:
    made = [write(tiny, asked("betaedit", CITY), probe=False, glance=False)]
    made.append(write(tiny, asked("betaedit", LAST), stack=made, probe=False, glance=False))

    def found(**fields: object) -> Edit:
        return write(tiny, asked("betaedit", TOWER, **fields), stack=made, probe=False, glance=False)

    never, late, two, one = (found(refresh=every) for every in (0, 3, 2, 1))
    assert same(never, late)
    assert not same(never, two)
    assert same(two, one)  # after each of the two, the last time after both
    assert same(found(refresh=2), two)


def test_the_blend_of_text_and_facts() -> None:
    moment, k, _ = random_problem()
    blend = closed_forms.refreshed(moment, k @ k.T, 3, 4.0)
    assert torch.allclose(blend, (k @ k.T / 3 + 4 * moment) / 5)
    before, after = closed_forms.freedom(moment, 0.6), closed_forms.freedom(blend, 0.6)
    assert float(after.project(k).norm()) < float(before.project(k).norm())


@pytest.mark.parametrize("weight", [0.0, 0.03])
def test_keys_of_other_edits_are_spared(tiny: LanguageModel, weight: float) -> None:
    first = write(tiny, asked("betaedit", CITY), probe=False, glance=False)
    spared, moved = (
        write(tiny, asked("betaedit", leak_weight=weight, spare=spare), stack=[first], probe=False, glance=False)
        for spare in (True, False)
    )
    assert not same(spared, moved)
