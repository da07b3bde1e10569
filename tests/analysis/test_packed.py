"""Packed weights: the same sums, nothing stale, nothing left behind."""

import pytest
import torch

from analysis.forward.blocks import Frame, first_hidden, record
from analysis.forward.packed_weights import _linear, packed
from analysis.model.language_model import LanguageModel
from editors.edit.weight_overlay import Overlay
from tests.kit.families import language_model

IDS = torch.arange(1, 9)[None]


def last(lm: LanguageModel, hidden: torch.Tensor) -> torch.Tensor:
    """Logits after IDS from block 0's input."""
    return lm.readout(record(Frame.of(lm, IDS), hidden).last)


def test_logits_and_gradients_are_the_same_sums(family: LanguageModel) -> None:
    hidden = first_hidden(family, IDS)
    found = []
    for inside in (False, True):
        start = hidden.clone().requires_grad_(True)
        if inside:
            with packed(family):
                assert all("forward" in vars(module) for module in _linear(family))
                logits = last(family, start)
                (gradient,) = torch.autograd.grad(logits.square().sum(), start)
        else:
            logits = last(family, start)
            (gradient,) = torch.autograd.grad(logits.square().sum(), start)
        found.append((logits, gradient))
    assert torch.allclose(found[0][0], found[1][0], atol=2e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-2, rtol=1e-4)
    assert not any("forward" in vars(module) for module in _linear(family))


def test_a_weight_changed_meanwhile_is_used_as_it_is_now(tiny: LanguageModel) -> None:
    hidden = first_hidden(tiny, IDS)
    before = last(tiny, hidden)
    left, right = torch.randn(tiny.d_model, 1), torch.randn(1, tiny.config.intermediate_size)
    with packed(tiny):
        inside = last(tiny, hidden)
        with Overlay(tiny) as overlay:
            overlay.add(1, left, right)
            changed = last(tiny, hidden)
        again = last(tiny, hidden)
    with Overlay(tiny) as overlay:
        overlay.add(1, left, right)
        plain = last(tiny, hidden)
    assert torch.allclose(changed, plain, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(changed, before, atol=1e-2)
    assert torch.equal(again, inside)
    assert torch.equal(last(tiny, hidden), before)


def test_contexts_nest_and_end_with_an_error(tiny: LanguageModel) -> None:
    with pytest.raises(KeyError), packed(tiny), packed(tiny):
        raise KeyError
    assert not any("forward" in vars(module) for module in _linear(tiny))


def test_other_precisions_are_left_alone() -> None:
    lm = language_model("llama")
    for module in _linear(lm):
        module.to(torch.bfloat16)
    with packed(lm):
        assert not any("forward" in vars(module) for module in _linear(lm))
