"""Text to measure a model on: what it writes by itself, text that comes with the workbench, a file, or a dataset.

A corpus is cut into pieces of tokens that the model reads one by one; its identity is the hash of
what is read, so statistics can say what they were made from.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.assets import ASSETS
from analysis.errors import BadRequest
from analysis.forward.architecture import context_length
from analysis.forward.generation import continuations
from analysis.free_memory import demand
from analysis.moments.hub_text import PREFIX, paragraphs
from analysis.moments.request import OWN, SHIPPED
from analysis.study import Report, silent
from analysis.text.tokens import refuse_beyond

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

PIECE = 128
"""Longest piece, tokens."""
ROWS = 128
"""Pieces written side by side, at most."""
LOGITS = 1 << 25
"""Bytes the logits of pieces written side by side may take: with a large vocabulary, fewer pieces."""
CORPORA = ASSETS / "corpora"
"""Text that models known here wrote by themselves, by the hash of their weights: so that nobody waits for it."""
SHIPPED_TEXT = CORPORA / "shipped.txt"
"""The same as plain text, for any model to read."""
WRITTEN = "tokens written by the model"
"""What a run says while it waits for own text."""
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


def piece_length(lm: "LanguageModel") -> int:
    """Tokens of a piece: as many as the model reads, up to `PIECE`."""
    return min(PIECE, context_length(lm.config) or PIECE)


def rows_beside(lm: "LanguageModel") -> int:
    """Pieces of own text that are written side by side."""
    return max(16, min(ROWS, LOGITS // (4 * lm.config.vocab_size)))


def ready(lm: "LanguageModel", tokens: int, seed: int, cache: Path) -> Path | None:
    """Where so much own text lies already, written here or shipped; None where it does not."""
    name = f"own-{seed}-{tokens}.json"
    return next((place for place in (cache / name, CORPORA / lm.own_hash[:24] / name) if place.exists()), None)


def written(lm: "LanguageModel", tokens: int, seed: int, cache: Path, report: Report = silent) -> Corpus:
    """Text of at least `tokens` tokens that the model samples by itself, kept under `cache`.

    It is stored as it comes: a run that was ended goes on with the next pieces.
    """
    if found := ready(lm, tokens, seed, cache):
        return Corpus(OWN, tuple(map(tuple, json.loads(found.read_text()))))
    total = -(-tokens // piece_length(lm))
    rows = rows_beside(lm)
    sizes = [min(rows, total - begin) for begin in range(0, total, rows)]
    begun = cache / f"own-{seed}-{tokens}-part.jsonl"
    pieces = [piece for portion in portions(lm, sizes, seed, begun, report) for piece in portion]
    handle, new = tempfile.mkstemp(dir=cache)
    with os.fdopen(handle, "w") as file:
        json.dump(pieces, file)
    Path(new).replace(cache / f"own-{seed}-{tokens}.json")
    begun.unlink()
    return Corpus(OWN, tuple(pieces))


def portions(
    lm: "LanguageModel", sizes: Iterable[int], seed: int, place: Path, report: Report = silent
) -> Iterator[list[tuple[int, ...]]]:
    """Own text in portions of so many pieces, each put down in `place`, a line a portion, before it is given."""
    sizes = list(sizes)
    total, length, count = sum(sizes), piece_length(lm), 0
    stored = _stored(place)
    for size in sizes:
        if len(portion := stored.get(count, [])) != size:

            def said(done: int, count: int = count, size: int = size) -> None:
                report(count * length + size * done, total * length, WRITTEN)

            portion = _sampled(lm, size, count, seed + count, said)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("a") as file:
                file.write(json.dumps({"before": count, "pieces": portion}) + "\n")
        yield portion
        count += size


def _stored(place: Path) -> dict[int, list[tuple[int, ...]]]:
    """Portions of a file by the number of pieces before them; a line that was cut short is none."""
    found: dict[int, list[tuple[int, ...]]] = {}
    with suppress(OSError):
        for line in place.read_text().splitlines():
            with suppress(ValueError, KeyError, TypeError):
                one = json.loads(line)
                found[int(one["before"])] = [tuple(map(int, piece)) for piece in one["pieces"]]
    return found


def _sampled(
    lm: "LanguageModel", rows: int, before: int, seed: int, said: Callable[[int], None]
) -> list[tuple[int, ...]]:
    """So many pieces, sampled side by side; `before` others began with the words before theirs."""
    length = piece_length(lm)
    needed = 4 * rows * lm.config.vocab_size * 4
    demand(needed, torch.device("cpu"), f"Writing {rows} texts side by side", f"Take “{SHIPPED}” or a file as source.")
    beginnings = [lm.encode_plain(word).ids for word in OPENINGS]
    shortest = min(map(len, beginnings))
    beginnings = [ids for ids in beginnings if len(ids) == shortest]
    start = torch.tensor([beginnings[(before + row) % len(beginnings)] for row in range(rows)])
    columns = list(start.T)
    for chosen in continuations(lm, start, length - shortest, seed=seed):
        columns.append(chosen)
        said(len(columns))
    return [tuple(row) for row in torch.stack(columns, 1).tolist()]


def shipped(lm: "LanguageModel", tokens: int) -> Corpus:
    """The first `tokens` tokens of the shipped text as this model's tokenizer cuts it, or all there are."""
    return Corpus(SHIPPED, read_text(lm, str(SHIPPED_TEXT), tokens).pieces)


def read_text(lm: "LanguageModel", source: str, tokens: int) -> Corpus:
    """The first `tokens` tokens of a text file or a dataset (`hf:owner/name`), cut into pieces.

    `BadRequest` where it cannot be read or is empty.
    """
    length = piece_length(lm)
    pieces: list[tuple[int, ...]] = []
    for paragraph in paragraphs(source) if source.startswith(PREFIX) else _of_file(Path(source)):
        if paragraph.strip():
            ids = lm.tokenizer(paragraph.strip())["input_ids"]
            refuse_beyond(lm.tokenizer, ids, lm.n_ids, f"“{source}”")
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
