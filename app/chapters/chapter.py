"""Chapters of the documentation as the workbench shows them: those that lie in docs/, read where they stand.

A chapter is named by its file's path under docs/. A link is only ever made to one that is there.
"""

import re
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath

from app.registry.studies import ENTRIES

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONTENTS = "index.md"
BESIDES = {"start": (CONTENTS,), "models": ("howto/model.md",)}
"""Chapters of pages that are about more than studies."""
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s#:]+\.md)(#[\w-]+)?\)")
FENCE = re.compile(r"^( *)```\w+$", re.MULTILINE)
"""Where code begins; in the workbench it is ink, for colour is data there."""
ELSEWHERE = re.compile(r"^:::", re.MULTILINE)
"""What only `make docs` can fill in."""


@cache
def there() -> tuple[str, ...]:
    """Every chapter that can be read here; none where the documentation was not installed."""
    found = sorted(DOCS.rglob("*.md"))
    return tuple(
        path.relative_to(DOCS).as_posix() for path in found if not ELSEWHERE.search(path.read_text(encoding="utf-8"))
    )


@cache
def title(chapter: str) -> str:
    """A chapter's name: its heading up to the colon."""
    if chapter == CONTENTS:
        return "The first five minutes"
    first = (DOCS / chapter).read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ").partition(":")[0]


def address(chapter: str) -> str:
    """Where it is read, relative to a page."""
    return f"read?chapter={chapter}"


def read_more(page: str) -> str:
    """Links, in Markdown, to the chapters of a page's studies that are there; empty where none is."""
    about = [*BESIDES.get(page, ()), *(entry.chapter for entry in ENTRIES.values() if entry.page == page)]
    return " · ".join(f"[{title(one)}]({address(one)})" for one in dict.fromkeys(about) if one in there())


@cache
def chapter(name: str) -> str:
    """A chapter in Markdown, produced parts filled in and its links leading to chapters here; `KeyError` if not there.

    A link to what cannot be read here stays as its words.
    """
    if name not in there():
        raise KeyError(name)
    from app.chapters.produced import produced

    def led(found: re.Match[str]) -> str:
        words, target, at = found[1], normpath(str(PurePosixPath(name).parent / found[2])), found[3] or ""
        return f"[{words}]({address(target)}{at})" if target in there() else words

    text = produced((DOCS / name).read_text(encoding="utf-8"))
    return FENCE.sub(r"\1```text", LINK.sub(led, text))
