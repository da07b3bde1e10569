"""The parts of the evaluation benchmark, on a tiny model: its figures say what the study says."""

import json
from pathlib import Path

import pytest

from analysis.model.language_model import LanguageModel
from app.bench.evaluate import _generation, _scoring, _table
from app.bench.form import Bench
from app.studies.evaluate.table import evaluate_table
from editors.evaluation.result import EvaluateRequest
from editors.evaluation.run import evaluate
from tests.editors.test_evaluate import CASES


def test_intervals_of_shares_end_where_shares_do(tiny: LanguageModel) -> None:
    bench = Bench({}, {})
    assert (bench.mean("kept", [0, 1, 1], "%", times=100).low, bench.figures[0].high) == (0, 100)
    assert (bench.mean("gain", [0, 1, 1], "points", times=100).high or 0) > 100
    table = evaluate_table(evaluate(tiny, EvaluateRequest(cases=CASES, methods=("ft",))))
    shares = table[~table["protocol"].isin(["magnitude", "kl"])]
    assert shares["low"].min() >= 0
    assert shares["high"].max() <= 1
    assert (table["low"] < 0).any()  # of magnitudes


def test_figures_are_those_of_the_study(tiny: LanguageModel, tmp_path: Path) -> None:
    bench = Bench({}, {})
    _scoring(bench, tiny, CASES)
    _generation(bench, tiny, CASES)
    _table(bench, tiny, "own", CASES, ("ft",), 1, lambda *_, **__: None)
    said = {figure.name: figure for figure in bench.figures}
    assert said["scoring.max_abs_difference"].value < 1e-4
    assert said["generation.same"].value == 1
    found = evaluate(tiny, EvaluateRequest(cases=CASES, methods=("ft",), fluency=True))
    for at, version in enumerate(("none", "ft")):
        assert said[f"own.{version}.ES"].value == pytest.approx(100 * found.mean(at, "likelihood", "rewrite").value)  # type: ignore[union-attr]
        assert said[f"own.{version}.kl.neighbour"].n == 2
    assert said["own.refused"].value == 0
    json.dumps(bench.plain(), allow_nan=False)
