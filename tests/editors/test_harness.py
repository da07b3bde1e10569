"""The outside harness: refused with the remedy where it is missing; run where it is there; its numbers as they are."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from analysis import LanguageModel, ModelSpec
from analysis.errors import BadRequest
from app.cli import main
from app.terminal import request_flags
from editors.ability_tests.result import questions
from editors.scoring import lm_eval
from editors.scoring.lm_eval import Opinion, second_opinion

there = pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is an extra")
FOUND = {
    "results": {"own": {"alias": "own", "acc,none": 0.75, "acc_stderr,none": 0.1, "acc_norm,none": 1, "sample_len": 4}},
    "n-samples": {"own": {"original": 20, "effective": 4}},
}


def test_numbers_are_taken_as_they_are() -> None:
    assert lm_eval._opinions("own", FOUND["results"]["own"], FOUND) == [
        Opinion("own", "acc", 0.75, 0.1, 4),
        Opinion("own", "acc_norm", 1.0, None, 4),
    ]


@pytest.mark.skipif(find_spec("lm_eval") is not None, reason="lm-eval is here")
def test_without_it_the_remedy_is_told(tiny: LanguageModel) -> None:
    with pytest.raises(BadRequest, match=r"not installed .*pip install 'palimpsest\[lm-eval\]'"):
        second_opinion(tiny, ["piqa"])


def test_the_command_shows_and_writes_them(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    def opinion(lm: Any, tasks: Any, **_: Any) -> Any:
        assert (lm, tasks) == (tiny, ["own", "other"])
        return [Opinion("own", "acc", 0.75, None, 4)], "0.0"

    monkeypatch.setattr(request_flags, "load", load)
    monkeypatch.setattr(lm_eval, "second_opinion", opinion)
    out = tmp_path / "out.json"
    assert main(["lm-eval", "--tasks", "own, other", "--json", str(out)]) == 0
    assert "0.7500" in capsys.readouterr().out
    assert json.loads(out.read_text(encoding="utf-8"))["scores"][0]["metric"] == "acc"
    assert main(["lm-eval", "--tasks", "own", "--limit", "0"]) == 2


@there
def test_it_agrees_with_our_own_scoring(smol: LanguageModel, tmp_path: Path) -> None:
    own = [one.model_dump() for group, one in questions() if group == "sense"]
    (tmp_path / "sense.json").write_text(json.dumps(own), encoding="utf-8")
    task = {
        "task": "own_sense", "dataset_path": "json", "test_split": "test", "output_type": "multiple_choice",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "sense.json")}}, "target_delimiter": " ",
        "doc_to_text": "{{prompt}}", "doc_to_target": 0, "doc_to_choice": "{{[answer] + others}}",
        "metric_list": [{"metric": "acc"}],
    }  # fmt: skip
    (tmp_path / "sense.yaml").write_text(json.dumps(task), encoding="utf-8")  # JSON is YAML
    found, _ = second_opinion(smol, ["own_sense"], folder=tmp_path)
    assert [(one.metric, one.value, one.n) for one in found] == [("acc", 1.0, 20)]
    with pytest.raises(BadRequest, match="no task nonsense"):
        second_opinion(smol, ["nonsense"], folder=tmp_path)
