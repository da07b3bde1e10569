"""Results in a few lines of text, as their studies tell them."""

from typing import Any

from app.exports.tables import table
from app.registry.studies import entry_of
from app.terminal.text import columns, model_line

ROWS = 20
"""Rows shown of a table, where a study tells no more."""


def summary(result: Any) -> str:
    """A result for the terminal; `TypeError` for what is no result."""
    entry = entry_of(result)
    return entry.read("summary")(result) if entry.summary else _rows(result)


def _rows(result: Any) -> str:
    rows = table(result)
    shown = columns(list(rows.head(ROWS).itertuples(index=False)), tuple(map(str, rows.columns)))
    more = f"\n… {len(rows) - ROWS} more" if len(rows) > ROWS else ""
    return f"{model_line(result.model)}\n{shown}{more}"
