"""Stop a run after each of its steps, keep what it found as the store does, and let it go on."""

import dataclasses
from typing import Any

import numpy as np

from analysis.study import Study, pack, unpack

TIMED = ("provenance", "seconds")


def same(one: Any, other: Any) -> bool:
    """Whether two results say the same, bit for bit, but for how long it took."""

    def plain(result: Any) -> tuple[Any, list[np.ndarray]]:
        data, arrays = pack(dataclasses.replace(result, **{name: None for name in TIMED if hasattr(result, name)}))
        return data, list(arrays.values())

    (data, arrays), (data_too, arrays_too) = plain(one), plain(other)
    return (
        data == data_too
        and len(arrays) == len(arrays_too)
        and all(
            a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            for a, b in zip(arrays, arrays_too, strict=True)
        )
    )


def goes_on_to_the_same_end(study: Study, lm: Any, request: Any) -> list[Any]:
    """Stop after every part that is told; what then goes on is the run that was never stopped. Returns the parts."""
    parts: list[Any] = []

    def listen(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        parts.append(partial) if partial is not None else None

    whole = study.run(lm, request, listen)
    assert whole.complete
    assert study.resumable
    unfinished = [part for part in parts if not part.complete]
    assert unfinished
    assert [part.cells[0] for part in unfinished] == sorted(part.cells[0] for part in unfinished)
    for part in unfinished:
        stored = unpack(study.result, *pack(part))
        first: list[Any] = []

        def again(
            done: int, total: int, note: str = "", partial: Any = None, share: float | None = None, first: Any = first
        ) -> None:
            first.append(partial) if partial is not None else None

        assert same(study.run(lm, request, again, resume_from=stored), whole)
        assert all(one.cells[0] >= part.cells[0] for one in first), "nothing is done twice"
    return unfinished
