"""What all pages share: first hits, width, light, a quiet console, a clean end."""

import re
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from app.bench.served import Server, start_server
from tests.browser.visits import EIFFEL, SLOW, figure, follow, no_fault, press_trace, progress

pytestmark = pytest.mark.browser

PAGES = ("", "trace", "average", "lens", "models")


def test_a_first_hit_beside_the_start_page_keeps_the_shell(browser: Browser, tmp_path: Path) -> None:
    server = start_server(tmp_path / "home")
    page = browser.new_page()
    try:
        page.goto(f"{server.url}/models")
        expect(page.get_by_role("heading", name="Which model?")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
        page.goto(f"{server.url}/models.py")
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
    finally:
        assert server.stop() == 0
        page.close()


def test_the_end_comes_quickly_even_in_the_middle_of_a_run(browser: Browser, tmp_path: Path) -> None:
    server = start_server(tmp_path / "home")
    page = browser.new_page()
    follow(page, server, **EIFFEL, samples="10")
    press_trace(page)
    expect(progress(page)).to_contain_text("of 300 cells", timeout=SLOW)
    assert server.stop() == 0
    assert any((tmp_path / "home" / "results").glob("*.stopped"))
    page.close()


def test_the_start_page_shows_a_stored_result_and_asks_nobody_else(page: Page, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    expect(page.locator('[class*="st-key-start-"] .main-svg').first).to_be_visible()
    expect(page.get_by_text("Stored result, SmolLM2-135M-Instruct")).to_be_visible()
    assert {urlparse(url).hostname for url in asked if url.startswith("http")} == {"127.0.0.1"}


def test_the_other_light_recolours_the_figures(page: Page, server: Server) -> None:
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
    no_fault(page)


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
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
        page.wait_for_timeout(500)
        no_fault(page)
    assert said == []


def test_nothing_scrolls_sideways_on_a_phone(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")

    def fits() -> bool:
        page.wait_for_timeout(1000)
        return page.evaluate("document.documentElement.scrollWidth") <= 390

    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading", level=1).or_(page.get_by_role("heading", level=2)).first).to_be_visible()
        assert fits(), path
    page.goto(server.url)
    page.get_by_role("button", name="Trace this fact").click()
    expect(figure(page)).to_be_visible(timeout=SLOW)
    expect(page.locator(".st-key-trace-card")).to_be_visible()
    assert fits()
    page.close()
