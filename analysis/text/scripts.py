"""Writing systems whose words stand side by side without spaces."""

import unicodedata
from itertools import pairwise

_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x19E0, 0x19FF),
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x2E80, 0x2FDF),  # radicals
    (0x3001, 0x312F),  # marks of Chinese and Japanese, Kana, Bopomofo
    (0x31A0, 0x4DBF),
    (0x4E00, 0xA4CF),  # Han, Yi
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF01, 0xFF9F),  # full-width forms
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)
_SPACED = frozenset("།༎༏༐༑༔၊။។៕៖")
"""Marks of these scripts that a space follows."""
_STOPS = ((0x0900, 0x097F, "।"), (0x0E00, 0x0EFF, ""), (0x0F00, 0x0FFF, "།"), (0x1000, 0x109F, "။"),
          (0x1780, 0x17FF, "។"), (0x0600, 0x06FF, "."))  # fmt: skip


def spaceless(char: str) -> bool:
    """Whether words of the character's script stand side by side without spaces; Korean has them."""
    return any(low <= ord(char) <= high for low, high in _RANGES) and char not in _SPACED


def mostly_spaceless(text: str) -> bool:
    """Whether at least half of the letters are of such scripts."""
    letters = [spaceless(char) for char in text if char.isalpha()]
    return 2 * sum(letters) >= len(letters) > 0


def written_close(text: str) -> bool:
    """Whether a text is of such a script, or sets letters of others close to them."""
    close = any(
        spaceless(one) != spaceless(other) and one.isalnum() and other.isalnum() for one, other in pairwise(text)
    )
    return mostly_spaceless(text) or (close and not korean(text))


def korean(text: str) -> bool:
    """Whether Hangul is among its letters, so that its Chinese characters are Korean."""
    return any("\uac00" <= char <= "\ud7a3" for char in text)


def last_base(text: str) -> str:
    """The last character that is no accent, vowel sign or other mark on the one before; empty where there is none."""
    return next((char for char in reversed(text) if unicodedata.category(char)[0] != "M"), "")


def full_stop(text: str) -> str:
    """The mark that ends a sentence in the script a text ends in; Thai and Lao have none."""
    end = last_base(text)
    for low, high, mark in _STOPS:
        if end and low <= ord(end) <= high:
            return mark
    return "。" if mostly_spaceless(text) and not korean(text) else "."
