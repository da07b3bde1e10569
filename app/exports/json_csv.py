"""What a person takes away: CSV of the table, JSON of everything.

JSON is strict: a cell that was not computed is null, never NaN. Its numbers are those of the
table, at full precision.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from pydantic import BaseModel

from analysis.text.cells import harmless
from app.exports.tables import table
from app.registry.studies import entry_of
from editors.edit.edit import Edit
from editors.recipes.recipe import recipe_of


def to_csv(result: Any) -> str:
    """The table of a result as CSV, numbers at full precision, lines as RFC 4180 ends them.

    Text that a spreadsheet would run as a formula has an apostrophe before it, and so has text that begins with
    apostrophes before such: taking one away gives the text back. JSON has every text as it is.
    """
    return csv_of(table(result))


def csv_of(rows: pd.DataFrame) -> str:
    """A table as CSV; see `to_csv`."""
    return for_sheets(rows).to_csv(index=False, lineterminator="\r\n")


def for_sheets(rows: pd.DataFrame) -> pd.DataFrame:
    """The table with no text in it that a spreadsheet runs: what a browser's own download button gives away, too."""
    words = [name for name, kind in rows.dtypes.items() if not is_numeric_dtype(kind)]
    return rows.assign(**{name: rows[name].map(harmless) for name in words}).rename(columns=harmless)


def csv_file(result: Any) -> bytes:
    """The CSV for a spreadsheet: with the mark by which Excel knows UTF-8. A file for programs goes without."""
    return to_csv(result).encode("utf-8-sig")


def to_json(result: Any, more: dict[str, Any] | None = None) -> str:
    """A result as strict JSON, one line a key; `more` is what else the file is to say."""
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in (plain(result) | _plain_data(more or {})).items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plain(result: Any) -> dict[str, Any]:
    """A result as plain JSON data, an edit as its recipe; `TypeError` for what is no result."""
    if isinstance(result, Edit):
        return _plain_data(recipe_of(result)[0])
    entry = entry_of(result)
    own = entry.read("fields")(result)
    head = {"study": entry.name, "model": result.model, "request": result.request}
    return _plain_data(head | own | {"provenance": getattr(result, "provenance", {})})


def _plain_data(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, np.ndarray | np.generic):
        return _plain_data(value.tolist())
    if isinstance(value, dict):
        return {str(name): _plain_data(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
