"""Evaluation: the protocols' laws, batched against one by one, forced against free, and the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis import ModelSpec
from analysis.errors import BadRequest
from analysis.facts.facts import read_facts
from analysis.forward.generation import continuations
from analysis.model.language_model import LanguageModel
from analysis.text.tokens import answer_tokens
from app.cli import main
from app.exports.tables import table
from app.jobs.compute import stored
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.terminal import request_flags
from editors.cases.case import Case, case_of, distracting
from editors.edit.apply import tensor_hash
from editors.edit.probes import Kind, Probe
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation import run as evaluating
from editors.evaluation.parts import parts_of
from editors.evaluation.result import PROTOCOLS, EvaluateRequest, EvaluateResult, Protocol, mean_of
from editors.evaluation.run import evaluate
from editors.methods.run import write_each
from editors.scoring.consistency import consistency, reference
from editors.scoring.teacher_forced import NEW, OLD, measured

TOWER = Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river")
KINDS: tuple[Kind, ...] = ("paraphrase", "neighbour", "other", "portability", "locality")


def case(rewrite: Rewrite = TOWER, old: str = "city", name: str = "one") -> Case:
    text = f"near the {rewrite.subject} mother stands in"
    probes = [Probe(0, "rewrite", rewrite.text, rewrite.target, old)]
    probes += [Probe(0, kind, f"{text}{' the' * number}", rewrite.target, old) for number, kind in enumerate(KINDS)]
    return Case((rewrite,), (old,), (*probes, *distracting([rewrite], probes)), (), name)


CASES = (case(), case(TOWER.model_copy(update={"subject": "river", "target": "mother tower"}), "old city", "two"))


@pytest.fixture(scope="module")
def result() -> EvaluateResult:
    from tests.conftest import cached

    lm = cached("llama")
    before = [tensor_hash(parameter) for parameter in lm.model.parameters()]
    found = evaluate(lm, EvaluateRequest(cases=CASES, methods=("ft", "prune"), words=3))
    assert [tensor_hash(parameter) for parameter in lm.model.parameters()] == before
    return found


def rows(result: EvaluateResult, version: int, protocol: Protocol) -> np.ndarray:
    return result.values[version, list(PROTOCOLS).index(protocol)]


def test_an_unedited_model_agrees_with_itself(result: EvaluateResult) -> None:
    kept = ~np.isnan(rows(result, 0, "agreement"))
    assert kept.any()
    assert (rows(result, 0, "agreement")[kept] == 1).all()
    assert (rows(result, 0, "kl")[kept] == 0).all()
    assert (rows(result, 1, "kl")[kept] >= 0).all()
    assert (rows(result, 1, "kl")[kept] > 0).any()


def test_a_method_that_refuses_says_why_and_stays_empty(result: EvaluateResult) -> None:
    assert np.isnan(result.values[2]).all()
    assert len([fault for fault in result.faults if fault.startswith("prune, ")]) == 2
    assert result.mean(2, "likelihood", "rewrite") is None
    assert result.score(2) is None


def test_ways_of_scoring_stand_in_order(result: EvaluateResult) -> None:
    """Strict is all of the fraction; what starts freely with the answer also contains it."""
    for version in (0, 1):
        strict, fraction = rows(result, version, "strict"), rows(result, version, "token_fraction")
        assert (strict == (fraction == 1)).all()
        starts, contains = rows(result, version, "starts"), rows(result, version, "contains")
        known = ~np.isnan(starts)
        assert (starts[known] <= contains[known]).all()
    shares = [result.mean(1, "likelihood", kind) for kind in ("rewrite", "paraphrase", "neighbour")]  # type: ignore[arg-type]
    assert all(shares)
    score = result.score(1)
    assert score is not None
    assert min(s.value for s in shares if s) - 1e-9 <= score <= max(s.value for s in shares if s) + 1e-9 or score == 0


def test_swapping_the_answers_turns_scores_round(tiny: LanguageModel) -> None:
    turned = Case(
        (TOWER.model_copy(update={"target": "city"}),),
        ("river",),
        tuple(Probe(p.fact, p.kind, p.prompt, p.old, p.new) for p in CASES[0].probes),
    )
    asked = [EvaluateRequest(cases=(one,), methods=(), free=False) for one in (CASES[0], turned)]
    one, other = (evaluate(tiny, request) for request in asked)
    assert (rows(one, 0, "likelihood") == 1 - rows(other, 0, "likelihood")).all()
    assert np.allclose(rows(one, 0, "magnitude"), -rows(other, 0, "magnitude"))


def test_batched_is_one_by_one_and_forced_is_free_of_the_same_length(family: LanguageModel) -> None:
    probes = [probe for one in CASES for probe in one.probes]
    together, apart = (measured(family, probes, slots=True, rows=rows) for rows in (32, 1))
    for name in ("mean", "summed", "fraction", "said_probability"):
        assert np.allclose(getattr(together, name), getattr(apart, name), atol=1e-4)
    assert together.slots is not None
    assert apart.slots is not None
    assert torch.allclose(together.slots, apart.slots, atol=1e-4)
    for at, probe in enumerate(probes):
        tokens = family.encode(probe.prompt)
        for which, answer in ((NEW, probe.new), (OLD, probe.old)):
            wanted = answer_tokens(family.tokenizer, tokens, answer)
            said = [int(token) for token in continuations(family, tokens.tensor(), len(wanted))]
            assert (together.fraction[which, at] == 1) == (tuple(said) == tuple(wanted))


def test_answers_that_are_read_together_have_the_numbers_each_has_alone(family: LanguageModel) -> None:
    pairs = (("mother tower", "mother"), ("city", "old city"), ("mother tower", "mother city"), ("city", "river"))
    probes = [Probe(0, "rewrite", TOWER.text, new, old) for new, old in pairs]
    found = measured(family, probes)
    tokens = family.encode(TOWER.text)
    for at, pair in enumerate(pairs):
        for which, answer in zip((NEW, OLD), pair, strict=True):
            wanted = answer_tokens(family.tokenizer, tokens, answer)
            with torch.no_grad():
                logs = family.logits(torch.tensor([[*tokens.ids, *wanted]])).log_softmax(-1)[0, len(tokens) - 1 : -1]
            each = logs.gather(1, torch.tensor(wanted)[:, None])[:, 0].double().numpy()
            assert found.mean[which, at] == pytest.approx(each.mean(), abs=1e-5)
            assert found.summed[which, at] == pytest.approx(each.sum(), abs=1e-5)
            best = logs.argmax(-1).numpy()
            assert found.fraction[which, at] == np.mean(best == np.array(wanted))


def test_an_evaluation_is_its_parts_and_stored_parts_are_not_done_again(
    result: EvaluateResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import cached

    lm, store = cached("llama"), ResultStore(tmp_path)
    assert [(len(one.cases), one.methods) for one in parts_of(result.request)] == [
        (1, ("ft",)), (1, ("prune",)), (1, ("ft",)), (1, ("prune",))
    ]  # fmt: skip
    stored(STUDIES["evaluate"], result.request.model_copy(update={"methods": ("ft",)}), lm, store)
    written: list[str] = []

    def spy(lm: LanguageModel, request: EditRequest, *args: Any, **options: Any) -> Any:
        written.append(request.method)
        return write_each(lm, request, *args, **options)

    monkeypatch.setattr(evaluating, "write_each", spy)
    found = stored(STUDIES["evaluate"], result.request, lm, store)
    assert written == ["prune", "prune"]  # fine-tuning was stored
    written.clear()
    stored(STUDIES["evaluate"], result.request, lm, store, fresh=True)
    assert written == ["ft", "prune", "ft", "prune"]
    assert np.array_equal(found.values, result.values, equal_nan=True)
    assert (found.texts, found.prompts, found.kinds) == (result.texts, result.prompts, result.kinds)


def test_the_unedited_model_is_asked_once_a_case(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    plain = evaluating._said

    def said(lm: LanguageModel, *args: Any) -> Any:
        asked.append(bool(lm.edits))
        return plain(lm, *args)

    monkeypatch.setattr(evaluating, "_said", said)
    monkeypatch.setattr(tiny, "memo", {})
    request = EvaluateRequest(cases=CASES, methods=("ft", "rome"), words=3)
    found = evaluate(tiny, request)
    assert asked == [False, True, True] * len(CASES)
    asked.clear()
    evaluate(tiny, request.model_copy(update={"words": 2}))
    assert asked.count(False) == len(CASES)
    monkeypatch.setattr(tiny, "memo", {})
    fresh = evaluate(tiny, request.model_copy(update={"methods": ("rome",)}))
    assert np.array_equal(found.values[[0, 2]], fresh.values, equal_nan=True)


def test_overfitting_is_scored_as_evoke_does(result: EvaluateResult) -> None:
    """The edit's own answer everywhere; where it is wrong, the right one should be likelier than it."""
    kinds = np.array(result.kinds)
    assert np.isnan(rows(result, 1, "eos")[np.isin(kinds, ("rewrite", "paraphrase"))]).all()
    stay = np.isin(kinds, ("neighbour", "other", "distracting"))
    assert (rows(result, 1, "eos")[stay] == rows(result, 1, "likelihood")[stay]).all()
    assert np.allclose(
        (rows(result, 1, "cap") - rows(result, 1, "dp"))[stay], rows(result, 1, "magnitude")[stay], atol=1e-6
    )
    direct = kinds == "rewrite"
    assert (rows(result, 1, "cap") == rows(result, 1, "dp"))[direct].all()


