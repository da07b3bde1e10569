"""Text to measure a model on: what it writes by itself, text that comes with the workbench, a file, or a dataset.

A corpus is cut into pieces of tokens that the model reads one by one; its identity is the hash of
what is read, so statistics can say what they were made from.
"""

import hashlib
import json
import logging
import os
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
from analysis.whole_files import replacing, there

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

log = logging.getLogger(__name__)
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
    return next((place for place in (cache / name, CORPORA / lm.own_hash[:24] / name) if there(place)), None)


def written(lm: "LanguageModel", tokens: int, seed: int, cache: Path, report: Report = silent) -> Corpus:
    """Text of at least `tokens` tokens that the model samples by itself, kept under `cache`.

    It is stored as it comes: a run that was ended goes on with the next pieces.
    """
    if (found := ready(lm, tokens, seed, cache)) and (pieces_there := _pieces(found)):
        return Corpus(OWN, pieces_there)
    total = -(-tokens // piece_length(lm))
    rows = rows_beside(lm)
    sizes = [min(rows, total - begin) for begin in range(0, total, rows)]
    begun = cache / f"own-{seed}-{tokens}-part.jsonl"
    pieces = [piece for portion in portions(lm, sizes, seed, begun, report) for piece in portion]
    try:
        with replacing(cache / f"own-{seed}-{tokens}.json") as new:
            new.write_text(json.dumps({"hash": Corpus(OWN, tuple(pieces)).id, "pieces": pieces}), encoding="utf-8")
        begun.unlink(missing_ok=True)
    except OSError as error:
        log.warning("The text that the model wrote is not kept in %s (%s).", cache, error)
    return Corpus(OWN, tuple(pieces))


def _pieces(place: Path) -> tuple[tuple[int, ...], ...]:
    """Pieces of own text as they lie there; none where the file cannot be read: the text is written again."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        there = json.loads(place.read_bytes())
        return _checked({"pieces": there} if isinstance(there, list) else there)  # the first form had no hash
    return ()


def _checked(there: dict) -> tuple[tuple[int, ...], ...]:
    """Pieces of plain data; `ValueError` where they are not those that were put down."""
    pieces = tuple(tuple(map(int, piece)) for piece in there["pieces"])
    if there.get("hash") not in (None, Corpus(OWN, pieces).id):
        raise ValueError("its pieces are not those that were written")
    return pieces


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
            of = Corpus(OWN, tuple(portion)).id
            _put_down(place, json.dumps({"before": count, "hash": of, "pieces": portion}))
        yield portion
        count += size


def _put_down(place: Path, line: str) -> None:
    """Add a line, on a line of its own also where the one before was cut short."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            begin = "" if file.read(1) in (b"", b"\n") else "\n"
            file.write(f"{begin}{line}\n".encode())  # at once, so that lines of two processes do not mix
    except OSError as error:
        log.warning("A portion of text is not kept in %s (%s).", place.parent, error)


def _stored(place: Path) -> dict[int, list[tuple[int, ...]]]:
    """Portions of a file by the number of pieces before them; a line that was cut short is none."""
    found: dict[int, list[tuple[int, ...]]] = {}
    with suppress(OSError):
        for line in place.read_bytes().splitlines():
            with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
                one = json.loads(line)
                found[int(one["before"])] = list(_checked(one))
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
