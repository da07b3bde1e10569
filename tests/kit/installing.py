"""Packages that stand as if pip had put them there, by the entry points they declare."""

import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry.studies import read_entries
from editors.registry.methods import METHODS

KIT = Path(__file__).parent
STUDY, EDITOR, DEATHS = KIT / "sample_study", KIT / "sample_editor", KIT / "sample_deaths"
OTHERS = ("palimpsest_surprise", "palimpsest_nearest", "palimpsest_deaths", "broken")


def declared(package: Path) -> dict[str, dict[str, str]]:
    """The entry points of a package, by group."""
    return tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]


def read_again() -> None:
    """Have both registries ask anew what there is."""
    importlib.invalidate_caches()
    METHODS.read()
    read_entries()


class Installed:
    """Installs what lies in some folders under the name some-studies, and takes it away again."""

    def __init__(self, site: Path):
        self.site, self.paths, self.before = site, pytest.MonkeyPatch(), set(sys.modules)

    def __call__(self, group: str, *where: Path, **points: str) -> None:
        """Install, with these entry points of a group."""
        info = self.site / "some_studies-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-studies\nVersion: 1.0\n", encoding="utf-8")
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for place in (self.site, *where):
            self.paths.syspath_prepend(str(place))
        read_again()

    def remove(self) -> None:
        """Have all be as before."""
        self.paths.undo()
        for name in set(sys.modules) - self.before:
            if name.partition(".")[0] in OTHERS:
                del sys.modules[name]
        read_again()


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    """Takes away at the end what a test has installed."""
    packages = Installed(tmp_path / "site")
    yield packages
    packages.remove()


@pytest.fixture
def nearest(installed: Installed) -> Installed:
    """The method of editing of the sample package."""
    installed("palimpsest.editors", EDITOR, **declared(EDITOR)["palimpsest.editors"])
    return installed
