"""What mkdocs calls while it builds these pages; what is produced in them is produced by app/chapters."""

import re
from pathlib import Path
from typing import Any

from app.chapters.produced import produced

STATIC = Path(__file__).resolve().parent.parent / "app" / "static"
FONTS = (
    "commissioner-latin-wght-normal.woff2",
    "commissioner-latin-ext-wght-normal.woff2",
    "eb-garamond-latin-wght-normal.woff2",
    "eb-garamond-latin-wght-italic.woff2",
    "ibm-plex-mono-latin-400-normal.woff2",
    "ibm-plex-mono-latin-600-normal.woff2",
    "icon.svg",
)
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return produced(markdown)


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs with all files: the app's own fonts and sign go with the pages."""
    from mkdocs.structure.files import File

    for name in FONTS:
        files.append(File.generated(config, f"style/{name}", abs_src_path=str(STATIC / name)))
    return files


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Called by mkdocs with each finished page: nothing may be fetched from elsewhere when it is read."""
    if found := FETCHED.search(output):
        from mkdocs.exceptions import PluginError

        raise PluginError(f"{page.file.src_uri} would fetch something from elsewhere: {found[0]}")
    return output
