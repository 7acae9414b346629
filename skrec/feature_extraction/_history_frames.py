"""Frames of histories: one row per user, with Arrow list columns."""

import numpy as np

_INT32_MAX = 2**31 - 1


def _lists(indptr: np.ndarray, flat: dict) -> dict:
    import pyarrow as pa

    large = indptr[-1] > _INT32_MAX
    offsets = pa.array(indptr if large else indptr.astype(np.int32))
    array = pa.LargeListArray if large else pa.ListArray
    return {role: array.from_arrays(offsets, values) for role, values in flat.items()}


def pandas_frame(users, indptr: np.ndarray, flat: dict, user: str):
    """Build the frame from user ids, row boundaries and flat columns (Arrow or NumPy arrays)."""
    import pandas as pd
    import pyarrow as pa

    users = pa.array(users)
    flat = {role: pa.array(values) for role, values in flat.items()}

    columns = {
        role: pd.array(values, dtype=pd.ArrowDtype(values.type)) for role, values in _lists(indptr, flat).items()
    }
    return pd.DataFrame(columns, index=user_index(users, user))


def user_index(users, user: str):
    """Return an Arrow array of user ids as a pandas Index."""
    import pandas as pd
    import pyarrow as pa

    text = pa.types.is_string(users.type) or pa.types.is_large_string(users.type)
    index = pd.Index(users.to_pandas() if text else users.to_numpy(zero_copy_only=False), tupleize_cols=False)
    index.name = user  # as an argument, a tuple would name several levels
    return index


def polars_frame(users, indptr: np.ndarray, flat: dict, user: str):
    """Build the polars frame from the same, with the user ids as its first column."""
    import polars as pl

    if user in flat:
        raise ValueError(f"user={user!r} is also the name of a list column of the result: rename the column first")
    columns = {user: users, **_lists(indptr, flat)}
    return pl.DataFrame([pl.Series(name, pl.from_arrow(values)) for name, values in columns.items()])
