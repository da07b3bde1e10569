"""Pages that cannot rot: their examples run, their commands parse, their links and paths lead somewhere."""

import importlib.util
import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import analysis
import editors
from analysis import LanguageModel, ModelSpec
from app.chapters.from_commands import commands as listed
from app.chapters.produced import MARKER, produced
from app.cli import parser_for
from app.registry.studies import STUDIES, commands
from app.terminal.request_flags import fields_of
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write
from editors.registry.methods import METHODS
from tests.kit.places import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FLOORS = ("analysis/", "editors/", "app/", "pages/", "assets/", "tests/", "docs/")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return [code for _, kind, code in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def command_lines() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("palimpsest "):
                    yield named(page), shlex.split(line.replace("$PORT", "8501"), comments=True)[1:]


LINES = list(command_lines())


def one_sample(trace: Callable) -> Callable:
    return lambda lm, request: trace(lm, request.model_copy(update={"samples": 1}))


COMMANDS = {one.name: one for one in commands()}


@cache
def wrote(lm: LanguageModel, request: EditRequest) -> Edit:
    return write(lm, request)


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """What mkdocs runs; it needs no mkdocs to make its texts."""
    found = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.real
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_examples_run(page, smol, monkeypatch, tmp_path):
    """All of a page in turn, as in one notebook. Pages share the model and equal edits; traces take one sample."""
    monkeypatch.setattr(analysis, "load", lambda: smol, raising=False)
    monkeypatch.setattr(analysis, "trace", one_sample(analysis.trace))
    monkeypatch.setattr(editors, "write", lambda lm, request, **_: wrote(lm, request), raising=False)
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": named(page)}
    for number, code in enumerate(blocks(page, "python")):
        exec(compile(code, f"{named(page)}, example {number + 1}", "exec"), names)


@pytest.mark.parametrize(("page", "words"), LINES, ids=[f"{page}: {' '.join(words)}"[:90] for page, words in LINES])
def test_commands_are_taken(page, words, capsys):
    """By the parser, and by the request behind it where its fields alone make one."""
    try:
        args = parser_for(words).parse_args(words)
    except SystemExit:
        pytest.fail(f"{page}: palimpsest {shlex.join(words)}\n{capsys.readouterr().err}")
    if COMMANDS[words[0]].module == "app.cli.study_command":
        fields_of(args, STUDIES[words[0]].request)
    if hasattr(args, "source") and words[0] not in ("stats", "serve"):
        fields_of(args, ModelSpec)


@cache
def flags_of(command: str) -> frozenset[str]:
    def below(parser: ArgumentParser) -> Iterator[str]:
        yield from parser._option_string_actions
        for action in parser._actions:
            if isinstance(action, _SubParsersAction):
                for name, inner in action.choices.items():
                    if parser.prog != "palimpsest" or name == command:
                        yield from below(inner)

    return frozenset(below(parser_for([command])))


def test_commands_in_sentences_are_there():
    """`palimpsest average`, `palimpsest serve --public`: the command, and all flags that are said with it."""
    said = [(named(page), found) for page in PAGES for found in re.findall(r"`palimpsest ([a-z][^`]*)`", prose(page))]
    assert len(said) > 10
    for page, text in said:
        command, *words = text.split()
        assert command in COMMANDS, f"{page}: palimpsest {text}"
        unknown = {word for word in words if re.fullmatch(r"--[a-z-]+", word)} - flags_of(command)
        assert not unknown, f"{page}: palimpsest {text} has no {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_and_paths_lead_somewhere(page):
    text = prose(page)
    for target in LINK.findall(text):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            assert (page.parent / target.partition("#")[0]).exists(), target
    for path in re.findall(r"`([\w./-]+)`", text):
        if path.startswith(FLOORS):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("package", [analysis, editors], ids=lambda package: package.__name__)
def test_every_public_name_says_what_it_is(package):
    bare = [name for name in package.__all__ if not (getattr(package, name).__doc__ or "").strip()]
    assert not bare


def test_pages_are_filled_in_from_the_program():
    """Every marker has its text; every study stands on a page with its defaults; every command has its flags."""
    whole = {page: page.read_text(encoding="utf-8") for page in PAGES}
    asked = {study for text in whole.values() for word, study in MARKER.findall(text) if word == "defaults"}
    assert asked == set(STUDIES)
    for text in whole.values():
        assert not MARKER.search(produced(text))
    with pytest.raises(KeyError):
        produced("<!-- defaults: nothing -->")
    commands = listed("")
    assert [line[3:] for line in commands.splitlines() if line.startswith("## ")] == list(COMMANDS)
    assert all(f"`{flag}`" in commands for flag in ("--severing-noise", "--vary", "--who", "--no-sadr-selective"))


def test_every_editor_is_told_of():
    text = (ROOT / "docs" / "methods" / "editors.md").read_text(encoding="utf-8")
    assert not [method for method in METHODS if f"`--method {method}`" not in text]


def test_nothing_is_fetched_by_a_page(hooks):
    """A script, a sheet or a picture of another server is found; a link a person may follow is not."""
    assert hooks.FETCHED.search('<script src="https://unpkg.com/x.js"></script>')
    assert hooks.FETCHED.search("<link rel=stylesheet href=//fonts.example/a.css>")
    assert not hooks.FETCHED.search('<a href="https://example.org">a paper</a><script src="assets/x.js"></script>')
