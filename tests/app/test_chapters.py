"""Chapters: what is produced in them, what each method's has, and that pages only lead to those that are there."""

import re

import pytest

from app.chapters import chapter as chapters
from app.chapters.example import chapter_examples
from app.chapters.from_program import studies
from app.chapters.produced import MARKER, PRODUCERS
from app.registry.studies import ENTRIES
from tests.kit.places import ROOT

DOCS = ROOT / "docs"
METHODS = sorted((DOCS / "methods").glob("*.md"))
CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\d\s?%|± ?\d|(?<!\d)\.\d|\d\.\d")
"""A share, a half width, a decimal: what only a measurement gives."""
CELL = re.compile(r"[−-]?\d*\.?\d+( ?%)?( \[.*\])?")


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("page", [page for page in METHODS if page.stem != "editors"], ids=lambda page: page.stem)
def test_a_method_says_once_what_it_asks_computes_takes_shows_and_where_it_is_from(page):
    """The editors stand on one page, each with its own form, difference and source."""
    text = page.read_text(encoding="utf-8")
    found = sections(text)
    assert re.match(r"# \w+: .+\?\n|# Edit: ", text)
    assert "```text" in text or "right when" in text, "no formula"
    assert "<!-- defaults: " in text
    for head in ("Where paper", "On the embedded model", "Source"):
        assert [name for name in found if name.startswith(head)], head
    assert re.search(r"Code:\s`", text)


def test_figures_in_chapters_are_produced():
    """What was seen on the embedded model holds no number of its own, nor does any table of README and chapters."""
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        shown = CODE.sub("", sections(text).get("On the embedded model", ""))
        assert not FIGURE.search(shown), f"{page.name}: {FIGURE.search(shown)}"
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
            numbers = [cell for cell in cells if CELL.fullmatch(cell)]
            assert len(numbers) <= len(cells) / 2, f"{page.name} has a row of figures that no benchmark gave: {line}"


def test_every_producer_has_its_place_and_every_example_its_table():
    whole = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    words = {word for word, _ in MARKER.findall(whole)}
    assert words == set(PRODUCERS)
    assert {part for word, part in MARKER.findall(whole) if word == "example"} == set(chapter_examples())


def test_the_readmes_studies_are_the_registrys():
    assert studies("docs") in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_study_of_ours_has_its_chapter():
    assert all((DOCS / entry.chapter).is_file() and entry.chapter for entry in ENTRIES.values())


def test_links_lead_to_chapters_that_are_there():
    """In chapters as the workbench shows them; what only the built pages have stays as words."""
    for name in chapters.there():
        text = chapters.chapter(name)
        assert not MARKER.search(text)
        targets = re.findall(r"\]\(read\?chapter=([^)#]+)", text)
        assert set(targets) <= set(chapters.there())
        assert not re.search(r"\]\([^)]*\.md\)", re.sub(r"\]\(read\?[^)]*\)", "", text)), name
    assert "reference/api.md" not in chapters.there()
    with pytest.raises(KeyError):
        chapters.chapter("../README.md")


def test_a_page_names_its_chapters(monkeypatch, tmp_path):
    assert chapters.read_more("average") == "[Average](read?chapter=methods/average.md)"
    assert chapters.read_more("edit").count("](read?") == 2
    assert chapters.read_more("compare") == ""
    monkeypatch.setattr(chapters, "DOCS", tmp_path)
    chapters.there.cache_clear()
    assert chapters.read_more("average") == ""
    chapters.there.cache_clear()


def test_a_chapter_that_is_not_there_is_named():
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(ROOT / "pages" / "read.py"))
    at.query_params["chapter"] = "[nothing](https://example.org)"
    at.run(timeout=60)
    assert not at.exception
    (said,) = [one.value for one in at.markdown if "no chapter" in one.value]
    assert "](https" not in said


FIELD = (
    "activation patching", "attention drift", "attribution patching", "back-patching", "bridge", "causal tracing",
    "context-aware decoding", "covariance", "direct logit attribution", "greedy", "indirect effect",
    "integrated gradients", "key", "KL", "knock-out", "knowledge neurons", "logit lens", "multi-hop", "path patching",
    "perplexity", "residual stream", "second moment", "SADR", "teacher forcing",
)  # fmt: skip
"""Terms of the field; those that any page says must stand in the glossary."""


def test_terms_that_pages_say_stand_in_the_glossary():
    said = "".join(
        path.read_text(encoding="utf-8")
        for path in [*(ROOT / "pages").glob("*.py"), *(ROOT / "app" / "studies").glob("*/*.py")]
        if path.name in ("view.py", "form.py", "captions.py", "words.py") or path.parent.name == "pages"
    )
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    used = [term for term in FIELD if re.search(rf"\b{term}\b", said)]
    assert len(used) > 10
    assert not [term for term in used if not re.search(rf"\b{term}\b", glossary)]
