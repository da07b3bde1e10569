"""What a visit must keep: the chosen cell, the form, a place in line, the reader's light; and a quiet console."""

import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlparse

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

WALL = {"prompt": "The Great Wall is located in the country of", "subject": "The Great Wall"}
COLOSSEUM = {"prompt": "The Colosseum is located in the city of", "subject": "The Colosseum", "kinds": "state"}
CANCEL_SECONDS = 5.0
"""A second or two where nothing else runs."""
SLOW = 120_000


@pytest.fixture
def others(browser: Browser) -> Iterator[list[Page]]:
    """Two people, each with a context of their own."""
    contexts = [browser.new_context(viewport={"width": 1280, "height": 1000}) for _ in range(2)]
    for context in contexts:
        context.set_default_timeout(60_000)
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def follow(page: Page, server: Server, **fields: str) -> None:
    page.goto(f"{server.url}/trace?{urlencode(fields)}")
    expect(page.get_by_role("listbox")).to_be_visible(timeout=SLOW)


def press(page: Page) -> None:
    page.locator(".st-key-trace-go button").click()


def progress(page: Page) -> Locator:
    return page.locator(".st-key-trace-progress")


def figure(page: Page, kind: str = "state") -> Locator:
    return page.locator(f'[class*="st-key-trace-{kind}-"] [role=figure]').first


def done(page: Page) -> str:
    """Wait for the end of a run; the alt text of its figure."""
    expect(figure(page)).to_have_attribute("aria-label", re.compile("most of"), timeout=SLOW)
    expect(progress(page)).to_have_count(0, timeout=2 * SLOW)
    return figure(page).get_attribute("aria-label") or ""


def cells(page: Page) -> int:
    found = re.search(r"(\d+) of \d+ cells", progress(page).inner_text())
    return int(found[1]) if found else 0


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


def test_cell_form_and_figure_are_kept(page: Page, server: Server) -> None:
    follow(page, server, **COLOSSEUM, samples="1", noise="2.5")
    press(page)
    alt = done(page)
    address = dict(parse_qsl(urlparse(page.url).query))
    assert address == {name: value for name, value in COLOSSEUM.items() if name != "kinds"} | {
        "samples": "1", "noise": "2.5",
    }  # fmt: skip

    click_cell(page, 12, 3)
    expect(page.locator(".st-key-trace-card h3")).to_contain_text("layer 12")
    ringed = page.locator(".st-key-trace-strip button.selected")
    expect(ringed).to_have_count(1)
    expect(ringed.locator(".index")).to_have_text("3")
    word = ringed.locator(".word").inner_text().strip("·")
    expect(page.locator(".st-key-trace-card h3")).to_contain_text(word)

    page.get_by_role("link", name="Lens").click()
    expect(page.get_by_role("heading", name="What would each state say?")).to_be_visible()
    page.get_by_role("link", name="Trace").click()
    expect(figure(page)).to_have_attribute("aria-label", alt)
    expect(page.get_by_label("Prompt")).to_have_value(COLOSSEUM["prompt"])
    expect(page.locator(".st-key-trace-card h3")).to_contain_text("layer 12")
    expect(page).to_have_url(re.compile("samples=1"))
    assert dict(parse_qsl(urlparse(page.url).query)) == address

    page.reload()
    expect(figure(page)).to_have_attribute("aria-label", alt)
    assert progress(page).count() == 0
    assert page.locator("[data-testid=stException]").count() == 0


def test_a_place_in_line_can_be_left(others: list[Page], server: Server) -> None:
    first, second = others
    follow(first, server, **WALL, kinds="state,mlp,attn", samples="20")
    follow(second, server, **COLOSSEUM, samples="1", seed="5")
    press(first)
    expect(progress(first)).to_contain_text(re.compile(r"\d of 810 cells"), timeout=SLOW)
    press(second)
    expect(progress(second)).to_contain_text("in line. One run ahead of you")
    second.get_by_role("button", name="Leave the line").click()
    expect(progress(second)).to_have_count(0)
    expect(second.get_by_text("Stopped before anything was computed")).to_be_visible()
    reached = cells(first)
    expect(progress(first)).to_contain_text("Cancel")

    press(second)
    expect(progress(second)).to_contain_text("in line")
    began = time.monotonic()
    first.get_by_role("button", name="Cancel").click()
    expect(first.locator(".st-key-trace-stopped")).to_contain_text("Stopped after")
    assert time.monotonic() - began < CANCEL_SECONDS
    stopped = re.search(r"Stopped after (\d+) of 810", first.locator(".st-key-trace-stopped").inner_text())
    assert stopped and int(stopped[1]) >= reached

    assert "Colosseum" in done(second)
    starred = first.locator(".js-plotly-plot .ytick text").filter(has_text="★")
    assert {tick.strip("★ ") for tick in starred.all_inner_texts()} == {"The", "Great", "Wall"}
    first.get_by_role("button", name="Discard").click()
    expect(first.get_by_text("Nothing traced yet")).to_be_visible()


def test_the_other_light_recolours_the_figures(page: Page, server: Server) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    expect(page.locator(".st-key-start-light .main-svg").first).to_be_visible()
    page.get_by_role("button", name="Trace this fact").click()
    expect(page.locator(".st-key-trace-state-light .main-svg").first).to_be_visible()
    for light in ("Dark", "Light"):
        page.locator("[data-testid=stMainMenu] button").first.click()
        page.get_by_role("menuitemradio", name=light).click()
        page.keyboard.press("Escape")
        expect(page.locator(f".st-key-trace-state-{light.lower()} .main-svg").first).to_be_visible()
        ticks = page.locator(".js-plotly-plot .ytick text").first.evaluate("tick => getComputedStyle(tick).fill")
        ink = sum(int(part) for part in re.findall(r"\d+", ticks)[:3])
        assert (ink > 384) == (light == "Dark")
    assert page.locator("[data-testid=stException]").count() == 0
    assert not errors


def test_the_console_stays_quiet(page: Page, server: Server) -> None:
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "console",
        lambda message: (
            said.append(f"{message.text} {message.location.get('url')}")
            # Streamlit looks for itself under the page's own path before it looks at the root.
            if message.type == "error" and "/_stcore/" not in (message.location.get("url") or "")
            else None
        ),
    )
    for path in ("", "trace", "average", "lens", "models"):
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading").first).to_be_visible()
        expect(page.get_by_test_id("stSidebarUserContent").get_by_text("Written over")).to_be_visible()
        page.wait_for_timeout(500)
        assert page.locator("[data-testid=stException]").count() == 0, path
    assert said == []


def test_a_result_fits_a_phone(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    try:
        page.goto(server.url)
        page.get_by_role("button", name="Trace this fact").click()
        expect(figure(page)).to_be_visible(timeout=SLOW)
        expect(page.locator(".st-key-trace-card")).to_be_visible()
        page.wait_for_timeout(1000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        page.close()
