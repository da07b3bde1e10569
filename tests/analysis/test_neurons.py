"""Attribution to neurons: every fast number against a plain one, and the laws that hold on any model."""

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest, UnknownArchitecture
from analysis.internals.frozen_lens import FrozenLens
from analysis.internals.residual_stream import PARTS, ResidualStream, matrix_of, read_residual_stream
from analysis.model.language_model import LanguageModel
from analysis.neuron_attribution.ablation import Scaled, outcomes
from analysis.neuron_attribution.integrated_gradients import integrated, probability_of
from analysis.neuron_attribution.query_neurons import Place, subkeys
from analysis.neuron_attribution.result import NeuronsRequest, NeuronsResult
from analysis.neuron_attribution.run import Field, neurons, top_proven
from tests.kit.traces import PROMPT

REFUSED = "tiny-opt_post_norm"
ASKED = NeuronsRequest(prompt=PROMPT, top=6, counts=(1, 4, 12), draws=2)
_STREAMS: dict[str, ResidualStream] = {}
_RESULTS: dict[str, NeuronsResult] = {}


@pytest.fixture
def stream(family: LanguageModel) -> ResidualStream:
    if family.name == REFUSED:
        pytest.skip("refused, as its own test says")
    if family.name not in _STREAMS:
        _STREAMS[family.name] = read_residual_stream(family, family.encode(PROMPT).tensor())
    return _STREAMS[family.name]


@pytest.fixture
def result(stream: ResidualStream) -> NeuronsResult:
    lm = stream.frame.lm
    if lm.name not in _RESULTS:
        _RESULTS[lm.name] = neurons(lm, ASKED)
    return _RESULTS[lm.name]


def lens_of(stream: ResidualStream, answer: int = 5) -> FrozenLens:
    return FrozenLens(stream.frame.lm, stream.passage.last[0], answer)


def near(one: torch.Tensor, other: torch.Tensor, bound: float = 2e-5) -> None:
    assert float((one - other).abs().max()) < bound * (1 + float(other.abs().max()))


def test_a_model_that_normalises_its_stream_is_refused() -> None:
    from tests.conftest import cached

    with pytest.raises(UnknownArchitecture, match="normalises its residual stream"):
        neurons(cached("opt_post_norm"), ASKED)


def test_neurons_add_up_to_what_their_layer_writes(stream: ResidualStream) -> None:
    for layer in range(stream.frame.lm.n_layers):
        for part in PARTS:
            rest = stream.written(part, layer) - stream.weights(part, layer) @ stream.vectors(part, layer)
            bias = matrix_of(stream.frame.lm, part, layer).bias
            near(rest, torch.zeros(()) if bias is None else bias.expand_as(rest))
        near(stream.by_source(layer).sum(0), stream.weights("attn", layer)[-1])


def test_the_lens_reads_the_last_state_as_the_model_does_and_is_linear(stream: ResidualStream) -> None:
    lm, lens = stream.frame.lm, lens_of(stream)
    whole = lens.changes(stream.passage.last[0]) + (0 if lens.bias is None else lens.bias)
    if lens.norm.bias is not None:
        whole = whole + lens.norm.bias @ lens.unembedding.T
    near(lens._capped(whole), lm.readout(stream.passage.last[0]))
    x, y = torch.randn(2, lm.d_model, generator=torch.Generator().manual_seed(1))
    near(lens.changes(x + y), lens.changes(x) + lens.changes(y))


def test_gains_are_those_of_a_plain_loop_and_of_nothing_is_nothing(stream: ResidualStream) -> None:
    lens = lens_of(stream)
    for part in PARTS:
        base = stream.before(part, 1)[-1]
        rows = stream.weights(part, 1)[-1][:, None] * stream.vectors(part, 1)
        plain = torch.stack([lens.log_probability(base + row) for row in rows]) - lens.log_probability(base)
        near(lens.gains(base, rows), plain)
    assert float(lens.gains(base, torch.zeros(1, len(base)))[0].abs()) < 1e-6
    long = 300 * torch.nn.functional.normalize(stream.vectors(part, 1)[:4])
    plain = torch.stack([lens.log_probability(base + row) for row in long]) - lens.log_probability(base)
    near(lens.gains(base, long), plain)


