"""Splits keep every row, every event and the container; nothing held out stays in the history."""

import datetime
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score

from skrec.metrics import recall_at_k
from skrec.model_selection import SameUsers, split_last, split_time, split_users

FORMS = ["list", "tuple", "array", "series", "arrow series", "pandas", "arrow pandas", "polars", "polars series"]
FRAMES = ["pandas", "arrow pandas", "polars"]


def object_array(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


def build(form, items, times=None):
    """Put histories into a container; frames carry a user feature, weights and an index of their own."""
    times = times or [list(range(len(row))) for row in items]
    index = [f"user {i}" for i in range(len(items))]
    item_type, time_type = pa.list_(pa.string()), pa.list_(pa.int64())
    weights = [[float(i + 1) for i in range(len(row))] for row in items]
    if form == "list":
        return [list(row) for row in items]
    if form == "tuple":
        return tuple(tuple(row) for row in items)
    if form == "array":
        return object_array([list(row) for row in items])
    if form == "series":
        return pd.Series(object_array(items), index=index, name="basket")
    if form == "arrow series":
        return pd.Series(items, index=index, name="basket", dtype=pd.ArrowDtype(item_type))
    if form == "pandas":
        return pd.DataFrame(
            {"age": range(len(items)), "item": object_array(items), "time": object_array(times)}, index=index
        )
    if form == "arrow pandas":
        return pd.DataFrame(
            {
                "item": pd.Series(items, dtype=pd.ArrowDtype(item_type)).to_numpy(),
                "age": range(len(items)),
            },
            index=index,
        ).assign(
            item=pd.Series(items, index=index, dtype=pd.ArrowDtype(item_type)),
            time=pd.Series(times, index=index, dtype=pd.ArrowDtype(time_type)),
            weight=pd.Series(weights, index=index, dtype=pd.ArrowDtype(pa.large_list(pa.float32()))),
        )
    if form == "polars":
        return pl.DataFrame(
            {"item": items, "time": times, "weight": weights, "age": range(len(items))},
            schema_overrides={"item": pl.List(pl.String), "time": pl.List(pl.Int64), "weight": pl.List(pl.Float32)},
        )
    return pl.Series("basket", items, dtype=pl.List(pl.String))


def rows_of(X):
    column = X["item"] if isinstance(X, (pd.DataFrame, pl.DataFrame)) else X
    return [list(row) for row in (column.to_list() if hasattr(column, "to_list") else column)]


def check_container(X, part, y):
    """The history has the form of X, y the form of its item column."""
    assert type(part) is (list if isinstance(X, tuple) else type(X))
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_index_equal(part.index, X.index)
        pd.testing.assert_series_equal(part["age"], X["age"])
        assert list(part.columns) == list(X.columns) and (part.dtypes == X.dtypes).all()
        assert y.name == "item" and y.dtype == X["item"].dtype and y.index.equals(X.index)
    elif isinstance(X, pl.DataFrame):
        assert part.schema == X.schema and part["age"].equals(X["age"])
        assert isinstance(y, pl.Series) and y.name == "item" and y.dtype == X["item"].dtype
    elif isinstance(X, pd.Series):
        assert part.dtype == y.dtype == X.dtype and part.index.equals(X.index) and y.index.equals(X.index)
        assert part.name == y.name == "basket"
    elif isinstance(X, pl.Series):
        assert part.dtype == y.dtype == X.dtype and part.name == y.name == "basket"
    elif isinstance(X, np.ndarray):
        assert part.dtype == y.dtype == object and part.shape == y.shape == X.shape
    else:
        assert isinstance(part, list) and isinstance(y, list) and all(isinstance(row, list) for row in part + y)


histories = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(histories, st.integers(1, 3), st.integers(0, 2), st.sampled_from(FORMS))
def test_split_last_loses_and_leaks_nothing(items, n, min_history, form):
    X = build(form, items)
    if max(map(len, items)) < n + min_history:
        with pytest.raises(ValueError, match="no history of X has the n \\+ min_history"):
            split_last(X, n, min_history=min_history)
        return
    part, y = split_last(X, n, min_history=min_history)
    check_container(X, part, y)
    for row, history, held_out in zip(items, rows_of(part), rows_of(y), strict=True):
        assert history + held_out == row
        assert len(held_out) == (n if len(row) >= n + min_history else 0)
    assert rows_of(X) == [list(row) for row in items]  # the input is untouched


baskets = st.lists(st.lists(st.text("abcdef", min_size=1, max_size=4), max_size=5), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(baskets, st.integers(1, 3), st.integers(0, 2))
def test_split_last_baskets_equal_their_definition(users, n, min_history):
    X = pd.DataFrame(
        {
            "item": [[item for basket in user for item in basket] for user in users],
            "time": [[number for number, basket in enumerate(user) for _ in basket] for user in users],
        }
    )
    if max(map(len, users)) < n + min_history:
        with pytest.raises(ValueError, match=r"no history of X has the n \+ min_history = \d baskets"):
            split_last(X, n, unit="basket", min_history=min_history)
        return
    part, y = split_last(X, n, unit="basket", min_history=min_history)
    for user, history, times, held_out in zip(users, part["item"], part["time"], y, strict=True):
        kept = len(user) - n if len(user) >= n + min_history else len(user)
        assert list(history) == list("".join(user[:kept]))
        assert list(times) == [number for number, basket in enumerate(user[:kept]) for _ in basket]
        assert list(held_out) == list(dict.fromkeys("".join(user[kept:])))


def test_split_last_baskets_need_times():
    with pytest.raises(ValueError, match=r"unit='basket' needs histories with the list column 'time'"):
        split_last([["a", "b"]], unit="basket")
    with pytest.raises(ValueError, match="unit"):
        split_last([["a", "b"]], unit="visit")


@settings(max_examples=100, deadline=None)
@given(histories, st.integers(0, 8), st.integers(1, 8), st.sampled_from(FRAMES), st.randoms(use_true_random=False))
def test_split_time_loses_and_leaks_nothing(items, at, width, form, random):
    times = [sorted(random.randrange(10) for _ in row) for row in items]
    X = build(form, items, times)
    flat = [time for row in times for time in row]
    if not any(time < at for time in flat) or not any(at <= time < at + width for time in flat):
        with pytest.raises(ValueError, match="at="):
            split_time(X, at, until=at + width)
        return
    part, y = split_time(X, at, until=at + width)
    check_container(X, part, y)
    for row, when, history, held_out in zip(items, times, rows_of(part), rows_of(y), strict=True):
        assert history == [item for item, time in zip(row, when, strict=True) if time < at]
        later = [item for item, time in zip(row, when, strict=True) if at <= time < at + width]
        assert held_out == list(dict.fromkeys(later))
    kept = [list(row) for row in part["time"].to_list()]
    assert kept == [[time for time in row if time < at] for row in times]


@settings(max_examples=100, deadline=None)
@given(
    histories.filter(lambda rows: len(rows) > 2),
    st.one_of(st.integers(1, 2), st.sampled_from([0.2, 0.5, 0.9])),
    st.sampled_from(["last", "random"]),
    st.sampled_from(FORMS),
    st.integers(0, 100),
)
def test_split_users_loses_and_leaks_nothing(items, held_out, order, form, seed):
    items = [[f"{item}{row}{place}" for place, item in enumerate(history)] for row, history in enumerate(items)]
    X = build(form, items)
    try:
        X_train, X_test, y_test = split_users(X, test_size=0.5, held_out=held_out, order=order, random_state=seed)
    except ValueError as error:
        assert "no test user has enough events" in str(error)
        return
    train, test, held = rows_of(X_train), rows_of(X_test), rows_of(y_test)
    whole = [sorted(history + out, key=lambda item: int(item[-1])) for history, out in zip(test, held, strict=True)]
    assert Counter(map(tuple, train + whole)) == Counter(map(tuple, items))
    assert [row for row in train if row] == [row for row in items if row and row in train]  # the order is kept
    for row, history, out in zip(whole, test, held, strict=True):
        assert history == [item for item in row if item in history] and out == [item for item in row if item in out]
        if order == "last":
            assert history + out == row
        if isinstance(held_out, int):
            assert len(out) == (held_out if len(row) > held_out else 0)
        elif len(row) > 1:
            assert len(out) == min(max(round(held_out * len(row)), 1), len(row) - 1)
        else:
            assert not out
    again = split_users(X, test_size=0.5, held_out=held_out, order=order, random_state=seed)
    assert [rows_of(part) for part in again] == [train, test, held]


def test_split_users_takes_a_number_of_users_and_random_events():
    X = [[f"{i}", *"abcdefgh"] for i in range(100)]
    X_train, X_test, y = split_users(X, test_size=30, held_out=3, order="random", random_state=0)
    assert len(X_train) == 70 and len(X_test) == 30
    assert {item for row in y for item in row} >= set("abcdefgh")  # not only the last ones
    assert split_users(X, test_size=30, random_state=1)[0] != X_train


@pytest.mark.parametrize("form", FORMS)
def test_exclusions(form, capsys):
    X = build(form, [["a", "b", "a"], ["b", "c"], ["a", "b"], ["z"]])
    part, y = split_last(X, exclude_seen=True)
    assert rows_of(part) == [["a", "b"], ["b"], ["a"], ["z"]]
    assert rows_of(y) == [[], ["c"], ["b"], []]
    assert capsys.readouterr().out == "Left out 1 of 3 held-out items: already in the user's history.\n"
    assert rows_of(split_last(X, exclude_unknown=True)[1]) == [["a"], [], ["b"], []]
    assert capsys.readouterr().out == "Left out 1 of 3 held-out items: in no history.\n"
    part, y = split_last(X, exclude_seen=True, exclude_unknown=True)
    assert rows_of(y) == [[], [], ["b"], []]
    assert "Left out 2 of 3 held-out items: already in the user's history or in no history." in capsys.readouterr().out
    split_last(X, exclude_seen=True, verbose=0)
    split_last(X)
    assert capsys.readouterr().out == ""


@settings(max_examples=50, deadline=None)
@given(histories.filter(lambda rows: max(map(len, rows)) > 2), st.booleans(), st.booleans())
def test_exclusions_equal_their_definition(items, seen, unknown):
    part, whole = split_last(items, 2)
    known = {item for row in part for item in row}
    expected = [
        [item for item in out if not (seen and item in row) and not (unknown and item not in known)]
        for row, out in zip(part, whole, strict=True)
    ]
    if not any(expected):
        with pytest.raises(ValueError, match=r"all .* held-out items were left out"):
            split_last(items, 2, exclude_seen=seen, exclude_unknown=unknown)
        return
    got_part, y = split_last(items, 2, exclude_seen=seen, exclude_unknown=unknown, verbose=0)
    assert got_part == part and y == expected


def test_twice_gives_train_validation_and_test():
    X_test, y_test = split_last([["a", "b", "c", "d"], ["a", "b"]])
    X_train, y_val = split_last(X_test)
    assert (X_train, y_val, y_test) == ([["a", "b"], ["a"]], [["c"], []], [["d"], ["b"]])


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_dates(library, unit):
    days = [[datetime.datetime(2011, 10, 30), datetime.datetime(2011, 11, 1), datetime.datetime(2011, 12, 1)]]
    arrow = pa.array(days, type=pa.list_(pa.timestamp(unit)))
    if library == "pandas":
        X = pd.DataFrame({"item": pd.Series([[1, 2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))})
        X["time"] = pd.Series(pd.arrays.ArrowExtensionArray(arrow))
    else:
        X = pl.DataFrame({"item": [[1, 2, 3]], "time": pl.Series(arrow)})
    part, y = split_time(X, "2011-11-01", until=datetime.date(2011, 12, 1))
    assert rows_of(part) == [[1]] and rows_of(y) == [[2]]
    assert part["time"].dtype == X["time"].dtype
    with pytest.raises(ValueError, match="at='2012-01-01': the times go from 2011-10-30T00:00:00 to 2011-12-01"):
        split_time(X, "2012-01-01")


def test_rows_that_are_missing_or_arrays():
    part, y = split_last(object_array([np.array([1, 2]), None, [3, 4], float("nan")]))
    assert isinstance(part[0], np.ndarray) and rows_of(part) == [[1], [], [3], []] and rows_of(y) == [[2], [], [4], []]
    X = pd.Series([["a", "b"], None], dtype=pd.ArrowDtype(pa.list_(pa.string())))
    assert rows_of(split_last(X)[0]) == [["a"], []]


def test_slices_chunks_and_repeated_index():
    dtype = pd.ArrowDtype(pa.large_list(pa.string()))
    one = pd.Series([["x"], ["a", "b"], ["c"]], dtype=dtype)[1:]
    X = pd.DataFrame({"item": pd.concat([one, one])})
    part, y = split_last(X)
    assert rows_of(part) == [["a"], ["c"]] * 2 and rows_of(y) == [["b"], []] * 2
    assert list(part.index) == [1, 2, 1, 2] and part["item"].dtype == dtype
    chunked = pa.chunked_array([[["a", "b"]], [["c"]]])
    assert [value.to_pylist() for value in split_last(chunked)] == [[["a"], ["c"]], [["b"], []]]
    X = pl.concat([pl.Series([["a", "b"]]), pl.Series([["c"]])], rechunk=False)
    assert rows_of(split_last(X)[1]) == [["b"], []]


def test_polars_categories_are_kept():
    X = pl.DataFrame({"item": pl.Series([["a", "b"], ["b"]], dtype=pl.List(pl.Enum(["a", "b"])))})
    part, y = split_last(X)
    assert part.schema == X.schema and y.dtype == X["item"].dtype and rows_of(y) == [["b"], []]


def test_all_parallel_columns_are_cut_alike():
    X = build("arrow pandas", [["a", "b", "c"], ["b"]]).assign(
        event=pd.Series([["view", "cart", "buy"], ["view"]], index=["user 0", "user 1"])
    )
    part, _ = split_last(X)
    assert part["event"].tolist() == [["view", "cart"], ["view"]]
    assert [list(row) for row in part["weight"]] == [[1, 2], [1]]
    assert [list(row) for row in part["time"]] == [[0, 1], [0]]


FRAME = build("pandas", [["a", "b"], ["c"]])


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: split_last([["a", "b"]], 0), ValueError, "n == 0, must be >= 1"),
        (lambda: split_last([["a", "b"]], 0.5), TypeError, "n must be an instance of int"),
        (lambda: split_last([["a", "b"]], min_history=-1), ValueError, "min_history == -1"),
        (lambda: split_last([[]]), ValueError, "the longest has 0.: lower n or min_history"),
        (lambda: split_last(np.eye(2)), TypeError, "X is a matrix of shape 2x2"),
        (lambda: split_last(["a", "b"]), TypeError, "row 0 of X is 'a'"),
        (lambda: split_last([["a", "a"]], exclude_seen=True), ValueError, "all 1 held-out items were left out"),
        (lambda: split_time([["a", "b"]], 1), ValueError, "X has no times: pass a frame"),
        (
            lambda: split_time(FRAME, 5),
            ValueError,
            "nothing is held out, no event of X follows at=5: the times go from",
        ),
        (lambda: split_time(FRAME, 0), ValueError, "no event of X is before at=0"),
        (lambda: split_time(FRAME, 1, until=1), ValueError, "until=1 must be after at=1"),
        (lambda: split_time(FRAME, 0.5, until=0.7), ValueError, "follows at=0.5 and comes before until=0.7"),
        (lambda: split_time(FRAME, "yesterday-ish"), TypeError, "at must be a date or a number"),
        (lambda: split_users([["a", "b"]] * 4, test_size=4), ValueError, "test_size=4 holds out 4 of 4 users"),
        (lambda: split_users([["a", "b"]] * 4, test_size=0.1), ValueError, "test_size=0.1 holds out 0 of 4 users"),
        (lambda: split_users([["a", "b"]] * 4, test_size=1.5), ValueError, "test_size == 1.5, must be < 1"),
        (lambda: split_users([["a", "b"]] * 4, held_out=0), ValueError, "held_out == 0, must be >= 1"),
        (lambda: split_users([["a", "b"]] * 4, held_out=1.0), ValueError, "held_out == 1.0, must be < 1"),
        (lambda: split_users([["a", "b"]] * 4, held_out=2), ValueError, "held_out=2, but no test user has enough"),
        (lambda: split_users([["a", "b"]] * 4, order="first"), ValueError, "order must be 'last' or 'random'"),
    ],
)
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()


