"""The heartbeat of what draws itself again: it never comes into a drawing, and is given again where none followed."""

import pytest
from playwright.sync_api import Page

from app.components.element import _HERE

pytestmark = pytest.mark.browser
BEGIN = """source => import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'}))).then(found => {
  document.body.innerHTML = '<div data-testid="stApp" data-test-script-state="running"></div>'
  window.app = document.body.firstChild
  window.beats = []
  window.draw = number => found.default({
    data: {after: 1000, number}, parentElement: window.app, setTriggerValue: (name, value) => beats.push([name, value]),
  })
  window.leave = draw(1)
})"""


@pytest.fixture
def beating(page: Page) -> Page:
    page.clock.install()
    page.goto("about:blank")
    page.evaluate(BEGIN, (_HERE / "pulse.js").read_text(encoding="utf-8"))
    return page


def says(page: Page, state: str) -> None:
    page.evaluate("state => { app.dataset.testScriptState = state }", state)


def beats(page: Page, seconds: float) -> list[list]:
    """What was given in so many seconds."""
    page.evaluate("beats.length = 0")
    page.clock.run_for(round(1000 * seconds))
    return page.evaluate("beats")


def test_a_beat_waits_until_the_page_stands(beating):
    """One that comes as a drawing ends has its last words forgotten: the page stays half drawn."""
    assert beats(beating, 4) == []
    says(beating, "rerunRequested")
    assert beats(beating, 2) == []
    says(beating, "notRunning")
    assert beats(beating, 0.2) == [["beat", 1]]


def test_a_beat_no_drawing_followed_is_given_again(beating):
    says(beating, "notRunning")
    assert beats(beating, 1.1) == [["beat", 1]]
    assert beats(beating, 9) == []
    assert beats(beating, 2) == [["beat", 1]]
    beating.evaluate("void draw(2)")
    assert beats(beating, 1.1) == [["beat", 2]]
    beating.evaluate("leave()")
    assert beats(beating, 60) == []


def test_a_page_that_never_says_it_stands_is_asked_all_the_same(beating):
    assert beats(beating, 12) == [["beat", 1]]
    beating.evaluate("app.remove()")
    beating.evaluate("void draw(2)")
    assert beats(beating, 1.1) == [["beat", 2]]
