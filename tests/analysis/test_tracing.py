"""Causal tracing: exact against one forward per cell, and true to its laws (specification 1.5)."""

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest, SubjectAmbiguous
from analysis.internals.layer_windows import default_window, window_layers
from analysis.internals.scores import Scores
from analysis.tracing.result import KINDS, Grid, TraceResult
from analysis.tracing.run import ROW_BUDGET, trace
from app.bench.plain.tracing import PlainTrace
from tests.kit.families import language_model
from tests.kit.traces import BEGIN, EXACT, PROMPT, REPLACE, REQUEST, asked, far, same, traced


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_equals_a_forward_of_its_own(family, kind):
    result = traced(family)
    assert result.complete
    plain = PlainTrace(family, REQUEST, result.answer_id)
    assert far(plain.grid(kind), result.grids[kind].probability) <= EXACT


@pytest.mark.parametrize("kind", ["state", "severed_attn"])
def test_every_cell_of_another_subject_equals_a_forward_of_its_own(family, kind):
    result = traced(family, REPLACE)
    plain = PlainTrace(family, REPLACE, result.answer_id)
    assert far(plain.grid(kind), result.grids[kind].probability) <= EXACT


@pytest.mark.parametrize("kind", ["severed_mlp", "severed_attn"])
def test_every_cell_of_the_published_severing_equals_forwards_of_its_own(family, kind):
    """Two draws from one generator: the held outputs see the first, the run the second, before the subject too."""
    request = asked(kinds=(kind,), severing_noise="published")
    result = trace(family, request)
    plain = PlainTrace(family, request, result.answer_id).grid(kind)
    assert far(plain, result.grids[kind].probability) <= EXACT
    assert far(plain[:, :, :BEGIN], result.corrupted.probability[:, None, None]) > 1e-4


def test_a_text_in_the_subjects_place_has_no_second_draw(tiny):
    request = asked(
        corruption="replace", replacement=REPLACE.replacement, severing_noise="published", kinds=("severed_mlp",)
    )
    assert same(trace(tiny, request), traced(tiny, REPLACE), ("severed_mlp",))


def test_other_scores_of_cells_before_the_subject_are_the_second_draws(tiny):
    request = asked(severing_noise="published")
    result = trace(tiny, request)
    for name in ("logit_difference", "kl", "top_probabilities"):
        severed, state = (getattr(result.grids[kind], name) for kind in ("severed_mlp", "state"))
        before = severed[:, :, :BEGIN] if name != "top_probabilities" else severed[:, :BEGIN]
        own = state[:, :, :BEGIN] if name != "top_probabilities" else state[:, :BEGIN]
        assert far(before, before[:, :, :1] if name != "top_probabilities" else before[:, :1]) == 0
        assert far(before, own) > 1e-4
    other = result.grids["severed_attn"].kl[:, :, :BEGIN]
    assert far(other, result.grids["severed_mlp"].kl[:, :, :BEGIN]) == 0
    assert (
        request.own_edition() > REQUEST.own_edition() == asked(severing_noise="published", kinds=("mlp",)).own_edition()
    )


def test_the_runs_without_repair_equal_full_forwards(family):
    result = traced(family)
    plain = PlainTrace(family, REQUEST, result.answer_id)
    clean = family.logits(family.encode(PROMPT).tensor())[0, -1].softmax(-1)
    assert abs(clean[result.answer_id].item() - result.high) <= EXACT
    assert far(plain.forward({}, {}), result.corrupted.probability) <= EXACT


@pytest.mark.parametrize("window", [1, 2, 3, 50])
def test_windows_of_every_width(tiny, window):
    request = asked(window=window, kinds=("mlp", "attn"))
    result = trace(tiny, request)
    plain = PlainTrace(tiny, request, result.answer_id)
    for kind in ("mlp", "attn"):
        assert result.grids[kind].window == window
        assert far(plain.grid(kind), result.grids[kind].probability) <= EXACT


def test_cells_do_not_depend_on_how_they_are_batched(family, monkeypatch):
    whole = traced(family)
    monkeypatch.setitem(ROW_BUDGET, "cpu", 1)
    kinds = ("mlp", "severed_attn")
    assert same(trace(family, asked(kinds=kinds)), whole, kinds, within=EXACT)


def test_restoring_before_the_subject_changes_nothing(family):
    result = traced(family)
    for kind in KINDS:
        grid = result.grids[kind]
        expected = np.broadcast_to(result.corrupted.probability[:, None, None], grid.probability[:, :, :BEGIN].shape)
        assert np.array_equal(grid.probability[:, :, :BEGIN], expected)
        assert np.array_equal(result.indirect_effects(kind)[:, :BEGIN], np.zeros((family.n_layers, BEGIN), np.float32))


def test_restoring_the_last_state_gives_the_clean_answer(family):
    result = traced(family)
    for kind in ("state", "severed_mlp", "severed_attn"):
        assert far(result.grids[kind].probability[:, -1, -1], result.high) <= EXACT
    assert far(result.scores("state", "kl")[-1, -1], result.corrupted.kl.mean()) <= EXACT


