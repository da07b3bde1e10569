"""Tokens as labels of a figure: nothing invisible, nothing cut in the middle, each in its own direction."""

import pytest

from app.charts.words import token_label, visible, word


@pytest.mark.parametrize(
    ("token", "label"),
    [
        (" Paris", "Paris"),
        ("\n\n", "⏎⏎"),
        ("\t", "⇥"),
        ("\r\n", "⏎"),
        (" ", "␣"),
        ("\u200b", "⟨U+200B⟩"),
        ("\u00a0", "⟨U+00A0⟩"),
        ("\x07", "⟨U+0007⟩"),
        ("ी", "◌ी"),
        (" \u0301", "◌\u0301"),
        ("<b>", "&lt;b&gt;"),
        ("⟨F0 9F⟩", "⟨F0 9F⟩"),
        ("שלום", "\u2068שלום\u2069"),
        (" مرحبا", "\u2068مرحبا\u2069"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
    ],
)
def test_labels(token, label):
    assert token_label(token) == label


def test_a_label_is_cut_between_characters():
    assert token_label("👨\u200d👩\u200d👧" * 3, 3) == "👨\u200d👩\u200d👧" * 3
    assert token_label("e\u0301e\u0301e\u0301", 2) == "e\u0301…"


def test_words_in_running_text():
    assert word(" Paris") == "Paris"
    assert word(" שלום") == "\u2068שלום\u2069"
    assert word("\n") == repr("\n")
    assert visible(" a\u200db") == " a\u200db"
