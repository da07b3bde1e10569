"""Text in the cells of a table: one that a spreadsheet would run as a formula gets an apostrophe before it.

So does text that begins with apostrophes before such, so taking one away gives every text back.
"""

import re
from typing import Any

RUNS = re.compile(r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""How a formula begins."""
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
"""A number as text, which a spreadsheet reads as the number it is."""


def harmless(cell: Any) -> Any:
    """A cell as it may leave the house; what is no text stays as it is."""
    return f"'{cell}" if isinstance(cell, str) and _runs(cell) else cell


def meant(cell: str) -> str:
    """The text of a cell that was made harmless; any other as it is."""
    return cell[1:] if cell.startswith("'") and _runs(cell) else cell


def _runs(cell: str) -> bool:
    bare = cell.lstrip("'")
    return RUNS.match(bare) is not None and NUMBER.fullmatch(bare) is None