class Popular(BaseEstimator):
    """Recommends the most frequent (or the rarest) items of the training histories."""

    def __init__(self, rare=False, k=2):
        self.rare = rare
        self.k = k

    def fit(self, X, y=None):
        items, counts = np.unique([item for row in rows_of(X) for item in row], return_counts=True)
        self.n_rows_ = len(X)
        self.top_ = items[np.argsort(counts if self.rare else -counts, kind="stable")][: self.k]
        return self

    def predict(self, X):
        return np.tile(self.top_, (len(X), 1))


@pytest.mark.parametrize("form", FORMS[:1] + FORMS[2:])
def test_same_users_in_a_grid_search(form):
    X, y = split_last(build(form, [["a", "a", "b", "a"], ["a", "b", "b"], ["c", "a"], ["d"]]))
    scorer = make_scorer(recall_at_k, k=2)
    search = GridSearchCV(Popular(), {"rare": [True, False]}, cv=SameUsers(), scoring=scorer, error_score="raise")
    search.fit(X, y)
    assert search.best_params_ == {"rare": False} and search.best_score_ == 1.0 and search.n_splits_ == 1
    assert search.best_estimator_.n_rows_ == 4
    assert cross_val_score(Popular(), X, y, cv=SameUsers(), scoring=scorer).tolist() == [1.0]


