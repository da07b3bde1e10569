"""What stands between a prompt and its answer: a space, or nothing.

Decided here and nowhere else, from the prompt's end, the answer's beginning and their scripts; a request's `boundary`
overrides it. What is scored, written and shown is made of the text that `joined` gives.

An answer may say for itself what stands before it: ␣, ⏎ or ⇥ (or space, line break and tab themselves), ‿ for nothing.
`marked` shows words so where they begin otherwise than is expected, and what is shown can be typed.
"""

import re
import unicodedata
from typing import Literal

from analysis.text.quotes import PAIRS, closing, open_quotes
from analysis.text.scripts import full_stop, korean, last_base, spaceless, written_close

Boundary = Literal["auto", "space", "none"]
"""What stands between prompt and answer: decided from the prompt's end, always a space, or nothing."""

JOINT = "‿"
_MARKS = {" ": "␣", "\n": "⏎", "\t": "⇥"}
_WHITE = {mark: white for white, mark in _MARKS.items()}
_JOINERS = frozenset("@#_~^\\¿¡\u200b\u200c\u200d\u2060\u00ad\u05be\u2010\u2011")
"""What follows stands close to these."""
_CLOSERS = frozenset(",.;:!?)]}…»›”’、。，．；：！？）］｝〉》」』】〕〗｣،؛؟।॥")
_CLITIC = re.compile(r"(?:n['’]t|['’](?:s|d|m|t|re|ve|ll))\b|['’]$", re.IGNORECASE)
_TAG = re.compile(r"<\|[^<>]*\|>$|(?<!\w)<[^<>\s/=@-][^<>@]*>$")
_SCHEME = re.compile(r"\b(?:https?|ftp|file|mailto|tel|data|urn|doi|arxiv):$|::$", re.IGNORECASE)
_DIRECTIONS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def ended(prompt: str) -> str:
    """A prompt as it is kept: line breaks and an indent at its end stay, spaces behind its last word do not.

    A space typed there is the one before the answer, so it is kept (one) only where none would stand otherwise. A line
    break behind the last word of a single line is one that a file or a field ends with, and no part of the prompt.
    """
    words = prompt.rstrip(" \n\r")
    if words[-1:].isalnum() and "\n" not in words.lstrip() and "\n" in prompt[len(words) :]:
        return words
    bare = prompt.rstrip(" ")
    if bare == prompt or not bare.strip():
        return bare
    if bare[-1].isspace():
        return prompt
    return bare if _space(bare, "a") else f"{bare} "


def parted(prompt: str) -> tuple[str, Boundary]:
    """The prompt as a model reads it, and “space” where the space before the answer was typed with it."""
    prompt = ended(prompt)
    return (prompt[:-1], "space") if prompt.endswith(" ") else (prompt, "auto")


def between(prompt: str, answer: str, boundary: Boundary = "auto") -> str:
    """What stands between a prompt and its answer: a space, nothing, or what the answer says itself."""
    prompt, own = parted(prompt)
    given, bare = _given(answer)
    if given is not None:
        return given
    wanted = own if boundary == "auto" else boundary
    return " " if wanted == "space" or (wanted == "auto" and _space(prompt, bare)) else ""


def continuation(prompt: str, answer: str, boundary: Boundary = "auto") -> str:
    """The text of an answer as it goes on from its prompt; empty where it says nothing."""
    bare = _given(answer)[1]
    return f"{between(prompt, answer, boundary)}{bare}" if bare or answer.strip() else ""


def joined(prompt: str, answer: str, boundary: Boundary = "auto") -> str:
    """Prompt and answer as one text."""
    return parted(prompt)[0] + continuation(prompt, answer, boundary)


def sentence(prompt: str, answer: str, boundary: Boundary = "auto") -> str:
    """Prompt and answer as a sentence with its full stop; marks that the prompt ends with are closed."""
    text = joined(prompt, answer, boundary) + closing(parted(prompt)[0])
    return text + full_stop(text)


def behind(sentence: str, prompt: str) -> str:
    """A prompt behind a sentence."""
    return f"{sentence}{'' if sentence.endswith('。') else ' '}{prompt}"


def marked(prompt: str, word: str, boundary: Boundary = "auto") -> str:
    """A token's text as the beginning of an answer: bare where it begins as expected, else with ␣, ⏎, ⇥ or ‿ before it.

    Read as an answer it is this very text again.
    """
    bare = word.lstrip(" \n\t")
    edge = word[: len(word) - len(bare)]
    shown = "".join(_MARKS[char] for char in edge)
    if not bare:
        return shown
    if edge == between(parted(prompt)[0], bare) == between(prompt, bare, boundary):
        return bare
    return f"{shown or JOINT}{bare}"


def goes_on(prompt: str, text: str) -> str:
    """A continuation on one line, marked as a word is that begins otherwise than expected."""
    line = " ".join(text.split())
    return marked(prompt, f" {line}" if text[:1].isspace() else line)


def answer_as_kept(prompt: str, answer: str, boundary: Boundary = "auto") -> str:
    """An answer as a person typed it: white space before it is marked where it is not what would stand there anyway."""
    answer = answer.rstrip()
    return marked(prompt, answer, boundary) if answer[:1].isspace() else answer


