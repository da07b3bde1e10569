"""Tasks and their scores: what is asked, what counts, and files of other forms."""

import numpy as np
import pytest

from analysis.facts.facts import read_facts
from editors.attention_drift.tasks import SCORES, harmonic_mean, hits, task_score
from editors.cases.case import behind, case_of
from editors.edit.probes import Answers, Probe
from editors.scoring.fluency import ngram_entropy
from tests.kit.edits import TOWER


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
    case = case_of(fact, "Rome")
    assert {probe.kind for probe in case.probes} == set(SCORES.values())
    assert {probe.fact for probe in case.probes} == {0}
    near = [probe.prompt for probe in case.probes if probe.kind == "neighbour"]
    far = [probe.prompt for probe in case.probes if probe.kind == "distracting"]
    assert far == [f"{fact.text} Rome. {prompt}" for prompt in near]
    assert all(fact.subject in probe.prompt for probe in case.probes if probe.kind in ("other", "distracting"))
    clash = case_of(fact, fact.others[0].object)
    assert all(probe.new != probe.old for probe in clash.probes)


def test_fluency_is_the_entropy_of_pairs_and_triples(tiny):
    assert ngram_entropy("a a a a a a") == 0.0
    assert ngram_entropy("a b c d") == pytest.approx(0.5 * (2 / 3 * np.log2(3) + 4 / 3 * np.log2(2)))
    assert ngram_entropy("a b a b a b a b") < ngram_entropy("a b c d e f g h")