def test_same_users():
    splitter = SameUsers()
    assert repr(splitter) == "SameUsers()" and splitter.get_n_splits() == 1
    ((train, test),) = splitter.split(pl.DataFrame({"item": [["a"], ["b"]]}))
    assert train.tolist() == test.tolist() == [0, 1] and train is not test


def _table(X):
    return pa.table({"user": list(X.index), "item": X["item"].tolist(), "time": X["time"].tolist()})


def test_arrow_tables_are_cut_like_frames():
    X = pd.DataFrame({"item": [["a", "b"], ["c"], ["a", "c", "b"]], "time": [[1, 2], [3], [4, 5, 6]]})
    history, y = split_last(_table(X))
    expected, held_out = split_last(X)
    assert isinstance(history, pa.Table)
    assert history.column_names == ["user", "item", "time"]
    assert history["item"].to_pylist() == [list(row) for row in expected["item"]]
    assert history["time"].to_pylist() == [list(row) for row in expected["time"]]
    assert y.to_pylist() == [list(row) for row in held_out]
    batch, later = split_time(_table(X).to_batches()[0], at=2)
    assert batch.column("item").to_pylist() == [["a"], [], []]
    assert later.to_pylist() == [["b"], ["c"], ["a", "c", "b"]]
    train, test, asked = split_users(_table(X), test_size=1, random_state=1)
    assert train.num_rows == 2
    assert test.num_rows == len(asked) == 1


