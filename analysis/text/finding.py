"""Where a piece of text stands in another, as people read both.

Characters are compared as people see them: an accent composed with its letter or standing behind it is the same, and
nothing begins or ends inside a character with its accents, vowel signs or joined emoji (a grapheme cluster).
"""

import difflib
import unicodedata
from functools import lru_cache

import regex

from analysis.errors import SubjectAmbiguous, SubjectNotFound
from analysis.text.scripts import spaceless

_CLUSTER = regex.compile(r"\X")
_WORD = regex.compile(r"[\w\p{M}\u200c\u200d](?:[\w\p{M}\u200c\u200d'’.-])*")
_VARIANTS = {0xFE0E: None, 0xFE0F: None}
"""Selectors of the text or picture form of a character."""


@lru_cache(maxsize=256)
def _clusters(text: str) -> tuple[tuple[int, int], ...]:
    """Characters [from, to) of each cluster."""
    return tuple(match.span() for match in _CLUSTER.finditer(text))


def _same(cluster: str) -> str:
    return unicodedata.normalize("NFC", cluster).translate(_VARIANTS) or cluster


def _folded(cluster: str) -> str:
    return unicodedata.normalize("NFC", _same(cluster).casefold())


def _inside(left: str, right: str) -> bool:
    """Whether a place between two clusters lies inside a word; never in scripts that set words side by side."""
    letters = all(char.isalnum() or char == "_" for char in (left[0], right[0]))
    return letters and not spaceless(left[0]) and not spaceless(right[0])


def occurrences(text: str, part: str, *, fold: bool = False) -> list[tuple[int, int]]:
    """Characters [from, to) of every place of `part` in `text` that do not overlap; whole words, where there are any.

    `fold`: whatever the case of letters.
    """
    whole: list[tuple[int, int]] = []
    any_place: list[tuple[int, int]] = []
    spans = _clusters(text)
    form = _folded if fold else _same
    own = [text[start:end] for start, end in spans]
    there, wanted = [form(one) for one in own], [form(part[start:end]) for start, end in _clusters(part)]
    size = len(wanted)
    for at in range(len(there) - size + 1 if size else 0):
        if there[at] != wanted[0] or there[at : at + size] != wanted:
            continue
        place = (spans[at][0], spans[at + size - 1][1])
        cut = (at > 0 and _inside(own[at - 1], own[at])) or (
            at + size < len(own) and _inside(own[at + size - 1], own[at + size])
        )
        for found in [any_place] if cut else [any_place, whole]:
            if not found or found[-1][1] <= place[0]:
                found.append(place)
    return whole or any_place


def whole_words(text: str, part: str) -> list[tuple[int, int]]:
    """Places of `part` in `text` where it is not part of a longer word."""
    return [place for place in occurrences(text, part) if not _cuts(text, *place)]


def begins_with(text: str, part: str) -> bool:
    """Whether a text begins with a part, not in the middle of a word, whatever the case of letters."""
    return any(place[0] == 0 and not _cuts(text, *place) for place in occurrences(text, part, fold=True)[:1])


def _cuts(text: str, start: int, end: int) -> bool:
    before, behind = text[:start], text[end:]
    return bool(before and _inside(_last(before), text[start:end])) or bool(
        behind and _inside(_last(text[start:end]), behind)
    )


def _last(text: str) -> str:
    start, end = _clusters(text)[-1]
    return text[start:end]


def replaced(text: str, parts: dict[str, str]) -> str:
    """A text with whole words replaced, longer ones first."""
    taken: list[tuple[int, int, str]] = []
    for part in sorted(parts, key=len, reverse=True):
        for start, end in whole_words(text, part):
            if all(end <= other or start >= stop for other, stop, _ in taken):
                taken.append((start, end, parts[part]))
    for start, end, new in sorted(taken, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def find_text(
    text: str, part: str, *, occurrence: int | None = None, what: str = "subject", fold: bool = False
) -> tuple[int, int]:
    """Characters [from, to) of `part` in `text`; whole words are preferred over parts of words.

    `occurrence` counts from 0 and is needed when there is more than one.
    """
    wanted = part.strip()
    if not wanted:
        raise SubjectNotFound(f"The {what} is empty. Name the words of the prompt it stands for.")
    places = occurrences(text, wanted, fold=fold)
    if not places:
        suggestion = _nearest(text, wanted)
        hint = f" Did you mean “{suggestion}”?" if suggestion else ""
        raise SubjectNotFound(f"“{wanted}” is not in the prompt.{hint}", suggestion)
    if occurrence is None:
        if len(places) > 1:
            raise SubjectAmbiguous(
                f"“{wanted}” occurs {len(places)} times in the prompt. Choose which one (0 to {len(places) - 1}).",
                len(places),
            )
        occurrence = 0
    if not 0 <= occurrence < len(places):
        raise SubjectNotFound(
            f"“{wanted}” occurs {len(places)} times in the prompt; there is no occurrence {occurrence} "
            f"(the first is 0)."
        )
    return places[occurrence]


def _nearest(text: str, wanted: str) -> str | None:
    """The run of whole words of `text` most like `wanted`; in scripts without spaces, of as many characters."""
    if folded := occurrences(text, wanted, fold=True):
        return text[folded[0][0] : folded[0][1]]
    words = [match.span() for match in _WORD.finditer(text)]
    size = len(wanted.split())
    runs = [text[words[i][0] : words[j][1]] for i in range(len(words)) for j in range(i, min(len(words), i + size + 1))]
    spans, count = _clusters(text), len(_clusters(wanted))
    close = [i for i in range(len(spans) - count + 1) if all(spaceless(text[spans[j][0]]) for j in range(i, i + count))]
    runs += [text[spans[i][0] : spans[i + count - 1][1]] for i in close]
    by_folded = {_folded(run): run for run in reversed(runs)}
    found = difflib.get_close_matches(_folded(wanted), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