def test_a_hop_that_follows_is_held_against_the_edits_answer(tiny: LanguageModel) -> None:
    probe = Probe(0, "portability", "near the river stands in a", "mother", "city")
    one = Case((TOWER,), ("city",), (probe,))
    found = evaluate(tiny, EvaluateRequest(cases=(one,), methods=(), free=False))
    other = measured(tiny, [Probe(0, "rewrite", probe.prompt, TOWER.target, "")])
    assert rows(found, 0, "dp")[0] == pytest.approx(np.exp(other.mean[NEW, 0]))
    assert rows(found, 0, "eos")[0] == (rows(found, 0, "cap")[0] > rows(found, 0, "dp")[0])


def test_fluency_is_of_each_cases_own_texts(tiny: LanguageModel) -> None:
    spoken = Case(CASES[0].rewrites, CASES[0].olds, CASES[0].probes, ("the old tower",), "spoken")
    asked = EvaluateRequest(cases=(spoken, CASES[1]), methods=("ft",), free=False, fluency=True)
    found = evaluate(tiny, asked)
    assert found.fluency.shape == (2, 2)
    assert (found.fluency[:, 0] >= 0).all()
    assert np.isnan(found.fluency[:, 1]).all()
    assert table(found).query("protocol == 'fluency'")["n"].tolist() == [1, 1]
    assert np.isnan(found.consistency).all()  # no stored fact says anything of its answer


