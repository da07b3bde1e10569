"""Addresses of every page: what the page cannot take of one is named, whatever page it is; the rest stands."""

import pytest
from streamlit.testing.v1 import AppTest

from analysis import TraceRequest
from app.registry.studies import STUDIES
from app.session.address import PAGES
from tests.kit.traces import PROMPT, SUBJECT
from tests.kit.visiting import LINK, MAIN, WAIT, fine, run, text, visit

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
