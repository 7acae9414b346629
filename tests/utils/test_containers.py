"""Rows are counted where there are rows, and named where there are none."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from skrec.utils._containers import count_rows

ROWS = [[[1], [2]], ([1], [2]), pd.DataFrame({"item": [[1], [2]]}), pl.DataFrame({"item": [[1], [2]]})]
ROWS += [pa.table({"item": [[1], [2]]}), pa.array([[1], [2]]), sp.csr_array((2, 5)), np.ones((2, 3))]


@pytest.mark.parametrize("X", ROWS, ids=[type(X).__name__ for X in ROWS])
def test_rows_are_counted(X):
    assert count_rows(X) == 2


ROWLESS = [3, None, "ab", b"ab", {1: [2]}, {1}, np.array(3), iter([[1]]), len]


@pytest.mark.parametrize("X", ROWLESS, ids=[type(X).__name__ for X in ROWLESS])
def test_what_has_no_rows_is_named(X):
    with pytest.raises(TypeError, match=r"^X_test must be a sequence with one row per user"):
        count_rows(X, "X_test")
