"""Laws of attention drift, over tiny models of every family: what is read, what is overwritten, what is substituted."""

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest
from analysis.forward.blocks import Frame, first_hidden
from analysis.forward.resumed_forward import resume
from analysis.internals.correlation import pearson
from analysis.internals.key_value_memory import output_matrix
from analysis.model.language_model import LanguageModel
from analysis.patching.attention_patching import patched, read
from app.bench.plain.drift import plain_cell
from editors.attention_drift.result import DriftRequest, DriftsRequest, PatchRequest
from editors.attention_drift.run import drift, patch
from editors.attention_drift.tasks_run import drifts
from editors.edit.edit import Edit, Found, LayerChange
from editors.edit.probes import Answers, Probe
from tests.kit.edits import TOWER, asked
from tests.kit.families import LAYERS

PROMPT, SUBJECT = "the old tower of Aldra stands in a river mother near Brin Corvo", "tower of Aldra"
TOKENS, KEY = 13, 4
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def edit_of(lm: LanguageModel, layer: int = 1, size: float = 0.5, probes: tuple[Probe, ...] = ()) -> Edit:
    """A random change of one output matrix, of `size` its norm: what any edit is to those who read it."""
    matrix = output_matrix(lm, layer)
    draw = torch.Generator().manual_seed(layer)
    left, right = (
        torch.randn(*shape, generator=draw) for shape in ((matrix.weight.shape[0], 1), (1, matrix.weight.shape[1]))
    )
    left = left * size * float(matrix.weight.norm()) / float(left.norm() * right.norm())
    probes = (Probe(0, "rewrite", TOWER.text, TOWER.target, "the"), *probes)
    none, curve = np.zeros(len(probes)), np.ones((1, 1))
    answers = Answers(none, none, none > 0, none > 0, ["the"] * len(probes), none)
    return Edit(
        asked("rome", TOWER, layers=(layer,)),
        lm.card(),
        [
            LayerChange(
                layer, matrix.name, matrix.transposed, left.numpy(), right.numpy(), "", float(matrix.weight.norm())
            )
        ],
        Found(curve, curve, curve, [1.0], [1.0], 1.0, []),
        list(probes),
        answers,
        answers,
        None,
        [],
        [],
    )


def ids_of(lm: LanguageModel) -> torch.Tensor:
    return lm.encode(PROMPT).tensor()


def request(**changes: object) -> DriftRequest:
    return DriftRequest(
        **{"prompt": PROMPT, "subject": SUBJECT, "answer": "city", "edited": "river", "window": 2, "patch_window": 2}
        | changes
    )


def test_own_attention_written_over_changes_nothing(family):
    frame, hidden = Frame.of(family, ids_of(family)), first_hidden(family, ids_of(family))
    own = read(frame, hidden)
    every = dict.fromkeys(range(LAYERS), tuple(range(family.n_heads)))
    last = patched(frame, own.passage, own.patterns, [every, {}, {1: (2,)}])
    for row in family.readout(last):
        assert torch.allclose(row, own.logits, rtol=1e-4, atol=1e-4)


def test_without_a_change_nothing_drifts(family):
    result = drift(family, request(), stack=[edit_of(family, size=0.0)])
    assert not result.drift.any()
    assert not result.by_layer.any()
    for grid in result.grids.values():
        shape = (2, *[1] * (grid.ndim - 1))
        assert np.allclose(grid, np.array([result.said.answer[0], result.said.edited[0]]).reshape(shape), **CLOSE)


def test_attention_up_to_the_edited_layer_stays_bit_for_bit(family):
    result = drift(family, request(grids=()), stack=[edit_of(family, layer=1)])
    assert (result.before[:2] == result.after[:2]).all()
    assert (result.before[2] != result.after[2]).any()


def test_every_cell_is_a_forward_of_its_own(family):
    stack = [edit_of(family, layer=0)]
    result = drift(family, request(), stack=stack)
    places = {
        "heads": [(0, 1), (1, 3), (2, 0)],
        "layers": [(0,), (1,), (2,)],
        "mlp": [(0, KEY), (1, KEY), (2, TOKENS - 1), (2, 0)],
        "attn": [(0, KEY), (1, KEY), (2, TOKENS - 1), (2, 0)],
    }
    for kind, cells in places.items():
        for place in cells:
            plain = plain_cell(family, request(), stack, kind, place, result)
            assert np.allclose(result.grids[kind][(slice(None), *place)], plain, **CLOSE), (kind, place)


def test_the_model_is_as_before(family):
    before = family.own_hash
    drift(family, request(grids=("layers",)), stack=[edit_of(family)])
    del family.__dict__["own_hash"]
    assert family.own_hash == before
    assert family.edits == ()


