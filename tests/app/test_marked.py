"""Text from outside, as it is: no link, no picture, no markup comes of it."""

import re

import pytest

from app.charts.marked import APART, escape, plain
from tests.kit.visiting import fine, press, visit

ODD = [
    "http://evil.example/x", "HTTPS://evil.example", "www.evil.example", "ada@evil.example", ":material/home:",
    ":smile:", ":streamlit:", ":red[x]", "[x](http://evil.example)", "![x](http://evil.example)", "$a$",
    "a -> b <- c <-> d -- e",
    "&lt;b&gt;", "# a", "a\n===", "1. x", "~~a~~", "`a`", "<b>x</b>",
]  # fmt: skip


def seen(text: str) -> list[str]:
    """What stands unbroken in a text, as a renderer finds it once backslashes are taken."""
    return re.sub(r"\\(.)", r"\1", text).split(APART)


@pytest.mark.parametrize("text", ODD)
def test_the_text_stays_as_it_is(text):
    assert plain(escape(text)) == text
    assert plain(f":red[{escape(text)}] b") == f"{text} b"


@pytest.mark.parametrize("text", ODD[:7])
def test_nothing_that_makes_a_link_or_a_picture_stands_unbroken(text):
    for part in seen(escape(text)):
        assert not re.search(r"https?://|www\.|\w@|:[\w/]+:", part, re.IGNORECASE)


def test_arrows_stay_arrows_of_characters():
    assert all(not re.fullmatch(r"<->|->|<-|--", word) for part in seen(escape(ODD[11])) for word in part.split())


def test_what_cannot_be_seen_is_shown_and_a_paragraph_does_not_end():
    assert "\u202e" not in escape("\u202eabc\x07")
    assert "\n\n" not in escape("a\n \n    b")


def test_a_refusal_holds_no_address_that_could_be_a_link(ready):
    at = fine(
        visit("trace", prompt="see http://evil.example and ada@evil.example here", subject="http://evil.example/x")
    )
    press(at, "trace-go")
    told = [one.value for one in at.markdown if "evil" in one.value]
    assert told
    assert not any(re.search(r"https?://|\w@", part) for value in told for part in seen(value))