def test_restoring_every_token_of_a_layer_gives_the_clean_answer(family):
    tokens = family.encode(PROMPT)
    plain = PlainTrace(family, REQUEST, traced(family).answer_id)
    clean: list[torch.Tensor] = []

    def restore(_, __, output):
        hidden = output[0] if isinstance(output, tuple) else output
        clean.append(hidden)
        hidden = hidden[:1].expand_as(hidden)
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    for block in family.blocks:
        handle = block.register_forward_hook(restore)
        try:
            assert far(plain.forward({}, {}), traced(family).high) <= EXACT
        finally:
            handle.remove()
    assert far(clean[0][0], clean[0][1]) > 1e-3
    assert len(tokens) == clean[0].shape[1]


def test_restoring_both_sub_blocks_of_all_layers_at_the_last_token_gives_the_clean_answer(family):
    """Provided the last token is not a subject token: its residual is then the clean sum."""
    answer, last = traced(family).answer_id, len(family.encode(PROMPT)) - 1
    sites = {(site, layer): (last, None) for site in ("mlp", "attn") for layer in range(family.n_layers)}
    assert far(PlainTrace(family, REQUEST, answer).forward({}, sites), traced(family).high) <= EXACT


def test_without_noise_there_is_nothing_to_repair(family):
    result = trace(family, asked(noise=0.0))
    assert abs(result.low - result.high) <= EXACT
    for kind in KINDS:
        assert far(result.grids[kind].probability, result.high) <= EXACT
        assert far(result.previews[kind], 0) <= EXACT


def test_a_trace_repeated_is_the_same_bit_for_bit(family):
    again = trace(family, REQUEST)
    assert same(again, traced(family))
    assert np.array_equal(again.corrupted.probability, traced(family).corrupted.probability)
    assert all(np.array_equal(again.previews[kind], traced(family).previews[kind]) for kind in KINDS)


def test_a_trace_does_not_touch_the_global_generators(tiny):
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    trace(tiny, REQUEST)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_other_seeds_are_other_noise(tiny):
    assert not same(trace(tiny, asked(seed=2)), traced(tiny), within=1e-3)


def test_fewer_samples_are_another_draw_of_the_same_stream(tiny):
    """ROME draws all samples at once, first sample first."""
    first = trace(tiny, asked(samples=1))
    assert far(first.grids["state"].probability[0], traced(tiny).grids["state"].probability[0]) <= EXACT


def test_windows_follow_the_published_code():
    assert list(window_layers(20, 10, 48)) == list(range(15, 25))
    assert list(window_layers(20, 5, 48)) == list(range(18, 23))
    assert list(window_layers(0, 10, 48)) == list(range(5))
    assert list(window_layers(47, 10, 48)) == list(range(42, 48))
    assert all(list(window_layers(layer, 1, 6)) == [layer] for layer in range(6))
    assert [default_window(layers) for layers in (1, 12, 24, 28, 30, 32, 48)] == [1, 3, 5, 6, 6, 7, 10]


def test_the_answer_is_the_models_own_unless_named(tiny):
    own = int(tiny.logits(tiny.encode(PROMPT).tensor())[0, -1].argmax())
    assert traced(tiny).answer_id == own
    named = trace(tiny, asked(answer=" Brin ", foil="Corvo", kinds=("state",)))
    assert (named.answer, named.foil) == ("Brin", "Corvo")
    assert named.high == pytest.approx(
        tiny.logits(tiny.encode(PROMPT).tensor())[0, -1].softmax(-1)[named.answer_id].item()
    )


def test_the_occurrence_is_the_one_blurred(tiny):
    with pytest.raises(SubjectAmbiguous):
        trace(tiny, asked(prompt="Brin stands near Brin in", subject="Brin"))
    result = trace(tiny, asked(prompt="Brin stands near Brin in", subject="Brin", occurrence=1, kinds=("state",)))
    assert result.subject == (3, 4)


def test_a_subject_at_either_end_is_traced(tiny):
    for prompt, subject in (("Aldra stands in", "Aldra"), ("in the city of Brin", "Brin"), ("Brin", "Brin")):
        request = asked(prompt=prompt, subject=subject)
        result = trace(tiny, request)
        for kind in KINDS:
            plain = PlainTrace(tiny, request, result.answer_id).grid(kind)
            assert far(plain, result.grids[kind].probability) <= EXACT


def test_what_does_not_fit_is_a_bad_request(tiny):
    with pytest.raises(BadRequest, match="not in the prompt"):
        trace(tiny, asked(subject="mountain"))
    with pytest.raises(BadRequest, match="empty"):
        trace(tiny, asked(prompt=" "))


def test_large_models_of_few_words_do_not_share_a_result():
    """Two models, one request: keys differ, and so do results."""
    first, second = (language_model("gpt2", seed) for seed in (0, 1))
    assert REQUEST.key(first.weights_hash) != REQUEST.key(second.weights_hash)
    assert not same(trace(first, REQUEST), trace(second, REQUEST), within=1e-3)


def test_a_result_can_be_read_while_it_grows(tiny, monkeypatch):
    """A page reads the very object the worker writes to: no id may stand in it before its text."""
    latest: list[TraceResult] = []
    put = Grid.put

    def checked(grid: Grid, layers: list[int], token: int, scores: Scores) -> None:
        if latest:
            latest[-1].spans(scores.top_ids.ravel())
        put(grid, layers, token, scores)

    monkeypatch.setattr(Grid, "put", checked)
    trace(
        tiny, asked(kinds=("state", "mlp")), lambda *told, **more: latest.extend(p for p in told[3:4] if p is not None)
    )
    assert latest[-1].complete
