"""Laws of prompts a new value leaves as they are, over tiny models of every family."""

from argparse import ArgumentParser
from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.errors import BadRequest
from analysis.facts.facts import another_object, read_facts
from analysis.study import silent
from app.bench.plain.target import _added, plain_search
from app.terminal.request_flags import add_fields, fields_of
from editors.cases.case import Case, case_of
from editors.edit.apply import written_over
from editors.edit.probes import Probe, bare
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation.protection import kept_answers
from editors.evaluation.result import EvaluateRequest
from editors.evaluation.run import edits_of
from editors.methods.defaults import settled
from editors.methods.protection.protected_prompts import (
    NEIGHBOURS,
    OTHERS,
    neighbours_of,
    stored_neighbours,
    subject_in,
)
from editors.methods.protection.protected_rows import protected_rows
from editors.methods.run import write
from editors.methods.search.target_search import search
from editors.methods.search.token_rows import contexts, rows_of
from tests.kit.edits import CITY, TOWER, asked

KEEP = {"others": ("mother of {} is", "{} was a"), "others_weight": 3.0}
NEAR = {"neighbours": ("the old river stands in a", "near Vorn a mother"), "behind_weight": 2.0, "near_weight": 1.0}
OPEN = {"kl": 0.5, "rate": 0.05, "enough": 1e-9, "clamp": 20.0}


def rows_for(lm, request):
    return [*rows_of(lm, request.facts, contexts(lm, request)), *protected_rows(lm, request)]


def distance(lm, change, rows):
    """Mean KL of what is said at the kept places from what was said, with a change at each row's subject."""
    far = []
    for row in rows:
        before, now = logs_of(lm, row, torch.zeros_like(change)), logs_of(lm, row, change)
        far.append((before.exp() * (before - now)).sum(-1).mean())
    return float(torch.stack(far).mean())


def logs_of(lm, row, change):
    with torch.no_grad(), _added(lm, [row], 1, {"value": change}):
        return lm.logits(torch.tensor([row.ids]))[0, list(row.kept)].log_softmax(-1)


@pytest.mark.parametrize("sites", [("value",), ("hidden",), ("attn", "value")])
def test_the_search_with_protected_prompts_is_the_whole_models(family, sites):
    request = settled(family, asked("rome", TOWER, CITY, **OPEN, **KEEP, **NEAR).model_copy(update={"method": "memit"}))
    rows = rows_for(family, request)
    assert sum(bool(row.kept) for row in rows) == 2 * 2 + 2 + 2
    found = search(family, rows, 1, sites, request)
    for fact in range(2):
        plain = plain_search(family, [row for row in rows if row.fact == fact], 1, sites, request)
        for site in sites:
            far = (plain[site] - found.change[site][fact]).norm() / plain[site].norm()
            assert far < 2e-3, (site, fact)


@pytest.mark.parametrize("method", ["rome", "memit", "emmet", "alphaedit", "pmet"])
def test_without_weight_it_is_the_base_editor_bit_for_bit(tiny, method):
    base = write(tiny, asked(method), glance=False)
    named = {"others": KEEP["others"], "neighbours": NEAR["neighbours"]}
    off = write(tiny, asked(method, **named), glance=False)
    on = write(tiny, asked(method, **KEEP), glance=False)
    for one, other, third in zip(base.changes, off.changes, on.changes, strict=True):
        assert (one.left == other.left).all()
        assert (one.right == other.right).all()
        assert not np.array_equal(one.left @ one.right, third.left @ third.right)


def test_it_says_less_otherwise_than_without(family):
    many = {"contexts": 0, "steps": 40, **OPEN, "kl": 0.0}
    free = settled(family, asked(**many))
    held = settled(family, asked(**many, **KEEP))
    rows = protected_rows(family, held)
    far = [
        distance(family, search(family, rows_for(family, one), 1, ("value",), one).change["value"][0], rows)
        for one in (free, held)
    ]
    assert far[1] < far[0]


def test_what_one_fact_protects_changes_no_other(family):
    """Their rows stand side by side in one batch, and each fact comes out as if it were searched alone."""
    request = settled(
        family, asked("memit", TOWER, CITY, **OPEN, others=("mother of tower of Aldra is",), others_weight=300.0)
    )
    rows = rows_for(family, request)
    assert {row.fact for row in rows if row.kept} == {0}
    together = search(family, rows, 1, ("value",), request).change["value"]
    without = settled(family, asked("memit", TOWER, CITY, **OPEN))
    alone = search(family, rows_for(family, without), 1, ("value",), without).change["value"]
    assert (together[1] - alone[1]).norm() / alone[1].norm() < 1e-3
    assert (together[0] - alone[0]).norm() / alone[0].norm() > 5e-3


def test_no_change_loses_nothing_of_the_subjects_others(family):
    request = settled(family, asked(**KEEP, steps=1))
    free = settled(family, asked(steps=1))
    held, plain = (search(family, rows_for(family, one), 1, ("value",), one).loss[0, 0] for one in (request, free))
    assert held == pytest.approx(plain, abs=1e-5)


def test_a_fact_whose_search_ends_takes_its_protected_rows_along(tiny):
    request = settled(tiny, asked("memit", TOWER, CITY, steps=30, enough=2.0, clamp=40.0, rate=0.5, **KEEP, **NEAR))
    rows = rows_for(tiny, request)
    together = search(tiny, rows, 1, ("value",), request)
    for index in range(2):
        own = request.model_copy(update={"facts": request.facts[index : index + 1]})
        mine = [row for row in rows if row.fact == index]
        assert mine
        alone = search(tiny, [row.__class__(**{**row.__dict__, "fact": 0}) for row in mine], 1, ("value",), own)
        assert torch.allclose(alone.change["value"][0], together.change["value"][index], atol=1e-3)


