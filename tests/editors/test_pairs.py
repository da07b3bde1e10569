"""Recursive least squares: edits that keep their pairs, one upon the other and solved together."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from editors.edit.pairs import Pairs, joined, solved_factors
from editors.methods import closed_forms
from editors.methods.closed_forms import Change, Inverse
from tests.kit.edits import random_problem

WEIGHT = 0.7


def near(one: Tensor, other: Tensor, far: float = 1e-10) -> bool:
    return float((one - other).norm()) <= far * max(float(other.norm()), 1e-300)


def together(*pairs: Pairs) -> Tensor:
    left, right = solved_factors(joined(pairs))
    return torch.from_numpy(left @ right)


def each(inverse: Inverse, k: Tensor, r: Tensor, cuts: Sequence[int], anchor: float = 0.0) -> list[Change]:
    """Edits of so many facts each, found without one another."""
    return [
        closed_forms.rls(inverse, keys, residuals, WEIGHT, anchor)
        for keys, residuals in zip(k.split(list(cuts), 1), r.split(list(cuts), 1), strict=True)
    ]


def test_one_alone_is_memit():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    memit = closed_forms.memit(inverse, k, r, WEIGHT).matrix
    (alone,) = each(inverse, k, r, (3,))
    assert near(alone.matrix, memit, 1e-12)
    assert near(together(alone.pairs), memit, 1e-12)


@pytest.mark.parametrize("anchor", [0.0, 0.4])
def test_the_joint_solution_is_the_large_form(anchor):
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    normal = WEIGHT * (inverse.moment + anchor * inverse.moment.trace() / 10 * torch.eye(10, dtype=torch.float64))
    large = r @ torch.linalg.solve(normal + k @ k.T, k).T
    assert near(together(*(one.pairs for one in each(inverse, k, r, (1, 2), anchor))), large)


def test_neither_order_nor_batches_matter():
    moment, k, r = random_problem(6, 6, 10)
    inverse = Inverse(moment)
    whole = together(*(one.pairs for one in each(inverse, k, r, (6,))))
    order = [4, 0, 5, 2, 1, 3]
    for cuts in ((1,) * 6, (2, 4), (3, 1, 2)):
        assert near(together(*(one.pairs for one in each(inverse, k[:, order], r[:, order], cuts))), whole)


def test_taking_one_away_and_putting_it_back_is_nothing():
    moment, k, r = random_problem(4)
    inverse = Inverse(moment)
    pairs = [one.pairs for one in each(inverse, k, r, (1,) * 4)]
    without = together(*pairs[:1], *pairs[2:])
    rest = [0, 2, 3]
    assert near(without, closed_forms.memit(inverse, k[:, rest], r[:, rest], WEIGHT).matrix)
    assert near(together(*pairs[:1], *pairs[2:], pairs[1]), together(*pairs))


@pytest.mark.parametrize("anchor", [0.0, 0.4])
def test_one_upon_the_other_is_all_together(anchor):
    """What each step adds, with what is missing read on top of those before."""
    moment, k, r = random_problem(5, 6, 10)
    inverse = Inverse(moment)
    on, made = torch.zeros(6, 10, dtype=torch.float64), []
    for keys, wanted in zip(k.split([2, 1, 2], 1), r.split([2, 1, 2], 1), strict=True):
        below = [(one.pairs, lambda new, one=one: one.matrix @ new) for one in made]
        made.append(closed_forms.rls(inverse, keys, wanted - on @ keys, WEIGHT, anchor, below))
        assert near(torch.from_numpy(made[-1].pairs.residuals), wanted)
        on = on + made[-1].matrix
    assert near(on, together(*(one.pairs for one in made)))


def test_between_everything_and_nothing():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    for weight, wanted, far in ((1e-12, r, 1e-6), (1e14, torch.zeros_like(r), None)):
        pairs = [closed_forms.rls(inverse, k[:, [n]], r[:, [n]], weight).pairs for n in range(3)]
        written = together(*pairs) @ k
        assert near(written, wanted, far) if far else float(written.norm()) < 1e-9


def test_pairs_of_another_normal_matrix_are_apart():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    one, other = (closed_forms.rls(inverse, k, r, weight) for weight in (0.7, 0.8))
    anchored = closed_forms.rls(inverse, k, r, 0.7, 0.1)
    assert len({one.pairs.normal, other.pairs.normal, anchored.pairs.normal}) == 3
    with pytest.raises(ValueError, match="different normal matrices"):
        joined([one.pairs, other.pairs])
    upon = closed_forms.rls(inverse, k, r, 0.7, 0.0, [(other.pairs, lambda new: other.matrix @ new)])
    assert np.array_equal(upon.pairs.residuals, one.pairs.residuals)
    assert near(upon.matrix, one.matrix)
