"""A visit to the trace page: link, run, cell, cancel, line, reload, what is taken away."""

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlparse
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect

from app.bench.visits.served import Server
from tests.browser.visits import (
    COLOSSEUM,
    EIFFEL,
    SLOW,
    WALL,
    card_title,
    cells,
    click_cell,
    done,
    figure,
    follow,
    no_fault,
    press_trace,
    progress,
    starred,
    stopped,
)

pytestmark = pytest.mark.browser
SVG = "{http://www.w3.org/2000/svg}"


def test_cell_form_and_figure_are_kept(page: Page, server: Server) -> None:
    follow(page, server, **COLOSSEUM, samples="1", noise="2.5")
    press_trace(page)
    alt = done(page)
    address = dict(parse_qsl(urlparse(page.url).query))
    assert address == {**{name: COLOSSEUM[name] for name in ("prompt", "subject")}, "samples": "1", "noise": "2.5"}

    click_cell(page, 12, 3)
    expect(card_title(page)).to_contain_text("layer 12")
    ringed = page.locator(".st-key-trace-strip button.selected")
    expect(ringed).to_have_count(1)
    expect(ringed.locator(".index")).to_have_text("3")
    expect(card_title(page)).to_contain_text(ringed.locator(".word").inner_text().strip("·"))

    page.get_by_role("link", name="Lens").click()
    expect(page.get_by_role("heading", name="What would each state say?")).to_be_visible()
    page.get_by_role("link", name="Trace").click()
    expect(figure(page)).to_have_attribute("aria-label", alt)
    expect(page.get_by_label("Prompt")).to_have_value(COLOSSEUM["prompt"])
    expect(card_title(page)).to_contain_text("layer 12")
    expect(page).to_have_url(re.compile("samples=1"))
    assert dict(parse_qsl(urlparse(page.url).query)) == address

    page.reload()
    expect(figure(page)).to_have_attribute("aria-label", alt)
    assert progress(page).count() == 0
    no_fault(page)


def test_a_form_outlives_other_pages_however_fast_one_looks_at_them(page: Page, server: Server) -> None:
    """A run that is cut short, by its line of progress or by the next page, draws no field and may forget none."""
    follow(page, server, **COLOSSEUM, samples="100", noise="1.5")
    press_trace(page)
    expect(progress(page)).to_contain_text("cells", timeout=SLOW)
    for turn in range(4):
        expect(progress(page)).not_to_contain_text(f"{cells(page)} of", timeout=SLOW)  # it has redrawn itself
        page.get_by_role("link", name="Lens").click()
        expect(page.get_by_role("heading", name="What would each state say?")).to_be_visible()
        page.get_by_label("Prompt").fill(f"Tower {turn} is in")
        page.get_by_label("Prompt").press("Enter")
        page.get_by_role("link", name="Trace").click()
        expect(page.get_by_label("Prompt")).to_have_value(COLOSSEUM["prompt"])
        expect(page).to_have_url(re.compile("noise=1.5"))
    page.locator(".st-key-trace-cancel button").click()
    expect(stopped(page)).to_be_visible(timeout=SLOW)
    page.get_by_role("link", name="Lens").click()
    expect(page.get_by_label("Prompt")).to_have_value("Tower 3 is in")
    no_fault(page)


def test_cancel_keeps_what_there_is_and_continue_goes_on(page: Page, server: Server) -> None:
    follow(page, server, **EIFFEL, samples="4", seed="7")
    press_trace(page)
    expect(progress(page)).to_contain_text(re.compile(r"[1-9]\d* of 300 cells"), timeout=SLOW)
    page.get_by_role("button", name="Cancel").click()
    expect(stopped(page)).to_contain_text("Stopped after")
    before = re.search(r"Stopped after (\d+) of 300", stopped(page).inner_text())
    page.reload()
    expect(stopped(page)).to_contain_text("Stopped after")
    page.get_by_role("button", name="Continue").click()
    expect(progress(page)).to_contain_text(re.compile(r"\d of 300 cells"))
    assert before and cells(page) >= int(before[1])
    done(page)
    expect(stopped(page)).to_have_count(0)


