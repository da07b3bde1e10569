"""The map of words on a phone."""

import pytest
from playwright.sync_api import Page

from app.bench.visits.served import Server
from tests.browser.visits import SLOW

pytestmark = pytest.mark.browser
FIT = """() => {
    const words = [...document.querySelectorAll('.js-plotly-plot .scatterlayer text')]
    const { xaxis } = document.querySelector('.js-plotly-plot')._fullLayout
    const cell = xaxis._length / xaxis.tickvals.length
    return words.length > 0 && words.every(word => word.getBoundingClientRect().width < cell)
}"""


def test_words_of_the_lens_fit_their_cells_on_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{server.url}/lens?prompt=The+Eiffel+Tower+is+located+in+the+city+of")
    page.locator(".js-plotly-plot .scatterlayer text").first.wait_for(timeout=SLOW)
    page.wait_for_function(FIT, timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
