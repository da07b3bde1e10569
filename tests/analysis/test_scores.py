"""What a trace says of its cells: metrics and how they relate, uncertainty, top words."""

import numpy as np
import pytest

from analysis.tracing.result import KINDS
from analysis.tracing.run import trace
from tests.kit.traces import BEGIN, EXACT, REPLACE, asked, far, traced


def test_metrics_relate_as_they_should(family):
    result = traced(family)
    low, high = result.baseline()
    assert (low, high) == (result.low, result.high)
    assert result.answer_id != result.foil_id
    for kind in KINDS:
        for metric in ("probability", "logit_difference", "normalised_logit_difference", "kl"):
            scores = result.scores(kind, metric)
            assert scores.shape == (family.n_layers, 8)
            assert far(result.indirect_effects(kind, metric), scores - result.baseline(metric)[0]) <= EXACT
            assert far(result.indirect_effects(kind, metric)[:, :BEGIN], 0) <= 2e-5
        assert (result.grids[kind].kl >= -1e-6).all()
    assert (result.corrupted.kl >= 0).all()
    assert result.clean.kl == pytest.approx(0, abs=1e-5)


def test_the_normalised_difference_runs_from_the_corrupted_run_to_the_clean_one(family):
    result = traced(family)
    low, high = result.baseline("logit_difference")
    normalised = result.scores("state", "normalised_logit_difference")
    assert normalised[:, 0] == pytest.approx(0, abs=1e-4)
    assert normalised[-1, -1] == pytest.approx(1, abs=1e-4)
    assert low + normalised * (high - low) == pytest.approx(result.scores("state", "logit_difference"), abs=1e-4)


def test_numbers_beside_a_cell_belong_to_it(family):
    result = traced(family)
    answer = result.answer_id
    for kind in KINDS:
        grid = result.grids[kind]
        place = grid.top_ids == answer
        means = np.broadcast_to(grid.probability.mean(0)[..., None], place.shape)
        assert far(grid.top_probabilities[place], means[place]) <= EXACT
        assert (np.diff(grid.top_probabilities, axis=-1) <= 0).all()
        assert all(result.spans(ids) for row in grid.top_ids for ids in row)
    assert result.clean.top_ids[0] == answer
    assert result.answer == family.words([answer])[0]


def test_uncertainty_is_that_of_a_paired_mean(tiny):
    result = traced(tiny)
    paired = result.grids["state"].probability - result.corrupted.probability[:, None, None]
    expected = 1.96 * paired.std(0, ddof=1) / np.sqrt(3)
    assert result.uncertainty("state") == pytest.approx(expected, abs=1e-7)
    assert not result.uncertainty("state")[:, :BEGIN].any()
    for metric in ("logit_difference", "normalised_logit_difference", "kl"):
        assert result.uncertainty("state", metric).shape == (3, 8)
    assert not trace(tiny, asked(samples=1)).uncertainty("state").any()


def test_a_replacement_is_one_run_without_uncertainty(tiny):
    result = traced(tiny, REPLACE)
    assert result.sigma is None and result.replacement == "city near Brin"
    assert result.corrupted.probability.shape == (1,)
    assert not result.uncertainty("mlp").any()
