"""Patterns can be read and overwritten in every family, and a knock-out is what a mask of −∞ does."""

import pytest
import torch

from analysis.forward.blocks import Frame, first_hidden, record
from analysis.internals.attention_patterns import Edges, at_patterns, knocked_out, patterns
from analysis.model.language_model import LanguageModel
from tests.kit.families import FAMILIES, language_model

IDS = torch.arange(1, 9)[None]


def last(lm: LanguageModel, frame: Frame) -> torch.Tensor:
    """Logits after IDS, computed block by block."""
    return lm.readout(record(frame, first_hidden(lm, IDS)).last)


def test_rows_sum_to_one_and_see_no_later_token(family: LanguageModel) -> None:
    for pattern in patterns(Frame.of(family, IDS), first_hidden(family, IDS)):
        assert torch.allclose(pattern.sum(-1), torch.ones(()), atol=1e-5)
        assert not pattern.triu(1).any()


def test_a_pattern_written_over_itself_changes_nothing(family: LanguageModel) -> None:
    frame = Frame.of(family, IDS)
    before = last(family, frame)
    with at_patterns(family, lambda _, pattern: pattern.clone()):
        after = last(family, frame)
    assert torch.allclose(before, after, atol=2e-5)
    assert torch.equal(before, last(family, frame))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_knock_out_is_a_mask_of_minus_infinity(name: str) -> None:
    lm = language_model(name)
    frame = Frame(lm, IDS)
    edges, layers = Edges(queries=(7, 5), keys=(4, 5)), range(1, 3)
    with knocked_out(lm, edges, layers):
        cut = last(lm, frame)
    assert not torch.allclose(cut, last(lm, frame), atol=1e-3)
    for layer in layers:
        arguments = frame.arguments[layer]
        mask = arguments.get("attention_mask")
        if mask is None:
            pytest.skip("the family makes its mask inside the block")
        mask = mask.expand(1, 1, 8, 8).clone()
        for query in edges.queries:
            mask[..., query, list(edges.keys)] = False if mask.dtype == torch.bool else torch.finfo(mask.dtype).min
        frame.arguments[layer] = arguments | {"attention_mask": mask}
    assert torch.allclose(cut, last(lm, frame), atol=1e-5)
