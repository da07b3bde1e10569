"""Trying layers: what is told of a layer is what an edit at that layer does."""

import csv
import json

import numpy as np
import pytest

from analysis.errors import BadRequest, Cancelled
from analysis.tracing.result import TraceRequest
from analysis.tracing.run import trace
from app.cli import main
from app.studies.layers import view as layer_help
from editors.edit.request import EditRequest, Rewrite
from editors.layer_sweep.result import LayersRequest
from editors.layer_sweep.run import sweep_layers
from editors.methods.run import write
from tests.app.test_cli_editing import FACT
from tests.kit.visiting import FACT as LINK
from tests.kit.visiting import offered, run, visit

FACTS = (
    Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river"),
    Rewrite(prompt="near {} a mother", subject="Brin Corvo", target="speaks"),
)


def test_each_number_is_that_of_an_edit_and_a_trace_of_its_own(tiny):
    result = sweep_layers(tiny, LayersRequest(facts=FACTS, layers=(2, 0), samples=2))
    assert result.complete
    assert result.layers == [0, 2]
    edit = write(tiny, EditRequest(facts=(FACTS[1],), layers=(2,)), glance=False)
    before, after = edit.before.new[0], edit.after.new[0]
    assert result.score[1, 1] == pytest.approx((after - before) / (1 - before))
    assert result.greedy["rewrite"][1, 1] == edit.after.new_greedy[0]
    assert np.isnan(result.greedy["neighbour"]).all()
    request = TraceRequest(prompt=FACTS[0].text, subject="tower of Aldra", kinds=("state",), samples=2, seed=1)
    found = trace(tiny, request)
    assert np.allclose(result.effect[0], found.indirect_effects("state")[:, found.subject[1] - 1])
    pairs = result.score.ravel(), result.effect[:, [0, 2]].ravel()
    assert result.correlation() == pytest.approx(np.corrcoef(*pairs)[0, 1])


@pytest.mark.real
def test_how_near_a_fact_is_to_others_of_its_kind_is_told_by_layer(smol):
    fact = Rewrite(prompt="The government of {} has its capital in", subject="France", target="Rome")
    result = sweep_layers(smol, LayersRequest(facts=(fact,), layers=(4,), samples=1))
    assert 0 < result.nearest[0, 0] < 1
    assert result.nearest_names[0][0] not in ("", "France")
    assert result.inseparable() == []


def test_intervals_leave_out_what_is_not_there(tiny):
    result = sweep_layers(tiny, LayersRequest(facts=FACTS[:1], layers=(0,), method="ft", samples=1))
    mean, width = result.mean(np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]]))
    assert mean[:2].tolist() == [2.0, 5.0]
    assert np.isnan(mean[2])
    assert width[0] == pytest.approx(1.96)
    assert width[1] == 0


def test_it_can_be_cancelled_within_an_edit_and_names_layers_that_are_not_there(tiny):
    seen = []

    def report(done, total, note="", partial=None, share=None):
        seen.append(done)
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sweep_layers(tiny, LayersRequest(facts=FACTS, layers=(1,), samples=1), report)
    assert seen[-1] == 2
    with pytest.raises(BadRequest, match="there is no layer 9"):
        sweep_layers(tiny, LayersRequest(facts=FACTS, layers=(9,)))


def test_the_command_and_its_files(specs, tmp_path, capsys):
    files = tmp_path / "layers.json", tmp_path / "layers.csv"
    words = ["layers", *FACT, "--layers", "0,1", "--samples", "2", "--json", str(files[0]), "--csv", str(files[1])]
    assert main(words) == 0
    said = json.loads(files[0].read_text())
    rows = list(csv.DictReader(files[1].open()))
    assert [int(row["layer"]) for row in rows] == said["layers"] == [0, 1]
    assert float(rows[1]["rewrite_score"]) == pytest.approx(said["rewrite_score"][0][1])
    assert "One fact written with rome" in capsys.readouterr().out


def test_the_page_tries_layers_beside_the_edit(ready, monkeypatch):
    monkeypatch.setattr(layer_help, "FACTS", 1)
    at = visit("edit", **LINK)
    run(at, "edit-go", "edit")
    at.run()
    run(at, "layers-go", "layers")
    result = at.session_state["layers.job"].result
    assert result.complete
    assert offered(at, "layers") == ["CSV", "JSON", "HTML", "Notebook"]
    assert any(chart.proto.alt.startswith("Facts that follow by layer: layer 0") for chart in at.get("plotly_chart"))
