"""What a terminal shows: one sentence for a fault, a bar while one waits, tables, maps of shades."""

import os
import sys
import time
from argparse import PARSER, Action, ArgumentError, ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from app.charts.words import duration

SHADES = " ▁▂▃▄▅▆▇█"
LONGEST, LONGEST_PART = 4095, 255
"""Bytes of a path, and of each name in it, that file systems take."""
STRONGEST = 5
"""Places, heads or neurons of one kind that a summary names."""


class Parser(ArgumentParser):
    """An argument parser that says what is wrong in one sentence."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("type", Path, place)

    def _get_values(self, action: Action, words: list[str]) -> Any:
        """What a flag was told; text that is blank is refused for every flag that does not judge its words itself."""
        if action.type is None and action.nargs != PARSER and not all(word.strip() for word in words):
            raise ArgumentError(action, "it is empty")
        return super()._get_values(action, words)

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit 2."""
        self.exit(2, f"{message[0].upper()}{message[1:].rstrip('.')}. See {self.prog} --help.\n")


def place(text: str) -> Path:
    """A flag's file or folder; `ArgumentTypeError` for what cannot be the name of one."""
    if not text.strip():
        raise ArgumentTypeError("no file is named")
    if len(os.fsencode(text)) > LONGEST or any(len(os.fsencode(part)) > LONGEST_PART for part in Path(text).parts):
        raise ArgumentTypeError(f"“{text[:40]}…” is too long for the name of a file")
    return Path(text)


class Bar:
    """A progress bar on stderr when that is a terminal, otherwise nothing. Use it as a `report`."""

    def __init__(self) -> None:
        self._live, self._drawn, self._about = sys.stderr.isatty(), 0.0, ""
        self._since = time.monotonic()

    def __call__(self, done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        """Redraw, ten times a second at most."""
        now, share = time.monotonic(), done / max(total, 1) if share is None else share
        if note != self._about:
            self._about, self._since = note, now
        if not self._live or (now - self._drawn < 0.1 and done < total):
            return
        self._drawn = now
        filled = round(24 * share)
        count = f"{share:.0%}" if total in (1, 100) else f"{done} of {total}"
        left = (now - self._since) * (1 - share) / share if share > 0.02 else 0
        rest = f", {duration(left)} left" if left >= 1 else ""
        sys.stderr.write(f"\r\x1b[2K{'━' * filled}{'╌' * (24 - filled)} {count} {note}{rest}")
        sys.stderr.flush()

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wipe the bar."""
        if self._drawn:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def columns(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Rows in aligned columns; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [
        bool(cells) and all(row[i].lstrip("-").replace(".", "").isdigit() for row in cells)
        for i in range(_width(cells))
    ]
    lines = [[str(word) for word in head], *cells] if head else cells
    widths = [max(len(line[i]) for line in lines) for i in range(_width(lines))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right or [False] * len(widths), strict=True)
        ).rstrip()
        for line in lines
    )


def _width(lines: list[list[str]]) -> int:
    return len(lines[0]) if lines else 0


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float | np.floating) else str(value)


def shades(values: np.ndarray, low: float, high: float) -> str:
    """One character a value, fuller from `low` to `high`; blank where there is none."""
    shares = ((values - low) / max(high - low, 1e-9)).clip(0, 1)
    return "".join(SHADES[0 if np.isnan(share) else 1 + round(float(share) * 7)] for share in shares)


def word(text: str) -> str:
    """A token's text in one line, its leading space left off."""
    return text.strip().replace("\n", "⏎") or repr(text)[1:-1]


def model_line(card: dict[str, Any]) -> str:
    """A model in a few words: name, layers, precision, device."""
    return f"{card['name']} ({card['layers']} layers, {card['dtype']}, {card['device']})"
