"""Gates: read with every fault at once, hashed, and verdicts that follow the interval's ends and nothing else."""

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from analysis.errors import BadFile
from app.charts.words import THIN
from app.exports.json_csv import plain
from app.studies.evaluate.gates.words import measured, verdict_said, wanted
from editors.evaluation.gates import DEFAULT, Gate, Threshold, gate_of, read_gate
from editors.evaluation.result import PROTOCOLS, EvaluateRequest, EvaluateResult
from editors.evaluation.verdicts import LEAST, cases_needed, normal, paired_change, verdict, verdicts, wilson, worst
from tests.editors.test_evaluate import CASES


def threshold(**values: Any) -> Threshold:
    given = {"protocol": "agreement", "kind": "neighbour", "direction": "at least", "value": 0.95}
    return Threshold(**(given | values))


def gate(*thresholds: Threshold) -> Gate:
    return Gate(name="test", version=1, thresholds=thresholds or (threshold(),))


def result_of(right: np.ndarray, protocol: str = "agreement", bare: np.ndarray | None = None) -> EvaluateResult:
    """One neighbour a case, with these numbers for the method and `bare`, 1 when left out, for no edit."""
    n = len(right)
    values = np.full((2, len(PROTOCOLS), n), np.nan)
    values[:, list(PROTOCOLS).index(protocol)] = [np.ones(n) if bare is None else bare, right]
    request = EvaluateRequest(cases=(CASES[0],) * n, methods=("ft",))
    empty = np.full((2, n), np.nan)
    return EvaluateResult(
        request, {"name": "tiny"}, ["none", "ft"], np.arange(n), ["neighbour"] * n, ["x"] * n, values,
        [[""] * n] * 2, empty, empty, empty, [], [], {"created_at": "now"},
    )  # fmt: skip


def share(right: int, n: int) -> np.ndarray:
    return np.arange(n) < right


def decided(result: EvaluateResult, *thresholds: Threshold) -> str:
    return verdict(result, 1, gate(*thresholds)).decision


# The gate


def test_the_hash_is_of_the_content_and_of_all_of_it(tmp_path):
    data = DEFAULT.model_dump(mode="json")
    place = tmp_path / "gate.json"
    place.write_text(json.dumps(dict(reversed(data.items())), indent=3), encoding="utf-8")
    assert read_gate(place) == DEFAULT
    assert read_gate(place).hash == DEFAULT.hash
    others = [data | {"version": 2}, data | {"name": "other"}, data | {"thresholds": data["thresholds"][1:]}]
    others.append(data | {"thresholds": [data["thresholds"][0] | {"value": 0.91}, *data["thresholds"][1:]]})
    hashes = {gate_of(other).hash for other in others} | {DEFAULT.hash}
    assert len(hashes) == len(others) + 1
    assert DEFAULT.model_copy(update={"version": 2}).hash == gate_of(others[0]).hash


def test_it_cannot_be_changed():
    with pytest.raises(ValidationError):
        DEFAULT.version = 2  # type: ignore[misc]
    with pytest.raises(ValidationError):
        DEFAULT.thresholds[0].value = 0.1  # type: ignore[misc]


