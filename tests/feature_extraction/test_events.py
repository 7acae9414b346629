"""to_histories: every input, one answer."""

import datetime
import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrec.feature_extraction import to_histories
from skrec.utils._histories import read_histories

ROLES = {"user": "who", "item": "what", "time": "when", "weight": "much", "event": "kind"}


@pytest.fixture
def events():
    rng = np.random.default_rng(0)
    n = 500
    return pd.DataFrame(
        {
            "who": rng.integers(0, 40, n).astype("int32"),
            "what": rng.choice(["mug", "lamp", "0017", "O'Hara", 'q,"\nz', "é"], n),
            "when": pd.to_datetime(1_300_000_000 + rng.integers(0, 90, n), unit="s").astype("datetime64[ms]"),
            "much": rng.integers(0, 9, n) / 2,
            "kind": pd.Categorical(rng.choice(["view", "buy"], n)),
            "other": np.nan,
        }
    )


def expected(events, user, item, time=None, **others):
    """Say plainly what to_histories does."""
    ordered = events.sort_values([user, time] if time else [user], kind="stable")
    columns = {"item": item, **({"time": time} if time else {}), **others}
    return {role: {who: list(rows) for who, rows in ordered.groupby(user)[column]} for role, column in columns.items()}


def as_dict(histories):
    return {role: {who: list(row) for who, row in histories[role].items()} for role in histories.columns}


