"""Factors of second moments, kept with the model."""

import pytest
import torch

from analysis import LanguageModel
from analysis.moments.second_moments import Moments
from editors.methods import factored_moments
from editors.methods.closed_forms import Inverse, freedom
from editors.methods.factored_moments import freedom_of, inverse_of


def moments_of(seed: int) -> Moments:
    half = torch.randn(6, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return Moments(0, half @ half.T / 12, 12, "a text", "one", "weights")


def test_a_matrix_is_factored_once_and_another_one_for_itself(tiny: LanguageModel) -> None:
    one, other = moments_of(0), moments_of(1)
    key = torch.ones(6, 1)
    assert inverse_of(tiny, one) is inverse_of(tiny, moments_of(0))
    assert torch.equal(inverse_of(tiny, one)(key), Inverse(one.matrix)(key))
    assert not torch.equal(inverse_of(tiny, one)(key), inverse_of(tiny, other)(key))


def test_free_directions_are_kept_for_each_share_protected(tiny: LanguageModel) -> None:
    one = moments_of(2)
    assert freedom_of(tiny, one, 0.5) is freedom_of(tiny, one, 0.5)
    assert torch.equal(freedom_of(tiny, one, 0.8).basis, freedom(one.matrix, 0.8).basis)


def test_a_factor_too_large_for_the_free_memory_is_not_kept(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factored_moments, "free_bytes", lambda device: 1)
    one = moments_of(3)
    assert inverse_of(tiny, one) is not inverse_of(tiny, one)