def test_every_fault_at_once(tmp_path):
    place = tmp_path / "gate.json"
    bad = [
        {"protocol": "nonsense", "kind": "rewrite", "direction": "at least", "value": 0.9},
        {"protocol": "strict", "kind": "rewrite", "direction": "over", "value": 0.9, "more": 1},
        {"protocol": "agreement", "kind": "rewrite", "direction": "at least", "value": 0.9},
        {"protocol": "starts", "kind": "neighbour", "direction": "at least", "value": 0.9},
        {"protocol": "eos", "kind": "rewrite", "direction": "at least", "value": 0.9},
        {"protocol": "strict", "kind": "rewrite", "direction": "at least", "value": 1.0},
        {"protocol": "kl", "kind": "neighbour", "direction": "at most", "value": 0.0},
    ]
    place.write_text(json.dumps({"name": "", "thresholds": bad}), encoding="utf-8")
    with pytest.raises(BadFile) as refused:
        read_gate(place)
    said = str(refused.value).splitlines()
    assert said[0].startswith(f"{place} has ")
    for part in ("name: ", "version: ", *(f"thresholds.{at}" for at in range(len(bad))), "thresholds.1.more"):
        assert any(line.startswith(part) for line in said), part
    assert all(line.endswith(".") for line in said)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "[" * 10_000, '{"name": "x", "version": 1, "thresholds": []}']
)
def test_what_is_no_gate_is_one_sentence(tmp_path, content):
    place = tmp_path / "gate.json"
    place.write_text(content)
    with pytest.raises(BadFile):
        read_gate(place)
    with pytest.raises(BadFile, match="is not a gate in JSON"):
        read_gate(tmp_path / "none.json")
    with pytest.raises(BadFile, match="is not a gate in JSON"):
        read_gate(tmp_path)


def test_a_gate_asks_each_thing_once():
    with pytest.raises(ValidationError, match="two thresholds"):
        gate(threshold(), threshold(value=0.5))
    assert gate(threshold(), threshold(direction="at most", value=0.99))


# Intervals


def test_wilson_never_has_zero_width_and_holds_the_share():
    for n in (1, 3, 20, 1000):
        for share in (0.0, 0.5, 1.0, 1 / 3):
            low, high = wilson(share, n)
            assert 0 <= low <= share <= high <= 1
            assert high > low
    assert wilson(0.0, 5)[0] == 0
    assert wilson(1.0, 5)[1] == 1
    assert wilson(1.0, 3)[0] == pytest.approx(3 / (3 + 1.96**2))
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_a_change_takes_one_case_more_each_way():
    changes = np.array([0.0, -1.0, 0.0, 0.5, 0.0])
    more = np.concatenate([changes, [1.0, -1.0]])
    half = 1.96 * more.std() / np.sqrt(7)
    assert paired_change(changes.mean(), 5, (changes**2).sum()) == pytest.approx(
        (more.mean() - half, more.mean() + half)
    )
    assert paired_change(0.0, 10, 0.0)[0] < 0 < paired_change(0.0, 10, 0.0)[1]


def test_the_normal_one_is_that_of_the_table():
    values = np.array([0.2, 0.1, 0.4])
    half = 1.96 * values.std(ddof=1) / np.sqrt(3)
    assert normal(values.mean(), 3, (values**2).sum()) == pytest.approx((values.mean() - half, values.mean() + half))


# Verdicts


def test_the_unfavourable_end_admits_and_the_favourable_one_rejects():
    assert decided(result_of(share(73, 73))) == "admit"
    assert decided(result_of(share(72, 72))) == "hold"
    assert decided(result_of(share(3, 3))) == "hold"
    assert decided(result_of(share(80, 100))) == "reject"
    assert decided(result_of(share(93, 100))) == "hold"
    most = threshold(direction="at most", value=0.05)
    assert decided(result_of(share(0, 73)), most) == "admit"
    assert decided(result_of(share(20, 73)), most) == "reject"
    assert decided(result_of(share(2, 73)), most) == "hold"


def test_fewest_cases_are_just_enough():
    assert cases_needed(threshold()) == 73
    assert cases_needed(threshold(value=0.9)) == 35
    for value in (0.3, 0.8, 0.99):
        n = cases_needed(threshold(value=value))
        assert decided(result_of(share(n, n)), threshold(value=value)) == "admit"
        assert decided(result_of(share(n - 1, n - 1)), threshold(value=value)) == "hold" or n == 1
    change = threshold(protocol="likelihood", measure="change", value=-0.02)
    n = cases_needed(change)
    assert decided(result_of(share(n, n), "likelihood"), change) == "admit"
    assert decided(result_of(share(n - 1, n - 1), "likelihood"), change) == "hold"