def test_layer_scores_telescope(result: NeuronsResult) -> None:
    assert result.attn_layer.sum() + result.mlp_layer.sum() == pytest.approx(result.end - result.start, abs=1e-4)


def test_gains_lie_below_their_slope_and_within_their_logits(stream: ResidualStream) -> None:
    lens = lens_of(stream)
    if lens.cap:
        with pytest.raises(BadRequest, match="softly capped"):
            lens.slope(stream.before("mlp", 0)[-1])
        return
    base = stream.before("mlp", 1)[-1]
    rows = stream.weights("mlp", 1)[-1][:, None] * stream.vectors("mlp", 1)
    gains, slope = lens.gains(base, rows), rows @ lens.slope(base)
    change = lens.changes(rows)
    own = change[:, lens.answer]
    assert (gains <= slope + 1e-5).all()
    assert (gains <= own - change.min(1).values + 1e-5).all()
    assert (gains >= own - change.max(1).values - 1e-5).all()
    near(lens.gains(base, 1e-3 * rows) / 1e-3, slope, 5e-3)


def test_a_screening_finds_the_top_and_proves_it(stream: ResidualStream, result: NeuronsResult) -> None:
    lm = stream.frame.lm
    if lm.readout.soft_cap:
        with pytest.raises(BadRequest, match="mode exact"):
            neurons(lm, ASKED.model_copy(update={"mode": "screened"}))
        return
    lens = lens_of(stream, result.answer_id)
    found, gains, rest = top_proven(lens, Field.of(stream, "mlp"), 6)
    best = np.sort(result.mlp.ravel())[::-1][:6]
    assert np.allclose([gain for *_, gain in found], best, atol=1e-5)
    left_out = result.mlp[np.isnan(gains.numpy())]
    assert (left_out <= rest + 1e-5).all()
    sources = top_proven(lens, Field.of(stream, "attn", by_source=True), 4)[0]
    field = Field.of(stream, "attn", by_source=True)
    every = torch.cat([field.scores(lens, layer) for layer in range(lm.n_layers)])
    assert np.allclose([gain for *_, gain in sources], every.sort(descending=True).values[:4], atol=1e-5)


def test_shares_of_a_whole_state_are_one(stream: ResidualStream) -> None:
    """The embedding and everything written below, along a subkey, give the state along it."""
    last = stream.frame.length - 1
    places = [Place("mlp", 2, 3, last), Place("attn", 2, 5, 4)]
    keys, states = subkeys(stream, places)
    for place, key, state in zip(places, keys, states, strict=True):
        parts = [stream.passage.hidden[0][0, place.token].float()]
        parts += [stream.written(part, layer)[place.token] for layer in range(2) for part in PARTS]
        if (state - torch.stack(parts).sum(0)).abs().max() > 1e-4:  # a sequential block's MLP reads its attention too
            parts.append(stream.written("attn", 2)[place.token])
        near(torch.stack(parts).sum(0), state)
        near(torch.stack([part @ key for part in parts]).sum(), state @ key)


def test_a_subkey_is_the_slope_of_the_coefficient_behind_a_frozen_norm(tiny: LanguageModel) -> None:
    """For attention in a Llama: the row of W_V of the key head its head shares, times the norm's weight."""
    stream = read_residual_stream(tiny, tiny.encode(PROMPT).tensor())
    d_head = tiny.d_model // tiny.n_heads
    index = 3 * d_head + 2  # head 3 shares key head 1 of 2
    keys, _ = subkeys(stream, [Place("attn", 1, index, 4)])
    weight = tiny.parameters["model.layers.1.input_layernorm.weight"]
    row = tiny.parameters["model.layers.1.self_attn.v_proj.weight"][d_head + 2]
    near(keys[0], row * weight)