def test_rows_that_are_arrow_arrays():
    X = pd.DataFrame({"item": pd.Series([pa.array([1, 2, 2**60 + 1]), pa.array([3])])})
    history, y = split_last(X)
    assert history["item"].tolist() == [[1, 2], [3]]
    assert y.tolist() == [[2**60 + 1], []]


HOSTILE = ["false", 2, None, np.array([True, False]), [], pd.DataFrame()]


@pytest.mark.parametrize("value", HOSTILE, ids=[type(value).__name__ for value in HOSTILE])
@pytest.mark.parametrize("flag", ["exclude_seen", "exclude_unknown"])
def test_flags_of_splits_are_flags(flag, value):
    X = pd.DataFrame({"item": [[1, 2], [2, 1]], "time": [[1, 2], [1, 2]]})
    for split in (lambda **flags: split_last(X, **flags), lambda **flags: split_time(X, 2, **flags)):
        with pytest.raises(TypeError, match=f"{flag} must be True or False"):
            split(**{flag: value})


@pytest.mark.parametrize(
    "name, value",
    [
        ("test_size", float("nan")),
        ("held_out", float("nan")),
        ("held_out", 2**63),
        ("held_out", True),
        ("order", np.array([])),
        ("order", None),
        ("random_state", "x"),
        ("random_state", 2**63),
        ("X", (row for row in [[1], [2]])),
        ("X", np.array(3)),
        ("X", "ab"),
        ("X", {"ann": [1, 2]}),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_arguments_of_split_users_are_named(name, value):
    arguments = {"X": [[1, 2], [2, 1], [1, 3]], "test_size": 0.4} | {name: value}
    with pytest.raises((TypeError, ValueError), match=f"^{name}"):
        split_users(**arguments)


def test_sums_of_large_numbers_do_not_overflow():
    for arguments in ({"n": 2**63}, {"min_history": 2**63}):
        with pytest.raises(ValueError, match="at most"):
            split_last([[1, 2]], **arguments)
    with pytest.raises(ValueError, match="no history of X has the n"):
        split_last([[1, 2]], n=2**62, min_history=2**62 - 1)
