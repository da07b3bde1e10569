"""Arithmetic that several studies share."""

import numpy as np
import pandas as pd
import pytest

from analysis.forward.by_length import by_length
from analysis.internals.correlation import rank_correlation


def test_equal_values_share_their_rank():
    one = np.array([[3.0, 1.0], [1.0, 2.0]])
    other = np.array([[5.0, 5.0], [0.0, 7.0]])
    ranks = [pd.Series(values.ravel()).rank() for values in (one, other)]
    assert rank_correlation(one, other) == pytest.approx(ranks[0].corr(ranks[1]))
    assert rank_correlation(one, one**3) == pytest.approx(1)


def test_sequences_of_one_length_are_read_together():
    pieces = ["aa", "b", "cc", "dd", "e"]
    assert list(by_length(pieces)) == [[0, 2, 3], [1, 4]]
    assert list(by_length(pieces, rows=2)) == [[0, 2], [3], [1, 4]]
    assert list(by_length(pieces, tokens=4)) == [[0, 2], [3], [1, 4]]
    assert list(by_length(pieces, tokens=1)) == [[0], [2], [3], [1], [4]]