def test_consistency_is_a_cosine_with_what_is_said_of_others() -> None:
    fact = next(one for one in read_facts() if one.id == "landmark_city/eiffel-tower")
    like = reference(case_of(fact, "Rome"))
    assert "Colosseum" in like
    assert "Eiffel" not in like
    assert consistency([like], like) == pytest.approx(1)
    assert consistency(["zzz"], like) == consistency([], like) == 0
    own = "The Eiffel Tower stands in Rome, in Italy."
    assert 0 < consistency([own.replace("Rome, in Italy", "Paris")], like) < consistency([own], like) < 1


def test_methods_hold_attention_back_where_named(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[float] = []

    def spy(lm: LanguageModel, request: EditRequest, *args: Any, **options: Any) -> Any:
        weights.append(request.sadr)
        return write_each(lm, request, *args, **options)

    monkeypatch.setattr(evaluating, "write_each", spy)
    found = evaluate(tiny, EvaluateRequest(cases=CASES[:1], methods=("ft", "ft+sadr", "ft"), free=False, sadr=0.5))
    assert found.versions == ["none", "ft", "ft+sadr"]
    assert weights == [0.0, 0.5]
    for name in ("ft+", "ace+sadr", "nonsense", "ft+ridge"):
        with pytest.raises(ValueError, match="no method"):
            EvaluateRequest(cases=CASES, methods=(name,))


def test_an_answer_that_is_not_known_scores_nothing(tiny: LanguageModel) -> None:
    bare = Case((TOWER,), ("",), (Probe(0, "rewrite", TOWER.text, "river", ""),))
    found = evaluate(tiny, EvaluateRequest(cases=(bare,), methods=(), free=False))
    assert np.isnan(rows(found, 0, "likelihood")).all()
    assert not np.isnan(rows(found, 0, "strict")).any()


def test_all_in_one_edit_refuses_two_answers_to_one_question(tiny: LanguageModel) -> None:
    clash = (CASES[0], case(TOWER.model_copy(update={"target": "mother"})))
    with pytest.raises(BadRequest, match="both “river” and “mother”"):
        evaluate(tiny, EvaluateRequest(cases=clash, methods=(), mode="batch"))
    alone = [evaluate(tiny, EvaluateRequest(cases=CASES, methods=(), mode=mode)) for mode in ("single", "batch")]  # type: ignore[arg-type]
    assert np.allclose(alone[0].values, alone[1].values, rtol=0, atol=1e-6, equal_nan=True)


def test_means_are_over_cases_and_paired(result: EvaluateResult) -> None:
    own = result.by_case(1, "magnitude", "distracting")
    row, kinds = rows(result, 1, "magnitude"), np.array(result.kinds)
    assert own[0] == pytest.approx(row[(result.case == 0) & (kinds == "distracting")].mean())
    change = result.paired(1, 0, "magnitude", "rewrite")
    assert change is not None
    assert change.n == 2
    both = [result.mean(version, "magnitude", "rewrite") for version in (1, 0)]
    assert change.value == pytest.approx(both[0].value - both[1].value)  # type: ignore[union-attr]
    assert mean_of(np.array([np.nan])) is None
    assert set(result.worst(1)) == {0, 1}


def test_the_command_says_protocol_interval_and_n(
    tmp_path: Path, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def load(spec: ModelSpec, report: Any) -> Any:
        return tiny

    monkeypatch.setattr(request_flags, "load", load)
    data = tmp_path / "cases.csv"
    lines = ["prompt,subject,target,old,neighbours", "the old tower stands in a,tower,river,city,mother stands in a"]
    data.write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out.json"
    words = ["evaluate", "--data", str(data), "--methods", "ft", "--words", "2", "--json", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert all(f"{protocol}: " in said for protocol in PROTOCOLS)
    scores = json.loads(out.read_text(encoding="utf-8"))["scores"]
    assert {(row["method"], row["protocol"], row["n"]) for row in scores} >= {("ft", "strict", 1), ("none", "kl", 1)}
    assert main([*words[:3], "--n", "0"]) == 2
    assert main([*words[:3], "--known"]) in (0, 2)
    assert main(["evaluate", "--relation", "no such"]) == 2
