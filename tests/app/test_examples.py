"""The example of each public function is run, and each says what it takes, gives back and refuses."""

import inspect
from doctest import NORMALIZE_WHITESPACE, DocTestFinder, DocTestRunner
from functools import cache

import pytest

import analysis
import editors
from analysis import LanguageModel
from editors import Edit, EditRequest, Rewrite, write

FUNCTIONS = {
    name: made
    for package in (analysis, editors)
    for name in package.__all__
    if inspect.isfunction(made := getattr(package, name))
}
SHOWN = {name: made for name, made in FUNCTIONS.items() if ">>>" in (made.__doc__ or "")}
LONG = {"lifelong", "reach", "sweep_layers", "abilities", "read_facts"}
"""Those whose shortest run takes minutes, or that take nothing."""


@cache
def rome(lm: LanguageModel) -> Edit:
    fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
    return write(lm, EditRequest(facts=(fact,)))


def test_every_public_function_says_what_it_takes():
    unsaid = [name for name, made in FUNCTIONS.items() if name != "read_facts" and "Args:" not in (made.__doc__ or "")]
    assert not unsaid
    assert FUNCTIONS.keys() - SHOWN.keys() <= LONG


@pytest.mark.real
@pytest.mark.parametrize("name", SHOWN)
def test_its_example_is_true(name, smol, tmp_path):
    made = SHOWN[name]
    wanted = {"lm": smol, "folder": tmp_path, name: made} | ({"edit": rome(smol)} if "edit" in made.__doc__ else {})
    (example,) = DocTestFinder(recurse=False).find(made, name, globs=wanted)
    said: list[str] = []
    assert DocTestRunner(optionflags=NORMALIZE_WHITESPACE).run(example, out=said.append).failed == 0, "".join(said)
