"""Sequences of tokens that are read together: those of one length, so that no batch is padded."""

from collections.abc import Iterator, Sequence, Sized


def by_length(pieces: Sequence[Sized], *, rows: int | None = None, tokens: int | None = None) -> Iterator[list[int]]:
    """Indices of pieces, those of one length together: at most so many `rows` at once, or rows of so many `tokens`."""
    groups: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        groups.setdefault(len(piece), []).append(index)
    for length, alike in groups.items():
        step = max(1, tokens // length) if tokens else rows or len(alike)
        yield from (alike[start : start + step] for start in range(0, len(alike), step))
