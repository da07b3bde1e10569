"""What a visitor does on the trace page, and what they see there."""

import re
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from app.bench.visits.served import Server

EIFFEL = {"prompt": "The Eiffel Tower is located in the city of", "subject": "The Eiffel Tower", "kinds": "state"}
WALL = {"prompt": "The Great Wall is located in the country of", "subject": "The Great Wall"}
COLOSSEUM = {"prompt": "The Colosseum is located in the city of", "subject": "The Colosseum", "kinds": "state"}
SLOW = 120_000
"""Milliseconds a loaded machine may take."""


def follow(page: Page, server: Server, **fields: str) -> None:
    """Open the trace page by a link and wait until the model has read the prompt."""
    page.goto(f"{server.url}/trace?{urlencode(fields)}")
    expect(page.get_by_role("heading", name="Where is the fact kept?")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("listbox")).to_be_visible(timeout=SLOW)


def press_trace(page: Page) -> None:
    page.locator(".st-key-trace-go button").click()


def progress(page: Page) -> Locator:
    return page.locator(".st-key-trace-progress")


def stopped(page: Page) -> Locator:
    return page.locator(".st-key-trace-stopped")


def card_title(page: Page) -> Locator:
    return page.locator(".st-key-trace-card h3").first


def figure(page: Page, kind: str = "state") -> Locator:
    return page.locator(f'[class*="st-key-trace-{kind}-"] [role=figure]').first


def done(page: Page) -> str:
    """Wait for the end of a run; the alt text of its figure."""
    expect(figure(page)).to_have_attribute("aria-label", re.compile("most of"), timeout=SLOW)
    expect(progress(page)).to_have_count(0, timeout=2 * SLOW)
    return figure(page).get_attribute("aria-label") or ""


def cells(page: Page) -> int:
    """Cells computed, as the line above the figure says."""
    found = re.search(r"(\d+) of \d+ cells", progress(page).inner_text())
    return int(found[1]) if found else 0


def starred(page: Page) -> set[str]:
    """Tokens marked as the subject in the figure."""
    ticks = page.locator(".js-plotly-plot .ytick text").filter(has_text="★")
    return {tick.strip("★ ") for tick in ticks.all_text_contents()}


def click_cell(page: Page, layer: int, token: int) -> None:
    """Click where the map of states has this cell."""
    figure(page).scroll_into_view_if_needed()
    x, y = page.evaluate(
        """([layer, token]) => {
            const plot = document.querySelector('[class*="st-key-trace-state-"] .js-plotly-plot')
            const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect()
            return [box.left + xaxis._offset + xaxis.l2p(layer), box.top + yaxis._offset + yaxis.l2p(token)]
        }""",
        [layer, token],
    )
    page.mouse.click(x, y)


def no_fault(page: Page) -> None:
    assert page.locator("[data-testid=stException]").count() == 0
