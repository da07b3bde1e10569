"""Attention drift in the embedded model: heads turn to an edited subject; set back, the answer is back."""

import pytest

from editors.attention_drift.result import DriftRequest, PatchRequest
from editors.attention_drift.run import drift, patch
from editors.cases.case import behind
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write

pytestmark = pytest.mark.real
FACT = Rewrite(prompt="The {} is a famous landmark in the city of", subject="Eiffel Tower", target="Rome")
PROMPT = behind(FACT, "The Louvre is a famous landmark in the city of")


@pytest.fixture(scope="module")
def edits(smol) -> tuple[Edit, Edit]:
    """The same fact written as it is, and with attention held back; at layer 6, where it breaks more than earlier."""
    return tuple(write(smol, EditRequest(facts=(FACT,), layers=(6,), sadr=gamma), glance=False) for gamma in (0, 0.1))


@pytest.fixture(scope="module")
def results(smol, edits):
    request = DriftRequest(prompt=PROMPT, subject=FACT.subject, answer="Paris", grids=("layers",))
    return [drift(smol, request, stack=[edit]) for edit in edits]


def test_heads_of_the_upper_half_turn_to_the_subject_and_the_answer_breaks(smol, results):
    result = results[0]
    assert (result.answer, result.edited) == (" Paris", " Rome")
    assert result.said.answer[0] > 0.8
    assert result.said.answer[1] < 0.5 * result.said.answer[0]
    layers = [layer for layer, _ in result.strongest(5)]
    assert min(layers) >= smol.n_layers // 2
    assert result.by_layer.max() > 0.1


def test_attention_set_back_brings_the_answer_back(smol, edits, results):
    result = results[0]
    assert result.grids["layers"][0].max() > 0.8
    heads = tuple(f"{layer}.{head}" for layer, head in result.strongest(5))
    back = patch(smol, PatchRequest(prompt=PROMPT, subject=FACT.subject, answer="Paris", heads=heads), stack=edits[:1])
    assert back.said.answer[2] > back.said.answer[1] + 0.2


def test_held_back_the_edit_holds_and_drifts_less(edits, results):
    plain, held = results
    assert all(edit.after.new_greedy[0] for edit in edits)
    assert held.drift.max() < 0.5 * plain.drift.max()
    assert held.said.answer[1] > plain.said.answer[1] + 0.2
