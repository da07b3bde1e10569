"""Conflicts: prompts and files, scores and classes, who wins, knock-outs, transfer; on tiny models."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.errors import BadFile, BadRequest
from analysis.facts.facts import read_facts
from analysis.forward.blocks import Frame, first_hidden, record
from analysis.internals.attention_patterns import Edges, knocked_out
from analysis.internals.head_names import parse_head
from analysis.internals.head_outputs import endings
from analysis.internals.layer_windows import window_layers
from analysis.knowledge_conflict import tokenised
from analysis.knowledge_conflict.head_scores import find, random_heads, won
from analysis.knowledge_conflict.knockout_run import knock_out, one_prompt, places
from analysis.knowledge_conflict.prompts import FORMATS, conflict_in, conflicts_of, questions, read_conflicts
from analysis.knowledge_conflict.result import ConflictRequest, HeadsRequest, KnockoutRequest, Scores, TransferRequest
from analysis.knowledge_conflict.run import conflict, heads_on_prompt
from analysis.knowledge_conflict.tokenised import item_of, knows, twin
from analysis.knowledge_conflict.transfer_run import transfer
from analysis.patching.head_ablation import said_without
from analysis.patching.path_patching import patched_heads
from analysis.study import pack, unpack
from app.exports.json_csv import to_json
from app.jobs.run_entry import run_of
from app.registry.studies import STUDIES
from tests.kit.conflicts import readable, tiny_facts
from tests.kit.stopping import goes_on_to_the_same_end

PROMPT = "the w24 stands in old . the w24 stands in a"
ASKED = HeadsRequest(prompt=PROMPT, subject="w24", context="old", most=3)


@pytest.fixture
def known(family):
    """Facts in two relations, taken for known."""
    with readable(family):
        yield


def scores(memory, context, logits=None) -> Scores:
    memory, context = np.array([memory]), np.array([context])
    nothing = np.zeros_like(memory)
    logits = context - memory if logits is None else np.array([logits])
    return Scores(memory, context, logits, nothing, nothing, nothing, logits, None)


def test_every_form_ends_with_its_clean_prompt_and_says_the_page():
    facts = read_facts()
    assert {fact.relation for fact in facts} == set(questions())
    for form in FORMATS:
        made = conflicts_of(facts, facts, form, 1)
        assert len(made) > 500
        for one in made:
            assert one.text.endswith(one.clean)
            assert one.context in one.text.removesuffix(one.clean)
            assert one.context not in (one.memory, *one.aliases)
            assert "{s}" not in one.text and "{c}" not in one.text and "{m}" not in one.text
            assert (one.memory in one.text.removesuffix(one.clean)) or form not in ("memory_first", "page_first")
    assert conflicts_of(facts, facts, "sentence", 1) == conflicts_of(facts, facts, "sentence", 1)
    assert conflicts_of(facts, facts, "sentence", 1) != conflicts_of(facts, facts, "sentence", 2)


def test_corrupted_prompts_change_what_they_say_they_change():
    one = conflict_in("The capital of France is London. The capital of France is", "France", "Paris", "London")
    assert one.clean == "The capital of France is"
    parts = (("Spain", "Madrid"), "Rome")
    assert one.corrupted("context", *parts).text == "The capital of France is Rome. The capital of France is"
    assert one.corrupted("subject", *parts).text == "The capital of Spain is London. The capital of Spain is"
    assert one.corrupted("both", *parts).text == "The capital of Spain is Rome. The capital of Spain is"
    with pytest.raises(BadRequest, match="no page in front"):
        conflict_in("The capital of France is", "France", "Paris", "London")
    with pytest.raises(BadRequest, match="“Londres” is not in the prompt"):
        conflict_in(one.text, "France", "Paris", "Londres")


def test_files_of_two_forms_are_read_and_faults_told_with_their_rows(tmp_path):
    juice = {
        "Category": "World Capital", "Subject": "France", "Answer": ["Paris", "City of Light"],
        "Distracted Token": "London", "Clean Prompt": "The capital of France is",
        "Substitution Conflict": "The capital of France is London. The capital of France is",
        "Coherent Conflict": "London has long been the capital of France. The capital of France is",
    }  # fmt: skip
    place = tmp_path / "rows.json"
    place.write_text(json.dumps([juice]), encoding="utf-8")
    one, long = (read_conflicts(place, form)[0] for form in ("sentence", "paragraph"))
    assert (one.memory, one.context, one.aliases) == ("Paris", "London", ("City of Light",))
    assert one.text == juice["Substitution Conflict"] and long.text == juice["Coherent Conflict"]
    assert one.clean == long.clean == juice["Clean Prompt"]
    row = {
        "question": "What was Ada’s work?", "memory_answer": "Ada’s work was painting.",
        "counter_answer": "Ada’s work was mathematics.", "counter_memory": "Ada wrote on mathematics.",
    }  # fmt: skip
    place.write_text(json.dumps(row) + "\n" + json.dumps(row), encoding="utf-8")
    asked = read_conflicts(place)[1]
    assert (asked.memory, asked.context) == ("painting", "mathematics")
    assert asked.text == "Context: Ada wrote on mathematics.\nQuestion: What was Ada’s work?\nAnswer: Ada’s work was"
    lines = [row | {"counter_memory": "Ada\u2028wrote."}, {"question": "Who?"}, row]
    place.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in lines), encoding="utf-8")
    told: list[str] = []
    assert len(read_conflicts(place, skipped=told)) == 2
    assert told == [f"{place}, row 1: the field 'memory_answer' is missing"]
    place.write_text(json.dumps([juice | {"Subject": "Spain"}, {"question": "Who?"}, 3]), encoding="utf-8")
    with pytest.raises(BadFile) as refusal:
        read_conflicts(place)
    assert [problem.split(":")[0] for problem in refusal.value.problems] == ["row 0", "row 1", "row 2"]
    with pytest.raises(BadFile, match="not a file of conflicts"):
        read_conflicts(tmp_path / "absent.json")


def test_classes_and_their_order_swap_with_the_answers():
    one = scores([-0.5, -0.1, 0.2, -0.3], [0.4, 0.3, -0.9, -0.2])
    other = scores([0.4, 0.3, -0.9, -0.2], [-0.5, -0.1, 0.2, -0.3])
    assert one.ranked("memory") == [(0, 0), (0, 1)] == other.ranked("context")
    assert one.ranked("context") == [(0, 2)] == other.ranked("memory")
    by_logits = scores([0, 0, 0], [0, 0, 0], [2.0, -1.0, 3.0])
    assert by_logits.ranked("memory", "logit_difference") == [(0, 2), (0, 0)]
    assert by_logits.agreement("attribution") == pytest.approx(1)
    assert np.isnan(by_logits.agreement("direct"))


def test_heads_by_name():
    assert parse_head("23.4") == parse_head(" 23·4 ") == (23, 4)
    for text in ("23", "a.b", "", "1.2.3", "-1.2"):
        with pytest.raises(BadRequest, match="no head"):
            parse_head(text)


def test_random_heads_are_others_of_the_same_layers():
    chosen = [(2, 0), (2, 1), (3, 3)]
    for draw in random_heads(chosen, 50, 4, seed=1):
        assert len(set(draw)) == 3 and not set(draw) & set(chosen)
        assert sorted(layer for layer, _ in draw) == [2, 2, 3]
    assert random_heads(chosen, 5, 4, seed=1) == random_heads(chosen, 5, 4, seed=1)


@pytest.mark.parametrize("option", ["both", "context", "subject", "mean"])
def test_scores_of_one_prompt_are_path_patching_from_its_twin(tiny, option, monkeypatch):
    monkeypatch.setattr(tokenised, "read_facts", tiny_facts)
    item = item_of(tiny, conflict_in(PROMPT, "w24", "speaks", "old"))
    finding = find(tiny, [item], option, 1)
    if option != "mean":
        made, tokens = twin(tiny, item, option, 1)
        assert len(tokens) == len(item.tokens) and made.text != item.conflict.text
        answers = torch.tensor([[item.memory, item.context]])
        exact = patched_heads(tiny, endings(tiny, [item.tokens]), endings(tiny, [tokens]).z, answers)
        assert np.allclose(finding.scores.memory, exact.relative[0, ..., 0])
        assert np.allclose(finding.scores.context, exact.relative[0, ..., 1])
    assert np.abs(finding.scores.memory).max() > 1e-3
    assert np.isnan(finding.scores.memory_half).all()


def test_heads_of_a_prompt(known, family):
    result = heads_on_prompt(family, ASKED)
    assert (
        result.memory == family.words([int(family.next_word(family.encode("the w24 stands in a")).argmax())])[0].strip()
    )
    rows, columns = result.grid_probability.shape[:2]
    assert rows == min(3, len(result.memory_heads)) + 1 and columns == min(3, len(result.context_heads)) + 1
    assert np.allclose(result.grid_probability[0, 0], result.probability)
    item = item_of(family, conflict_in(PROMPT, "w24", result.memory, "old"))
    choice = [parse_head(name) for name in (*result.memory_heads[: rows - 1], *result.context_heads[: columns - 1])]
    said = said_without(family, [item.tokens], torch.tensor([[item.memory, item.context]]), [choice])
    assert np.allclose(result.grid_probability[-1, -1], said.probability[0, 0], atol=1e-6)
    assert np.allclose(result.looks.astype(float).sum(-1), 1, atol=1e-2)
    assert (np.diff(result.writes.top) <= 0).all() and (np.diff(result.writes.bottom) >= 0).all()
    data, arrays = pack(result)
    again = unpack(type(result), json.loads(json.dumps(data)), arrays)
    assert again.request == ASKED and np.array_equal(again.scores.memory, result.scores.memory)


def test_heads_may_be_scored_by_their_paths_to_a_later_head(tiny):
    with readable(tiny):
        result = heads_on_prompt(tiny, ASKED.model_copy(update={"receivers": ("2.1.q", "1.0.v")}))
        assert not result.scores.memory[2].any() and result.scores.memory[0].any()
        with pytest.raises(BadRequest, match="no input of a head"):
            heads_on_prompt(tiny, ASKED.model_copy(update={"receivers": ("2.1",)}))


def test_a_study_counts_every_answer_once_and_keeps_subjects_apart(known, family):
    request = ConflictRequest(relations=("capital",), find=3, validation=2, test=4, at_least=0, ks=(1, 2), draws=3)
    result = conflict(family, request)
    parts = {part: {e.prompt.split(" . ")[0] for e in result.examples if e.part == part} for part in ("find", "test")}
    assert not parts["find"] & parts["test"]
    assert len([e for e in result.examples if e.part == "test"]) == 4
    base = result.outcome("none")
    assert base is not None
    for one in result.outcomes:
        assert ((one.memory + one.context) <= 1).all() and one.n == 4
        assert np.allclose(one.memory * 4 % 1, 0)
    assert base.other == pytest.approx(1 - base.memory[0] - base.context[0])
    drawn = [one for one in result.outcomes if one.treatment == "random"]
    assert drawn and all(len(one.memory) == 3 for one in drawn)
    ranked = result.outcome("ranked", "memory", 1)
    if ranked is not None:
        assert ranked.heads == result.memory_heads[:1]
    assert set(result.chosen) <= {"memory", "context"}
    again = conflict(family, request)
    assert np.array_equal(again.scores.memory, result.scores.memory)


def test_a_stopped_study_goes_on_to_the_same_end(tiny):
    def knows(lm, item, at_least):
        asked.append(item.conflict.text)
        return "w30" not in item.conflict.text

    asked: list[str] = []
    request = ConflictRequest(find=3, validation=2, test=3, ks=(1, 2), draws=2, at_least=0)
    with readable(tiny), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenised, "knows", knows)
        patch.setattr("analysis.patching.path_patching.ROWS_AT_ONCE", tiny.n_layers * tiny.n_heads)  # a prompt a batch
        parts = goes_on_to_the_same_end(STUDIES["conflict"], tiny, request)
        whole = conflict(tiny, request)
        asked.clear()
        conflict(tiny, request, resume_from=parts[-1])
    assert not asked, "what is known is asked once"
    assert {part.cells for part in parts} == {(step, 12) for step in range(12)}
    assert [len(part.paths) for part in parts if part.cells[0] == 1] == [0, 0, 4, 8]
    assert parts[-1].scored
    assert not whole.known and not whole.paths
    for part in (parts[0], parts[-1]):
        run_of(STUDIES["conflict"], "key", part, stopped=True)
        to_json(part)


def test_swapping_the_answers_swaps_who_wins(tiny):
    item = item_of(tiny, conflict_in(PROMPT, "w24", "speaks", "old"))
    other = replace(item, memory=item.context, context=item.memory, memories=frozenset({item.context}))
    first = np.array([[item.memory], [item.context], [0]])
    assert won([item], first).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert won([other], first).tolist() == [[0, 1], [1, 0], [0, 0]]


def test_an_answer_that_begins_as_the_other_is_refused(tiny):
    with pytest.raises(BadRequest, match="begin with the same token"):
        item_of(tiny, conflict_in(PROMPT, "w24", "old", "old"))


def test_knocked_out_edges_are_those_of_full_forwards(family):
    item = item_of(family, conflict_in(PROMPT, "w24", "speaks", "old"))
    keys = places(item)
    assert keys == {"subject": [7], "page’s answer": [4], "other words": [5, 6, 8, 9]}
    cuts, change = one_prompt(family, item, 2, modules=True)
    assert change.shape == (len(cuts), family.n_layers, 2) == (9, family.n_layers, 2)
    ids = item.tokens.tensor()
    frame, hidden = Frame.of(family, ids), first_hidden(family, ids)
    base = family.readout(record(frame, hidden).last).softmax(-1)[0, [item.memory, item.context]]
    for row, name in enumerate(("subject", "page’s answer", "other words")):
        for centre in range(family.n_layers):
            edges = Edges((len(item.tokens) - 1,), tuple(keys[name]))
            with knocked_out(family, edges, window_layers(centre, 2, family.n_layers)):
                cut = family.readout(record(frame, hidden).last).softmax(-1)[0, [item.memory, item.context]]
            assert np.allclose((cut / base - 1).numpy(), change[row, centre], atol=1e-4)


def test_knockouts_and_transfer_over_facts(known, family):
    found = knock_out(family, KnockoutRequest(n=2, at_least=0, relations=("capital",)))
    assert found.change.shape == (9, family.n_layers, 2) and len(found.examples) == 2
    assert np.isfinite(found.half_width).all()
    request = TransferRequest(relations=("capital", "language"), forms=("sentence",), find=2, test=2, k=1, at_least=0)
    table = transfer(family, request)
    assert table.sources == ["capital", "language", "sentence"]
    assert table.silenced["memory"].shape == (3, 3, 2)
    assert (table.silenced["memory"].sum(-1) <= 1).all() and (table.silenced["memory"] >= 0).all()


def test_a_fact_is_known_when_the_model_says_it_first(tiny):
    said = tiny.next_word(tiny.encode("the w24 stands in a"))
    word = tiny.words([int(said.argmax())])[0]
    item = item_of(tiny, conflict_in(PROMPT, "w24", word, "old"))
    assert knows(tiny, item, float(said.max()) - 1e-3)
    assert not knows(tiny, item, float(said.max()) + 1e-3)
    assert not knows(tiny, item_of(tiny, conflict_in(PROMPT, "w24", "river", "old")), 0)


def test_too_few_known_facts_are_refused(tiny, monkeypatch):
    monkeypatch.setattr(tokenised, "read_facts", tiny_facts)
    with pytest.raises(BadRequest, match="too few to find heads"):
        conflict(tiny, ConflictRequest(at_least=1.0))
