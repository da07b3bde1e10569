"""Links say what the form says, both ways; what is wrong in one is named and left out."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from analysis import AverageRequest, HopsRequest, KnownRequest, LensRequest, NeuronsRequest, TraceRequest
from analysis.facts.chains import read_chains
from analysis.facts.facts import read_facts
from app.bench.hostile import links
from app.registry.studies import STUDIES
from app.session.permalinks import link, read, to_query
from editors import (
    AbilitiesRequest,
    DriftRequest,
    DriftsRequest,
    EditRequest,
    EvaluateRequest,
    GenerateRequest,
    LayersRequest,
    LifelongRequest,
    MovedRequest,
    PatchRequest,
    QuizRequest,
    ReachRequest,
    Rewrite,
)
from editors.cases.case import case_of
from editors.cases.chain_files import case_of_chain
from tests.kit import conflicts

REQUESTS = [
    TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower"),
    TraceRequest(
        prompt="A & B = “c”, 100 %? + São #1; d",
        subject="São",
        occurrence=0,
        answer="x, y",
        foil="z",
        kinds=("severed_attn", "state"),
        window=4,
        corruption="replace",
        replacement="Rio",
        noise=0.1,
        sigma=0.123456789,
        samples=1,
        seed=2**32 - 1,
        severing_noise="published",
    ),
    AverageRequest(),
    AverageRequest(facts=12, relations=("capital", "language"), at_least=0.25, kinds=("mlp",), window=3, seed=0),
    LensRequest(prompt="one\ntwo", answer="3"),
    KnownRequest(),
    NeuronsRequest(prompt="a b", mode="screened", form="dot", counts=(2, 5), top=7),
    HopsRequest(chains=("a/b/c", "d/e"), second=("capital",), limit=3, knock_out=True, stride=2),
    KnownRequest(relations=("capital",)),
    GenerateRequest(prompt=("A, b; c", '["x"]', "plain"), seed=4),
    GenerateRequest(prompt=("The Eiffel Tower is",)),
    EditRequest(facts=(Rewrite(prompt="{} is, as said, in", subject="a, b", target="São"),), layers=(4, 5)),
    DriftRequest(prompt="a b in", subject="b", answer="c, d", grids=("mlp",)),
    DriftRequest(prompt="a b in", subject="b", window=2),
    PatchRequest(prompt="a b in", subject="b", heads=("3.1", "4-7")),
    DriftsRequest(tasks=("relation",)),
    MovedRequest(fact=1, weights=(0.0, 0.25, 3.0)),
    LayersRequest(facts=(Rewrite(prompt="{} is in", subject="a", target="b"),), layers=(1, 4)),
    ReachRequest(cases=(case_of_chain(read_chains()[0], "second"),), methods=("ace",), thoughts=True),
    EvaluateRequest(cases=(case_of(read_facts()[0], "x, y"),), methods=("ft",), mode="batch"),
    LifelongRequest(cases=(case_of(read_facts()[0], "x, y"),), milestones=(1, 7), abilities=False),
    QuizRequest(cases=(case_of(read_facts()[0], "x, y"),), methods=("rome+sadr",), turns=0),
    AbilitiesRequest(),
    *conflicts.REQUESTS.values(),
]


def test_every_study_is_tried():
    assert {type(request) for request in REQUESTS} == {study.request for study in STUDIES.values()}


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_there_and_back(request_):
    assert read(type(request_), to_query(request_)).request == request_
    address = urlsplit(link("trace", request_))
    query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
    assert address.path == "/trace"
    assert read(type(request_), query).request == request_


def test_defaults_are_left_out():
    assert set(to_query(REQUESTS[0])) == {"prompt", "subject"}


def test_other_parameters_are_left_to_others():
    query = {**to_query(REQUESTS[0]), "theme": "dark"}
    assert read(TraceRequest, query).request == REQUESTS[0]


def test_every_fault_is_named():
    found = read(TraceRequest, {"prompt": "a b", "samples": "many", "noise": "-1"})
    assert set(found.faults) == {"subject", "samples", "noise"}
    assert "samples (a whole number is wanted)" in found.sentence()


def test_the_rest_of_a_broken_link_is_taken():
    found = read(TraceRequest, {"prompt": "a b", "subject": "b", "samples": "many", "seed": "7", "kinds": "foo"})
    assert found.request == TraceRequest(prompt="a b", subject="b", seed=7)
    assert set(found.faults) == {"samples", "kinds.0"}


def test_what_a_link_does_not_say_comes_from_the_form():
    assert read(GenerateRequest, {"tokens": "24"}, {"prompt": ["a, b"]}).request == GenerateRequest(
        prompt=("a, b",), tokens=24
    )


def test_fields_that_do_not_fit_together_are_kept_and_told_of():
    found = read(TraceRequest, {"prompt": "a b", "subject": "b", "replacement": "c", "seed": "7"})
    assert found.faults == {}
    assert "corruption" in found.misfit
    assert (found.request.replacement, found.request.seed) == ("c", 7)


def test_a_sentence_about_a_link_stays_short():
    found = read(
        TraceRequest,
        {"prompt": "a b", "subject": "b", "chat": json.dumps({"x" * 9000: 1, **dict.fromkeys(map(str, range(99)), 1)})},
    )
    assert 0 < len(found.sentence()) < 2000


def test_brackets_without_end_are_no_list():
    for name, text in (("chat", "[" * 100_000), ("kinds", '["' + "[" * 100_000), ("chat", '{"a":' * 100_000)):
        assert read(TraceRequest, {"prompt": "a b", "subject": "b", name: text}).faults


def test_every_hostile_link_is_read():
    wrong = {label: said for label, link_ in links.cases(11, 400) if (said := links.judge(link_))}
    assert wrong == {}
