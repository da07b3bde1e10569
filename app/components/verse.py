"""The verse: a prompt in display type, its subject underlined, and the new answer over the old one.

It is the one motif of the app. The faded word never carries news alone; the page says it again in full contrast.
"""

from typing import Literal

from analysis.text.boundary import between, parted, plain
from analysis.text.finding import occurrences
from app.components.element import element

Size = Literal["large", "medium", "small", "text"]

_verse = element("verse", "dom")


def verse(
    prompt: str,
    subject: str | None = None,
    now: str | None = None,
    was: str | None = None,
    size: Size = "large",
    key: str | None = None,
    *,
    tail: str = "",
) -> None:
    """Draw `prompt` and its answer, with a space between them where one stands there.

    `subject` is underlined where it first occurs. With `now` and `was` the new word lies over the old one; with only
    one of them it stands alone, `was` in undertext blue, `now` in overtext orange. `tail` follows the answer. `size`
    is large (50 px), medium (40), small (33) or text (22). Two equal verses on one page need a `key`.
    """
    prompt = parted(prompt)[0]
    found = occurrences(prompt, subject) if subject else []
    begin, end = found[0] if found else (len(prompt), len(prompt))
    shown = (now or was or "").strip()
    _verse(
        key=key,
        data={
            "prompt": [prompt[:begin], prompt[begin:end], prompt[end:]],
            "gap": between(prompt, shown) if prompt and plain(shown) == shown else "",
            "now": (now or "").strip(),
            "was": (was or "").strip(),
            "tail": tail,
            "size": size,
        },
    )
