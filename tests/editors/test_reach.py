"""How far edits reach: the metrics' laws, own chains and public records as cases, and the model left as it was."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import ModelSpec, read_facts
from analysis.errors import BadFile, BadRequest
from analysis.facts.chains import read_chains
from analysis.model.language_model import LanguageModel
from app.cli import main
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.terminal import request_flags
from editors.cases.chain_files import case_of_chain, read_chain_cases
from editors.chain_reach.parts import parts_of
from editors.chain_reach.result import ReachRequest
from editors.chain_reach.run import reach, reached
from editors.edit.apply import tensor_hash
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write
from editors.registry.methods import NO_EDIT
from editors.scoring.free_answers import demonstrations, right, said_to, thought_to
from tests.kit.places import records

RECORD: dict[str, Any] = {
    "case_id": 7,
    "requested_rewrite": [{"prompt": "{} stands in", "subject": "Aldra", "target_new": {"str": "Corvo"}}],
    "new_single_hops": [
        {"cloze": "Aldra stands in", "answer": "Corvo", "answer_alias": ["Corvo City"]},
        {"cloze": "The river of Corvo is the", "answer": "Brin", "answer_alias": ["", 3]},
    ],
    "questions": ["Which river flows where Aldra stands?", "What is the river there?"],
    "answer": "Dorn",
    "new_answer": "Brin",
    "new_answer_alias": ["the Brin"],
}


def test_an_answer_is_right_when_the_text_begins_with_it() -> None:
    assert right(" Paris, the", ["paris"])
    assert right("the Euro.", ["euro"])
    assert right("“Rome”", ["Milan", "Rome"])
    assert not right("Parisian", ["Paris"])
    assert not right("not Paris", ["Paris"])
    assert not right("", ["Paris"])


def test_own_chains_become_cases_that_lead_elsewhere() -> None:
    made = 0
    for chain in read_chains()[::9]:
        for which in ("first", "second"):
            try:
                case = case_of_chain(chain, which)  # type: ignore[arg-type]
            except BadRequest:
                continue
            made += 1
            assert case.kind == which
            assert not right(chain.answer, case.answers)
            assert case.hops[0 if which == "first" else 1].answers[0] == case.rewrites[0].target
            assert case.hops[-1].answers[0] == case.answers[0]
            assert case.questions[0] == chain.whole()
            if which == "first":
                fact = next(
                    f for f in read_facts() if (f.relation, f.subject) == (chain.second, case.rewrites[0].target)
                )
                assert fact.object == case.answers[0]
    assert made > 40
    with pytest.raises(BadRequest, match="Nowhere"):
        case_of_chain(read_chains()[0], "first", "Nowhere")


def test_examples_name_nothing_of_the_question(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(
        "editors.scoring.free_answers.texts_after", lambda lm, prompts, *_, **__: seen.extend(prompts) or [""]
    )
    assert said_to(tiny, ["Which city?"], 3, [["Lima", "Russia"]]) == [""]
    assert thought_to(tiny, ["The city is"], 3, [["Kenya"]]) == [("", "")]
    assert said_to(tiny, ["The city is"], 3, [["Lima"]]) == [""]
    assert "Lima" not in seen[0] and "Russia" not in seen[0]
    assert seen[0].count("Question:") == 5 and seen[0].endswith("Question: Which city?\nAnswer:")
    assert "Kenya" not in seen[1] and seen[1].count("Thoughts:") == 6
    assert seen[2] == "The city is"
    assert len({one.question for one in demonstrations()}) == 8


def test_the_metrics_over_a_writer_that_does_and_one_that_refuses(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's words are replaced by the case's: new ones once an edit is on, old ones before."""
    case = case_of_chain(read_chains()[0], "second")
    fact = Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river")
    asked = EditRequest(facts=(fact,), steps=2, contexts=0, tokens=600, layers=(1,), method="rome", context_tokens=3)
    edit = write(tiny, asked, glance=False)
    truth = {hop.prompt: hop.answers[0] for hop in case.hops} | {case.rewrites[0].text: case.rewrites[0].target}

    def says(lm: LanguageModel, prompts: list[str], tokens: int, names: Any) -> list[str]:
        if not lm.edits:
            return [f"{case.old[0]}."] * len(prompts)
        known = truth | {case.questions[1]: case.answers[0]}
        return [f"{known.get(prompt, 'else')}, of course" for prompt in prompts]

    def refuse(lm: LanguageModel, case: Any, stack: Any) -> list[Edit]:
        raise BadRequest("It does not fit.")

    monkeypatch.setattr("editors.chain_reach.run.said_to", says)
    monkeypatch.setattr(
        "editors.chain_reach.run.thought_to", lambda lm, asked, tokens, names: [("so", case.answers[0])] * len(asked)
    )
    before = [tensor_hash(parameter) for parameter in tiny.model.parameters()]
    request = ReachRequest(cases=(case,), thoughts=True)
    found = reached(tiny, request, {"does": lambda lm, case, stack: [edit], "refuses": refuse})
    assert [tensor_hash(parameter) for parameter in tiny.model.parameters()] == before
    assert found.versions == [NO_EDIT, "does", "refuses"]
    scores = found.scores()
    assert scores["edit_wise"][:2].ravel().tolist() == [0, 1]
    assert scores["instance_wise"][1, 0] == 1
    assert scores["multi_hop"][:2].ravel().tolist() == [0, 1]
    assert found.whole[1, 0].tolist() == [0, 1, 0]
    assert found.old[0, 0].all()
    assert scores["multi_hop_thoughts"][:2].ravel().tolist() == [1, 1]
    assert all(np.isnan(values[2]).all() for values in scores.values())
    assert found.faults == [f"refuses, {case.id}: It does not fit."]
    assert [n for _, _, n in found.mean(scores["multi_hop"])] == [1, 1, 0]