def test_zeroed_neurons_are_rows_of_zeros(stream: ResidualStream) -> None:
    lm = stream.frame.lm
    chosen = {("mlp", 0): [1, 7], ("mlp", 2): [3], ("attn", 1): [0, 9]}
    probability, said = outcomes(stream, [Scaled({}), Scaled(chosen), Scaled({("mlp", 1): [2]}, 2.0)], 5)
    ids = lm.encode(PROMPT).tensor()
    near(probability[:1], lm.logits(ids)[0, -1].softmax(-1)[5:6])
    kept = []
    for (part, layer), indices in chosen.items():
        module = matrix_of(lm, part, layer)
        kept.append((module.weight, module.weight.detach().clone()))
        rows = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
        rows.data[indices] = 0
    try:
        plain = lm.logits(ids)[0, -1].softmax(-1)
    finally:
        for weight, before in kept:
            weight.data.copy_(before)
    near(probability[1:2], plain[5:6])
    assert int(said[1]) == int(plain.argmax())


def test_integrated_gradients_add_up_to_what_a_layer_gives(stream: ResidualStream) -> None:
    if hasattr(stream.frame.lm.blocks[0], "ln2_post"):
        with pytest.raises(BadRequest, match="nothing to integrate"):
            integrated(stream, 5)
        return
    parts = integrated(stream, 5)
    for layer, row in enumerate(parts):
        own = stream.coefficients["mlp"][layer][-1:]
        with torch.no_grad():
            whole, nothing = probability_of(stream, layer, torch.cat((own, 0 * own)), 5)
        near(whole, stream.frame.lm.readout(stream.passage.last)[0].softmax(-1)[5])
        assert float(row.sum()) == pytest.approx(float(whole - nothing), abs=5e-3)
        assert not row[own[0] == 0].any()


def test_the_second_opinion_is_told(tiny: LanguageModel) -> None:
    result = neurons(tiny, ASKED.model_copy(update={"second_opinion": True}))
    rank, same = result.agreement(10) or (2.0, 2.0)
    assert -1 <= (result.tokens_agree() or 2.0) <= 1
    assert len(result.tokens_integrated) == len(result.tokens)
    assert -1 <= rank <= 1
    assert 0 <= same <= 1
    assert neurons(tiny, ASKED).agreement() is None


def test_the_result_is_of_one_piece(result: NeuronsResult) -> None:
    best = np.argsort(result.mlp.ravel())[::-1][:6]
    own = [n for n in result.value if n.part == "mlp"]
    assert [n.layer * result.mlp.shape[1] + n.index for n in own] == best.tolist()
    assert result.links.shape == (len(result.query), len(result.value))
    assert result.links.shape == result.links_dot.shape
    for number, query in enumerate(result.query):
        fed = [v for v, link in zip(result.value, result.links_dot[number], strict=True) if link]
        assert all(value.layer > query.layer and value.token == query.token for value in fed)
    for one in result.ablations:
        assert one.random.shape == (2, len(one.counts))
    assert neurons_again(result).mlp.tolist() == result.mlp.tolist()


def neurons_again(result: NeuronsResult) -> NeuronsResult:
    """The result written down and read again."""
    from analysis.study import pack, unpack

    data, arrays = pack(result)
    return unpack(NeuronsResult, data, arrays)


def test_a_run_may_be_ended_between_any_two_products(tiny: LanguageModel, monkeypatch) -> None:
    """With a long prompt there are many between two steps that are told."""
    monkeypatch.setattr("analysis.internals.frozen_lens.WORDS", 8)
    products, heard, most = 0, 0, 0
    inside = torch.Tensor.exp_

    def counted(numbers: torch.Tensor) -> torch.Tensor:
        nonlocal products, most
        products += 1
        most = max(most, products - heard)
        return inside(numbers)

    def report(*_: object) -> None:
        nonlocal heard
        heard = products

    monkeypatch.setattr(torch.Tensor, "exp_", counted)
    neurons(tiny, NeuronsRequest(prompt=PROMPT, draws=1), report)
    assert products > 50
    assert most == 1
