"""What only a browser can tell: first hits, clicks, progress and cancel, two visitors, downloads."""

import csv
import io
import json
import time
from pathlib import Path
from urllib.parse import urlencode, urlparse
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Download, Page, expect

from tests.browser.conftest import Server, start_server

pytestmark = pytest.mark.browser

EIFFEL = {"prompt": "The Eiffel Tower is located in the city of", "subject": "The Eiffel Tower", "kinds": "state"}
FRANCE = {"prompt": "The government of France has its capital in", "subject": "France", "kinds": "state"}
MAP = '[class*="st-key-trace-state-"] .main-svg'


def open_trace(page: Page, server: Server, **fields: str) -> None:
    """Open the trace page by a link and wait until the model has read the prompt."""
    page.goto(f"{server.url}/trace?{urlencode(fields)}")
    expect(page.get_by_role("heading", name="Where is the fact kept?")).to_be_visible()
    expect(page.get_by_role("listbox")).to_be_visible()


def press_trace(page: Page) -> None:
    page.get_by_role("button", name="Trace", exact=False).last.click()


def wait_until_done(page: Page) -> None:
    """Until the line with the progress has come and gone, and the map is there."""
    expect(page.locator(MAP).first).to_be_visible()
    expect(page.locator(".st-key-trace-progress")).to_have_count(0, timeout=240_000)


def card_title(page: Page) -> str:
    return page.locator(".st-key-trace-card h3").first.inner_text()


def test_a_first_hit_beside_the_start_page_keeps_the_shell(browser: Browser, tmp_path: Path) -> None:
    server = start_server(tmp_path / "home")
    try:
        page = browser.new_page()
        page.goto(f"{server.url}/models")
        expect(page.get_by_role("heading", name="Which model?")).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Written over")).to_be_visible()
        page.goto(f"{server.url}/models.py")
        expect(page.get_by_text("Written over")).to_be_visible(timeout=60_000)
        page.close()
    finally:
        assert server.stop() == 0


def test_the_start_page_shows_a_stored_result_and_asks_nobody_else(page: Page, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    expect(page.locator('[class*="st-key-start-"] .main-svg').first).to_be_visible()
    expect(page.get_by_text("Stored result, SmolLM2-135M-Instruct")).to_be_visible()
    hosts = {urlparse(url).hostname for url in asked if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    page.get_by_role("button", name="Trace this fact").click()
    expect(page.locator(MAP).first).to_be_visible()
    assert "Tower" in page.get_by_label("Prompt").input_value()


def test_a_trace_from_link_to_cell_to_reload(page: Page, server: Server) -> None:
    open_trace(page, server, **FRANCE, samples="2")
    assert page.get_by_label("Subject", exact=True).input_value() == "France"
    press_trace(page)
    wait_until_done(page)
    before = card_title(page)
    box = page.locator('[class*="st-key-trace-state-"] .nsewdrag').first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.985, box["y"] + box["height"] * 0.95)
    expect(page.locator(".st-key-trace-card h3").first).to_contain_text("layer 29")
    assert card_title(page) != before
    expect(page.locator(".st-key-rail, [class*='st-key-rail']").first).to_be_attached()
    page.reload()
    expect(page.locator(MAP).first).to_be_visible()
    assert page.locator(".st-key-trace-progress").count() == 0
    page.get_by_role("link", name="Lens").click()
    expect(page.get_by_role("heading", name="What would each state say?")).to_be_visible()
    page.get_by_role("link", name="Trace").click()
    expect(page.locator(MAP).first).to_be_visible()
    assert page.get_by_label("Prompt").input_value() == FRANCE["prompt"]


def test_cancel_keeps_what_there_is_and_continue_goes_on(page: Page, server: Server) -> None:
    open_trace(page, server, **EIFFEL, samples="3", seed="7")
    press_trace(page)
    expect(page.get_by_text("of 300 cells")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    stopped = page.locator(".st-key-trace-stopped")
    expect(stopped).to_contain_text("Stopped after")
    page.reload()
    expect(stopped).to_contain_text("Stopped after")
    page.get_by_role("button", name="Continue").click()
    expect(stopped).to_have_count(0)
    wait_until_done(page)
    expect(page.locator(".st-key-trace-stopped")).to_have_count(0)


def test_two_visitors_never_meet(browser: Browser, server: Server) -> None:
    pages = [browser.new_page(), browser.new_page()]
    for page, fields in zip(pages, (EIFFEL, FRANCE), strict=True):
        open_trace(page, server, **fields, samples="2", seed="11")
        press_trace(page)
    for page, word in zip(pages, ("Eiffel", "France"), strict=True):
        wait_until_done(page)
        assert word in page.get_by_label("Subject", exact=True).input_value()
        expect(page.locator(".js-plotly-plot .ytick text").filter(has_text="★").first).to_be_visible()
        stars = page.locator(".js-plotly-plot .ytick text").filter(has_text="★").all_inner_texts()
        assert any(word[-3:] in star for star in stars)
        page.close()


def test_nothing_scrolls_sideways_on_a_phone(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    for path in ("", "trace", "average", "lens", "models"):
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading").first).to_be_visible()
        page.wait_for_timeout(1500)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.close()


def test_what_is_taken_away_agrees(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Trace this fact").click()
    expect(page.locator(MAP).first).to_be_visible()

    def take(name: str) -> bytes:
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        got: Download = waiting.value
        return Path(got.path()).read_bytes()

    numbers = json.loads(take("JSON"))
    rows = list(csv.DictReader(io.StringIO(take("CSV").decode())))
    states = [row for row in rows if row["kind"] == "state"]
    for row in states:
        assert float(row["probability"]) == numbers["scores"][int(row["layer"])][int(row["token_index"])]
    assert len(states) == len(numbers["scores"]) * len(numbers["tokens"])
    assert b"plotly" in take("HTML").lower()
    assert take("PNG").startswith(b"\x89PNG")
    assert ElementTree.fromstring(take("SVG")).tag.endswith("svg")


def test_nonsense_gets_a_sentence(page: Page, server: Server) -> None:
    open_trace(page, server, **{**EIFFEL, "subject": "The Eifel Tower"})
    expect(page.get_by_text("is not in the prompt")).to_be_visible()
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("is not in the prompt")).to_have_count(0)
    page.goto(f"{server.url}/trace?samples=abc")
    expect(page.get_by_text("The link could not be read")).to_be_visible()
    assert page.locator("[data-testid=stException]").count() == 0


def test_the_end_comes_quickly_even_in_the_middle_of_a_run(browser: Browser, tmp_path: Path) -> None:
    server = start_server(tmp_path / "home")
    page = browser.new_page()
    open_trace(page, server, **EIFFEL, samples="10")
    press_trace(page)
    expect(page.get_by_text("of 300 cells")).to_be_visible(timeout=60_000)
    page.close()
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 20
    assert any((tmp_path / "home" / "results").glob("*.stopped"))