def plain(answer: str) -> str:
    """An answer without what it says of the space before it."""
    return _given(answer)[1]


def _given(answer: str) -> tuple[str | None, str]:
    """What an answer says itself of what stands before it, and the answer without that."""
    answer = answer.rstrip()
    if answer.startswith(JOINT):
        return "", answer[1:]
    bare = answer.lstrip(" \n\t␣⏎⇥")
    edge = answer[: len(answer) - len(bare)]
    return ("".join(_WHITE.get(char, char) for char in edge) if edge else None), bare


def _space(prompt: str, answer: str) -> bool:
    """Whether a space stands between a bare prompt and a bare answer."""
    text = prompt.rstrip(_DIRECTIONS)
    if not text or text[-1].isspace() or (answer and _attaches(text, answer)) or _holds(text, answer):
        return False
    end, line = last_base(text), text.rpartition("\n")[2]
    if end and spaceless(end) and not (korean(line) and end.isalpha()):
        return False
    return not (answer and spaceless(answer[0]) and written_close(line))


def _attaches(prompt: str, answer: str) -> bool:
    """Whether an answer begins with what stands close to the word before: an accent, a comma, a closing mark, ’s."""
    first, second = answer[0], answer[1:2]
    if unicodedata.category(first)[0] == "M" or first in "\u200d\ufe0e\ufe0f" or _CLITIC.match(answer):
        return True
    if first in "\"'`“”»›«‹’":  # closes what is open
        quotes = open_quotes(prompt.rpartition("\n")[2])
        return len(open_quotes(prompt.rpartition("\n")[2] + first)) < len(quotes)
    if first in "%‰°′″":
        return prompt[-1].isdigit()
    if first in "-‐‑":
        return second.isalpha()  # “-based”, not “-5”
    if first == "." and second.isalnum():
        return second.islower()  # “.com”, not “.5” or “.NET”
    return first in _CLOSERS and not (first == "," and second.isdigit())


def _holds(text: str, answer: str) -> bool:
    """Whether a text ends with what the next word stands close to: an opening mark, a currency sign, an operator."""
    end, line = text[-1], text.rpartition("\n")[2]
    quotes = open_quotes(line)
    if quotes and quotes[-1][1] == len(line):
        return True
    if end in PAIRS and not (end == "<" and line[-2:-1].isspace() and answer[:1].isdigit()):
        return True
    if unicodedata.category(end) == "Sc":
        return _prefixed(line[:-1])
    if end == "#" and (not line.strip("# ") or re.search(r"\b[A-Z]#$", line)):
        return False  # a heading, C#
    return end in _JOINERS or bool(_TAG.search(line) or _SCHEME.search(line)) or _operates(line, answer)


def _prefixed(before: str) -> bool:
    """Whether a currency sign behind this text belongs to the number after it."""
    word = re.search(r"\w*$", before)
    own = word[0] if word else ""
    number = re.search(r"[\d.,]\s?$", before)
    return not number and (not own or own.isupper() or spaceless(own[-1]))


def _operates(line: str, answer: str) -> bool:
    """Whether a line ends with a sign between two things that is written close to the first, so also to the second."""
    digit = answer[:1].isdigit()
    match = re.search(r"[-=<>+*/|&:.,;–—―−!]+$", line)
    if not match:
        return False
    sign, before = match[0], line[: match.start()]
    apart, end = not before or before[-1].isspace(), sign[-1]
    if end in "=&|":
        return not apart
    if end == "/":
        return not (apart and re.search(r"\s/\s", line))
    if end == "+":
        return digit and (not apart or not re.search(r"[\w)]\s$", before))
    if end in "-–—―−":
        if apart and not before.strip():
            return end == "—" or digit  # a speaker, a negative number; else an item of a list
        return not apart or (digit and not re.search(r"[\d)]\s$", before))
    if end == "*":
        return _emphasised(before, sign)
    if end == ">":
        return not apart and (sign != ">" or "<" not in line)
    if end == ":":
        return (digit and before[-1:].isdigit()) or (not apart and _compact(line, ":"))
    if end == ".":
        return (digit and before[-1:].isdigit()) or before.endswith("www")
    return end in ",;" and not apart and _compact(line, end)


def _emphasised(before: str, stars: str) -> bool:
    """Whether stars behind this text begin an emphasis or stand close between factors; they do not end or list."""
    if not before.strip():
        return len(stars) > 1
    if before[-1].isspace():
        return len(stars) > 1 or not re.search(r"[\d)]\s+$", before)
    return len(re.findall(rf"(?<!\*){re.escape(stars)}(?!\*)", before)) % 2 == 0


def _compact(line: str, sign: str) -> bool:
    """Whether a sign is written without a space after it elsewhere in the line, thousands and times aside."""
    inner = line[:-1]
    close = re.search(rf"(?<=\S){sign}(?!\d{{2,3}}\b)[^\s{sign}/]", inner)
    return close is not None and not re.search(rf"{sign}\s", inner)