def test_public_records_become_cases() -> None:
    cases = read_chain_cases(records("mquake_sample.json"))
    assert len(cases) == 12
    for case in cases:
        assert case.hops[-1].answers[0] == case.answers[0]
        assert len(case.rewrites) <= len(case.hops)
        assert len(case.questions) == 3
        answers = {hop.prompt: hop.answers for hop in case.hops}
        assert all(right(one.target, answers.get(one.text, (one.target,))) for one in case.rewrites)


def test_a_record_is_read_and_faults_are_all_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps([RECORD]), encoding="utf-8")
    (case,) = read_chain_cases(path)
    assert (case.id, case.kind, case.answers) == ("7", "hop 1 of 2", ("Brin", "the Brin"))
    assert case.hops[1].answers == ("Brin",)
    bad = [RECORD | {"questions": []}, {"questions": 3}, [], RECORD | {"requested_rewrite": [{"prompt": "x"}]}]
    path.write_text(json.dumps([RECORD, *bad]), encoding="utf-8")
    assert read_chain_cases(path) == (case,)  # a record with a fault keeps no other from being asked
    path.write_text(json.dumps(bad), encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_chain_cases(path)
    assert {problem.split(":")[0] for problem in caught.value.problems} == {f"record {row}" for row in (1, 2, 3, 4)}
    path.write_text("[" * 10_000, encoding="utf-8")
    with pytest.raises(BadFile, match="nested too deep"):
        read_chain_cases(path)


def test_parts_stored_one_by_one_make_the_same_whole(tiny: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text(json.dumps([_readable(RECORD)]), encoding="utf-8")
    (first,) = read_chain_cases(tmp_path / "cases.json")
    shorter = first.model_copy(update={"id": "short", "hops": first.hops[:1], "questions": ("mother wrote near",)})
    unreadable = first.model_copy(update={"id": "none", "questions": ("",)})
    for thoughts in (False, True):
        request = ReachRequest(cases=(first, shorter, unreadable), methods=("ft", "ace"), words=2, thoughts=thoughts)
        store, whole = ResultStore(tmp_path / f"store{thoughts}"), reach(tiny, request)
        found = stored(STUDIES["reach"], request, tiny, store)
        for name in ("held", "hops", "whole", "old", "thoughts"):
            assert np.array_equal(getattr(found, name), getattr(whole, name), equal_nan=True), name
        assert (found.hops_said, found.whole_said, found.thoughts_said) == (
            whole.hops_said, whole.whole_said, whole.thoughts_said,
        )  # fmt: skip
        assert set(found.faults) == set(whole.faults)
        assert len(found.faults) == len(whole.faults) > 0
        more = request.model_copy(update={"methods": ("ft",)})
        one_by_one = [store.load(STUDIES["reach"], part.key(tiny.own_hash)) for part in parts_of(more)]
        assert all(part is not None for part in one_by_one)  # fewer methods cost nothing new


def _readable(record: dict[str, Any]) -> dict[str, Any]:
    """A record in words that the tiny tokenizer has."""
    rewrite = record["requested_rewrite"][0] | {"prompt": "the old {} stands in"}
    return record | {"requested_rewrite": [rewrite], "questions": ["The river is the"]}


def test_the_command_says_every_metric(
    tmp_path: Path, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    data, out = tmp_path / "cases.json", tmp_path / "out.csv"
    data.write_text(json.dumps([_readable(RECORD)]), encoding="utf-8")
    words = ["reach", "--data", str(data), "--methods", "ft", "--words", "2", "--csv", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "edit_wise" in said and "multi_hop" in said
    assert out.read_text(encoding="utf-8").count("\n") == 3
    assert main(["reach", "--chain", "nothing"]) == 2
    assert "There is no chain" in capsys.readouterr().err
    assert main(["reach", "--limit", "2", "--target", "Rome"]) == 2
    assert "--target" in capsys.readouterr().err


@pytest.mark.real
def test_an_edit_of_the_first_hop_is_recalled_by_the_embedded_model(smol: LanguageModel) -> None:
    from editors.chain_reach.run import reach

    chain = next(one for one in read_chains() if one.subject == "Colosseum" and one.second == "capital")
    case = case_of_chain(chain, "first", "France")
    found = reach(smol, ReachRequest(cases=(case,), methods=("rome",)))
    assert found.held[:, 0].tolist() == [0, 1]
    assert found.hops[0, 0].tolist() == [0, 1]
    assert found.old[0, 0].any()
    assert not found.whole[0, 0].any()
