"""What a person takes away: table, CSV, JSON and figure say the same; the notebook runs."""

import io
import json
import re
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import plotly.io
import pytest

import analysis
from analysis import (
    AverageRequest,
    Cancelled,
    HopsRequest,
    KnownRequest,
    LensRequest,
    ModelSpec,
    NeuronsRequest,
    TraceRequest,
    hops,
    known_facts,
    logit_lens,
    neurons,
    trace,
)
from analysis.tracing.average_result import ROWS, AverageResult
from app.charts.html import figure_html
from app.charts.palette import written
from app.exports.json_csv import plain, to_csv, to_json
from app.exports.notebook import cells_file, notebook
from app.exports.tables import table
from app.registry.studies import STUDIES
from app.studies.trace.figure import shared_top, trace_map
from editors import EditRequest, GenerateRequest, LayersRequest, Rewrite, generate, write
from tests.kit import conflicts

PROMPT, SUBJECT = "stands the old tower of Aldra in a city", "old tower"
REQUEST = TraceRequest(prompt=PROMPT, subject=SUBJECT, kinds=("state", "mlp"), samples=3, sigma=0.5)
NAMES = ("trace", "stopped trace", "average", "lens", "neurons", "hops", "facts", "generate")


def stopped(lm: Any) -> Any:
    kept: list[Any] = []

    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        kept.append(partial)
        if done >= 12:
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(lm, REQUEST, report)
    return next(part for part in reversed(kept) if part is not None)


