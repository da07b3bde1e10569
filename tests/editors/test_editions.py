"""Editions: what has come to mean other numbers is computed anew, and what has not is still found."""

import pytest

from analysis.study import Request
from editors.cases.case import Case
from editors.cases.chain_case import ChainCase, Hop
from editors.chain_reach.result import ReachRequest
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation.result import EvaluateRequest
from editors.lifelong_editing.result import LifelongRequest

FACT = Rewrite(prompt="the old {}", subject="tower", target="river")
CASE = Case(rewrites=(FACT,), olds=("city",), probes=())
CHAIN = ChainCase(
    id="a",
    rewrites=(FACT,),
    hops=(Hop(prompt="the old tower", answers=("river",)),),
    questions=("the?",),
    answers=("river",),
)


def asked(method: str) -> list[Request]:
    return [
        EditRequest(facts=(FACT,), method=method),
        EvaluateRequest(cases=(CASE,), methods=("rome", method)),
        ReachRequest(cases=(CHAIN,), methods=("rome", method)),
        LifelongRequest(cases=(CASE,), method=method),
    ]


@pytest.mark.parametrize("method", ["rome", "memit", "rls", "emmet", "alphaedit", "betaedit", "ace", "ft"])
def test_methods_that_note_one_value_are_found_where_they_were(method):
    assert all(request.own_edition() == type(request).edition for request in asked(method))


@pytest.mark.parametrize("method", ["pmet", "ifmet"])
def test_methods_that_note_two_values_are_computed_anew(method):
    assert all(request.own_edition() > type(request).edition for request in asked(method))


def test_aims_decide():
    def edition(method: str, aim: str) -> int:
        return EditRequest(facts=(FACT,), method=method, aim=aim).own_edition()

    assert edition("ace", "mlp") == edition("ifmet", "mlp") > edition("ace", "block") == edition("ifmet", "block")
    assert EvaluateRequest(cases=(CASE,), methods=("pmet+sadr",)).own_edition() > EvaluateRequest.edition


def test_a_key_of_an_edit_does_not_change():
    """Stored edits are found by it."""
    assert EditRequest(facts=(FACT,)).key("m") == "a6ad7106c3cbebe63bcf37c9"
