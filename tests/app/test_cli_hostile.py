"""Every flag of every command set to what it cannot be: a sentence and exit code 2, or the work begins."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis import plan
from analysis.errors import WorkbenchError
from app.cli import main, models, parser_for
from app.registry.studies import commands
from app.terminal import request_flags
from tests.kit.commands import refused
from tests.kit.hostile_words import BASE, VALUES, actions, cases, places
from tests.kit.places import ROOT
from tests.kit.recipes import made

SOME = 2
"""Wrong values tried of each flag; all of them take a quarter of an hour."""
BEGUN = "The work begins."
HERE = ("studies", "recipe", "data", "report", "apply")
"""Commands that need no model: they may end with what they found."""


@pytest.fixture
def nothing_behind(monkeypatch, tmp_path) -> None:
    """No model and no server: a command that comes so far says so."""

    def begin(*_: Any, **__: Any) -> Any:
        raise WorkbenchError(BEGUN)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(request_flags, "load", begin)
    for name in ("plan", "embedded_folder", "_from_hub"):
        monkeypatch.setattr(models, name, begin)
    monkeypatch.setattr(os, "execve", begin)


def test_every_command_is_tried():
    assert {one.name for one in commands()} == {command.split()[0] for command in BASE}


@pytest.mark.parametrize("command", list(BASE))
def test_no_flag_makes_a_command_fall(nothing_behind, tmp_path, capsys, command):
    from editors.recipes.recipe import write_recipe

    write_recipe(made(), tmp_path / "recipe.json", "Ada")
    (tmp_path / "wrong").mkdir()
    wrong = places(tmp_path / "wrong")
    there = {"RECIPE": "recipe.json", "FILE": wrong["null.json"], "CASES": str(ROOT / "tests/editors/forms/facts.json")}
    fallen: dict[str, Any] = {}
    for label, words in cases(command, VALUES | {f"file {what}": value for what, value in wrong.items()}, SOME):
        try:
            code = main([there.get(word, word) for word in words])
        except Exception as error:  # whatever it is, it is what is looked for
            fallen[label] = error
            continue
        out, err = capsys.readouterr()
        allowed = (0, 1, 2) if command.split()[0] in HERE or (code == 0 and "on this machine" in out) else (2,)
        if code not in allowed or (code == 2 and not err.strip()) or "Traceback" in err:
            fallen[label] = (code, err)
    assert fallen == {}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["generate", "--prompt", "a", "--tokens", "0"], "tokens"),
        (["facts", "--at-least", "2"], "--at-least"),
        (["facts", "--at-least", "nan"], "--at-least"),
        (["facts", "--relation", ""], "relations"),
        (["lens", "--prompt", "a", "--answer", ""], "--answer"),
        (["lens", "--prompt", "a", "--answer", " "], "--answer"),
        (["lens", "--prompt", os.fsdecode(b"\xff")], "UTF-8"),
        (["generate", "--prompt", "a", "--recipe", ""], "--recipe"),
        (["generate", "--prompt", "a", "--recipe", "a" * 5000], "too long"),
        (["model", "pull", "a" * 5000], "too long"),
        (["model", "pull", "./empty"], "not a GGUF file"),
        (["model", "pull", "./bare"], "could not be read"),
        (["recipe", "verify", "recipe.json", "--head", ""], "--head: it is empty"),
        (["recipe", "verify", "recipe.json", "--key", ""], "--key: it is empty"),
        (["recipe", "sign", "recipe.json", "--key", "key", "--who", ""], "--who: it is empty"),
        (["serve", "--address", "\u202ea"], "cannot be listened on"),
        (["serve", "--host", "http://a"], "not a name"),
        (["serve", "--admit", "a@b.example"], "--login"),
        (["serve", "--login", "none.toml"], "none.toml"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(nothing_behind, monkeypatch, tmp_path, capsys, words, part):
    monkeypatch.setattr(models, "plan", plan)
    (tmp_path / "empty").touch()
    (tmp_path / "bare").mkdir()
    assert part in refused(capsys, *words)


@pytest.mark.parametrize(
    "command", [*BASE, "recipe show", "recipe diff", "recipe sign", "recipe key new", "model list"]
)
def test_no_flag_takes_a_blank(capsys, command):
    words, parser = command.split(), parser_for(command.split())
    taken = []
    for action in actions(command):
        for blank in ("", " \t"):
            given = [f"{action.option_strings[0]}={blank}"] if action.option_strings else [blank]
            try:
                parser.parse_args([*words, *(BASE.get(command, []) if action.option_strings else []), *given])
                taken.append(action.dest)
            except SystemExit as ended:
                assert ended.code == 2
    assert taken == []


def test_a_table_of_nothing_but_its_head_is_refused(nothing_behind, capsys, tmp_path):
    (tmp_path / "head.csv").write_text("prompt,subject,target\n", encoding="utf-8")
    for words in (["data", "check"], ["evaluate", "--data"], ["sweep", "lens", "--data"]):
        assert "no records" in refused(capsys, *words, "head.csv")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_told_of():
    with FULL.open("w") as full:
        words = [sys.executable, "-m", "app.cli", "studies"]
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr == "The disk: No space left on device. Nothing whole was changed.\n"


def test_bytes_that_are_no_text_are_told_of():
    words = [sys.executable.encode(), b"-m", b"app.cli", b"lens", b"--prompt", b"\xff\xfe"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.decode() == "Argument 3, “��”, is not UTF-8. Write it in UTF-8.\n"
