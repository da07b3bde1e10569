"""The closed forms, on random numbers in float64."""

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.errors import BadRequest
from editors.methods import closed_forms
from editors.methods.closed_forms import Inverse
from editors.methods.defaults import settled
from editors.methods.run import write
from tests.kit.edits import CITY, TOWER, asked, random_problem


def test_rome_writes_its_key_and_nothing_orthogonal():
    moment, k, r = random_problem(1)
    inverse = Inverse(moment)
    delta = closed_forms.rome(inverse, k[:, 0], k[:, 0], r[:, 0]).matrix
    assert torch.allclose(delta @ k, r)
    assert torch.linalg.matrix_rank(delta) == 1
    away = torch.randn(10, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    away -= k @ (k.T @ away) / (k.T @ k)
    assert torch.allclose(delta @ inverse.moment @ away, torch.zeros(6, 5, dtype=torch.float64), atol=1e-10)


def test_rome_moves_the_text_least():
    moment, k, r = random_problem(1)
    inverse = Inverse(moment)
    best = closed_forms.rome(inverse, k[:, 0], k[:, 0], r[:, 0]).matrix
    plain = r @ k.T / (k.T @ k)

    def cost(delta: Tensor) -> float:
        return float((delta @ inverse.moment @ delta.T).trace())

    assert cost(best) < cost(plain)
    again = closed_forms.rome(Inverse(5 * moment), k[:, 0], k[:, 0], r[:, 0]).matrix
    assert torch.allclose(best, again)


def test_memits_small_form_is_the_large_one():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    small = closed_forms.memit(inverse, k, r, 0.7).matrix
    large = r @ torch.linalg.solve(0.7 * inverse.moment + k @ k.T, k).T
    assert torch.allclose(small, large, atol=1e-8)


def test_memit_between_everything_and_nothing():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    assert torch.allclose(closed_forms.memit(inverse, k, r, 1e-12).matrix @ k, r, atol=1e-6)
    assert closed_forms.memit(inverse, k, r, 1e12).matrix.norm() < 1e-9
    one = closed_forms.memit(inverse, k[:, :1], r[:, :1], 2.0).matrix
    size = float(k[:, 0] @ inverse(k[:, :1])[:, 0])
    assert torch.allclose(one @ k[:, :1], r[:, :1] * size / (size + 2.0))


def test_the_order_of_facts_does_not_matter():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    for form in (closed_forms.memit, closed_forms.emmet):
        one, other = form(inverse, k, r, 0.3).matrix, form(inverse, k.flip(1), r.flip(1), 0.3).matrix
        assert torch.allclose(one, other, atol=1e-10)


def test_a_fact_said_n_times_counts_n_times():
    moment, k, r = random_problem(1)
    inverse = Inverse(moment)
    often = closed_forms.memit(inverse, k.repeat(1, 4), r.repeat(1, 4), 2.0).matrix
    assert torch.allclose(often, closed_forms.memit(inverse, k, r, 0.5).matrix, atol=1e-10)


def test_emmet_is_exact_and_rome_for_one_fact():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    exact = closed_forms.emmet(inverse, k, r, 0.0).matrix
    assert torch.allclose(exact @ k, r, atol=1e-8)
    one = closed_forms.emmet(inverse, k[:, :1], r[:, :1], 0.0).matrix
    assert torch.allclose(one, closed_forms.rome(inverse, k[:, 0], k[:, 0], r[:, 0]).matrix, atol=1e-10)
    mix = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(closed_forms.emmet(inverse, k @ mix, r @ mix, 0.0).matrix, exact, atol=1e-8)


def test_emmet_with_slack_is_memit():
    moment, k, r = random_problem()
    inverse = Inverse(moment)
    weight = 0.2 * float((k.T @ inverse(k)).trace()) / 3
    assert torch.allclose(
        closed_forms.emmet(inverse, k, r, 0.2).matrix, closed_forms.memit(inverse, k, r, weight).matrix, atol=1e-10
    )


def test_emmets_slack_for_one_fact_is_what_is_asked_for(tiny):
    """None of itself, as in the official code; one that is named is applied, and leaves s / (1 + s) unwritten."""
    moment, k, r = random_problem(1)
    inverse = Inverse(moment)
    assert settled(tiny, asked("emmet")).slack == 0
    assert settled(tiny, asked("emmet", TOWER, CITY)).slack == 1e-6
    assert settled(tiny, asked("emmet", slack=0.25)).slack == 0.25
    written = closed_forms.emmet(inverse, k, r, 0.25).matrix @ k
    assert torch.allclose(written, r / 1.25, atol=1e-10)


def test_alphaedits_projection_and_its_leak():
    moment, k, r = random_problem()
    free = closed_forms.freedom(moment, 0.8)
    p = free.basis @ free.basis.T
    assert torch.allclose(p @ p, p)
    assert torch.allclose(p, p.T)
    assert round(float(p.trace())) == free.basis.shape[1]
    delta = closed_forms.alphaedit(free, k, r, [], 0.1).matrix
    assert torch.allclose(delta @ p, delta)
    assert float((delta @ moment @ delta.T).trace()) <= free.threshold * float(delta.norm() ** 2) * (1 + 1e-9)
    assert free.leak <= 0.2


def test_alphaedit_in_the_papers_form():
    moment, k, r = random_problem()
    free = closed_forms.freedom(moment, 0.6)
    p = free.basis @ free.basis.T
    past = torch.randn(10, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    a, eye = past @ past.T, torch.eye(10, dtype=torch.float64)
    ours = closed_forms.alphaedit(free, k, r, [a], 1.0).matrix
    assert torch.allclose(ours, r @ k.T @ p @ torch.linalg.inv(a @ p + k @ k.T @ p + eye), atol=1e-8)
    assert torch.allclose(ours.T, torch.linalg.solve(p @ (k @ k.T + a) + eye, p @ k @ r.T), atol=1e-8)


def test_alphaedit_spares_past_keys():
    moment, k, r = random_problem()
    free = closed_forms.freedom(moment, 0.5)
    past = free.basis[:, :1]
    moved = [
        float((closed_forms.alphaedit(free, k, r, [weight * past @ past.T], 0.1).matrix @ past).norm())
        for weight in (0.0, 1.0, 100.0)
    ]
    assert moved[0] > moved[1] > moved[2]


def test_alphaedit_without_its_projection_or_its_past(tiny):
    moment, keys, residuals = random_problem()
    free = closed_forms.freedom(moment, 0.0)
    assert free.basis.shape == moment.shape
    plain = residuals @ torch.linalg.solve(keys.T @ keys + 0.1 * torch.eye(keys.shape[1]), keys.T)
    assert torch.allclose(closed_forms.alphaedit(free, keys, residuals, [], 0.1).matrix, plain, atol=1e-8)
    first, other = write(tiny, asked("alphaedit", CITY)), write(tiny, asked("alphaedit", CITY, spare=False))
    assert np.array_equal(first.changes[0].left, other.changes[0].left)
    spared, moved = (write(tiny, asked("alphaedit", spare=spare), stack=[first]) for spare in (True, False))
    assert not np.array_equal(spared.changes[0].right, moved.changes[0].right)


def test_protecting_everything_is_refused():
    moment, _, _ = random_problem()
    with pytest.raises(BadRequest, match="leaves no direction"):
        closed_forms.freedom(moment, 1 - 1e-9)


def test_moments_of_too_little_text_are_refused():
    with pytest.raises(BadRequest, match="positive definite"):
        Inverse(torch.full((4, 4), float("nan"), dtype=torch.float64))
