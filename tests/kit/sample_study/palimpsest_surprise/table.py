"""The numbers, a row a token."""

import pandas as pd

from app.exports.columns import floats
from palimpsest_surprise.result import SurpriseResult


def surprise_table(result: SurpriseResult) -> pd.DataFrame:
    """Token and surprise."""
    return pd.DataFrame({"token": result.tokens[1:], "surprise": floats(result.surprise)})
