"""Recipes solved together from the terminal."""

from functools import cache
from pathlib import Path

import pytest

from app.cli import main
from editors.edit.edit import Edit
from editors.edit.solved import solved
from editors.methods.run import write
from editors.recipes.recipe import read_recipe, write_recipe
from tests.app.test_cli_editing import FEW
from tests.conftest import cached
from tests.kit.edits import CITY, LAST, TOWER, asked


@cache
def made() -> tuple[Edit, Edit, Edit]:
    one, other = (write(cached("llama"), asked("rls", fact, layers=(1,))) for fact in (TOWER, CITY))
    return one, other, write(cached("llama"), asked())


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    found = [tmp_path / f"{name}.json" for name in ("one", "other", "rome")]
    for edit, place in zip(made(), found, strict=True):
        write_recipe(edit, place)
    return [str(place) for place in found]


def test_two_recipes_become_one(specs, places, tmp_path, capsys):
    out = tmp_path / "both.json"
    assert main(["recipe", "solve", *places[:2], "--out", str(out)]) == 0
    both = read_recipe(out)
    (whole,) = solved(made()[:2])
    assert both.id == whole.id
    assert both.parts == whole.parts
    assert "the old tower of Aldra" in capsys.readouterr().out
    assert main(["recipe", "verify", str(out)]) == 0
    assert main(["apply", str(out), "--format", "peft", "--out", str(tmp_path / "adapter")]) == 0


@pytest.mark.parametrize("chosen", [[0], [0, 2], [2]])
def test_what_cannot_be_solved_is_told(specs, places, tmp_path, capsys, chosen):
    out = tmp_path / "none.json"
    assert main(["recipe", "solve", *(places[one] for one in chosen), "--out", str(out)]) == 2
    assert "two recipes or more, all written by RLS" in capsys.readouterr().err
    assert not out.exists()


def test_an_edit_on_top_of_solved_recipes(specs, places, tmp_path, capsys):
    words = ["edit", "--prompt", LAST.prompt, "--subject", LAST.subject, "--target", LAST.target, "--method", "rls"]
    words += ["--targets", "stacked", "--layers", "1", *FEW, "--on", places[0], "--on", places[1]]
    assert main([*words, "--solved", "--out", str(tmp_path / "top.json")]) == 0
    (whole,) = solved(made()[:2])
    assert whole.id in read_recipe(tmp_path / "top.json").built_on
    stack = ["recipe", "solve", *places[:2], str(tmp_path / "top.json")]
    assert main([*stack, "--out", str(tmp_path / "all.json")]) == 0
    assert read_recipe(tmp_path / "all.json").changes[0].rank == 3


def test_edits_to_be_on_are_no_use_where_values_are_sought_on_the_base(specs, places, capsys):
    words = ["edit", "--prompt", LAST.prompt, "--subject", LAST.subject, "--target", LAST.target, "--method", "rls"]
    assert main([*words, "--layers", "1", *FEW, "--on", places[0]]) == 2
    assert "say --targets stacked" in capsys.readouterr().err