def test_two_visitors_wait_in_line_and_never_meet(others: list[Page], server: Server) -> None:
    first, second = others
    follow(first, server, **WALL, kinds="state,mlp,attn", samples="20")
    follow(second, server, **COLOSSEUM, samples="1", seed="5")
    press_trace(first)
    expect(progress(first)).to_contain_text(re.compile(r"\d of 810 cells"), timeout=SLOW)
    press_trace(second)
    expect(progress(second)).to_contain_text("in line. One run ahead of you")
    second.get_by_role("button", name="Leave the line").click()
    expect(progress(second)).to_have_count(0)
    expect(second.get_by_text("Stopped before anything was computed")).to_be_visible()
    reached = cells(first)
    expect(progress(first)).to_contain_text("Cancel")

    press_trace(second)
    expect(progress(second)).to_contain_text("in line")
    first.get_by_role("button", name="Cancel").click()
    expect(stopped(first)).to_contain_text("Stopped after")
    kept = re.search(r"Stopped after (\d+) of 810", stopped(first).inner_text())
    assert kept and int(kept[1]) >= reached

    assert "Colosseum" in done(second)
    assert starred(first) == {"The", "Great", "Wall"}
    first.get_by_role("button", name="Discard").click()
    expect(first.get_by_text("Nothing traced yet")).to_be_visible()


def test_what_is_taken_away_agrees(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Trace this fact").click()
    expect(figure(page)).to_be_visible(timeout=SLOW)

    names: set[str] = set()
    key = page.locator(".st-key-trace-export code").inner_text()

    def take(name: str) -> bytes:
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        names.add(waiting.value.suggested_filename)
        return Path(waiting.value.path()).read_bytes()

    numbers = json.loads(take("JSON"))
    rows = [row for row in csv.DictReader(io.StringIO(take("CSV").decode("utf-8-sig"))) if row["kind"] == "state"]
    assert len(rows) == len(numbers["scores"]) * len(numbers["tokens"])
    for row in rows:
        assert float(row["probability"]) == numbers["scores"][int(row["layer"])][int(row["token_index"])]
    assert b"plotly" in take("HTML").lower()
    assert take("PNG").startswith(b"\x89PNG")
    book = json.loads(take("Notebook"))
    assert book["nbformat"] == 4
    assert names == {f"palimpsest-trace-{key}.{form}" for form in ("csv", "json", "html", "png", "ipynb")}


def test_a_picture_is_one_sheet_that_says_what_it_is_of(page: Page, server: Server) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(server.url)
    page.get_by_role("button", name="Trace this fact").click()
    expect(figure(page)).to_be_visible(timeout=SLOW)
    row = page.locator(".st-key-trace-export")

    def drawn() -> tuple[str, ElementTree.Element]:
        with page.expect_download() as waiting:
            row.get_by_role("button", name="SVG", exact=True).click()
        return waiting.value.suggested_filename, ElementTree.fromstring(Path(waiting.value.path()).read_bytes())

    name, svg = drawn()
    texts = ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]
    assert texts[0] == "Where is the fact kept?"
    for part in ("The Eiffel Tower is located in", "weights 3ac0c172da6b", "2026", "Ink: how much of “Paris” returns"):
        assert any(part in text for text in texts), part
    assert [title for title in texts if title in ("Hidden state", "MLP", "Attention")] == [
        "Hidden state", "MLP", "Attention",
    ]  # fmt: skip
    wide, high = (float(svg.get(side, 0)) for side in ("width", "height"))
    places = [(float(one.get("x", 0)), float(one.get("y", 0))) for one in svg.iter(f"{SVG}svg")][1:]
    assert len([place for place in places if place[1] > 0]) >= 3
    assert all(0 <= x < wide and 0 <= y < high for x, y in places)
    (ground,) = (one for one in svg.findall(f"{SVG}rect"))
    assert ground.get("fill") == "#F8F7F2"  # light, though the page is dark
    style = svg.find(f"{SVG}style")
    assert style is not None and "font/woff2;base64" in (style.text or "")
    row.get_by_label("dark").check()
    dark, other = drawn()
    assert dark == name.replace(".svg", "-dark.svg")
    assert other.find(f"{SVG}rect").get("fill") == "#12121D"  # type: ignore[union-attr]


def test_nonsense_gets_a_sentence(page: Page, server: Server) -> None:
    follow(page, server, **{**EIFFEL, "subject": "The Eifel Tower"})
    expect(page.get_by_text("is not in the prompt")).to_be_visible()
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("is not in the prompt")).to_have_count(0)
    expect(page.get_by_label("Subject", exact=True)).to_have_value("The Eiffel Tower")
    page.goto(f"{server.url}/trace?samples=abc")
    expect(page.get_by_text("The link could not be read")).to_be_visible()
    no_fault(page)
