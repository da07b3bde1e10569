"""ACE and IFMET: which layers, in which order, how much of what is left; and what they are without a second group."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest, UnknownArchitecture
from analysis.model.language_model import LanguageModel
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.methods import ace
from editors.methods.ace import choose_layers
from editors.methods.closed_forms import Inverse, memit
from editors.methods.closed_road import _steps
from editors.methods.defaults import settled
from editors.methods.ifmet import stored_question
from editors.methods.roads import ace_road
from editors.methods.run import write
from editors.methods.search.token_rows import contexts
from tests.kit.edits import POST_NORM, parameters, random_problem, unchanged
from tests.kit.families import LAYERS

TOWER = Rewrite(
    prompt="the old {} stands in a", subject="tower of Aldra", target="river", two_hop="near mother of Brin speaks a"
)
MOTHER = Rewrite(prompt="near the {} speaks", subject="mother", target="river")
FEW = {"contexts": 2, "context_tokens": 4, "tokens": 600, "steps": 5, "clamp": 4.0}


def asked(method: str, **changes: object) -> EditRequest:
    return EditRequest(facts=(TOWER,), method=method, **FEW | {"aim": "mlp"} | changes)


def same(one: Edit, other: Edit) -> bool:
    pairs = zip(one.changes, other.changes, strict=True)
    return all(np.array_equal(a.left, b.left) and np.array_equal(a.right, b.right) for a, b in pairs)


def test_shares_of_a_group_leave_the_last_layer_all_of_the_rest() -> None:
    for spreading, parts in (("linear", [1 / 6] * 6), ("sqrt", [0.408, 0.265, 0.164, 0.094, 0.049, 0.020])):
        request = asked("ace", layers=(5, 6, 7, 8, 9, 10), shallow=(1, 2), spreading=spreading)
        method = ace_road(request)
        groups = method.groups
        assert groups == ((1, 2), (5, 6, 7, 8, 9, 10))
        assert [layer for layer, _ in _steps(groups)] == [1, 2, 5, 6, 7, 8, 9, 10]
        assert ace_road(request.model_copy(update={"order": "value_first"})).groups == groups[::-1]
        left, written = 1.0, []
        for _, remaining in _steps(groups)[2:]:
            written.append(left * method.share(remaining))
            left -= written[-1]
        assert left == pytest.approx(0)
        assert written == pytest.approx(sorted(parts, reverse=True), abs=1e-3)


def test_the_closed_form_is_stationary_and_leaves_what_one_fact_must_leave() -> None:
    moment, keys, residuals = random_problem()
    inverse = Inverse(moment, 1e-12)
    change = memit(inverse, keys, residuals, 1.0).matrix
    slope = (change @ keys - residuals) @ keys.T + change @ inverse.moment
    assert slope.abs().max() < 1e-9
    assert torch.linalg.matrix_rank(change) <= keys.shape[1]
    key, residual = keys[:, :1], residuals[:, :1]
    rest = residual - memit(inverse, key, residual, 7.0).matrix @ key
    assert torch.allclose(rest, residual * 7 / (7 + key.T @ inverse(key)), atol=1e-10)
    assert torch.allclose((memit(inverse, keys, residuals, 1e-14).matrix) @ keys, residuals, atol=1e-8)
    assert memit(inverse, keys, residuals, 1e14).matrix.abs().max() < 1e-9


def test_layers_are_chosen_below_and_above(family: LanguageModel) -> None:
    if family.name == "tiny-opt_post_norm":
        with pytest.raises(UnknownArchitecture, match="normalises its residual stream"):
            choose_layers(family, [TOWER])
        return
    query, value = choose_layers(family, [TOWER, MOTHER])
    assert query
    assert max(query) < min(value) <= max(value) < LAYERS
    assert choose_layers(family, [TOWER], (1,))[0] == (0,)


def test_value_layers_are_those_the_subject_is_read_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.arange(30.0)  # the deepest score highest
    for cut, value in ((23, (20, 21, 22)), (5, (2, 3, 4)), (1, (1,))):
        read = np.where(np.arange(30) < cut, 1.0, 0.1)
        monkeypatch.setattr(ace, "layer_scores", lambda *_, read=read: ace.LayerScores(scores, scores, read))
        assert choose_layers(SimpleNamespace(n_layers=30), [TOWER])[1] == value


def test_behind_the_last_layer_only_the_last_token_is_read(family: LanguageModel) -> None:
    if family.name == "tiny-opt_post_norm":
        with pytest.raises(UnknownArchitecture, match="normalises its residual stream"):
            ace.layer_scores(family, TOWER)
        return
    read = ace.layer_scores(family, TOWER).read
    assert read.shape == (LAYERS,)
    assert read.max() == 1
    assert read[-1] == 0
    at_the_end = ace.layer_scores(family, Rewrite(prompt="near the {}", subject="mother", target="river")).read
    assert at_the_end[-1] > 0


def test_ace_writes_its_groups_and_nothing_else(family: LanguageModel) -> None:
    before = parameters(family)
    if family.name in POST_NORM:
        with pytest.raises(UnknownArchitecture):
            write(family, asked("ace", layers=(1,), shallow=(0,), aim="block"), glance=False)
        assert unchanged(family, before)
    edit = write(family, asked("ace", layers=(2,), shallow=(0, 1)), glance=False)
    assert [change.layer for change in edit.changes] == [0, 1, 2]
    assert unchanged(family, before)
    assert same(edit, write(family, asked("ace", layers=(2,), shallow=(0, 1)), glance=False))


def test_ace_without_query_layers_is_pmet(tiny: LanguageModel) -> None:
    ace = write(tiny, asked("ace", layers=(1, 2), shallow=(), spreading="sqrt"), glance=False)
    assert same(ace, write(tiny, asked("pmet", layers=(1, 2), aim=None), glance=False))
    block = write(tiny, asked("ace", layers=(0, 1), shallow=(), aim="block"), glance=False)
    assert same(block, write(tiny, asked("memit", layers=(0, 1), aim=None), glance=False))


def test_ifmet_is_two_edits_one_on_top_of_the_other(family: LanguageModel) -> None:
    before = parameters(family)
    both = write(family, asked("ifmet", layers=(2,), shallow=(0, 1)), glance=False)
    assert [change.layer for change in both.changes] == [0, 1, 2]
    assert unchanged(family, before)
    first = write(family, asked("pmet", layers=(0, 1), aim=None), glance=False)
    assert all(np.array_equal(a.left, b.left) for a, b in zip(both.changes, first.changes, strict=False))
    question = Rewrite(prompt="{}", subject=TOWER.two_hop or "", target=TOWER.target)
    alone = EditRequest(facts=(question,), method="pmet", layers=(2,), kl=0.0, **FEW)
    second = write(family, alone, stack=[first], glance=False)
    assert np.array_equal(both.changes[-1].left, second.changes[-1].left)


def test_ifmets_contexts_are_the_models_without_edits(tiny: LanguageModel) -> None:
    first = write(tiny, EditRequest(facts=(TOWER,), method="ft", layers=(0,), steps=2), glance=False)
    first = replace(first, changes=[replace(change, left=1e4 * change.left) for change in first.changes])
    request = asked("ifmet", layers=(2,), shallow=(0, 1), seed=4321)
    write(tiny, request, stack=[first], glance=False)
    texts = contexts(tiny, request)
    del tiny.memo["contexts", request.contexts, request.context_tokens, request.seed]
    assert texts == contexts(tiny, request)


def test_ifmet_without_a_stage_is_the_other_alone(tiny: LanguageModel) -> None:
    deep = write(tiny, asked("ifmet", layers=(2,), shallow=()), glance=False)
    question = Rewrite(prompt="{}", subject=TOWER.two_hop or "", target=TOWER.target)
    alone = EditRequest(facts=(question,), method="pmet", layers=(2,), kl=0.0, **FEW)
    assert same(deep, write(tiny, alone, glance=False))


def test_what_is_missing_is_said(tiny: LanguageModel) -> None:
    bare = TOWER.model_copy(update={"two_hop": None})
    with pytest.raises(BadRequest, match="over a hop before it"):
        settled(tiny, EditRequest(facts=(bare,), method="ifmet"))
    with pytest.raises(BadRequest, match="must lie below"):
        settled(tiny, asked("ace", layers=(1,), shallow=(2,)))
    with pytest.raises(BadRequest, match="is the last"):
        settled(tiny, asked("memit", layers=(2,), aim=None))
    france = Rewrite(prompt="The capital of {} is the city of", subject="France", target="Rome")
    assert "France" not in stored_question(france)
