"""Markdown as the pages write it, taken apart: captions that leave the app keep their colours without a browser.

Only what captions use: backslashes, bold, italics, code, and Streamlit's `:blue[…]`, `:small[…]`, `:blue-badge[…]`.
"""

import html
import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from analysis.text.characters import in_view

Colour = Literal["", "blue", "orange", "violet", "green", "red", "gray"]
COLOURS = get_args(Colour)
MEANING = "\\`*_{}[]<>()#+-.!|$~:=&"
"""What a backslash takes its meaning from."""
APART = ":small[]"
"""Nothing to be seen, between characters that mean something together, backslashes or not."""
TOGETHER = re.compile(
    r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)|(?<=:)(?=[\w+/-]+:)|(?<!\S)[<>~-](?=[=>-]+(?!\S))|(?<=<-)(?=>)", re.IGNORECASE
)
"""Where an address would become a link, `:smile:` a picture, `->` an arrow."""
LINES = re.compile(r"[^\S\n]*\n\s*")


@dataclass(frozen=True)
class Run:
    """Text of one look."""

    text: str
    colour: Colour = ""
    bold: bool = False
    italic: bool = False


def escape(text: str) -> str:
    """Text from outside as it is, without markdown meaning; nothing in it is a link, an icon or a new paragraph.

    What hides, or turns what stands beside it, stands in view.
    """
    apart = TOGETHER.sub(lambda found: f"{found[0]}\0", in_view(LINES.sub("\n", text)))
    return "".join(APART if char == "\0" else f"\\{char}" if char in MEANING else char for char in apart)


def runs(markdown: str) -> list[Run]:
    """The text of a caption, look by look; icons are left out."""
    found, _ = _read(markdown, 0, Run(""), inside=False)
    joined: list[Run] = []
    for run in found:
        if joined and replace(joined[-1], text="") == replace(run, text=""):
            joined[-1] = replace(run, text=joined[-1].text + run.text)
        elif run.text:
            joined.append(run)
    return joined


def plain(markdown: str) -> str:
    """The text alone."""
    return "".join(run.text for run in runs(markdown))


def marked_html(markdown: str) -> str:
    """The caption as HTML; colours are classes of their names."""
    return "".join(map(_tagged, runs(markdown)))


def _tagged(run: Run) -> str:
    text = html.escape(run.text)
    for there, tag in ((run.italic, "em"), (run.bold, "strong")):
        text = f"<{tag}>{text}</{tag}>" if there else text
    return f'<span class="{run.colour}">{text}</span>' if run.colour else text


def _read(text: str, at: int, look: Run, *, inside: bool) -> tuple[list[Run], int]:
    """Runs from `at` on, up to the bracket that closes where `inside` one, and the place behind them."""
    found: list[Run] = []
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            found.append(replace(look, text=text[at + 1]))
            at += 2
        elif char == "]" and inside:
            return found, at + 1
        elif char == "*":
            double = text.startswith("**", at)
            look = replace(look, bold=not look.bold) if double else replace(look, italic=not look.italic)
            at += 2 if double else 1
        elif char == "`":
            at += 1
        elif char == ":" and (end := _directive(text, at)) is not None:
            name = text[at + 1 : end].split("-")[0]
            colour: Colour = name if name in COLOURS else look.colour  # type: ignore[assignment]
            within, at = _read(text, end + 1, replace(look, colour=colour), inside=True)
            found += within
        elif text.startswith(":material/", at) and ":" in text[at + 1 :]:
            at = text.index(":", at + 1) + 1
        else:
            found.append(replace(look, text=char))
            at += 1
    return found, at


def _directive(text: str, at: int) -> int | None:
    """Where the bracket of `:name[` stands."""
    end = at + 1
    while end < len(text) and (text[end].isalpha() or text[end] == "-"):
        end += 1
    return end if end > at + 1 and end < len(text) and text[end] == "[" else None
