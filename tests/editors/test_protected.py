"""Protected keys: what they hold, what they leave alone, and whom they are of."""

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis import LanguageModel, read_facts
from analysis.errors import BadRequest
from analysis.facts.facts import another_object
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from editors.cases.case import case_of, own_cases
from editors.edit.edit import Edit
from editors.edit.probes import bare
from editors.edit.request import EditRequest, Protected, Rewrite
from editors.evaluation.protection import beside_in_stream
from editors.lifelong_editing.result import LifelongRequest
from editors.methods import closed_forms
from editors.methods.closed_forms import Inverse
from editors.methods.defaults import settled
from editors.methods.protection.inseparable import inseparable
from editors.methods.protection.like_subjects import class_subjects, scored_subjects
from editors.methods.protection.protected_keys import ProtectedKeys
from editors.methods.protection.separability import nearest, separability
from editors.methods.run import write
from editors.methods.search.token_rows import contexts
from editors.registry.versions import label_of, settled_version
from tests.kit.edits import TOWER, asked, parameters, random_problem, unchanged

NEAR = Protected(prompt="the old {} stands in a", subject="Brin Corvo")
WHOLE = Protected(prompt="near Brin Corvo a mother speaks")
PROTECTING = ("rome", "memit", "emmet", "alphaedit", "pmet")


def moved(lm: LanguageModel, edit: Edit, request: EditRequest) -> float:
    """√tr(Δ N Δᵀ) over the layers changed: how far the protected keys' values move."""
    request, layers = settled(lm, request), [change.layer for change in edit.changes]
    held = ProtectedKeys(lm, request, layers, contexts(lm, request), lambda *_, **__: None)
    total = 0.0
    for change in edit.changes:
        delta = torch.from_numpy(change.left).double() @ torch.from_numpy(change.right).double()
        total += float((delta @ held.named[change.layer] @ delta.T).trace())
    return total**0.5


@pytest.mark.parametrize("method", PROTECTING)
def test_no_weight_is_no_protection_to_the_bit(tiny: LanguageModel, method: str) -> None:
    plain = write(tiny, asked(method), glance=False)
    none = write(tiny, asked(method, protected=(NEAR, WHOLE), protect_weight=0.0), glance=False)
    for one, other in zip(plain.changes, none.changes, strict=True):
        assert np.array_equal(one.left, other.left)
        assert np.array_equal(one.right, other.right)


def test_what_is_protected_moves_less_the_more_it_weighs(family: LanguageModel) -> None:
    """Δ moves text and protected keys least of all that write the fact: more weight on these, less movement."""
    before = parameters(family)
    named = asked("rome", protected=(NEAR, WHOLE), layers=(0,), kl=0.0)
    found = [
        moved(family, write(family, named.model_copy(update={"protect_weight": weight}), glance=False), named)
        for weight in (1e-9, 1.0, 1e3)
    ]
    assert found[0] > found[1] > found[2]
    assert unchanged(family, before)


def test_one_protected_key_moves_by_no_more_than_the_bound() -> None:
    """‖Δ k_n‖ ≤ ‖r‖ |cos| √(q/p) / ((1 + βq)(1 − cos²)), p = kᵀC⁻¹k, q = k_nᵀC⁻¹k_n: ROME's form."""
    moment, keys, r = random_problem(2)
    k, near = keys[:, 0], keys[:, 1]
    inverse = Inverse(moment)
    p, q, s = (float(a @ inverse(b[:, None])[:, 0]) for a, b in ((k, k), (near, near), (k, near)))
    cos = float(separability(inverse.factor, k, near[:, None]))
    assert cos == pytest.approx(s / (p * q) ** 0.5)
    for beta in (0.0, 0.1, 1.0, 10.0, 1e4):
        other = Inverse(inverse.moment + beta * near[:, None] @ near[None], ridge=0.0)
        delta = closed_forms.rome(other, k, k, r[:, 0]).matrix
        bound = float(r[:, 0].norm()) * abs(cos) * (q / p) ** 0.5 / ((1 + beta * q) * (1 - cos**2))
        assert float((delta @ near).norm()) <= bound * (1 + 1e-9)
        assert torch.allclose(delta @ k, r[:, 0])


def test_a_subject_that_cannot_be_told_apart_is_named_with_the_layer_that_can(tiny: LanguageModel) -> None:
    measured = moments(tiny, MomentsRequest(layers=(0, 1), tokens=400))
    same = Protected(prompt=TOWER.prompt, subject=TOWER.subject)
    found = nearest(tiny, TOWER, (NEAR, same), measured, "rome")
    assert found is not None
    assert found.names == [TOWER.subject] * 2
    assert found.cosines == pytest.approx([1.0, 1.0])
    assert nearest(tiny, TOWER, (WHOLE,), measured, "rome") is None
    edit = write(tiny, asked("rome", protected=(same,)), glance=False, probe=False)
    assert any("can hardly be told" in warning for warning in edit.warnings)
    said = inseparable("A", ["B", "C", "D"], [0.96, 0.4, np.nan], (3, 5, 7))
    assert said is not None
    assert "“B” at layer 3" in said
    assert "layer 5 tells them apart best" in said
    assert inseparable("A", ["B", ""], [0.94, np.nan], (3, 5)) is None


