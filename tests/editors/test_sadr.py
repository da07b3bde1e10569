"""Laws of attention drift restriction, over tiny models of every family (invariants of the SADR loss)."""

import numpy as np
import pytest
import torch
from torch import Tensor

from app.bench.plain.target import plain_search
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.methods.search.sadr import EPSILON, divergence
from editors.methods.search.target_search import _Search, search
from editors.methods.search.token_rows import contexts, rows_of
from tests.kit.edits import CITY, TOWER, asked
from tests.kit.families import LAYERS

SELECTIVE = {"selective": True, "epsilon": EPSILON}
ALL = {"selective": False, "epsilon": EPSILON}


def rows_of_attention(rows: int = 3, heads: int = 4, keys: int = 6, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(rows, heads, keys, generator=draw, dtype=torch.float64).softmax(-1)


def searching(lm, facts=(TOWER,), layer: int = 0, sites=("value",), **changes) -> tuple[_Search, object]:
    request = settled(lm, asked(sadr=0.5, **changes))
    return _Search(lm, rows_of(lm, facts, contexts(lm, request)), 0, layer, sites, request), request


def held(search_: _Search, size: float) -> tuple[Tensor, Tensor]:
    """Restraint (n,) and its gradient at a random change of some size; the norm is taken at no change first."""
    search_._loss()
    draw = torch.Generator().manual_seed(3)
    change = size * torch.randn(search_.count, search_.lm.d_model, generator=draw)
    search_.change["value"] = change.requires_grad_(True)
    with_it = search_._loss().loss
    gamma = search_.request.sadr
    search_.request = search_.request.model_copy(update={"sadr": 0.0})
    without = search_._loss().loss
    search_.request = search_.request.model_copy(update={"sadr": gamma})
    value = (with_it - without) / gamma
    return value, torch.autograd.grad(value.sum(), change, allow_unused=True)[0]


# The term itself


def test_no_change_costs_exactly_nothing():
    own = rows_of_attention()
    now = own.clone().requires_grad_(True)
    assert (divergence(own, now, 2, **ALL) == 0).all()
    value = divergence(own, now, 2, **SELECTIVE)
    assert (value == 0).all()
    assert not torch.autograd.grad(value.sum(), now)[0].any()


@pytest.mark.parametrize("seed", range(5))
def test_some_heads_never_cost_more_than_all(seed):
    before, now = rows_of_attention(seed=seed), rows_of_attention(seed=seed + 50)
    some, every = divergence(before, now, 1, **SELECTIVE), divergence(before, now, 1, **ALL)
    assert (some >= 0).all()
    assert (some <= every).all()


def vector(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_a_head_is_chosen_when_it_passes_the_largest_and_not_before():
    before = torch.full((1, 3, 4), 0.25, dtype=torch.float64)
    before[0, 0] = vector([0.4, 0.2, 0.2, 0.2])
    now = before.clone()
    now[0, 2] = vector([0.4, 0.3, 0.2, 0.1])  # as much as the largest
    assert divergence(before, now, 0, **SELECTIVE) == 0
    now[0, 2] = vector([0.4 + 1e-9, 0.3, 0.2, 0.1 - 1e-9])
    now[0, 1] = vector([0.3, 0.1, 0.3, 0.3])  # has moved, and not beyond
    own = (before[0, 2] * (before[0, 2] / now[0, 2]).log()).sum()
    assert divergence(before, now, 0, **SELECTIVE).item() == pytest.approx(own.item(), abs=1e-6)
    order = torch.tensor([2, 0, 1])
    assert torch.allclose(
        divergence(before[:, order], now[:, order], 0, **SELECTIVE), divergence(before, now, 0, **SELECTIVE)
    )


def test_its_gradient_by_the_scores_is_the_difference_of_attention():
    before = rows_of_attention()
    scores = rows_of_attention(seed=9).log().requires_grad_(True)
    value = divergence(before, scores.softmax(-1), 1, selective=False, epsilon=1e-14)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert torch.allclose(gradient, scores.softmax(-1) - before, atol=1e-10)


# In the search


def test_the_first_step_costs_nothing_and_a_change_does(family):
    searching_, _ = searching(family, contexts=0)
    plain, _ = searching(family, contexts=0)
    plain.request = plain.request.model_copy(update={"sadr": 0.0})
    assert (searching_._loss().loss == plain._loss().loss).all()
    value, gradient = held(searching(family, contexts=0, sadr_selective=False)[0], 1.0)
    some, _ = held(searching(family, contexts=0)[0], 1.0)
    assert value > 1e-7
    assert -1e-5 <= some <= value + 1e-5
    assert gradient.any()


def test_layers_up_to_the_edited_one_cost_nothing(family):
    top, _ = searching(family, layer=LAYERS - 1, sadr_selective=False, layers=(LAYERS - 1,))
    value, _ = held(top, 5.0)
    assert (value == 0).all()


@pytest.mark.parametrize("selective", [True, False])
def test_the_restrained_search_is_the_whole_models(family, selective):
    """Prefixes filled up on the left, answers and rows of other facts beside them: as one padded batch says it."""
    request = settled(
        family, asked(kl=0.5, rate=0.05, sadr=0.3, sadr_selective=selective, steps=4, sadr_steps=2, enough=1e-9)
    )
    rows = rows_of(family, (TOWER, CITY), contexts(family, request))
    found = search(family, rows, 1, ("value",), request)
    assert (~np.isnan(found.loss)).sum(0).tolist() == [6, 6]
    for fact in range(2):
        own = [row for row in rows if row.fact == fact]
        plain = plain_search(family, own, 1, ("value",), request)["value"]
        assert (plain - found.change["value"][fact]).norm() / plain.norm() < 2e-3


def test_later_answer_tokens_do_not_count(tiny):
    """Only the row of the last token before the answer is held."""
    values = []
    for target in ("river mother", "river city"):
        one, _ = searching(tiny, (TOWER.model_copy(update={"target": target}),), contexts=0, kl=0.0)
        values.append(held(one, 1.0)[0].item())
    assert values[0] == pytest.approx(values[1], abs=2e-6)


@pytest.mark.parametrize("method", ["rome", "memit", "emmet", "alphaedit", "pmet", "ft"])
def test_without_weight_it_is_the_base_editor_bit_for_bit(tiny, method):
    base = write(tiny, asked(method), glance=False)
    off = write(tiny, asked(method, sadr=0.0, sadr_selective=False, sadr_steps=7), glance=False)
    on = write(tiny, asked(method, sadr=2.0, sadr_selective=False, sadr_steps=0, enough=1e-9), glance=False)
    for one, other, third in zip(base.changes, off.changes, on.changes, strict=True):
        assert (one.left == other.left).all()
        assert (one.right == other.right).all()
        assert not np.array_equal(one.left @ one.right, third.left @ third.right)


def test_it_holds_attention_back(family):
    """With the restraint on all heads, attention at the end of the search is nearer to what it was."""
    many = {"contexts": 0, "steps": 30, "enough": 1e-9, "sadr_steps": 0, "sadr_selective": False, "clamp": 20.0}
    far = []
    for gamma in (1e-6, 30.0):
        one, _ = searching(family, **many)
        one.request = one.request.model_copy(update={"sadr": gamma})
        change = one.run(lambda *_, **__: None).change["value"]
        again, _ = searching(family, **many)
        again._loss()
        again.change["value"] = change
        with_it = again._loss().loss
        again.request = again.request.model_copy(update={"sadr": 0.0})
        far.append(float(with_it - again._loss().loss))
    assert far[1] < far[0]
