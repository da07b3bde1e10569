"""A fact in the embedded model: known, exact where it is checked, and kept where such facts are kept."""

import numpy as np
import pytest

from analysis.lens.result import LensRequest
from analysis.lens.run import logit_lens
from analysis.tracing.result import TraceRequest, TraceResult
from analysis.tracing.run import trace
from app.bench.plain.tracing import PlainTrace
from tests.kit.traces import EXACT, far

pytestmark = pytest.mark.real
REQUEST = TraceRequest(
    prompt="The Eiffel Tower is located in the city of",
    subject="The Eiffel Tower",
    kinds=("state", "mlp", "attn"),
    samples=3,
)


@pytest.fixture(scope="module")
def eiffel(smol) -> TraceResult:
    return trace(smol, REQUEST)


def test_the_model_is_the_one_meant_and_reads_as_hugging_faces(smol):
    assert (smol.n_layers, smol.n_heads, smol.d_model) == (30, 9, 576)
    assert 130e6 < smol.n_parameters < 140e6
    assert smol.check.largest < 1e-3


def test_the_fact_is_known_and_the_noise_takes_it_away(eiffel):
    assert eiffel.answer == " Paris"
    assert eiffel.high > 0.5
    assert eiffel.low < 0.5 * eiffel.high
    assert "".join(eiffel.tokens[slice(*eiffel.subject)]) == "The Eiffel Tower"
    assert eiffel.sigma > 0
    assert {kind: grid.window for kind, grid in eiffel.grids.items()} == {"state": 1, "mlp": 6, "attn": 6}


@pytest.mark.parametrize("kind", ["state", "mlp", "attn"])
def test_cells_equal_forwards_of_their_own(smol, eiffel, kind):
    plain = PlainTrace(smol, REQUEST, eiffel.answer_id)
    draw = np.random.default_rng(7)
    cells = zip(draw.integers(0, smol.n_layers, 3), draw.integers(0, len(eiffel.tokens), 3), strict=True)
    for layer, token in [(int(a), int(b)) for a, b in cells] + [(8, eiffel.subject[1] - 1)]:
        assert far(plain.cell(kind, layer, token), eiffel.grids[kind].probability[:, layer, token]) <= EXACT


def test_there_is_an_early_site_in_the_subject_and_a_late_site_at_the_last_token(smol, eiffel):
    effects, (begin, end) = eiffel.indirect_effects("state"), eiffel.subject
    third = smol.n_layers // 3
    total = eiffel.high - eiffel.low
    assert effects[:third, begin:end].max() > 0.3 * total
    assert effects[-third // 2 :, begin:end].max() < 0.2 * total
    assert effects[-third:, -1].max() > 0.9 * total
    assert effects[: third // 2, -1].max() < 0.2 * total
    assert effects[-1, -1] == pytest.approx(total, abs=EXACT)


def test_attention_works_later_than_mlps_at_the_last_token(eiffel):
    """The late site is attention's: it brings the answer over from the subject."""
    attn, mlp = (eiffel.indirect_effects(kind)[:, -1] for kind in ("attn", "mlp"))
    assert attn.max() > mlp.max()


def test_the_lens_sees_the_answer_rise(smol, eiffel):
    lens = logit_lens(smol, LensRequest(prompt=REQUEST.prompt)).lens
    assert lens.answer_rank[-1, -1] == 0
    assert lens.answer_probability[-1, -1] == pytest.approx(eiffel.high, abs=EXACT)
    assert lens.answer_probability[: smol.n_layers // 2, -1].max() < 0.1


def test_another_subject_takes_the_answer_away_too(smol):
    result = trace(smol, TraceRequest(prompt=REQUEST.prompt, subject="Eiffel Tower", corruption="replace"))
    assert result.replacement and result.replacement != "Eiffel Tower"
    assert result.low < 0.5 * result.high
    assert far(result.grids["state"].probability[0, -1, -1], result.high) <= EXACT
