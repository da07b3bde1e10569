"""What all pages share: first hits, width, light, a quiet console, a clean end."""

import re
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from app.bench.visits.served import Server, start_server
from tests.browser.visits import COLOSSEUM, EIFFEL, SLOW, WALL, figure, follow, no_fault, press_trace, progress

pytestmark = pytest.mark.browser

PAGES = (
    "",
    "trace",
    "average",
    "lens",
    "drift",
    "conflict",
    "neurons",
    "edit",
    "evaluate",
    "generate",
    "compare",
    "models",
    "read",
)


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


def test_the_console_stays_quiet_and_everything_asked_for_is_there(page: Page, server: Server) -> None:
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("response", lambda answer: said.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
        page.wait_for_timeout(500)
        no_fault(page)
    assert said == []


def test_what_a_link_says_is_told_as_text(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/generate?tokens=24&http://evil.example=1&seed=www.evil.example&chat={'[' * 3000}")
    told = page.get_by_text("The link could not be read in full")
    expect(told).to_be_visible()
    expect(told).to_contain_text("http://evil.example")
    expect(page.get_by_role("spinbutton", name="Longest, in tokens")).to_have_value("24")
    assert page.locator("a[href*=evil]").count() == 0
    no_fault(page)


def test_back_leads_to_the_page_before_at_once_and_its_form_is_as_it_was_left(page: Page, server: Server) -> None:
    follow(page, server, **WALL)
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.fill(COLOSSEUM["prompt"])
    prompt.press("Enter")
    expect(page).to_have_url(re.compile("Colosseum"))
    page.get_by_role("link", name="Lens", exact=True).click()
    expect(page.get_by_role("heading", name="What would each state say?")).to_be_visible()
    expect(page).to_have_url(re.compile("lens.*Eiffel"))
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("heading", name="Which model?")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="What would each state say?")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Where is the fact kept?")).to_be_visible()
    expect(prompt).to_have_value(COLOSSEUM["prompt"])
    expect(page).to_have_url(re.compile("Colosseum"))


CUT = """() => [...document.querySelectorAll('button p')].filter((label) => {
    if (!label.getClientRects().length) return false
    if (label.parentElement.scrollWidth > label.parentElement.clientWidth + 1) return true
    const walk = document.createTreeWalker(label, NodeFilter.SHOW_TEXT), range = document.createRange()
    for (let node; (node = walk.nextNode());) for (const word of node.data.matchAll(/\\S+/g)) {
        range.setStart(node, word.index)
        range.setEnd(node, word.index + word[0].length)
        if (range.getClientRects().length > 1) return true
    }
    return false
}).map((label) => label.innerText)"""


@pytest.mark.parametrize("width", [390, 720])
def test_every_button_can_be_read_on_a_phone_and_enlarged(browser: Browser, server: Server, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, device_scale_factor=2)
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading", level=1).or_(page.get_by_role("heading", level=2)).first).to_be_visible()
        page.wait_for_timeout(1500)
        assert page.evaluate(CUT) == [], path
    page.close()


RING = """() => {
    let at = document.activeElement
    while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
    if (at === document.body) return null
    const ringed = [at, at.closest('label')].some((one) => {
        if (!one) return false
        const { outlineStyle, outlineWidth } = getComputedStyle(one), { width, height } = one.getBoundingClientRect()
        return outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2 && width > 8 && height > 8
    })
    return [`${at.tagName} ${at.role ?? ''} ${at.ariaLabel ?? at.innerText}`, ringed]
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_focus_is_seen_wherever_the_keyboard_leads(browser: Browser, server: Server, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    seen = 0
    for path in ("trace", "evaluate", "models"):
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading", name="Written over")).to_be_visible()
        page.wait_for_timeout(2000)
        for _ in range(50):
            page.keyboard.press("Tab")
            at = page.evaluate(RING)
            if at is None:
                break
            seen += 1
            assert at[1], (path, at[0])
    assert seen > 60
    page.close()


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


def test_a_page_leads_to_its_chapter_beside_it(page: Page, server: Server) -> None:
    """In a window of its own, so that what stands on the page stays."""
    page.goto(f"{server.url}/lens")
    link = page.get_by_text("Read more:").get_by_role("link", name="Lens")
    with page.expect_popup() as opened:
        link.click()
    chapter = opened.value
    expect(chapter.get_by_role("heading", name="Lens: what would each state say?")).to_be_visible()
    expect(chapter.get_by_role("table").first).to_be_visible()
    no_fault(chapter)
    no_fault(page)
