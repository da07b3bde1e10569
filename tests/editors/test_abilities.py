"""Small abilities: the real model has them, no edits change nothing, and noise in its weights takes them away."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from analysis import LanguageModel, ModelSpec
from analysis.errors import BadRequest
from analysis.facts.facts import read_facts
from app.cli import main
from app.exports.json_csv import to_json
from app.exports.tables import table
from app.terminal import request_flags
from editors.ability_tests import run as module
from editors.ability_tests.result import AbilitiesRequest, Question, questions
from editors.ability_tests.run import abilities


def test_the_questions_are_even_and_apart_from_the_facts() -> None:
    assert set(Counter(group for group, _ in questions()).values()) == {20}
    prompts = [one.prompt for _, one in questions()]
    assert len(set(prompts)) == len(prompts)
    assert not {fact.text for fact in read_facts()} & set(prompts)
    for _, one in questions():
        assert len({one.answer, *one.others}) == 3, one.prompt


def test_the_embedded_model_has_them(smol: LanguageModel) -> None:
    found = abilities(smol, AbilitiesRequest())
    assert not found.left_out
    whole = found.share()
    assert whole is not None
    assert whole.value > 0.6
    assert (found.right == (found.margin > 0)).all()
    again = abilities(smol, AbilitiesRequest())
    assert np.array_equal(found.margin, again.margin)
    assert len(table(found)) == 120
    assert '"chance"' in to_json(found)


def test_what_cannot_be_read_is_left_out(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    own = (
        ("words", Question(prompt="the old tower stands in a", answer="river", others=("city", "mother"))),
        ("words", Question(prompt="", answer="river", others=("city", "mother"))),
    )
    monkeypatch.setattr(module, "questions", lambda: own)
    found = abilities(tiny, AbilitiesRequest())
    assert (found.prompts, found.left_out) == ([own[0][1].prompt], [""])
    monkeypatch.setattr(module, "questions", lambda: own[1:])
    with pytest.raises(BadRequest, match="can read none"):
        abilities(tiny, AbilitiesRequest())


def test_the_command_shows_every_group(smol: LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return smol

    monkeypatch.setattr(request_flags, "load", load)
    assert main(["abilities"]) == 0
    said = capsys.readouterr().out
    assert all(group in said for group, _ in questions())
    assert "chance is 33 %" in said
