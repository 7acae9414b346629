"""Every form of a history is read alike; every wrong one gets one sentence that says what to do."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrec.utils._histories import read_histories
from skrec.utils._validation import as_id_list, as_ids, lookup

int_histories = st.lists(st.lists(st.integers(-(2**40), 2**40), max_size=6), min_size=1, max_size=8)
str_histories = st.lists(st.lists(st.text(min_size=1, max_size=4), max_size=6), min_size=1, max_size=8)


def back(histories):
    """Return the compressed form as lists again."""
    events = histories.ids[histories.codes] if len(histories.codes) else []
    bounds = zip(histories.indptr[:-1], histories.indptr[1:], strict=True)
    return [list(events[start:stop]) for start, stop in bounds]


def object_array(X):
    array = np.empty(len(X), dtype=object)
    array[:] = X
    return array


def arrow_series(X, kind):
    return pd.Series(pd.array(X, dtype=pd.ArrowDtype(pa.list_(kind))), index=np.arange(len(X))[::-1])


@given(X=st.one_of(int_histories, str_histories))
def test_all_containers_are_read_alike(X):
    kind = pa.string() if any(isinstance(item, str) for row in X for item in row) else pa.int64()
    dtype = pl.String if kind == pa.string() else pl.Int64
    arrow = arrow_series(X, kind)
    forms = [
        X,
        tuple(map(tuple, X)),
        object_array(X),
        pd.Series(X),
        arrow,
        pa.array(X, pa.list_(kind)),
        pa.chunked_array([pa.array(X, pa.large_list(kind))]),
        pl.Series(X, dtype=pl.List(dtype)),
        pd.DataFrame({"item": arrow}),
        pl.DataFrame({"item": pl.Series(X, dtype=pl.List(dtype))}),
    ]
    for form in forms:
        assert back(read_histories(form)) == X


def test_null_rows_are_empty_histories():
    assert back(read_histories(arrow_series([[1], None, [2]], pa.int64()))) == [[1], [], [2]]
    assert back(read_histories([[1], None, float("nan")])) == [[1], [], []]


def test_slices_of_arrow_columns_are_read_from_their_offset():
    column = arrow_series([["a"], ["b", "c"], ["d"]], pa.string())
    assert back(read_histories(column.iloc[1:])) == [["b", "c"], ["d"]]
    assert back(read_histories(pa.array([[1], [2, 3]])[1:])) == [[2, 3]]


def test_frame_columns_come_along(df_module):
    day = datetime.datetime(2024, 1, 1)
    frame = df_module.DataFrame(
        {
            "item": [["a", "b"], ["a"]],
            "time": [[day, day + datetime.timedelta(days=1)], [day]],
            "weight": [[1.0, 2.0], [0.5]],
            "event": [["view", "buy"], ["view"]],
            "age": [30, 40],
        }
    )
    histories = read_histories(frame)
    np.testing.assert_array_equal(np.diff(histories.time), [1, -1])
    np.testing.assert_array_equal(histories.weight, [1, 2, 0.5])
    assert list(histories.event_ids[histories.event_codes]) == ["view", "buy", "view"]


def test_take_events_keeps_every_row():
    histories = read_histories([[1, 2], [3], []])
    left = histories.take_events(np.array([False, True, False]))
    assert back(left) == [[2], [], []]


matrix = np.eye(3)
WRONG = [
    ("abc", TypeError, "X must be a sequence of histories or a frame, got str"),
    (["abc", "de"], TypeError, r"row 0 of X is 'abc' \(str\).*wrap it in a list"),
    ([1, 2], TypeError, r"row 0 of X is 1 \(int\).*wrap it in a list"),
    (5, TypeError, "X must be a sequence of histories"),
    ({1: 2}, TypeError, "X must be a sequence of histories"),
    (matrix, TypeError, "X is a matrix of shape 3x3.*vectorizer='passthrough'"),
    ([[1, "a"]], TypeError, r"X mixes ids of several types, 1 \(integer\) and 'a' \(string\).*such as str"),
    ([[1, 2.5]], TypeError, "X mixes ids of several types"),
    ([[1, None]], ValueError, r"X has a missing id \(None or NaN\)"),
    ([[1.0, float("nan")]], ValueError, "X has a missing id"),
    ([["a", np.nan]], ValueError, "X has a missing id"),
    ([[True, False]], TypeError, "X has True of type bool: ids must be integers or strings"),
    ([[(1, 2)]], TypeError, "ids must be integers or strings"),
    ([[2**70]], TypeError, "beyond 64 bits"),
    (pd.Series([1, 2]), TypeError, "row 0 of X is"),
    (pd.Series(["a", "b"], dtype="string"), TypeError, "a list column is expected"),
    (pd.DataFrame({"basket": [[1]]}), ValueError, "without the list column 'item'.*to_histories"),
    (arrow_series([[1, None]], pa.int64()), ValueError, "X has a missing id"),
    (pl.DataFrame({"item": [[1, 2]], "time": [[1.0]]}), ValueError, "X.'time'. must be parallel.*row 0 has 1 values"),
    (pl.DataFrame({"item": [[1, 2]], "time": [[2.0, 1.0]]}), ValueError, "must not decrease.*to_histories"),
    (pl.DataFrame({"item": [[1]], "time": [["noon"]]}), TypeError, "'noon', which is not a time.*to_datetime"),
    (pl.DataFrame({"item": [[1]], "time": [[None]]}), Exception, "time"),
    (
        pl.DataFrame({"item": [[1]], "weight": [[-1.0]]}),
        ValueError,
        "weight.*must be finite and at least 0, but 1 of 1 are not, such as -1",
    ),
    (pl.DataFrame({"item": [[1]], "weight": [[float("nan")]]}), ValueError, "must be finite and at least 0"),
    (pl.DataFrame({"item": [[1]], "weight": [["many"]]}), TypeError, "must hold numbers"),
]


@pytest.mark.parametrize(("X", "error", "message"), WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_wrong_histories(X, error, message):
    with pytest.raises(error, match=message) as caught:
        read_histories(X)
    assert "\n" not in str(caught.value)


def test_lookup_in_sorted_and_unsorted_vocabularies():
    for vocabulary in (np.array([1, 3, 5]), np.array([5, 1, 3])):
        found = lookup(np.array([3, 4, 5, -1]), vocabulary)
        np.testing.assert_array_equal(found >= 0, [True, False, True, False])
        np.testing.assert_array_equal(vocabulary[found[found >= 0]], [3, 5])
    with pytest.raises(TypeError, match=r"X has item ids such as 'a'.*but the model learned ids such as 1"):
        lookup(np.array(["a"], dtype=object), np.array([1, 3]))


def test_id_arguments():
    np.testing.assert_array_equal(as_id_list(pd.Index([1, 2]), "candidates"), [1, 2])
    with pytest.raises(TypeError, match="candidates must be a list of ids, got 'tea'"):
        as_id_list("tea", "candidates")
    assert as_ids(["a", "b"], "X").dtype == object
    assert as_ids(np.array([1, 2], dtype=np.int16), "X").dtype == np.int16
