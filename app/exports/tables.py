"""Every result as one tidy table: a row for each cell, state, fact or row of tokens.

The page's table twin, the CSV and the terminal all read it, so no number exists twice.
"""

from typing import TYPE_CHECKING, Any

from app.registry.studies import entry_of

if TYPE_CHECKING:
    import pandas as pd


def table(result: Any) -> "pd.DataFrame":
    """A result as a tidy table; `TypeError` for what is no result."""
    return entry_of(result).read("table")(result)
