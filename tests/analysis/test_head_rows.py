"""The head reads slices of states as tensors of their own, where torch would copy it for each row."""

import pytest
import torch
from torch.nn import functional

from analysis import LanguageModel
from tests.kit.families import FAMILIES, build, word_tokenizer

LAST = torch.tensor([[1, 2, 3], [3, 2, 1]])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_head_in_half_precision_is_handed_whole_rows(name, rows, monkeypatch):
    lm = LanguageModel(build(name).to(torch.bfloat16), word_tokenizer(), name=name)
    plain, strides = functional.linear, []

    def seen(states, weight, bias=None):
        if weight.shape[0] == lm.config.vocab_size:
            strides.append((states.stride(), torch.empty(states.shape).stride()))
        return plain(states, weight, bias)

    monkeypatch.setattr(functional, "linear", seen)
    found = lm.logits(LAST[:rows], 1)
    assert strides
    assert all(own == whole for own, whole in strides)
    assert torch.allclose(found[:, -1], lm.logits(LAST[:rows])[:, -1], atol=0.1)


def test_a_head_in_single_precision_is_left_alone(tiny):
    assert not tiny.readout.steps[-1]._forward_pre_hooks
