"""The theme written out, for files that leave the app: inks of either light, type, and the fonts themselves.

The fonts are those the pages are served with (SIL Open Font License), inside the file, so that it looks the same where
they are not installed; a program that reads no embedded fonts finds the fallbacks named behind them.
"""

import base64
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from app.charts.palette import THEME, Light

STATIC = Path(__file__).resolve().parent.parent / "static"
SEATS = {
    "paper": "backgroundColor",
    "ink": "textColor",
    "gray": "grayTextColor",
    "line": "borderColor",
    "blue": "blueTextColor",
    "orange": "orangeTextColor",
    "violet": "violetTextColor",
    "green": "greenTextColor",
    "red": "redTextColor",
}
TYPE = {"text": "font", "display": "headingFont", "code": "codeFont"}


@cache
def _theme() -> dict[str, Any]:
    return tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"]


def inks(light: Light) -> dict[str, str]:
    """Colours of text and ground by what they mean."""
    return {name: _theme()[light][seat] for name, seat in SEATS.items()}


def type_of() -> dict[str, str]:
    """Font families, each with its fallbacks: for text, for display, for code."""
    return {name: _theme()[seat] for name, seat in TYPE.items()}


def faces(text: str) -> str:
    """`@font-face` rules with the fonts that `text` needs inside, upright only."""
    points = set(map(ord, set(text)))
    needed = (face for face in _theme()["fontFaces"] if face.get("style") != "italic" and _covers(face, points))
    return "".join(map(_rule, needed))


def _covers(face: dict[str, Any], points: set[int]) -> bool:
    if "latin-ext" not in face["url"]:
        return True
    spans = [part.strip().removeprefix("U+").split("-") for part in face["unicodeRange"].split(",")]
    return any(int(span[0], 16) <= point <= int(span[-1], 16) for span in spans for point in points)


def _rule(face: dict[str, Any]) -> str:
    ranged = f"unicode-range:{face['unicodeRange']};" if "unicodeRange" in face else ""
    return (
        f"@font-face{{font-family:'{face['family']}';font-weight:{face['weight']};font-style:normal;{ranged}"
        f"src:url(data:font/woff2;base64,{_packed(face['url'])}) format('woff2')}}"
    )


@cache
def _packed(url: str) -> str:
    return base64.b64encode((STATIC / url.rsplit("/", 1)[-1]).read_bytes()).decode()
