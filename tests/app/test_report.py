"""The HTML report: one file that holds together, loads nothing, runs nothing, and shows hostile text as text."""

from html.parser import HTMLParser

import numpy as np
import pytest

from app.charts.palette import written
from app.studies.evaluate.reports.html import html_report
from app.studies.evaluate.reports.markdown import markdown_report
from editors.cases.case import Case
from editors.edit.probes import Probe
from editors.edit.request import Rewrite
from editors.evaluation.gates import DEFAULT
from editors.evaluation.result import PROTOCOLS, EvaluateRequest, EvaluateResult

HOSTILE = "<script>alert('x')</script> & \"</style><img src=//evil.example onerror=alert(1)>"
VOID = {"meta", "line", "circle", "br"}


class Reader(HTMLParser):
    """Checks that tags match, and keeps what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def result() -> EvaluateResult:
    rewrite = Rewrite(prompt="{} is in", subject=HOSTILE, target=HOSTILE)
    probes = (Probe(0, "rewrite", rewrite.text, HOSTILE, "x"), Probe(0, "neighbour", HOSTILE, HOSTILE, "x"))
    cases = tuple(Case((rewrite,), ("x",), probes, (), f"{HOSTILE}{at}") for at in range(3))
    values = np.random.default_rng(1).random((3, len(PROTOCOLS), 6))
    values[:, list(PROTOCOLS).index("strict")] = [[0, 1, 1, np.nan, 1, 0]] * 3
    values[1, list(PROTOCOLS).index("likelihood")] = 0
    values[0, list(PROTOCOLS).index("likelihood")] = 1
    values[2] = np.nan
    one = np.ones((3, 3))
    return EvaluateResult(
        EvaluateRequest(cases=cases, methods=("rome", "ft")), {"name": HOSTILE, "weights_hash": "abc"},
        ["none", "rome", "ft"], np.repeat(np.arange(3), 2), ["rewrite", "neighbour"] * 3, [rewrite.text, HOSTILE] * 3,
        values, [[HOSTILE] * 6] * 3, one, one, one, [f"ft, {HOSTILE}"], [HOSTILE],
        {"created_at": "now", "seconds": 1.0, "palimpsest": "0", "versions": {"torch": HOSTILE}},
    )  # fmt: skip


def test_it_is_one_sound_document_that_asks_for_nothing(result):
    for gate in (None, DEFAULT):
        text = html_report(result, gate)
        page = read(text)
        names = {tag for tag, _ in page.tags}
        assert text.startswith("<!doctype html>")
        assert not names & {"script", "img", "link", "iframe", "object", "form", "base"}
        for _, attributes in page.tags:
            assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "style")}
        style = text[text.index("<style>") : text.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style
        assert "default-src &#x27;none&#x27;" in text


def test_hostile_text_is_text(result):
    text = html_report(result, DEFAULT)
    assert "<script" not in text
    assert "<img" not in text
    said = "".join(read(text).words)
    assert said.count(HOSTILE) >= 20
    assert text.count("</style>") == 1


def test_both_lights_are_there(result):
    text = html_report(result)
    assert "@media (prefers-color-scheme: dark)" in text
    for light in ("light", "dark"):
        assert written(light).over in text  # type: ignore[arg-type]
        assert written(light).grid in text  # type: ignore[arg-type]
    assert 'content="light dark"' in text


def test_every_number_has_a_dot_and_a_bar(result):
    page = read(html_report(result))
    drawn = sum(tag == "circle" for tag, _ in page.tags)
    there = sum(
        result.mean(at, protocol, kind) is not None
        for at in range(3)
        for protocol in PROTOCOLS
        for kind in result.there()
    )
    assert drawn == there > 0
    for tag, attributes in page.tags:
        if tag == "line":
            assert 0 <= float(attributes["x1"] or -1) <= float(attributes["x2"] or -1) <= 220


def test_it_says_what_the_markdown_says_and_more(result):
    said, told = "".join(read(html_report(result, DEFAULT)).words), markdown_report(result)
    for row in (line for line in told.splitlines() if line.startswith("| rome")):
        for cell in row.split("|")[2:-1]:
            assert cell.strip() in said
    for part in ("Does it pass?", "ROME: reject", "Fine-tuning: hold", "Worst first, ROME", "Refused", DEFAULT.hash):
        assert part in said
    assert "Does it pass?" not in "".join(read(html_report(result)).words)
    assert "Worst first, Fine-tuning" not in said
