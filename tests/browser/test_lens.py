"""The map of words on a phone."""

import pytest
from playwright.sync_api import Page

from app.bench.visits.served import Server
from tests.browser.visits import SLOW

pytestmark = pytest.mark.browser
APART = """() => {
    const rows = new Map()
    for (const word of document.querySelectorAll('.js-plotly-plot .scatterlayer text')) {
        const box = word.getBoundingClientRect()
        rows.set(Math.round(box.top), [...(rows.get(Math.round(box.top)) ?? []), box])
    }
    const sorted = [...rows.values()].map(row => row.sort((one, other) => one.left - other.left))
    return rows.size > 0 && sorted.every(row => row.every((box, at) => at === 0 || row[at - 1].right <= box.left + 1))
}"""


def test_words_of_the_lens_stand_apart_on_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{server.url}/lens?prompt=The+Eiffel+Tower+is+located+in+the+city+of")
    page.locator(".js-plotly-plot .scatterlayer text").first.wait_for(timeout=SLOW)
    page.wait_for_function(APART, timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
