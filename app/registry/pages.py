"""Where the pages of studies are written: ours in the folder of pages, another package's in a module of its own."""

from importlib.util import find_spec
from pathlib import Path

from app.registry.entry import Entry
from app.registry.studies import ENTRIES

OURS = Path(__file__).resolve().parents[2] / "pages"


def listed() -> list[tuple[Entry, str]]:
    """The studies that have a page of their own, in the order of the top bar, each with the page's script."""
    return [(entry, _script(entry)) for entry in ENTRIES.values() if entry.own_page]


def scripts() -> dict[str, str]:
    """The script of the page each study stands on, by the study's name."""
    by_page = {entry.page: script for entry, script in listed()}
    return {name: by_page[entry.page] for name, entry in ENTRIES.items() if entry.page}


def names() -> list[str]:
    """Last parts of the addresses of all pages but the first: those of studies, and those of none."""
    return [*sorted(file.stem for file in OURS.glob("*.py")), *(one.page for one, script in listed() if _other(script))]


def _script(entry: Entry) -> str:
    if entry.own_page is None or not entry.own_page.script:
        return str(OURS / f"{entry.page}.py")
    found = find_spec(entry.own_page.script)
    assert found is not None and found.origin is not None  # seen when the entry was read
    return found.origin


def _other(script: str) -> bool:
    return Path(script).parent != OURS
