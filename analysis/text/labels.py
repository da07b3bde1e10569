"""Tokens as people read them: their text with its leading space, the bytes of a character cut in several, ids alone.

Shown are ⟨E6 9D⟩ for bytes that make no character, and ⟨id 50280⟩ for an id that has no text: a row the model has and
the tokenizer has not, or one that is reserved.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any


def label(tokenizer: Any, token: int) -> str:
    """The text of one token by itself, its leading space kept."""
    content = _content(tokenizer, token)
    if isinstance(content, bytes):
        return "".join(part if isinstance(part, str) else _named(part) for part in _characters(content))
    return content


def labels(tokenizer: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """The texts of tokens in their row: a character cut in several stands at its first, the others show their bytes."""
    contents = [_content(tokenizer, token) for token in ids]
    shown = [content if isinstance(content, str) else "" for content in contents]
    at = 0
    while at < len(contents):
        end = at
        while end < len(contents) and isinstance(contents[end], bytes):
            end += 1
        if end > at:
            run: list[bytes] = contents[at:end]  # type: ignore[assignment]
            shown[at:end] = _spread(run)
        at = max(end, at + 1)
    return tuple(shown)


def _spread(run: Sequence[bytes]) -> list[str]:
    """The characters of joined tokens, each shown where it begins; tokens in which it goes on show their bytes."""
    owner = [index for index, piece in enumerate(run) for _ in piece]
    shown, place = [""] * len(run), 0
    for part in _characters(b"".join(run)):
        raw = part.encode() if isinstance(part, str) else part
        own = owner[place : place + len(raw)]
        for index in dict.fromkeys(own):
            begins = isinstance(part, str) and index == own[0]
            held = bytes(byte for byte, of in zip(raw, own, strict=True) if of == index)
            shown[index] += part if begins else _named(held)  # type: ignore[operator]
        place += len(raw)
    return shown


def _named(raw: bytes) -> str:
    return f"⟨{raw.hex(' ').upper()}⟩"


def _characters(raw: bytes) -> list[str | bytes]:
    """Characters one by one, and runs of bytes that are none."""
    found: list[str | bytes] = []
    at = 0
    while at < len(raw):
        size = next((n for n in (1, 2, 3, 4) if _reads(raw[at : at + n])), 0)
        if size:
            found.append(raw[at : at + size].decode())
        elif found and isinstance(found[-1], bytes):
            found[-1] += raw[at : at + 1]
        else:
            found.append(raw[at : at + 1])
        at += size or 1
    return found


def _reads(raw: bytes) -> bool:
    try:
        return len(raw.decode()) == 1
    except UnicodeDecodeError:
        return False


def _content(tokenizer: Any, token: int) -> str | bytes:
    """A token's text, or its bytes where they do not begin and end with characters."""
    try:
        piece = tokenizer.convert_ids_to_tokens(token)
        text = tokenizer.decode([token], clean_up_tokenization_spaces=False)
    except (IndexError, KeyError, OverflowError, ValueError, TypeError):  # tokenizers differ in what they raise
        piece, text = None, ""
    if not isinstance(piece, str) or not (text or piece):
        return text or f"⟨id {token}⟩"
    if piece.startswith("▁") and not text.startswith(" "):
        text = f" {text}"
    if "\ufffd" in text and (raw := _bytes(piece)) is not None:
        return raw
    return text or piece


def _bytes(piece: str) -> bytes | None:
    """The bytes a piece stands for: <0xE6>, or byte-level BPE's characters; None for pieces that are text."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes.fromhex(piece[3:5])
    table = _byte_level()
    return bytes(table[char] for char in piece) if all(char in table for char in piece) else None


@lru_cache(maxsize=1)
def _byte_level() -> dict[str, int]:
    """Characters of byte-level BPE and their bytes: printable Latin-1 as itself, the others from U+0100 on in order."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(0x100 + at): byte for at, byte in enumerate(others)}


@lru_cache(maxsize=16)
def joins_with_spaces(tokenizer: Any) -> bool:
    """Whether words are written apart though their tokens hold no space, as of a tokenizer of whole words."""
    special = set(getattr(tokenizer, "all_special_ids", ()))
    for token in range(min(len(tokenizer), 2000) if hasattr(tokenizer, "__len__") else 0):
        piece = tokenizer.convert_ids_to_tokens(token)
        if token not in special and isinstance(piece, str) and piece.isascii() and piece.isalpha():
            return tokenizer.decode([token, token], clean_up_tokenization_spaces=False) == f"{piece} {piece}"
    return False