def test_all_heads_set_back_one_by_one_or_by_layer(family):
    stack = [edit_of(family)]
    spans = patch(family, PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=("0-2",)), stack=stack)
    names = tuple(f"{layer}.{head}" for layer in range(LAYERS) for head in range(family.n_heads))
    single = patch(family, PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=names), stack=stack)
    nothing = patch(family, PatchRequest(prompt=PROMPT, subject=SUBJECT), stack=stack)
    assert (spans.said.probability == single.said.probability).all()
    assert np.allclose(nothing.said.probability[2], nothing.said.probability[1], **CLOSE)
    assert spans.said.words == nothing.said.words


def test_drift_of_a_layer_is_that_of_its_largest_head(tiny):
    result = drift(tiny, request(grids=()), stack=[edit_of(tiny, layer=0)])
    row = result.before[:, :, -1, KEY], result.after[:, :, -1, KEY]
    assert (result.by_layer == row[1].max(1) - row[0].max(1)).all()
    assert result.key == KEY
    for layer, head in result.strongest(3):
        assert result.drift[layer, head] > 0


def test_what_does_not_fit_is_refused(tiny):
    with pytest.raises(BadRequest, match="No edit is on"):
        drift(tiny, request())
    with pytest.raises(BadRequest, match="is not in the prompt"):
        drift(tiny, request(subject="the Louvre"), stack=[edit_of(tiny)])
    with pytest.raises(BadRequest, match=r"there is no 7\.1"):
        patch(tiny, PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=("7.1",)), stack=[edit_of(tiny)])
    with pytest.raises(ValueError, match="is no head"):
        PatchRequest(prompt=PROMPT, subject=SUBJECT, heads=("x.1",))
    with pytest.raises(BadRequest, match="No test prompts"):
        drifts(tiny, DriftsRequest(), stack=[edit_of(tiny)])


def test_over_all_prompts_of_the_edits(family):
    probes = (
        Probe(0, "other", "the old tower of Aldra speaks", "river", "mother"),
        Probe(0, "neighbour", "the old Brin stands in a", "river", "city"),
        Probe(0, "neighbour", "the Corvo stands in a", "river", "city"),
        Probe(0, "paraphrase", "near the tower of Aldra a", "river", "city"),
    )
    edit = edit_of(family, layer=0, probes=probes)
    result = drifts(family, DriftsRequest(heads=2), stack=[edit])
    assert result.task == ["relation", "distracting", "distracting"]
    assert result.prompt[1] == "the old tower of Aldra stands in a river. the old Brin stands in a"
    one = drift(family, DriftRequest(prompt=result.prompt[1], subject=SUBJECT, answer="city", grids=()), stack=[edit])
    assert np.allclose(result.after[1] - result.before[1], one.drift, atol=1e-6)
    assert np.allclose(result.first[1, :2], one.said.answer, **CLOSE)
    assert np.allclose(result.right_probability[1], one.said.answer, **CLOSE)
    everything = patch(
        family, PatchRequest(prompt=result.prompt[1], subject=SUBJECT, answer="city", heads=("0-2",)), stack=[edit]
    )
    assert result.first[1, 4] == pytest.approx(everything.said.answer[2], rel=1e-4)
    assert result.mean("relation").shape == (LAYERS, family.n_heads)


def test_a_correlation_and_its_interval():
    draw = np.random.default_rng(0)
    x = draw.normal(size=400)
    found = pearson(x, 0.6 * x + 0.8 * draw.normal(size=400))
    assert found.low < 0.6 < found.high
    assert found.high - found.low < 0.15
    assert np.isnan(pearson(np.ones(9), x[:9]).r)


def test_a_stopped_drift_goes_on_with_the_cells_it_has(family, monkeypatch):
    edits, parts = [edit_of(family)], []

    class Enough(Exception):
        pass

    def report(done: int, total: int, note: str = "", partial: object = None, share: float | None = None) -> None:
        if partial is not None:
            parts.append(partial)
        if done > total / 2:
            raise Enough

    with pytest.raises(Enough):
        drift(family, request(), report, stack=edits)
    part = parts[-1]
    assert 0 < part.cells[0] < part.cells[1]
    assert not part.complete
    whole = drift(family, request(), stack=edits)
    begun = {kind: grid.copy() for kind, grid in part.grids.items()}
    left = []
    monkeypatch.setattr("editors.attention_drift.run.resume", lambda *a: left.append(len(a[3])) or resume(*a))
    monkeypatch.setattr("editors.attention_drift.run.patched", lambda *a: left.append(len(a[3])) or patched(*a))
    found = drift(family, request(), stack=edits, resume_from=part)
    assert sum(left) == part.cells[1] - sum(int((~np.isnan(grid[0])).sum()) for grid in begun.values())
    for kind, grid in whole.grids.items():
        np.testing.assert_allclose(found.grids[kind], grid, **CLOSE)
        known = ~np.isnan(begun[kind])
        np.testing.assert_array_equal(found.grids[kind][known], begun[kind][known])
