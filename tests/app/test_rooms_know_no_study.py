"""A study is named in its own folders, the registry, the public names and the README: in no generic room."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.studies import ENTRIES
from tests.kit.places import ROOT

ROOMS = (
    "registry", "jobs", "session", "shell", "exports", "sweeps", "charts", "components", "terminal", "cli",
)  # fmt: skip
LIST = ROOT / "app" / "registry" / "studies.py"
FILES = sorted(path for room in ROOMS for path in (ROOT / "app" / room).rglob("*.py") if path != LIST)
CARD = {"name", "layers", "heads", "dtype", "device"}
"""Words of a model's card that pages read."""
KNOWN = {"STUDIES", "ENTRIES", "PAGES"}
"""What is asked for a study by its name."""


def other_meanings() -> set[str]:
    """Names of studies that are fields of requests or words of a card as well."""
    return CARD | {name for entry in ENTRIES.values() for name in entry.study.request.model_fields}


def named(path: Path) -> Iterator[str]:
    """What in a module names a study: an import of its folder, its name as a word of its own, an entry asked for."""
    read, others = ast.parse(path.read_text(encoding="utf-8")), other_meanings()
    keys = {id(key) for node in ast.walk(read) if isinstance(node, ast.Dict) for key in node.keys}
    keys |= {id(node.slice) for node in ast.walk(read) if isinstance(node, ast.Subscript)}
    for node in ast.walk(read):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            yield from (module for module in modules if module.startswith("app.studies"))
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in KNOWN:
            if isinstance(node.slice, ast.Constant):
                yield str(node.slice.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys:
            if node.value in ENTRIES and node.value not in others:
                yield node.value
            yield from re.findall(r"app\.studies\.\w+", node.value)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT / "app")) for path in FILES])
def test_a_generic_room_names_no_study(path: Path) -> None:
    assert not list(named(path))


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    place = tmp_path / "room.py"
    place.write_text(
        "from app.studies.quiz import view\nimport app.studies.trace.form\nx = STUDIES['facts']\ny = 'evaluate'\n"
        "z = card['heads']\nv = {'edit': 1}['edit']\nw = 'app.studies.lens.entry:LENS'\n",
        encoding="utf-8",
    )
    assert sorted(named(place)) == [
        "app.studies.lens",
        "app.studies.quiz",
        "app.studies.trace.form",
        "evaluate",
        "facts",
    ]
