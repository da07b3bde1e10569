"""Text to measure a model on: what it writes by itself, a file, or a dataset.

A corpus is cut into pieces of tokens that the model reads one by one; its identity is the hash of
what is read, so statistics can say what they were made from.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.architecture import context_length
from analysis.errors import BadRequest
from analysis.generation import continuations
from analysis.hub_text import PREFIX, paragraphs
from analysis.moments_request import OWN
from analysis.study import Report, silent

if TYPE_CHECKING:
    from analysis.model import LanguageModel

PIECE = 128
"""Longest piece, tokens."""
ROWS = 128
"""Pieces written side by side."""
SHIPPED = Path(__file__).resolve().parent.parent / "assets" / "corpora"
"""Text that models known here wrote by themselves, by the hash of their weights: so that nobody waits for it."""
OPENINGS = (
    "The", "In", "A", "When", "It", "For", "On", "This", "As", "After", "At", "There", "One", "During", "With", "If",
    "Many", "From", "To", "He", "She", "They", "We", "I", "Most", "Some", "By", "While", "Since", "Under", "Before",
    "What",
)  # fmt: skip
"""First words, where the tokenizer has no mark for a beginning."""


@dataclass(frozen=True)
class Corpus:
    """Pieces of tokens in reading order."""

    name: str
    pieces: tuple[tuple[int, ...], ...]

    @property
    def id(self) -> str:
        """Hash of all tokens."""
        return hashlib.sha256(json.dumps(self.pieces).encode()).hexdigest()[:16]

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return sum(map(len, self.pieces))

    def batches(self, tokens: int) -> Iterator[Tensor]:
        """Pieces of equal length stacked, (rows, length), at most `tokens` tokens together."""
        batch: list[tuple[int, ...]] = []
        for piece in sorted(self.pieces, key=len, reverse=True):
            if batch and (len(piece) != len(batch[0]) or (len(batch) + 1) * len(piece) > tokens):
                yield torch.tensor(batch)
                batch = []
            batch.append(piece)
        if batch:
            yield torch.tensor(batch)


def _length(lm: "LanguageModel") -> int:
    return min(PIECE, context_length(lm.config) or PIECE)


def written(lm: "LanguageModel", tokens: int, seed: int, cache: Path, report: Report = silent) -> Corpus:
    """Text of at least `tokens` tokens that the model samples by itself, kept under `cache`."""
    name = f"own-{seed}-{tokens}.json"
    place = cache / name
    for found in (place, SHIPPED / lm.own_hash[:24] / name):
        if found.exists():
            return Corpus(OWN, tuple(map(tuple, json.loads(found.read_text()))))
    length = _length(lm)
    beginnings = [lm.encode_plain(word).ids for word in OPENINGS]
    shortest = min(map(len, beginnings))
    beginnings = [ids for ids in beginnings if len(ids) == shortest]
    pieces: list[tuple[int, ...]] = []
    total = -(-tokens // length)
    while len(pieces) < total:
        rows = min(ROWS, total - len(pieces))
        start = torch.tensor([beginnings[(len(pieces) + row) % len(beginnings)] for row in range(rows)])
        columns = list(start.T)
        for chosen in continuations(lm, start, length - shortest, seed=seed + len(pieces)):
            columns.append(chosen)
            report(len(pieces) * length + rows * len(columns), total * length, "tokens written by the model")
        pieces += [tuple(row) for row in torch.stack(columns, 1).tolist()]
    cache.mkdir(parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(dir=cache)
    with os.fdopen(handle, "w") as file:
        json.dump(pieces, file)
    Path(new).replace(place)
    return Corpus(OWN, tuple(pieces))


def read_text(lm: "LanguageModel", source: str, tokens: int) -> Corpus:
    """The first `tokens` tokens of a text file or a dataset (`hf:owner/name`), cut into pieces.

    `BadRequest` where it cannot be read or is empty.
    """
    length = _length(lm)
    pieces: list[tuple[int, ...]] = []
    for paragraph in paragraphs(source) if source.startswith(PREFIX) else _of_file(Path(source)):
        if paragraph.strip():
            ids = lm.tokenizer(paragraph.strip())["input_ids"]
            pieces += [tuple(ids[start : start + length]) for start in range(0, len(ids), length)]
        if sum(map(len, pieces)) >= tokens:
            break
    if not pieces:
        raise BadRequest(f"“{source}” holds no text.")
    return Corpus(source if source.startswith(PREFIX) else Path(source).name, tuple(pieces))


def _of_file(path: Path) -> list[str]:
    try:
        return path.expanduser().read_text(encoding="utf-8").split("\n\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"“{path}” could not be read as text ({error}). Give a UTF-8 file, or “{OWN}”.") from error