# Which prompts


def test_stored_prompts_are_none_that_a_score_is_taken_of():
    scored = {template for fact in read_facts() for template in (fact.prompt, *(other.prompt for other in fact.others))}
    assert not set(OTHERS) & scored
    for fact in read_facts():
        rewrite = Rewrite.of(fact, another_object(fact)) if another_object(fact) != fact.object else None
        if rewrite is None:
            continue
        asked_of = {bare(near.subject) for near in fact.neighbours} | {bare(fact.subject)}
        own = stored_neighbours(EditRequest(facts=(rewrite,)))
        assert len(own) == len(set(own)) <= NEIGHBOURS
        for text in own:
            before, _, after = fact.prompt.partition("{}")
            assert bare(text[len(before) : len(text) - len(after)]) not in asked_of


def test_a_settled_request_names_what_it_protects(tiny):
    france = next(fact for fact in read_facts() if fact.subject == "France")
    full = settled(tiny, EditRequest(facts=(Rewrite.of(france, "Rome"),), others_weight=1.0, behind_weight=1.0))
    assert full.others == OTHERS
    assert len(full.neighbours) == NEIGHBOURS
    assert neighbours_of(full, full.facts[0]) == full.neighbours
    plain = settled(tiny, EditRequest(facts=(Rewrite.of(france, "Rome"),)))
    assert not {"others", "neighbours", "others_weight"} & set(plain.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"others": ("a river is",), "others_weight": 1.0}, "must hold {} once"),
        ({"others": (TOWER.prompt,), "others_weight": 1.0}, "to be written and to stay"),
        ({"neighbours": ("a river is",), "near_weight": 1.0}, "no place for the change"),
    ],
)
def test_prompts_of_no_use_are_refused(tiny, named, said):
    with pytest.raises(BadRequest, match=said.replace("{}", r"\{\}")):
        settled(tiny, asked(**named))


def test_sentences_of_a_command_may_hold_commas():
    parser = ArgumentParser()
    add_fields(parser, EditRequest, leave_out={"facts"})
    words = ["--others", "{}, a tower, is", "--others", "in {}, people", "--layers", "3,4", "--others-weight", "1"]
    found = fields_of(parser.parse_args(words), EditRequest, facts=(TOWER,))
    assert found.others == ("{}, a tower, is", "in {}, people")
    assert found.layers == (3, 4)


def test_on_the_embedded_model_what_is_named_moves_less(smol):
    """Prompts about the edited subject, and neighbours behind the new fact, each named by a person."""
    fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
    others = ("{} was designed by", "{} was built in the year")
    neighbours = ("The Louvre is located in the city of", "Big Ben is located in the city of")
    far = []
    for weights in ({}, {"others_weight": 2.0, "behind_weight": 2.0}):
        asked_ = EditRequest(facts=(fact,), stop_after=2, others=others, neighbours=neighbours, **weights)
        made = write(smol, asked_, glance=False, probe=False)
        full = made.request.model_copy(update={"others_weight": 1.0, "behind_weight": 1.0})
        rows = protected_rows(smol, full)
        with torch.no_grad():
            wanted = [smol.logits(torch.tensor([row.alone or row.ids]), 1)[0, -1].log_softmax(-1) for row in rows]
            with written_over(smol, [made]):
                now = [smol.logits(torch.tensor([row.ids]), 1)[0, -1].log_softmax(-1) for row in rows]
                said = smol.next_word(smol.encode(fact.text)).argmax()
        assert smol.words([int(said)]) == [" Rome"]
        far.append([float((one.exp() * (one - two)).sum()) for one, two in zip(wanted, now, strict=True)])
    assert len(far[0]) == 4
    assert sum(far[1][:2]) < 0.8 * sum(far[0][:2])
    assert sum(far[1][2:]) < 0.8 * sum(far[0][2:])


def test_a_comparison_keeps_answers_that_it_does_not_score():
    france = next(fact for fact in read_facts() if fact.subject == "France")
    case = case_of(france, "Rome")
    told = OTHERS[0].replace("{}", france.subject)
    strange = replace(case, probes=(*case.probes, Probe(0, "other", told, "Rome", "wine")))
    assert kept_answers(EvaluateRequest(cases=(case,), methods=("rome+values",)))["others"] == OTHERS
    beside = kept_answers(EvaluateRequest(cases=(strange,), methods=("rome+values",)))
    assert beside["others"] == OTHERS[1:]
    subjects = {bare(near.subject) for near in france.neighbours}
    assert subjects <= {bare(one) for one in beside["held_out"]}
    assert not any(
        bare(subject_in(case.rewrite, text)) in subjects
        for text in stored_neighbours(EditRequest(facts=case.rewrites, held_out=beside["held_out"]))
    )


def test_a_comparison_writes_with_answers_kept(tiny):
    case = Case((TOWER,), ("city",), (Probe(0, "rewrite", TOWER.text, TOWER.target, "city"),), id="a")
    request = EvaluateRequest(cases=(case,), methods=("rome+values", "rome"), free=False)
    kept, plain = (edits_of(tiny, request, version, silent)[0] for version in request.methods)
    assert (kept.request.others, kept.request.others_weight) == (OTHERS, 1.0)
    assert not plain.request.others_weight
    assert not np.array_equal(kept.changes[0].left, plain.changes[0].left)
