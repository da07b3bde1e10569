"""Why other wordings do not follow: counted as an evaluation counts them, by shares of the value at their keys."""

import json

import numpy as np
import pytest

from analysis.facts.facts import another_object
from analysis.model.language_model import LanguageModel
from analysis.study import silent
from app.bench.editing import known
from app.bench.form import Bench
from app.bench.locality.wordings import VERSION, of_case, put_down
from editors.cases.case import case_of
from editors.evaluation.result import EvaluateRequest
from editors.evaluation.run import evaluate


@pytest.mark.real
def test_wordings_follow_as_an_evaluation_says(smol: LanguageModel) -> None:
    (fact,) = known(smol, 1, silent)
    case = case_of(fact, another_object(fact))
    found = of_case(smol, case)
    assert len(found) == sum(probe.kind == "paraphrase" for probe in case.probes)
    assert all(0 < one.share < 2 for one in found)
    scored = evaluate(smol, EvaluateRequest(cases=(case,), methods=(VERSION,), free=False))
    assert np.mean([one.follows for one in found]) == scored.by_case(1, "likelihood", "paraphrase")[0]
    bench = Bench({}, {})
    put_down(bench, found)
    shares = {figure.name: figure.value for figure in bench.figures}
    assert shares["wordings.follow"] + shares["wordings.key"] + shares["wordings.value"] == pytest.approx(100)
    json.dumps(bench.plain(), allow_nan=False)
