"""Laws of UltraEdit and StableEdit, over tiny models of every family and on the embedded one."""

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest
from analysis.internals.key_value_memory import output_matrix
from editors.edit.apply import written_over
from editors.methods import ultraedit
from editors.methods.answer_signals import signals
from editors.methods.run import write
from editors.methods.search.token_rows import rows_of
from editors.methods.ultraedit import solved, spread_of
from tests.kit.edits import CITY, LAST, TOWER, asked, parameters, unchanged

FACTS = (LAST, CITY, TOWER, LAST.model_copy(update={"subject": "river", "target": "mother"}))
METHODS = ("ultraedit", "stableedit")


@pytest.fixture(autouse=True)
def few_stored_facts(monkeypatch):
    """Facts whose words tiny models know."""
    monkeypatch.setattr(ultraedit, "stored_rewrites", lambda lm, count: (FACTS[:count], rows_of(lm, FACTS[:count], ())))


def bare(lm, facts=FACTS):
    return [row for row in rows_of(lm, facts, ()) if row.bare]


def plain(lm, row, layer):
    """Key and gradient at a layer by the whole model, row by row: the gradient of the answer's likelihood."""
    seen = {}

    def keep(_, args, output):
        seen["key"], seen["value"] = args[0], output.detach().requires_grad_(True)
        return seen["value"]

    handle = output_matrix(lm, layer).module.register_forward_hook(keep)
    logs = lm.model(input_ids=torch.tensor([row.ids]), use_cache=False).logits[0].float().log_softmax(-1)
    handle.remove()
    places = [row.first + number for number in range(len(row.targets))]
    loss = -sum(logs[place, token] for place, token in zip(places, row.targets, strict=True))
    (gradient,) = torch.autograd.grad(loss, seen["value"])
    width = gradient.shape[-1]
    return seen["key"].reshape(len(row.ids), -1)[places], gradient.reshape(-1, width)[places], -loss.detach()


def drawn(*shapes):
    source = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=source, dtype=torch.float64) for shape in shapes]


def test_keys_and_gradients_are_the_whole_models(family):
    rows = bare(family)
    found = signals(family, rows, (0, 1))
    for fact, row in enumerate(rows):
        own = found.facts == fact
        for layer in (0, 1):
            key, gradient, likelihood = plain(family, row, layer)
            assert torch.allclose(found.keys[layer][own], key, atol=1e-5)
            assert torch.allclose(found.gradients[layer][own], gradient, atol=1e-5, rtol=1e-3)
            assert torch.allclose(found.likelihood[own].sum(), likelihood, atol=1e-4)


def test_independent_keys_write_what_is_asked_and_a_ridge_writes_less():
    keys, values = drawn((5, 12), (5, 7))
    left, right = solved(keys, values, 1e-12)
    assert torch.allclose(keys @ (left @ right).T, values, atol=1e-8)
    delta = torch.linalg.multi_dot(solved(keys, values, 3.0))
    least = torch.linalg.solve(keys.T @ keys + 3 * torch.eye(12).double(), keys.T @ values).T
    assert torch.allclose(delta, least, atol=1e-10)


def test_gradients_are_white_where_there_are_enough_and_alike_by_dimension_where_not():
    keys, unmixed, mixing = drawn((40, 6), (40, 5), (5, 5))
    mixed = unmixed @ mixing
    whitening = spread_of(keys, mixed, whitened=True).whitening
    white = (mixed - mixed.mean(0)) @ whitening
    assert torch.allclose(white.T @ white / (40 - 5 - 1), torch.eye(5).double(), atol=1e-8)
    assert spread_of(keys[:6], mixed[:6], whitened=True).whitening is None
    values = spread_of(keys, mixed, whitened=False).values(keys, mixed, 1.0)
    asked_for = (mixed - mixed.mean(0)) / mixed.std(0)
    assert torch.allclose(values, -((keys - keys.mean(0)) / keys.std(0)).square().sum(1, keepdim=True) * asked_for)


@pytest.mark.parametrize("method", METHODS)
def test_a_short_step_makes_the_answers_likelier_and_is_taken_back(family, method):
    before = parameters(family)
    edit = write(family, asked(method, *FACTS[:3], rate=1e-4, warm_up=4), glance=False, probe=False)
    assert unchanged(family, before)
    assert edit.found.loss[1].mean() < edit.found.loss[0].mean()
    with written_over(family, [edit]):
        again = signals(family, bare(family, FACTS[:3]), (1,)).likelihood.sum()
    assert np.allclose(again, _total(family, edit), atol=1e-3)
    assert unchanged(family, before)


def _total(lm, edit):
    return -sum(len(row.targets) * loss for row, loss in zip(bare(lm, FACTS[:3]), edit.found.loss[1], strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_facts_does_not_matter(tiny, method):
    there, back = (write(tiny, asked(method, *facts, warm_up=0, rate=1e-3), glance=False, probe=False)
                   for facts in (FACTS[:3], FACTS[2::-1]))  # fmt: skip
    for one, other in zip(there.changes, back.changes, strict=True):
        assert np.allclose(one.left @ one.right, other.left @ other.right, atol=1e-5)
    assert np.allclose(there.found.loss, back.found.loss[:, ::-1], atol=1e-4)
    assert np.allclose(there.found.former, back.found.former[:, ::-1], atol=1e-5)


def test_one_token_alone_has_no_spread(tiny):
    with pytest.raises(BadRequest, match="One token has no spread"):
        write(tiny, asked("ultraedit", LAST, warm_up=0), glance=False)


def test_too_few_tokens_to_whiten_are_told_of(tiny):
    told = write(tiny, asked("stableedit", *FACTS[:2], warm_up=3), glance=False).warnings
    assert any("Take a longer warm_up" in one for one in told)
    assert not any("warm_up" in one for one in write(tiny, asked("ultraedit", *FACTS[:2]), glance=False).warnings)
