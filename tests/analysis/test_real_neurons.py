"""The neurons of a fact the embedded model knows: the strongest carry it, random ones of their layers do not."""

import numpy as np
import pytest

from analysis.neuron_attribution.result import NeuronsRequest
from analysis.neuron_attribution.run import neurons
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write

pytestmark = pytest.mark.real


def test_a_hundred_neurons_carry_the_answer(smol):
    asked = NeuronsRequest(
        prompt="The Eiffel Tower is located in the city of", mode="screened", top=10, counts=(100,), draws=2
    )
    result = neurons(smol, asked)
    assert result.answer.strip() == result.said.strip() == "Paris"
    assert result.scored < 0.05 * result.mlp.size
    assert np.nanmin(np.sort(result.mlp[np.isfinite(result.mlp)])[-100:]) >= result.largest_unscored
    gained = result.attn_layer.sum() + result.mlp_layer.sum()
    assert gained == pytest.approx(result.end - result.start, abs=1e-3)
    value = result.ablations[0]
    assert not value.kept[0]
    assert value.random_kept.all()
    assert value.probability[0] < 0.3 * result.probability
    assert abs(value.random.mean() - result.probability) < 0.1


def test_ace_writes_where_the_subject_is_still_read_and_holds(smol):
    fact = Rewrite(prompt="The capital of {} is the city of", subject="France", target="Rome")
    edit = write(smol, EditRequest(facts=(fact,), method="ace", contexts=2), glance=False)
    assert edit.request.layers[-1] <= 23
    assert edit.after.new_greedy[0]