def test_more_of_the_same_never_turns_a_verdict_round():
    rng = np.random.default_rng(1)
    for _ in range(50):
        n, p = int(rng.integers(2, 60)), rng.uniform(0.5, 1)
        values = (rng.random(n) < p).astype(float)
        one, more = (decided(result_of(np.tile(values, times))) for times in (1, 4))
        assert one in ("hold", more)


def test_kl_takes_the_normal_interval_from_enough_cases_on():
    most = threshold(protocol="kl", direction="at most", value=0.1)
    spread = 0.05 + 0.01 * (np.arange(LEAST) % 2)
    assert decided(result_of(spread, "kl"), most) == "admit"
    assert decided(result_of(spread[:-1], "kl"), most) == "hold"
    assert decided(result_of(np.zeros(3), "kl"), most) == "hold"
    assert decided(result_of(spread * 4, "kl"), most) == "reject"
    assert decided(result_of(spread[:1], "kl"), most) == "hold"
    assert decided(result_of(np.full(LEAST, np.inf), "kl"), most) == "hold"


def test_a_change_is_against_no_edit():
    most = threshold(protocol="likelihood", measure="change", value=-0.1)
    half = share(50, 100)
    assert decided(result_of(half, "likelihood", half), most) == "admit"
    assert decided(result_of(share(0, 100), "likelihood", half), most) == "reject"
    assert decided(result_of(half, "likelihood", half), threshold(protocol="likelihood", value=0.9)) == "reject"


def test_too_little_data_is_held_and_says_why():
    nothing = verdict(result_of(np.full(3, np.nan)), 1, gate())
    assert nothing.decision == "hold"
    assert nothing.findings[0].reason == "all 3 cases were refused"
    absent = verdict(result_of(share(3, 3)), 1, gate(threshold(protocol="strict", kind="rewrite")))
    assert (absent.decision, absent.findings[0].n) == ("hold", 0)
    assert "there is no number" in absent.findings[0].reason
    values = np.ones(100)
    values[:5] = np.nan
    some = verdict(result_of(values), 1, gate())
    assert some.decision == "hold"
    assert some.findings[0].reason == "5 cases of 100 were refused and have no number"
    few = verdict(result_of(share(20, 20)), 1, gate())
    assert few.findings[0].reason == "20 cases too few, it takes 73 where all go as wished"


def test_the_whole_is_its_worst_part():
    result = result_of(share(93, 100))
    low, middle = threshold(value=0.5), threshold(direction="at most", value=0.95)
    assert decided(result, low) == "admit"
    assert decided(result, low, middle) == "hold"
    lower = threshold(direction="at most", value=0.5)
    assert decided(result, low, lower) == "reject"
    absent = threshold(protocol="strict", kind="rewrite")
    assert decided(result, absent, lower) == "reject"
    assert worst(["admit", "hold", "reject"]) == "reject"
    assert worst(["admit", "hold"]) == "hold"
    assert worst(["admit"]) == "admit"
    assert worst([]) == "hold"


def test_a_verdict_is_a_function_of_numbers_and_thresholds():
    result = result_of(share(93, 100))
    before = json.dumps(plain(result))
    assert verdict(result, 1, gate()) == verdict(result, 1, gate())
    assert verdicts(result, gate()) == [verdict(result, 1, gate())]
    assert json.dumps(plain(result)) == before
    assert verdict(result, 1, gate()).gate == gate().hash


def test_words():
    found = verdict(result_of(share(87, 100)), 1, gate())
    assert verdict_said(found) == f"Fine-tuning: reject, neighbours kept 87{THIN}% [79, 92], wanted at least 95{THIN}%"
    assert verdict_said(verdict(result_of(share(90, 90)), 1, gate())) == "Fine-tuning: admit, every threshold met"
    change = threshold(protocol="likelihood", measure="change", value=-0.02)
    assert wanted(change) == f"at least −2{THIN}points"
    kl = verdict(result_of(np.full(1, 0.25), "kl"), 1, gate(threshold(protocol="kl", direction="at most", value=0.1)))
    assert measured(kl.findings[0]) == f"0.250{THIN}nats"