CONTAINERS = {
    "pandas": lambda df: df,
    "polars": pl.from_pandas,
    "lazy": lambda df: pl.from_pandas(df).lazy(),
    "pyarrow": lambda df: pa.Table.from_pandas(df),
    "chunks": lambda df: pa.concat_tables([pa.Table.from_pandas(df[:123]), pa.Table.from_pandas(df[123:])]),
    "batch": lambda df: pa.RecordBatch.from_pandas(df),
    "arrow dtypes": lambda df: df.convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda df: df.astype({"what": object, "when": object, "kind": object}),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("roles", [("time", "weight", "event"), ("time",), ()])
def test_every_container_gives_the_plain_answer(events, container, roles):
    names = {role: ROLES[role] for role in ("user", "item", *roles)}
    histories = to_histories(CONTAINERS[container](events), **names)
    if container in ("polars", "lazy"):
        assert isinstance(histories, pl.DataFrame)
        assert histories.columns == ["who", "item", *roles]
        histories = histories.to_pandas(use_pyarrow_extension_array=True).set_index("who")
    assert as_dict(histories) == expected(events, **names)
    assert list(histories.index) == sorted(set(events["who"]))
    assert histories.index.name == "who"


def test_types_are_kept(events):
    histories = to_histories(events, **ROLES)
    assert histories.index.dtype == "int32"
    assert histories["item"].dtype == pd.ArrowDtype(pa.list_(pa.string()))
    assert histories["time"].dtype == pd.ArrowDtype(pa.list_(pa.timestamp("ms")))
    assert histories["weight"].dtype == pd.ArrowDtype(pa.list_(pa.float64()))
    assert histories["event"].dtype == pd.ArrowDtype(pa.list_(pa.string()))
    swapped = to_histories(events, user="what", item="who")
    assert swapped["item"].dtype == pd.ArrowDtype(pa.list_(pa.int32()))
    assert swapped.index.tolist() == sorted(set(events["what"]))


def test_polars_types_are_kept(events):
    frame = pl.from_pandas(events[["who", "what", "when"]]).with_columns(pl.col("what").cast(pl.Categorical))
    histories = to_histories(frame, user="who", item="what", time="when")
    assert histories.schema["who"] == pl.Int32
    assert histories.schema["item"] == pl.List(pl.String)
    assert histories.schema["time"] == pl.List(pl.Datetime("ms"))


def test_the_input_is_left_alone(events):
    before = events.copy(deep=True)
    to_histories(events, **ROLES)
    pd.testing.assert_frame_equal(events, before)


def test_the_result_reads_back(events):
    histories = read_histories(to_histories(events, **ROLES))
    assert len(histories) == events["who"].nunique()
    assert histories.lengths.sum() == len(events)
    assert histories.weight.sum() == pytest.approx(events["much"].sum())


IDS = {
    "dense": st.integers(0, 5),
    "negative": st.integers(-3, 3),
    "far apart": st.sampled_from([-(2**63), 2**63 - 1, 0, 17]),
    "texts": st.sampled_from(["b", "a", "ab", "", "é", "Z"]),
    "floats": st.sampled_from([0.5, -1.0, 3.25]),
}
TIMES = {
    "small": (st.integers(-3, 3), "int8"),
    "wide": (st.sampled_from([-(2**63), 2**63 - 1, 0]), "int64"),
    "unsigned": (st.sampled_from([2**64 - 1, 2**63, 1, 0]), "uint64"),
    "floats": (st.sampled_from([-0.5, 0.25, 1e300]), "float64"),
    "nanoseconds": (st.integers(-(2**60), 2**60), "datetime64[ns]"),
    "seconds": (st.integers(0, 10), "datetime64[s]"),
}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("ids", IDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_log_is_sorted_by_user_then_time_and_stable(ids, times, data):
    values, dtype = TIMES[times]
    rows = data.draw(st.lists(st.tuples(IDS[ids], values), min_size=1, max_size=30))
    events = pd.DataFrame({"who": [row[0] for row in rows], "what": range(len(rows))})
    dtype = np.dtype(dtype)
    events["when"] = np.array([row[1] for row in rows], dtype="int64" if dtype.kind == "M" else dtype).astype(dtype)
    histories = to_histories(events, user="who", item="what", time="when")
    order = sorted(range(len(rows)), key=lambda i: (rows[i][0], rows[i][1]))  # sorted is stable
    plain = {}
    for i in order:
        plain.setdefault(rows[i][0], []).append(i)
    assert as_dict(histories[["item"]])["item"] == plain
    assert list(histories.index) == list(plain)
    assert histories["time"].dtype.pyarrow_dtype.value_type == pa.array(events["when"]).type


def test_times_with_a_zone_dates_and_python_objects():
    utc = pd.DataFrame({"u": [1, 1], "i": [7, 8], "t": pd.to_datetime(["2024-01-02", "2024-01-01"], utc=True)})
    histories = to_histories(utc, user="u", item="i", time="t")
    assert histories["item"].tolist() == [[8, 7]]
    assert histories["time"].dtype.pyarrow_dtype.value_type.tz == "UTC"
    dates = utc.assign(t=[datetime.date(2024, 1, 2), datetime.date(2024, 1, 1)])
    histories = to_histories(dates, user="u", item="i", time="t")
    assert histories["item"].tolist() == [[8, 7]]
    assert histories["time"].dtype.pyarrow_dtype.value_type == pa.date32()


def test_unused_categories_do_not_become_users():
    users = pd.Categorical(["b", "a"], categories=["z", "b", "a"])
    events = pd.DataFrame({"u": users, "i": [1, 2]})
    assert to_histories(events, user="u", item="i").index.tolist() == ["a", "b"]


def test_an_index_that_is_not_a_range_does_not_matter():
    events = pd.DataFrame({"u": [1, 0, 1], "i": [5, 6, 7]}, index=[9, 9, 3])
    assert to_histories(events, user="u", item="i")["item"].tolist() == [[6], [5, 7]]


BASE = {"u": [1, 2], "i": [3, 4], "t": [0, 1], "w": [1.0, 2.0]}
BAD = [
    ({"u": [1, None]}, {}, ValueError, r"user column 'u' has 1 missing value: .*dropna\(subset=\['u'\]\)"),
    ({"i": [None, None]}, {}, ValueError, r"item column 'i' has 2 missing values"),
    ({"i": ["a", None]}, {}, ValueError, r"item column 'i' has 1 missing value"),
    ({"i": np.array(["a", None], dtype=object)}, {}, ValueError, r"item column 'i' has 1 missing value"),
    ({"i": np.array(["a", 1], dtype=object)}, {}, TypeError, "item column 'i' mixes ids of several types"),
    ({"i": [True, False]}, {}, TypeError, "item column 'i' has the type bool"),
    ({"u": pd.to_datetime(["2024-01-01"] * 2)}, {}, TypeError, "user column 'u' has the type timestamp"),
    ({"t": ["2024-01-01", "2024-01-02"]}, {"time": "t"}, TypeError, "not a time: .*pandas.to_datetime"),
    ({"t": np.array(["x", "y"], dtype=object)}, {"time": "t"}, TypeError, "not a time: .*pandas.to_datetime"),
    ({"t": pd.to_timedelta([1, 2], unit="s")}, {"time": "t"}, TypeError, "not a time"),
    ({"t": np.array([pd.Timestamp("2024"), 5], dtype=object)}, {"time": "t"}, TypeError, "mixes numbers and datetimes"),
    ({"u": np.array([1, 2], dtype="float16")}, {}, TypeError, "user column 'u' has half-precision numbers"),
    ({"i": [b"a", b"b"]}, {}, TypeError, "item column 'i' has b'a' of type bytes"),
    ({"t": [1.0, np.nan]}, {"time": "t"}, ValueError, "time column 't' has 1 missing value"),
    ({"t": [1.0, np.inf]}, {"time": "t"}, ValueError, "time column 't' lacks 1 of 2 times"),
    ({"t": pd.to_datetime(["2024-01-01", None])}, {"time": "t"}, ValueError, "time column 't' has 1 missing value"),
    (
        {"w": [1, -2]},
        {"weight": "w"},
        ValueError,
        "weight column 'w' must be finite and at least 0, but 1 of 2 are not, such as -2.*return",
    ),
    ({"w": [1, np.nan]}, {"weight": "w"}, ValueError, "weight column 'w' must be finite and at least 0, but 1 of 2"),
    ({"w": ["1", "2"]}, {"weight": "w"}, TypeError, "weight column 'w' .*number"),
    ({"w": np.array([1, "2"], dtype=object)}, {"weight": "w"}, TypeError, "weight column 'w' has '2'"),
    ({"w": ["view", None]}, {"event": "w"}, ValueError, "event column 'w' has 1 missing value"),
    (
        {},
        {"time": "T2"},
        ValueError,
        r"time='T2' is not a column of events, which has 'u', 'i', 't', 'w'; did you mean",
    ),
    ({}, {"user": "i"}, ValueError, "user and item both name the column 'i'"),
    ({}, {"user": None}, ValueError, "user must name a column"),
    ({}, {"user": ["u"]}, TypeError, "user must name one column"),
]


@pytest.mark.parametrize(("change", "names", "error", "match"), BAD)
def test_bad_events_are_refused_in_one_sentence(change, names, error, match):
    events = pd.DataFrame({**BASE, **change})
    with pytest.raises(error, match=match) as caught:
        to_histories(events, **{"user": "u", "item": "i", **names})
    assert "\n" not in str(caught.value)


def test_the_closest_column_is_suggested():
    events = pd.DataFrame({"CustomerID": [1], "StockCode": ["a"]})
    with pytest.raises(ValueError, match="did you mean 'CustomerID'"):
        to_histories(events, user="customer_id", item="StockCode")


def test_columns_in_the_index_twice_or_lost():
    events = pd.DataFrame(BASE)
    with pytest.raises(ValueError, match=r"in the index: pass events.reset_index\(\)"):
        to_histories(events.set_index("u"), user="u", item="i")
    with pytest.raises(ValueError, match="2 columns called 'i'"):
        to_histories(pd.concat([events, events[["i"]]], axis=1), user="u", item="i")
    with pytest.raises(ValueError, match="name of a list column"):
        to_histories(pl.DataFrame({"item": [1], "i": [2]}), user="item", item="i")


@pytest.mark.parametrize("empty", [pd.DataFrame(BASE)[:0], pl.DataFrame(BASE)[:0], pa.table(BASE)[:0]])
def test_an_empty_log_is_refused(empty):
    with pytest.raises(ValueError, match="events is empty"):
        to_histories(empty, user="u", item="i")


@pytest.mark.parametrize("events", [{"u": [1]}, None, 3, [], [[1, 2]], np.ones((2, 2)), pd.Series([1])])
def test_other_types_are_refused(events):
    with pytest.raises(TypeError, match="events must"):
        to_histories(events, user="u", item="i")


def test_missing_values_of_other_libraries_say_their_own_cure():
    with pytest.raises(ValueError, match="drop_nulls"):
        to_histories(pl.DataFrame({"u": [1, None], "i": [1, 2]}), user="u", item="i")
    with pytest.raises(ValueError, match="is_valid"):
        to_histories(pa.table({"u": [1, None], "i": [1, 2]}), user="u", item="i")
    with pytest.raises(ValueError, match="1 missing"):
        to_histories(pl.DataFrame({"u": [1.0, float("nan")], "i": [1, 2]}), user="u", item="i")


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [("time", "weight", "event"), ("weight",), ()])
def test_parquet_gives_what_memory_gives(events, engine, roles, tmp_path):
    path = tmp_path / "log's [1].parquet"
    events.to_parquet(path)
    names = {role: ROLES[role] for role in ("user", "item", *roles)}
    pd.testing.assert_frame_equal(to_histories(path, **names), to_histories(events, **names))


def test_parquet_keeps_zones_units_and_dates(events, engine, tmp_path):
    path = tmp_path / "log.parquet"
    events["zone"] = events["when"].dt.tz_localize("Europe/Paris")
    events["day"] = events["when"].dt.date
    events["nano"] = events["when"].astype("datetime64[ns]")
    events.to_parquet(path)
    for time in ("zone", "day", "nano"):
        result = to_histories(path, user="what", item="who", time=time)
        pd.testing.assert_frame_equal(result, to_histories(events, user="what", item="who", time=time))


def test_several_files_are_read_in_order(events, engine, tmp_path):
    events["when"] = 0  # all at once: only the order of the files is left
    events["what"] = range(len(events))
    for number, start in enumerate(range(0, 500, 100)):
        events[start : start + 100].to_parquet(tmp_path / f"part-{number}.parquet")
        events[start : start + 100].to_csv(tmp_path / f"part-{number}.csv", index=False)
    names = {"user": "who", "item": "what", "time": "when"}
    plain = to_histories(events, **names)
    pd.testing.assert_frame_equal(to_histories(tmp_path / "part-*.parquet", **names), plain)
    assert as_dict(to_histories(str(tmp_path / "part-*.csv"), **names)) == as_dict(plain)
    backwards = to_histories([tmp_path / f"part-{number}.csv" for number in (4, 3, 2, 1, 0)], **names)
    again = pd.concat([events[start : start + 100] for start in (400, 300, 200, 100, 0)])
    assert as_dict(backwards) == as_dict(to_histories(again, **names))


def test_csv_types(engine, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "user;code;ean;when;price;stamp;zone;huge\n"
        "2;7;0012;2024-01-02 10:00:00;1.5;170;2024-01-02T10:00:00+02:00;9223372036854775808\n"
        "1;-8;12;2024-01-01;2;160;2024-01-02T09:00:00Z;9223372036854775808\n"
        "2;9;3;2024-01-01 23:59:59.5;0;150.5;2024-01-01T00:00:00-05:00;1\n"
    )

    def histories(**names):
        return to_histories(path, user="user", **names)

    first = histories(item="code", time="when", weight="price")
    assert first.index.tolist() == [1, 2]
    assert first["item"].tolist() == [[-8], [9, 7]]
    assert first["weight"].tolist() == [[2.0], [0.0, 1.5]]
    assert first["time"].dtype.pyarrow_dtype.value_type == pa.timestamp("us")
    assert histories(item="ean")["item"].tolist() == [["12"], ["0012", "3"]]
    assert histories(item="huge")["item"].tolist() == [["9223372036854775808"], ["9223372036854775808", "1"]]
    assert histories(item="code", time="stamp")["time"].tolist() == [[160.0], [150.5, 170.0]]
    zone = histories(item="code", time="zone")["time"].tolist()
    assert zone[1] == [datetime.datetime(2024, 1, 1, 5), datetime.datetime(2024, 1, 2, 8)]


def test_csv_matches_memory(events, engine, tmp_path):
    path = tmp_path / "log.csv.gz"
    events.to_csv(path, index=False)
    histories = to_histories(path, **ROLES)
    assert as_dict(histories) == as_dict(to_histories(events, **ROLES))


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


BAD_FILES = [
    ("log.csv", "u,x\n1,2\n", {}, "item='i' is not a column of .*log.csv, which has 'u', 'x'"),
    ("log.csv", "", {}, "log.csv is empty"),
    ("log.csv", "u,i\n", {}, "events is empty"),
    ("log.csv", b"u,i\n1,\xe9\n", {}, "log.csv cannot be read"),
    ("log.csv", "u,i\n1,2\n,3\n", {}, "user column 'u' has 1 missing value"),
    ("log.csv", "u,i\n1,2\n3,\n", {}, "item column 'i' has 1 missing value"),
    ("log.csv", "u,i,w\n1,2,-1\n", {"weight": "w"}, "weight column 'w' must be finite and at least 0, but 1 of 1"),
    ("log.csv", "u,i,w\n1,2,much\n", {"weight": "w"}, "weight column 'w'"),
    ("log.csv", "u,i,t\n1,2,12/31/2024 8:26\n", {"time": "t"}, "has '12/31/2024 8:26' .*not a time"),
    ("log.csv.gz", b"not gzip", {}, "log.csv.gz cannot be read"),
    ("log.parquet", b"not parquet", {}, "log.parquet cannot be read as parquet"),
    ("log.txt", "u,i\n", {}, "log.txt is neither CSV nor parquet"),
]


@pytest.mark.parametrize(("name", "text", "names", "match"), BAD_FILES)
def test_bad_files_are_named(engine, tmp_path, name, text, names, match):
    path = write(tmp_path / name, text)
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        to_histories(path, user="u", item="i", **names)
    assert "\n" not in str(caught.value)


def test_a_parquet_file_cut_short(engine, tmp_path, events):
    path = tmp_path / "log.parquet"
    events.to_parquet(path, compression="none")
    good = path.read_bytes()
    path.write_bytes(good[:4] + b"\xff" * (len(good) // 3) + good[4 + len(good) // 3 :])
    with pytest.raises(ValueError, match=r"log.parquet cannot be read"):
        to_histories(path, user="who", item="what")
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=r"log.parquet cannot be read"):
        to_histories(path, user="who", item="what")


def test_paths_that_are_not_there(engine, tmp_path):
    names = {"user": "u", "item": "i"}
    with pytest.raises(ValueError, match=r"lost.csv' does not exist"):
        to_histories(tmp_path / "lost.csv", **names)
    with pytest.raises(ValueError, match=r"no file matches events=.*lost-\*"):
        to_histories(str(tmp_path / "lost-*.csv"), **names)
    with pytest.raises(ValueError, match="is a directory: name its files"):
        to_histories(tmp_path, **names)
    write(tmp_path / "a.csv", "u,i\n1,2\n")
    pq.write_table(pa.table({"u": [1], "i": [2]}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="both CSV and parquet"):
        to_histories([tmp_path / "a.csv", tmp_path / "b.parquet"], **names)
    with pytest.raises(TypeError, match="must list paths only"):
        to_histories([tmp_path / "a.csv", 3], **names)
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"u,x\n1,2\n"))
    with pytest.raises(ValueError, match=r"not a column of .*c.csv.gz"):
        to_histories([tmp_path / "a.csv", tmp_path / "c.csv.gz"], **names)


def test_no_temporary_files_stay(events, tmp_path, monkeypatch):
    pytest.importorskip("duckdb", reason="DuckDB is not installed")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    events.to_csv(tmp_path / "log.csv", index=False)
    to_histories(tmp_path / "log.csv", **ROLES)
    assert list(scratch.iterdir()) == []
