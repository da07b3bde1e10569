"""Addresses of every page: what the page cannot take of one is named, whatever page it is; the rest stands."""

import pytest
from streamlit.testing.v1 import AppTest

from analysis import TraceRequest
from app.registry.studies import STUDIES
from app.session.address import PAGES
from tests.kit.traces import PROMPT, SUBJECT
from tests.kit.visiting import LINK, MAIN, WAIT, address, fine, run, text, visit
from tests.studies.test_pages import TITLES

EVERY = ("start", "models", "evaluate", "compare", "read", *sorted({*PAGES.values()} - {"models", "evaluate"}))
LEFT_OUT = "The link could not be read in full. Left out: "


@pytest.mark.parametrize("page", EVERY)
def test_what_a_page_cannot_take_of_its_address_is_named_once(loader, page):
    said = text(fine(visit(page, nonsense="<b>[x](http://a.example)")))
    assert said.count(f"{LEFT_OUT}nonsense (nothing this page asks for).") == 1
    assert "could not be read" not in text(fine(visit(page)))


@pytest.mark.parametrize(("page", "field"), [("trace", "seed"), ("compare", "one"), ("read", "chapter")])
def test_what_is_said_twice_is_left_out(loader, page, field):
    at = AppTest.from_file(MAIN, default_timeout=WAIT)
    at.query_params[field] = ["7", "8"]
    assert f"{LEFT_OUT}{field} (said more than once)." in text(fine(at.switch_page(f"../pages/{page}.py").run()))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"study": "trace"}, "is not named whole"),
        ({"result": "a" * 64}, "is not named whole"),
        ({"study": "nothing", "result": "a" * 64}, "is of a study that this server has no page for"),
        ({"study": "abilities", "result": "a" * 64}, "is of a study that this server has no page for"),
        ({"study": "trace", "result": "../x"}, "is not on this server"),
        ({"study": "trace", "result": "a" * 64}, "is not on this server"),
    ],
)
def test_a_result_that_is_not_there_is_told_of(loader, query, why):
    for page in ("start", "models", "trace"):
        assert f"The link leads to a result that {why}." in text(fine(visit(page, **query)))


def test_a_result_is_shown_on_its_own_page_wherever_the_link_leads(ready, tiny):
    run(fine(visit("trace", **LINK)))
    (kept,) = ready.history.recent("local")
    at = fine(visit("models", study="trace", result=kept.key))
    assert [title.value for title in at.title] == ["Where is the fact kept?"]
    assert at.session_state["trace.prompt"] == PROMPT
    assert ready.store.load(STUDIES["trace"], kept.key).request == TraceRequest.model_validate(kept.request)
    assert at.session_state["trace.subject"] == SUBJECT


BROKEN = [
    ("trace", {"samples": "abc"}),
    ("trace", {"kinds": "foo"}),
    ("trace", {"kinds": ""}),
    ("trace", {**LINK, "samples": "1000000"}),
    ("trace", {**LINK, "occurrence": "-1"}),
    ("trace", {**LINK, "replacement": "city"}),
    ("average", {"facts": "-3"}),
    ("average", {"kinds": "foo"}),
    ("lens", {"prompt": "\u0000", "answer": "x", "top": "1"}),
    ("models", {"x": "[](javascript:alert(1))"}),
]


@pytest.mark.parametrize(("page", "query"), BROKEN)
def test_a_broken_link_opens_the_page(ready, page, query):
    at = fine(visit(page, **query))
    assert [title.value for title in at.title] == [TITLES[page]]
    if page in ("trace", "average"):
        assert "The link could not be read" in text(at)


def test_a_broken_link_is_told_of_until_the_form_changes(ready):
    at = fine(visit("trace", samples="abc"))
    assert "The link could not be read" in text(fine(at.run()))
    at.session_state["trace.samples"] = 3
    assert "The link could not be read" not in text(fine(at.run()))


OUT_OF_THE_WAY = [
    ("trace", {"sigma": "5000"}),
    ("trace", {"sigma": "1e-9"}),
    ("trace", {"window": "500"}),
    ("trace", {"seed": "4294967295"}),
    ("trace", {"noise": "0"}),
    ("trace", {"occurrence": "7"}),
    ("trace", {"severing_noise": "published", "kinds": "severed_mlp,severed_attn"}),
    ("average", {"seed": "4294967295", "facts": "1000"}),
    ("average", {"relations": "no such relation"}),
    ("average", {"window": "3"}),
]


@pytest.mark.parametrize(("page", "query"), OUT_OF_THE_WAY)
def test_a_link_with_rare_values_keeps_them(ready, page, query):
    at = fine(visit(page, **(LINK if page == "trace" else {}) | query))
    assert not at.error
    for name, value in query.items():
        assert as_number(address(at)[name]) == as_number(value)


def as_number(value: str | list[str]) -> float | str:
    """A query parameter, so that 1e-9 is 1e-09."""
    value = value if isinstance(value, str) else value[0]
    try:
        return float(value)
    except ValueError:
        return value
