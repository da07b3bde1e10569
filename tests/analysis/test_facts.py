"""The facts file, files that are wrong, and what a model knows of it."""

import json

import numpy as np
import pytest

from analysis.errors import BadFile, BadRequest
from analysis.facts.facts import OWN_FACTS, Fact, KnownRequest, choose, read_facts
from analysis.facts.run import known_facts

GOOD = {
    "relations": {
        "city": {
            "prompt": "the city of {} stands on",
            "paraphrases": ["near {} stands", "in {} on"],
            "facts": [
                {"id": "city/brin", "subject": "Brin", "object": "river"},
                {"id": "city/aldra", "subject": "Aldra", "object": "river", "prompt": "old {} on"},
            ],
        },
        "tongue": {"prompt": "{} speaks", "facts": [{"id": "tongue/corvo", "subject": "Corvo", "object": "old"}]},
    }
}
OTHER_RELATIONS = (3, ["a"], {"a": 3}, {"a": {"facts": 3}}, {"a": {"facts": [3]}})


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Facts in the words of the tiny tokenizer, in place of the project's."""
    facts = read_facts(written(tmp_path, GOOD))
    monkeypatch.setattr("analysis.facts.run.read_facts", lambda: facts)
    return facts


def written(folder, data):
    path = folder / "facts.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return path


def test_the_projects_own_facts_are_enough_to_work_with():
    facts = read_facts()
    assert len(facts) >= 200
    assert len({fact.relation for fact in facts}) >= 8
    assert len({fact.id for fact in facts}) == len(facts)
    for fact in facts:
        assert fact.subject in fact.text and "{}" not in fact.text, fact.id
        assert fact.text == fact.text.strip() and fact.object == fact.object.strip(), fact.id
        assert len(fact.paraphrases) >= 2, fact.id
        assert len({fact.prompt, *fact.paraphrases}) == 1 + len(fact.paraphrases), fact.id
        assert fact.object not in fact.aliases, fact.id


def test_neighbours_test_the_relation_and_not_the_fact():
    for fact in read_facts():
        assert fact.neighbours, fact.id
        for neighbour in fact.neighbours:
            assert neighbour.subject != fact.subject, fact.id
            assert neighbour.subject in neighbour.text and "{}" not in neighbour.text, fact.id
            assert neighbour.same_object == (neighbour.object == fact.object), fact.id


def test_the_object_is_not_given_away_by_the_prompt():
    told = [fact.id for fact in read_facts() if fact.object.casefold() in fact.text.casefold().split()]
    assert not told


def test_relation_defaults_are_filled_in_and_may_be_overruled(tmp_path):
    brin, aldra, corvo = read_facts(written(tmp_path, GOOD))
    assert (brin.text, aldra.text, corvo.text) == ("the city of Brin stands on", "old Aldra on", "Corvo speaks")
    assert brin.paraphrases == aldra.paraphrases == ("near {} stands", "in {} on")
    assert (brin.relation, corvo.relation, corvo.paraphrases) == ("city", "tongue", ())


def test_every_fault_of_a_file_is_listed_with_its_place(tmp_path):
    bad = json.loads(json.dumps(GOOD))
    city = bad["relations"]["city"]["facts"]
    city[0]["prompt"] = "no slot"
    city[1]["colour"] = "red"
    city.append({"id": "tongue/corvo", "subject": "w1", "object": "w2"})
    city.append({"id": "city/none", "object": "w2"})
    city.append({"id": "city/twice", "subject": "w1", "object": "w2", "paraphrases": ["{} {}"]})
    with pytest.raises(BadFile) as refusal:
        read_facts(written(tmp_path, bad))
    told = refusal.value.problems
    assert len(told) == 5
    for part in ("city, fact 0", "no slot", "city, fact 1: colour", "city, fact 3: subject", "city, fact 4", "{} {}"):
        assert any(part in problem for problem in told), part
    assert any("tongue, fact 0" in problem and "twice" in problem for problem in told)
    assert str(refusal.value).count("\n") == 5


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", *({"relations": other} for other in OTHER_RELATIONS)])
def test_files_of_another_form_are_refused(tmp_path, content):
    with pytest.raises(BadFile, match=r"facts\.json"):
        read_facts(written(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadFile, match="nowhere"):
        read_facts(tmp_path / "nowhere.json")
    assert OWN_FACTS.is_file()


def test_relations_are_chosen_by_name(tmp_path):
    facts = read_facts(written(tmp_path, GOOD))
    assert choose(facts) == facts
    assert [fact.id for fact in choose(facts, ["tongue"])] == ["tongue/corvo"]
    with pytest.raises(BadRequest, match=r"no relation colour\. There are: city, tongue"):
        choose(facts, ["colour", "city"])


def test_a_fact_is_known_when_its_object_is_what_the_model_says_first(family, own):
    result = known_facts(family, KnownRequest())
    assert result.ids == [fact.id for fact in own] and not result.skipped
    for row, fact in enumerate(own):
        spoken = family.logits(family.encode(fact.text).tensor())[0, -1].softmax(-1)
        wanted = family.tokenizer.convert_tokens_to_ids(fact.object)
        assert result.probability[row] == pytest.approx(spoken[wanted].item(), abs=1e-6)
        assert result.correct[row] == (int(spoken.argmax()) == wanted)
        assert result.said[row] == family.words([spoken.argmax()])[0]
    assert result.known() == [i for i, right in zip(result.ids, result.correct, strict=True) if right]
    assert result.known(1.1) == []


def test_asking_tells_progress_and_skips_what_cannot_be_placed(tiny, own, monkeypatch):
    long = Fact(id="city/long", relation="city", subject="w1", object="w2", prompt="{} " + "the " * 40)
    monkeypatch.setattr("analysis.facts.run.read_facts", lambda: (*own, long))
    heard: list[tuple[int, int]] = []
    result = known_facts(tiny, KnownRequest(), lambda done, total, *_: heard.append((done, total)))
    assert heard == [(i, 4) for i in range(5)]
    assert len(result.ids) == 3
    assert len(result.skipped) == 1 and result.skipped[0].startswith("city/long: The prompt has 41 tokens")
    assert known_facts(tiny, KnownRequest(relations=("tongue",))).ids == ["tongue/corvo"]


@pytest.mark.real
def test_the_embedded_model_knows_enough_facts(smol):
    result = known_facts(smol, KnownRequest(relations=("capital",)))
    assert not result.skipped
    assert np.isfinite(result.probability).all()
    assert "capital/france" in result.known(0.1)
    assert len(result.known(0.1)) >= 20