def test_alphaedit_counts_each_protected_key_as_a_fact_written_before(tiny: LanguageModel) -> None:
    request = settled(tiny, asked("alphaedit", protected=(NEAR,)))
    assert request.protect_weight == 1.0
    held = ProtectedKeys(tiny, request, (0, 1), contexts(tiny, request), lambda *_, **__: None)
    counted = held.counted(1)
    assert counted is not None
    assert torch.equal(counted, held.named[1])
    assert float(torch.linalg.matrix_rank(counted)) == 3  # bare, and behind two texts


def test_a_prompt_without_a_subject_is_held_at_its_every_token_but_the_first(tiny: LanguageModel) -> None:
    request = settled(tiny, asked(protected=(WHOLE,)))
    held = ProtectedKeys(tiny, request, (0,), contexts(tiny, request), lambda *_, **__: None)
    assert float(torch.linalg.matrix_rank(held.named[0])) == len(tiny.encode(WHOLE.text).ids) - 1


def test_weights_are_shares_of_the_texts(tiny: LanguageModel) -> None:
    request = settled(tiny, asked(protected=(NEAR,), protect_weight=0.25))
    held = ProtectedKeys(tiny, request, (0,), (), lambda *_, **__: None)
    moment: Tensor = random_problem()[0]
    moment = torch.eye(len(held.named[0]), dtype=torch.float64) * 2
    assert float(held.beside(moment, 0).trace()) == pytest.approx(1.25 * float(moment.trace()))


def test_those_of_the_relation_are_written_out_and_scored_ones_are_not_among_them(tiny: LanguageModel) -> None:
    for fact in read_facts()[::37]:
        rewrite = Rewrite.of(fact, another_object(fact))
        if rewrite.target == fact.object:
            continue
        case = case_of(fact, another_object(fact))
        held = scored_subjects(case.probes)
        request = EditRequest(facts=case.rewrites, protect_keys="relation", held_out=held, layers=(0,))
        full = settled(tiny, request)
        assert full.protected
        assert settled(tiny, full) == full
        names = {bare(one.subject) for one in full.protected}
        assert bare(fact.subject) not in names
        assert not names & {bare(near.subject) for near in fact.neighbours}
        for one in (*full.protected, *class_subjects(full)):
            assert not any(
                bare(one.subject) in probe.prompt.casefold()
                for probe in case.probes
                if probe.kind in ("neighbour", "distracting")
            )


def test_a_sentence_of_no_stored_relation_is_refused_with_what_to_do(tiny: LanguageModel) -> None:
    with pytest.raises(BadRequest, match="protect_keys own"):
        settled(tiny, asked(protect_keys="relation"))


@pytest.mark.parametrize(
    "wrong", [{"prompt": "no slot", "subject": "x"}, {"prompt": "a {} slot"}, {"prompt": ""}, {"prompt": "a\x00b"}]
)
def test_a_protected_prompt_that_makes_no_sense_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Protected(**wrong)


def test_requests_without_protection_keep_their_keys() -> None:
    said = EditRequest(facts=(TOWER,)).model_dump(mode="json")
    assert not {"protect_keys", "protected", "protect_weight", "subjects_weight", "held_out"} & set(said)


@pytest.mark.real
def test_the_model_names_others_like_a_subject(smol: LanguageModel) -> None:
    fact = Rewrite(prompt="The government of {} has its capital in", subject="France", target="Rome")
    full = settled(smol, EditRequest(facts=(fact,), protect_keys="own"))
    names = [one.subject for one in full.protected]
    assert len(names) == len(set(names)) >= 4
    assert "France" not in names
    countries = {one.subject for one in read_facts() if one.relation in ("capital", "continent", "language")}
    assert sum(name in countries for name in names) >= len(names) / 2


def test_what_a_stream_protects_is_nothing_it_writes_or_scores_and_the_same_for_every_edit() -> None:
    cases = own_cases(read_facts())[:40]
    asked_of = [probe.prompt.casefold() for case in cases for probe in case.probes if probe.kind == "neighbour"]
    beside = beside_in_stream("rls+subjects", cases)
    each = [
        {one.line for one in class_subjects(EditRequest(facts=case.rewrites, **beside))}
        for case in (cases[0], cases[-1])
    ]
    assert each[0] == each[1]
    assert len(each[0]) > 50
    for one in class_subjects(EditRequest(facts=cases[0].rewrites, **beside)):
        assert not any(bare(one.subject) in prompt for prompt in asked_of)
    assert beside_in_stream("rome+sadr", cases) == {"sadr": 0.1}
    assert beside_in_stream("rome", cases) == {}


def test_a_version_is_said_in_one_way_and_others_are_refused() -> None:
    assert settled_version("rome+protect+sadr") == "rome+sadr+protect"
    assert label_of("memit+protect+early") == "MEMIT with protected neighbours and an early stop"
    assert LifelongRequest(cases=own_cases(read_facts())[:1], method="rls+subjects").solved
    for wrong in ("rome+", "rome+nothing", "prune+protect", "ft+protect", "none+protect"):
        with pytest.raises(ValueError, match="there is no method"):
            settled_version(wrong)
        with pytest.raises(ValueError, match="there is no method"):
            LifelongRequest(cases=own_cases(read_facts())[:1], method=wrong)
