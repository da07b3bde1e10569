"""The parts of the drift benchmark, on a tiny model: its figures say what the studies say."""

import numpy as np
import pytest

from app.bench import drift as bench_drift
from app.bench.drift import _attention, _chosen, _grids, _scores
from app.bench.form import Bench
from editors.attention_drift.result import DriftsRequest
from editors.attention_drift.tasks_run import drifts
from editors.cases.case import Case
from editors.edit.probes import Probe
from tests.app.test_cli_drift import PROBES
from tests.editors.test_drift import edit_of
from tests.kit.edits import TOWER


def figures(bench: Bench) -> dict[str, float]:
    return {figure.name: figure.value for figure in bench.figures}


@pytest.fixture
def bench(tiny) -> Bench:
    return Bench({}, tiny.card())


def test_grids_are_what_plain_forwards_say(bench, tiny):
    _grids(bench, tiny, edit_of(tiny, layer=0, probes=PROBES), 8)
    assert figures(bench)["grids.difference"] < 1e-5


def test_attention_is_that_of_the_study(bench, tiny):
    edits = {key: [edit_of(tiny, layer=0, probes=PROBES)] for key in ("rome", "rome_sadr", "memit", "memit_sadr")}
    _attention(bench, tiny, edits, 2, lambda *_, **__: None)
    own = drifts(tiny, DriftsRequest(), stack=edits["rome"])
    found = figures(bench)
    assert found["rome.drift_relation"] == pytest.approx(100 * own.factor[own.of("relation")].mean(), abs=1e-4)
    assert found["rome.failing"] == own.failing.sum()


def test_a_weight_is_chosen_and_scores_are_put_down(bench, tiny, monkeypatch):
    behind = "the old tower of Aldra stands in a river. the old Brin stands in a"
    probes = (
        Probe(0, "rewrite", TOWER.text, TOWER.target, "city"),
        Probe(0, "paraphrase", "the tower of Aldra", "river", "city"),
        *PROBES,
        Probe(0, "distracting", behind, "river", "city"),
    )
    case = Case((TOWER,), ("city",), probes, ("near the tower of Aldra",))
    few = {"contexts": 0, "tokens": 600, "layers": (1,)}
    write = bench_drift.write
    monkeypatch.setattr(
        bench_drift, "write", lambda lm, request, **options: write(lm, request.model_copy(update=few), **options)
    )
    gamma = _chosen(bench, tiny, "rome", [case], 4, lambda *_, **__: None)
    assert gamma in bench_drift.GAMMAS
    changes = {"method": "rome", "steps": 2}
    asked, edits = bench_drift._asked(tiny, [case, case], changes, 1, lambda *_, **__: None, "rome")
    assert len(edits) == 2
    _scores(bench, "rome", asked)
    found = figures(bench)
    assert {f"rome.{score}" for score in ("ES", "PS", "NS", "RS", "DNS", "S", "FL")} <= set(found)
    assert found["rome.RS"] == pytest.approx(np.nanmean(asked.by_fact("RS")))
