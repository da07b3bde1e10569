"""What builds the workbench elsewhere asks the Makefile for what it has, and takes along what it needs."""

import re
import tomllib

import pytest
import yaml

from tests.kit.places import ROOT

TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
MAKE = re.compile(r"\bmake((?: [a-z-]+)+)")


def asked(text: str) -> set[str]:
    return {target for words in MAKE.findall(text) for target in words.split()}


def workflow_steps() -> str:
    found = [yaml.safe_load(file.read_text("utf-8")) for file in (ROOT / ".github" / "workflows").glob("*.yml")]
    return "\n".join(step.get("run", "") for flow in found for job in flow["jobs"].values() for step in job["steps"])


def test_container_and_workflow_call_targets_that_are_there():
    container = (ROOT / "Dockerfile").read_text("utf-8")
    assert asked(container) == {"setup", "model"}
    assert asked(workflow_steps()) == {"test", "docs"}
    assert {"setup", "model", "test", "docs", "run"} <= TARGETS


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/index.md", "docs/built.md"])
def test_pages_name_targets_that_are_there(page):
    text = (ROOT / page).read_text("utf-8")
    blocks = "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
    assert asked(blocks) <= TARGETS


def test_the_container_is_given_all_that_is_installed():
    given = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert given == packages | {"LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml"}
    assert all((ROOT / name).exists() for name in given)
