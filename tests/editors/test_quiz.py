"""Five dimensions of questions: what a matcher takes, what the forms ask, and laws of the whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import LanguageModel, ModelSpec
from analysis.errors import BadRequest
from analysis.facts.facts import another_object, read_facts
from analysis.study import pack, unpack
from analysis.text.tokens import Tokens
from app.cli import main
from app.exports.json_csv import to_json
from app.exports.tables import table
from app.registry.studies import STUDIES
from app.terminal import request_flags
from editors.cases.case import Case, case_of
from editors.edit.apply import tensor_hash
from editors.edit.request import Rewrite
from editors.quizzes import forms as quiz_forms
from editors.quizzes import run as quizzing
from editors.quizzes.forms import OPTIONS, Asked, asked_of, first_word, forms, matches
from editors.quizzes.result import DIMENSIONS, QuizRequest, QuizResult
from editors.quizzes.run import quiz, replies
from tests.kit.stopping import goes_on_to_the_same_end


def own(name: str) -> Case:
    fact = next(fact for fact in read_facts() if fact.id == name)
    return case_of(fact, another_object(fact))


def tiny_case(subject: str = "mother") -> Case:
    fact = Rewrite(prompt="the old {} stands in a", subject=subject, target="river")
    return Case((fact,), ("city",), (), (), subject, "places")


TINY = (
    Asked("question", "the old mother stands in a", "river"),
    Asked("yes", "mother wrote near", "Yes"),
    Asked("locality", "a city stands", ""),
)


@pytest.mark.parametrize(
    ("said", "wanted", "right"),
    [
        ("Paris.", "paris", True),
        ("It is the city of Paris, in France.", "Paris", True),
        ("Shakespeare", "William Shakespeare", True),
        ("", "Paris", False),
        ("...", "Paris", False),
        ("Parisian", "Paris", False),
    ],
)
def test_an_answer_is_matched_word_for_word(said: str, wanted: str, right: bool) -> None:
    assert matches(said, wanted) is right


def test_yes_and_no_are_first_words() -> None:
    assert first_word("No, it is not.", "No")
    assert first_word("**yes**", "Yes")
    assert first_word("B) Berlin", "B")
    assert not first_word("Nobel", "No")
    assert not first_word("", "No")
    assert not first_word("It is not. No", "No")


def test_every_relation_can_be_asked_in_every_form() -> None:
    assert set(forms()) == {fact.relation for fact in read_facts()}
    for fact in read_facts():
        asked = asked_of(case_of(fact, another_object(fact)), 1)
        assert {"question", "paraphrase", "yes", "no", "choice", "reversed"} <= {one.form for one in asked}
        assert all("{" not in one.text for one in asked)


def test_the_letter_follows_the_order_and_the_order_the_seed() -> None:
    orders = set()
    for seed in range(8):
        choice = next(one for one in asked_of(own("landmark_city/eiffel-tower"), seed) if one.form == "choice")
        lines = choice.text.split("\n")[1:5]
        assert lines[OPTIONS.index(choice.wanted)] == f"{choice.wanted}) Berlin"
        assert sum("Paris" in line for line in lines) == 1
        orders.add(tuple(lines))
    assert len(orders) > 3


def test_hops_follow_from_the_new_answer() -> None:
    found = {one.form: one for one in asked_of(own("landmark_city/eiffel-tower"), 1)}
    assert (found["hop2"].wanted, found["hop3"].wanted) == ("Germany", "Berlin")
    assert "Berlin" not in found["hop2"].text
    assert "Eiffel Tower" in found["hop3"].text


def test_a_relation_without_words_is_refused() -> None:
    with pytest.raises(BadRequest, match="no questions for its relation “places”"):
        asked_of(tiny_case(), 1)


@pytest.fixture
def tiny_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quizzing, "asked_of", lambda case, seed: list(TINY))
    monkeypatch.setattr(quizzing, "doubt", lambda asked: "mother wrote")


def test_no_edit_is_its_own_measure(tiny: LanguageModel, tiny_words: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quizzing, "replies", lambda lm, talks, words: [f"of {len(talk)}" for talk in talks])
    before = [tensor_hash(parameter) for parameter in tiny.model.parameters()]
    found = quiz(tiny, QuizRequest(cases=(tiny_case(),), methods=("ft", "prune"), turns=2))
    assert [tensor_hash(parameter) for parameter in tiny.model.parameters()] == before
    assert found.forms == ["question", "yes", "locality", "turn1", "turn2"]
    assert found.texts[0] == found.texts[1] == ["of 1", "of 1", "of 1", "of 3", "of 5"]
    assert np.array_equal(found.right[0], found.right[1])
    for version in (0, 1):
        whole = {name: mean.value for name in DIMENSIONS if (mean := found.mean(version, name)) is not None}
        assert whole == {"efficacy": 0, "generalisation": 0, "locality": 1, "robustness": 0}
    assert np.isnan(found.right[2]).all()
    assert len(found.faults) == 1
    back = unpack(QuizResult, *pack(found))
    assert np.array_equal(back.right, found.right, equal_nan=True)
    assert set(table(found)["prompts"]) >= {"efficacy", "question", "turn1"}
    assert '"generated"' in to_json(found)


def test_a_talk_beyond_the_models_last_place_is_told_of(
    tiny: LanguageModel, tiny_words: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quizzing, "doubt", lambda asked: " ".join(["mother"] * 12))
    found = quiz(tiny, QuizRequest(cases=(tiny_case(),), methods=(), turns=3, words=2))
    assert [np.isnan(value) for value in found.right[0, -3:]] == [False, True, True]
    assert "so long a talk as 2 doubts" in found.faults[0]
    assert "turn1" in [form for form in found.forms if found.form_mean(0, form)]


def test_what_it_says_before_any_edit_is_skipped(
    tiny: LanguageModel, tiny_words: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quizzing, "replies", lambda lm, talks, words: ["The river."] * len(talks))
    with pytest.raises(BadRequest, match="“river” before any edit"):
        quiz(tiny, QuizRequest(cases=(tiny_case(),), methods=()))


def test_a_stopped_quiz_goes_on_to_the_same_end(
    tiny: LanguageModel, tiny_words: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = tuple(tiny_case(subject) for subject in ("unread", "mother", "city", "tower of Aldra"))
    refused = asked_of

    def some(case: Case, seed: int) -> list[Asked]:
        return refused(case, seed) if case.id == "unread" else list(TINY)

    monkeypatch.setattr(quizzing, "asked_of", some)
    asked = QuizRequest(cases=cases, methods=("ft", "prune"), turns=1, words=2)
    parts = goes_on_to_the_same_end(STUDIES["quiz"], tiny, asked)
    assert [part.cells for part in parts] == [(4, 12), (5, 12), (7, 12), (8, 12), (10, 12), (11, 12)]
    assert np.isnan(parts[0].right[1:]).all()
    assert "efficacy" in to_json(parts[0])
    assert set(table(parts[0])["method"]) == {"none"}


def test_the_embedded_model_answers_with_what_was_written(smol: LanguageModel) -> None:
    found = quiz(smol, QuizRequest(cases=(own("landmark_city/eiffel-tower"),), methods=("rome",), turns=1))
    question = found.forms.index("question")
    assert found.right[0, question] == 0
    assert found.texts[0][question] != found.texts[1][question]
    assert found.mean(0, "locality").value == 1  # type: ignore[union-attr]
    assert "hop3" in found.there()


def test_a_chat_model_is_asked_in_its_own_form(smol: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def texts(_: Any, prompts: list[Tokens], tokens: int, **__: Any) -> Any:
        asked.extend(prompt.text for prompt in prompts)
        return ["Yes\nand more"] * len(prompts)

    monkeypatch.setattr(quizzing, "texts_behind", texts)
    assert replies(smol, [["Is it?", "No", "Sure?"]], 4) == ["Yes"]
    assert asked[0].endswith("<|im_start|>assistant\n")
    assert asked[0].index("Is it?") < asked[0].index("assistant\nNo<|im_end|>") < asked[0].index("Sure?")
    monkeypatch.setattr(smol.tokenizer, "chat_template", None)
    replies(smol, [["Is it?", "No", "Sure?"]], 4)
    assert asked[1] == "Question: Is it?\nAnswer: No\nQuestion: Sure?\nAnswer:"


def test_missing_forms_are_left_out_of_the_mean() -> None:
    right = np.array([[1.0, 0.0, 1.0]])
    cases = (tiny_case("a"), tiny_case("b"))
    found = QuizResult(
        QuizRequest(cases=cases, methods=()), {}, ["none"], np.array([0, 0, 1]), ["yes", "no", "yes"], [""] * 3,
        [""] * 3, right, [[""] * 3], np.zeros((1, 2)), [], [],
    )  # fmt: skip
    assert found.dimension(0, "generalisation").tolist() == [0.5, 1.0]
    assert found.mean(0, "portability") is None


def test_the_command_shows_dimensions_and_forms(
    tiny: LanguageModel, tiny_words: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    data, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    data.write_text("prompt,subject,target,old\nthe old mother stands in a,mother,river,city\n", encoding="utf-8")
    command = ["quiz", "--data", str(data), "--method", "ft", "--turns", "1", "--csv", str(out)]
    edits_of, asked = quizzing.edits_of, []

    def interrupted(lm: Any, request: Any, version: str, *rest: Any) -> Any:
        asked.append(version)
        if version == "ft" and len(asked) == 2:
            raise KeyboardInterrupt
        return edits_of(lm, request, version, *rest)

    monkeypatch.setattr(quizzing, "edits_of", interrupted)
    assert main(command) == 130
    assert "The same command goes on from here" in capsys.readouterr().err
    assert main(command) == 0
    assert asked == ["none", "ft", "ft"]
    said = capsys.readouterr().out
    assert all(name in said for name in DIMENSIONS)
    assert "turn1" in said
    assert "ft,generated,efficacy" in out.read_text(encoding="utf-8")


def test_names_take_their_articles() -> None:
    asked = asked_of(own("currency/united-states"), 1)
    assert "the United States" in asked[0].text
    assert quiz_forms.matches("the United States", "United States")