def averaged(card: dict) -> AverageResult:
    """By hand: tiny models know no facts."""
    draw = np.random.default_rng(0)
    mean, half = ({kind: draw.random((len(ROWS), 3)).astype(np.float32) for kind in ("state", "mlp")} for _ in range(2))
    mean["state"][1] = half["state"][1] = np.nan
    high, low, count = draw.random(4), draw.random(4), np.array([4, 0, 4, 4, 9, 4])
    windows = {"state": 1, "mlp": 2}
    return AverageResult(
        AverageRequest(facts=4), card, list("abcd"), high, low, windows, mean, half, count, ["e: why"], {"seconds": 1.0}
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(tiny) -> dict[str, Any]:
    return {
        "trace": trace(tiny, REQUEST),
        "stopped trace": stopped(tiny),
        "average": averaged(tiny.card()),
        "lens": logit_lens(tiny, LensRequest(prompt=PROMPT)),
        "neurons": neurons(tiny, NeuronsRequest(prompt=PROMPT, top=3, counts=(1, 2), draws=1)),
        "hops": hops(tiny, HopsRequest(limit=2)),
        "facts": known_facts(tiny, KnownRequest(relations=("capital",))),
        "generate": generate(tiny, GenerateRequest(prompt=("the old", "a city"), tokens=3)),
        "edit": write(
            tiny, EditRequest(facts=(TOWER,), layers=(1,), contexts=1, context_tokens=3, steps=3, tokens=600)
        ),
    } | conflicts.results(tiny)


def reject(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=reject)


@pytest.mark.parametrize("name", NAMES)
def test_json_is_strict_and_says_where_it_comes_from(results, name):
    result = results[name]
    data = strict(to_json(result))
    assert data == plain(result)
    assert data["model"] == result.model
    assert data["provenance"] == getattr(result, "provenance", {})
    assert type(result.request).model_validate(data["request"]) == result.request


@pytest.mark.parametrize("name", NAMES)
def test_csv_is_the_table(results, name):
    read = pd.read_csv(io.StringIO(to_csv(results[name])), keep_default_na=False)
    expected = table(results[name])
    assert list(read.columns) == list(expected.columns)
    assert len(read) == len(expected)
    for column in expected.select_dtypes("number"):
        assert np.array_equal(pd.to_numeric(read[column]), expected[column], equal_nan=True), column


def test_what_a_trace_file_holds(results):
    result = results["trace"]
    data = strict(to_json(result))
    wanted = {"model", "request", "tokens", "subject", "answer", "high", "low", "scores", "provenance"}
    assert wanted | {"grids", "foil", "sigma", "lens"} <= data.keys()
    assert data["tokens"] == result.tokens
    assert data["subject"] == [2, 4]
    assert "".join(data["tokens"][2:4]) == "oldtower"
    assert np.array_equal(data["scores"], result.scores("state"))
    assert np.shape(data["scores"]) == (3, len(data["tokens"]))
    assert data["scores"] == data["grids"]["state"]["probability"]
    assert (data["high"], data["low"]) == (result.high, result.low)
    assert data["grids"]["mlp"]["window"] == result.grids["mlp"].window
    assert -1 <= data["grids"]["state"]["preview_agreement"] <= 1
    assert data["grids"]["state"]["top"][1][3][0].keys() == {"word", "probability"}


def test_cells_that_are_not_there(results):
    result = results["stopped trace"]
    data, there = plain(result), result.grids["state"].computed
    assert 0 < there.sum() < there.size
    holes = np.array([[value is None for value in row] for row in data["scores"]])
    assert np.array_equal(holes, ~there)
    assert data["grids"]["state"]["preview_agreement"] is None
    assert data["cells_computed"] == len(table(result)) == sum(result.grids[k].computed.sum() for k in result.grids)
    assert data["cells_computed"] < data["cells_asked"]


@pytest.mark.parametrize("name", ["trace", "stopped trace"])
@pytest.mark.parametrize("kind", ["state", "mlp"])
def test_table_json_and_figure_say_the_same(results, name, kind):
    result = results[name]
    rows, grid = table(result).query("kind == @kind"), plain(result)["grids"][kind]
    top = shared_top([result])
    figure = trace_map(result, kind, written("light"), top=top)
    ink = np.asarray(figure.data[0].z)
    for row in rows.itertuples():
        cell = (row.layer, row.token_index)
        for column in ("probability", "effect", "half_width_95", "logit_difference", "kl", "preview"):
            assert getattr(row, column) == grid[column][row.layer][row.token_index], column
        assert ink[row.token_index, row.layer] == pytest.approx(np.clip(row.effect, 0, top), rel=1e-6)
        assert row.token == result.tokens[row.token_index]
        assert row.in_subject == (2 <= row.token_index < 4)
        assert row.top_1 == grid["top"][row.layer][row.token_index][0]["word"]
        assert row.probability == result.scores(kind)[cell]
        assert row.probability - row.corrupted == pytest.approx(row.effect, abs=1e-6)


def test_the_lens_table(results):
    result = results["lens"]
    rows, data = table(result), plain(result)["lens"]
    assert len(rows) == 3 * len(result.tokens)
    last = rows[(rows["layer"] == 2) & (rows["token_index"] == len(result.tokens) - 1)].iloc[0]
    assert last["top_1"] == result.answer
    assert last["answer_rank"] == 0 == data["answer_rank"][2][-1]
    assert last["answer_probability"] == data["answer_probability"][2][-1] == last["top_1_probability"]


def test_the_average_table(results):
    result = results["average"]
    rows, data = table(result), plain(result)
    for row in rows.itertuples():
        value = data["grids"][row.kind]["effect"][ROWS.index(row.row)][row.layer]
        assert value == row.effect or (value is None and np.isnan(row.effect))
    assert set(rows[rows["effect"].isna()]["row"]) == {"middle subject tokens"}
    assert data["total_effect"]["mean"] == result.total_effect[0]


def test_the_facts_table(results):
    rows = table(results["facts"])
    assert set(rows["relation"]) == {"capital"}
    assert int(rows["correct"].sum()) == plain(results["facts"])["known"]


def test_what_is_no_result():
    for act in (table, plain):
        with pytest.raises(TypeError, match="int"):
            act(3)


TOWER = Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river")
REQUESTS = {
    "trace": REQUEST,
    "average": AverageRequest(facts=3, relations=("capital",), at_least=0.0),
    "lens": LensRequest(prompt='the "old"\ntower \\ “São”', answer="Aldra"),
    "neurons": NeuronsRequest(prompt="the old", counts=(2, 5), mode="screened"),
    "hops": HopsRequest(second=("capital",), limit=2),
    "facts": KnownRequest(),
    "generate": GenerateRequest(prompt=("The old “tower”, as", "x"), tokens=3, seed=2),
    "edit": EditRequest(
        facts=(Rewrite(prompt="{} stands in", subject="the “old” tower", target="Aldra"),), layers=(1, 2)
    ),
    "layers": LayersRequest(facts=(TOWER,), layers=(1, 2)),
} | conflicts.REQUESTS


@pytest.mark.parametrize("name", list(REQUESTS))
def test_the_snippet_builds_an_equal_request(name, monkeypatch):
    asked: list[Any] = []
    run, floor = STUDIES[name].run.__name__, import_module(STUDIES[name].run.__module__)
    monkeypatch.setattr(analysis, "load", lambda *args, **options: asked.append((args, options)) or "the model")
    monkeypatch.setattr(floor, run, lambda lm, request: (lm, request))
    spec = ModelSpec(source="owner/name", dtype="bfloat16")
    names: dict[str, Any] = {}
    exec(notebook(name, REQUESTS[name], spec), names)  # noqa: S102 - the snippet is ours
    assert names["result"] == ("the model", REQUESTS[name])
    assert asked == [(("owner/name",), {"dtype": "bfloat16"})]


def test_the_snippet_runs(tiny, monkeypatch, results):
    monkeypatch.setattr(analysis, "load", lambda: tiny)
    names: dict[str, Any] = {}
    exec(notebook("trace", REQUEST), names)  # noqa: S102 - the snippet is ours
    assert np.array_equal(names["result"].scores("state"), results["trace"].scores("state"))


def test_html_taken_from_a_page_is_that_of_the_command_line(results, monkeypatch):
    def exported() -> str:
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", figure_html(results["neurons"]))

    monkeypatch.setattr(plotly.io.templates, "default", "plotly")
    elsewhere = exported()
    monkeypatch.setattr(plotly.io.templates, "default", "streamlit")
    assert exported() == elsewhere


def test_only_what_was_given_is_written():
    request = TraceRequest(prompt=PROMPT, subject=SUBJECT)
    assert notebook("trace", request) == (
        "from analysis import TraceRequest, load, trace\n\nlm = load()\nrequest = TraceRequest(\n"
        f'    prompt="{PROMPT}",\n    subject="{SUBJECT}",\n)\nresult = trace(lm, request)\n'
    )
    assert "facts" not in notebook("facts", KnownRequest()).split("request =")[1].split("\n")[0]


def test_the_notebook_file():
    notebook_ = strict(cells_file("# A trace", notebook("trace", REQUEST)))
    assert (notebook_["nbformat"], notebook_["nbformat_minor"]) == (4, 5)
    assert [cell["cell_type"] for cell in notebook_["cells"]] == ["markdown", "code"]
    assert all(cell["id"] and isinstance(cell["source"], str) for cell in notebook_["cells"])
    compile(notebook_["cells"][1]["source"], "cell", "exec")


def test_a_result_without_effect_is_still_json(results):
    result = results["trace"]
    flat = replace(
        result, corrupted=replace(result.corrupted, logit_difference=np.full(3, result.clean.logit_difference[0]))
    )
    strict(to_json(flat))
