"""Tasks and their scores: what is asked, what counts, and files of other forms."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import BadFile
from analysis.facts import read_facts
from editors.fluency import ngram_entropy
from editors.probes import Answers, Probe
from editors.request import Rewrite
from editors.tasks import SCORES, behind, case_of, harmonic_mean, hits, read_cases, task_score
from tests.test_editing import TOWER

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def answers(new: list[float], old: list[float]) -> Answers:
    a, b = np.array(new), np.array(old)
    return Answers(a, b, a > b, b > a, [""] * len(a), a)


def test_a_distracting_prompt_is_the_edit_as_a_sentence_and_the_neighbour():
    assert behind(TOWER, "Brin stands in a") == TOWER.text + " " + TOWER.target + ". " + "Brin stands in a"


@pytest.mark.parametrize("kind", SCORES.values())
def test_right_and_wrong_swapped_is_one_minus_the_score_but_for_ties(kind):
    probes = [Probe(0, kind, f"p{i}", "new", "old") for i in range(4)]
    new, old = [0.5, 0.2, 0.7, 0.1], [0.4, 0.3, 0.6, 0.05]
    one, other = (task_score(probes, pair, kind) for pair in (answers(new, old), answers(old, new)))
    assert one.share + other.share == 1
    assert one.magnitude == pytest.approx(-other.magnitude)
    tied = answers([*new[:3], 0.1], [*old[:3], 0.1])
    assert not hits(probes, tied, kind)[1][3]


def test_scores_are_means_over_prompts_with_the_normal_interval():
    probes = [Probe(fact, "other", "p", "new", "old") for fact in (0, 0, 0, 1)]
    found = task_score(probes, answers([0.1, 0.1, 0.1, 0.9], [0.5] * 4), "other")
    assert (found.share, found.prompts) == (0.75, 4)
    assert found.half_width == pytest.approx(1.96 * 0.5 / 2)
    assert task_score(probes, answers([0.1] * 4, [0.5] * 4), "neighbour") is None


def test_the_harmonic_mean_of_the_papers_own_row():
    """Wang et al. 2025, table 3, GPT-J with ROME."""
    assert harmonic_mean([99.88, 99.58, 80.26, 11.94, 30.42]) == pytest.approx(33.56, abs=0.04)
    assert harmonic_mean([99.88, 99.58, 0.0]) == 0.0


def test_our_own_facts_have_all_five_tasks():
    fact = next(fact for fact in read_facts() if fact.id == "capital/france")
    case = case_of(3, fact, "Rome")
    assert {probe.kind for probe in case.probes} == set(SCORES.values())
    assert {probe.fact for probe in case.probes} == {3}
    near = [probe.prompt for probe in case.probes if probe.kind == "neighbour"]
    far = [probe.prompt for probe in case.probes if probe.kind == "distracting"]
    assert far == [f"{fact.text} Rome. {prompt}" for prompt in near]
    assert all(fact.subject in probe.prompt for probe in case.probes if probe.kind in ("other", "distracting"))
    clash = case_of(0, fact, fact.others[0].object)
    assert all(probe.new != probe.old for probe in clash.probes)


@pytest.mark.skipif(not DATA.exists(), reason="public records are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("specificity_sample.json", set(SCORES.values())),
        ("counterfact_sample.json", {"rewrite", "paraphrase", "neighbour", "distracting"}),
    ],
)
def test_public_records_are_read(name, kinds):
    cases = read_cases(DATA / name)
    assert len(cases) == 300
    assert {probe.kind for case in cases for probe in case.probes} == kinds
    for index, case in enumerate(cases):
        assert case.rewrite.subject in case.rewrite.text
        assert all(probe.fact == index for probe in case.probes)
    counted = {kind: sum(probe.kind == kind for case in cases for probe in case.probes) for kind in kinds}
    assert counted["neighbour"] == counted["distracting"]


def test_records_at_fault_are_all_named(tmp_path):
    good = {
        "prompt": "{} stands in",
        "subject": "Aldra",
        "target_new": {"str": "Corvo"},
        "target_true": {"str": "Brin"},
    }
    records = [
        {"requested_rewrite": good},
        {"requested_rewrite": good | {"prompt": "Nothing stands in"}},
        {"requested_rewrite": {"subject": "Aldra"}},
    ]
    path = tmp_path / "records.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_cases(path)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["record 1", "record 2"]
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadFile, match="not a JSON list"):
        read_cases(path)
    path.write_text(json.dumps(records[:1]), encoding="utf-8")
    assert read_cases(path)[0].rewrite == Rewrite(prompt="{} stands in", subject="Aldra", target="Corvo")


def test_fluency_is_the_entropy_of_pairs_and_triples(tiny):
    assert ngram_entropy("a a a a a a") == 0.0
    assert ngram_entropy("a b c d") == pytest.approx(0.5 * (2 / 3 * np.log2(3) + 4 / 3 * np.log2(2)))
    assert ngram_entropy("a b a b a b a b") < ngram_entropy("a b c d e f g h")
