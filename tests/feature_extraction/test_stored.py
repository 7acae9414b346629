"""Stored histories: whatever is done with them gives what the frame gives."""

import copy
import datetime
import gzip
import json
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

from skrec.datasets import make_histories
from skrec.decomposition import ALS, PureSVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, TwoStageRecommender
from skrec.feature_extraction import (
    BehaviorFeatures,
    HistoryVectorizer,
    StoredHistories,
    _open_histories,
    open_histories,
    to_histories,
)
from skrec.inspection import explain, profile_log, staleness
from skrec.linear_model import EASE
from skrec.model_selection import (
    SameUsers,
    compare,
    histories_at,
    split_last,
    split_next_purchase,
    split_time,
    split_users,
)
from skrec.neighbors import BuyAgainRecommender, ItemKNN, SessionKNN, TransitionRecommender
from skrec.utils._histories import read_histories

ROLES = {"user": "who", "item": "what", "time": "when", "weight": "much", "event": "kind"}


@pytest.fixture
def events():
    rng = np.random.default_rng(0)
    n = 500
    return pd.DataFrame(
        {
            "who": rng.choice(["ann", "bob", "é", "", "Z", "\U0001f600", "\uffee", "17"], n),
            "what": rng.choice(["mug", "lamp", "0017", "O'Hara", 'q,"\nz', "é"], n),
            "when": pd.to_datetime(1_300_000_000 + rng.integers(0, 90, n), unit="s").astype("datetime64[ms]"),
            "much": rng.integers(0, 9, n) / 2,
            "kind": pd.Categorical(rng.choice(["view", "buy"], n)),
            "one": 1,
        }
    )


def plain_frame(X):
    """Return stored histories, or a frame, as a pandas frame whose weights are float32, as they are stored."""
    if isinstance(X, StoredHistories):
        return X.to_frame()
    if "weight" in X:
        X = X.assign(weight=X["weight"].astype(pd.ArrowDtype(pa.list_(pa.float32()))))
    return X


def assert_same(X, frame):
    pd.testing.assert_frame_equal(plain_frame(X), plain_frame(frame), check_index_type=False)


def both(source, tmp_path, **options):
    stored = to_histories(source, **options, store=tmp_path / "store")
    assert isinstance(stored, StoredHistories)
    frame = to_histories(source, **options)
    assert_same(stored, frame)
    assert_same(open_histories(tmp_path / "store"), frame)
    return stored, frame


TABLES = {
    "pandas": lambda df: df,
    "polars": pl.from_pandas,
    "lazy": lambda df: pl.from_pandas(df).lazy(),
    "pyarrow": lambda df: pa.Table.from_pandas(df),
    "chunks": lambda df: pa.concat_tables([pa.Table.from_pandas(df[:123]), pa.Table.from_pandas(df[123:])]),
}


@pytest.mark.parametrize("roles", [("time", "weight", "event"), ("time",), ("weight",), ()])
@pytest.mark.parametrize("table", TABLES)
def test_every_table_gives_the_frame(events, table, roles, tmp_path):
    names = {role: ROLES[role] for role in ("user", "item", *roles)}
    stored, frame = to_histories(TABLES[table](events), **names, store=tmp_path / "s"), to_histories(events, **names)
    assert_same(stored, frame)
    assert_same(open_histories(tmp_path / "s"), frame)
    assert stored.columns == ["item", *(role for role in ("time", "weight", "event") if role in roles)]
    assert stored.shape == (len(frame),)
    assert stored.n_events == len(events)
    assert list(stored.items) == sorted(set(events["what"]))
    assert stored.index.tolist() == sorted(set(events["who"]))


def written(events, kind, folder):
    if kind == "parquet":
        events.to_parquet(folder / "log's [1].parquet")
        return folder / "log's [1].parquet"
    if kind == "jsonl":
        events.assign(when=events["when"].astype(str)).to_json(folder / "log.jsonl", orient="records", lines=True)
        return folder / "log.jsonl"
    if kind == "csv.gz":
        with gzip.open(folder / "log.csv.gz", "wt", newline="") as file:
            events.to_csv(file, index=False)
        return folder / "log.csv.gz"
    events.to_csv(folder / "log.csv", index=False)
    return folder / "log.csv"


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "jsonl"])
def test_every_file_gives_the_frame(events, kind, engine, tmp_path):
    events["who"] = events["who"].replace("", "nobody")  # nothing in a CSV file is a missing value
    source = written(events, kind, tmp_path)
    options = {role: name for role, name in ROLES.items() if kind != "jsonl" or role != "time"}
    both(source, tmp_path, **options)


def test_several_files_and_options_give_the_frame(events, engine, tmp_path):
    events["what"] = range(len(events))
    events["when"] = 0  # all at once: only the order of the files is left
    for number, start in enumerate(range(0, 500, 100)):
        events[start : start + 100].to_parquet(tmp_path / f"day-{number}.parquet")
    names = {"user": "who", "item": "what", "time": "when"}
    both(str(tmp_path / "day-*.parquet"), tmp_path, **names)
    listed = [tmp_path / "day-3.parquet", tmp_path / "day-1.parquet"]
    stored = to_histories(listed, **names, store=tmp_path / "listed")
    assert_same(stored, to_histories(listed, **names))
    options = names | {"where": "what > 100 and kind == 'buy'"}
    assert_same(
        to_histories(listed, **options, store=tmp_path / "where"),
        to_histories(listed, **options),
    )
    text = "who;what;when\nbjörn;1;02.01.2024\n;2;03.01.2024\nann;3;01.01.2024\n"
    (tmp_path / "l.csv").write_text(text, encoding="latin-1")
    options = names | {"encoding": "latin-1", "time_format": "%d.%m.%Y", "drop_missing": True}
    stored = to_histories(tmp_path / "l.csv", **options, store=tmp_path / "l")
    assert_same(stored, to_histories(tmp_path / "l.csv", **options))
    assert stored.index.tolist() == ["ann", "björn"]


IDS = {
    "small": np.array([3, 1, 2], dtype="int8"),
    "negative": np.array([-5, 7, 0]),
    "int64": np.array([-(2**63), 2**63 - 1, 0]),
    "uint64": np.array([2**64 - 1, 2**63, 1], dtype="uint64"),
    "float": np.array([0.5, -1.0, 3.25]),
    "text": np.array(["b", "é", ""], dtype=object),
}


@pytest.mark.parametrize("kind", ["table", "parquet"])
@pytest.mark.parametrize("ids", IDS)
def test_ids_of_every_kind(ids, kind, engine, tmp_path):
    rng = np.random.default_rng(1)
    log = pd.DataFrame({role: IDS[ids][rng.integers(0, 3, 40)] for role in ("who", "what", "kind")})
    if kind == "parquet":
        log.to_parquet(tmp_path / "log.parquet")
    source = log if kind == "table" else tmp_path / "log.parquet"
    stored, frame = both(source, tmp_path, user="who", item="what", event="kind")
    if ids != "text":
        assert stored.index.dtype == frame.index.dtype == stored.items.dtype == IDS[ids].dtype


START = pd.Timestamp("2024-02-28 23:59:58")
TIMES = {
    **{unit: lambda n, unit=unit: (START + pd.to_timedelta(n, unit="s")).astype(f"M8[{unit}]") for unit in ("s", "ms")},
    "us": lambda n: (START + pd.to_timedelta(n * 1_000_003, unit="us")).astype("M8[us]"),
    "ns": lambda n: (START + pd.to_timedelta(n * 1_000_003, unit="us")).astype("M8[ns]"),
    "zone": lambda n: (START + pd.to_timedelta(n, unit="h")).tz_localize("UTC").tz_convert("Europe/Paris"),
    "far": lambda n: np.datetime64("2400-01-01", "ms") + (n * 7 + 1).astype("m8[ms]"),
    "old": lambda n: (pd.Timestamp("1900-01-01") + pd.to_timedelta(n * 7 + 1, unit="s")).astype("M8[s]"),
    "dates": lambda n: [datetime.date(1969, 12, 30) + datetime.timedelta(days=int(one)) for one in n],
    "recognised": lambda n: 1_700_000_000 + n,
    "parts of a second": lambda n: 1_700_000_000 + n / 4,
    "numbers": lambda n: n.astype("int16"),
    "unsigned": lambda n: n.astype("uint32"),
    "floats": lambda n: n / 8 - 1.0,
}


@pytest.mark.parametrize("kind", ["table", "parquet"])
@pytest.mark.parametrize("times", TIMES)
def test_times_of_every_kind(times, kind, engine, tmp_path):
    rng = np.random.default_rng(2)
    log = pd.DataFrame({"who": rng.integers(0, 4, 300), "what": range(300)})
    log["when"] = TIMES[times](rng.integers(0, 60, 300))
    if kind == "parquet":
        log.to_parquet(tmp_path / "log.parquet")
    source = log if kind == "table" else tmp_path / "log.parquet"
    stored, frame = both(source, tmp_path, user="who", item="what", time="when")
    read, wanted = stored.histories, read_histories(frame)
    np.testing.assert_array_equal(read.time, wanted.time)
    assert read.dated == wanted.dated


def test_a_unit_that_only_a_part_of_the_times_suggests_is_not_taken(engine, tmp_path):
    when = np.full(300, 1_700_000_000)
    when[-1] = 5  # so they are numbers, although most batches look like seconds
    log = pd.DataFrame({"who": 1, "what": range(300), "when": when})
    log.to_parquet(tmp_path / "log.parquet")
    stored, _ = both(tmp_path / "log.parquet", tmp_path, user="who", item="what", time="when")
    assert not stored.histories.dated


@pytest.mark.parametrize("name", [7, ("a", 1), 2.5, np.int64(3)])
def test_names_of_columns_that_are_no_text(name, tmp_path):
    log = pd.DataFrame({"u": [1, 2], "i": [3, 4]})
    log.columns = pd.Index([name, "i"], tupleize_cols=False)
    stored = to_histories(log, user=name, item="i", store=tmp_path / "s")
    assert stored.index.name == name
    assert open_histories(tmp_path / "s").to_frame().index.name == name


def test_a_name_that_cannot_be_stored(tmp_path):
    log = pd.DataFrame([[1, 2]], columns=[datetime.date(2024, 1, 1), "i"])
    with pytest.raises(TypeError, match=r"user=.*rename it"):
        to_histories(log, user=datetime.date(2024, 1, 1), item="i", store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.fixture
def pair(tmp_path):
    """Return stored histories and the same frame, of users who have tastes and buy again."""
    rng = np.random.default_rng(0)
    n = 1500
    who = rng.integers(0, 60, n)
    log = pd.DataFrame(
        {
            "who": [f"u{one:03}" for one in who],
            "what": [f"i{one}" for one in (who % 3) * 10 + rng.integers(0, 12, n)],
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 2000, n), unit="h"),
            "much": rng.integers(1, 9, n),
            "kind": rng.choice(["view", "buy"], n),
        }
    )
    return to_histories(log, **ROLES, store=tmp_path / "pair"), to_histories(log, **ROLES)


def test_rows_are_taken_as_of_an_array(pair):
    stored, frame = pair
    n = len(frame)
    mask = np.arange(n) % 7 == 0
    takes = [slice(3, 9), slice(-4, None), slice(None, None, -2), slice(5, 2), slice(0, 99, 3), mask, [5, 3, 3, -1], []]
    for rows in takes:
        part = stored[rows]
        assert part.path is None
        assert_same(part, frame.iloc[np.arange(n)[rows]])
        assert_same(stored[rows, ...], frame.iloc[np.arange(n)[rows]])
    assert_same(stored[10:30][[2, 1]], frame.iloc[[12, 11]])
    assert stored[4] == list(frame["item"].iloc[4]) == stored[4 - n]
    for wrong in ("item", (1, 2), [[1, 2]], [0.5], [n], n):
        with pytest.raises(IndexError):
            stored[wrong]
    with pytest.raises(AttributeError, match="no attribute 'loc'"):
        _ = stored.loc


def test_blocks_are_all_rows(pair):
    stored, frame = pair
    for n_events in (1, 100, 10**9):
        blocks = list(stored.blocks(n_events))
        assert_same(stored[:0] if not blocks else blocks[0], frame.iloc[: len(blocks[0])])
        assert pd.concat([block.to_frame() for block in blocks]).equals(plain_frame(frame))
        assert all(block.n_events <= n_events or len(block) == 1 for block in blocks)
    assert list(stored[:0].blocks()) == []


def test_nothing_can_be_written(pair):
    read = pair[0].histories
    for array in (read.codes, read.indptr, read.time, read.weight, read.event_codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda X: pickle.loads(pickle.dumps(X))}


@pytest.mark.parametrize("how", COPIES)
def test_copies(pair, how):
    stored, frame = pair
    assert_same(COPIES[how](stored), frame)
    assert_same(COPIES[how](stored[2:40][3:5]), frame.iloc[5:7])
    log = pd.DataFrame({"who": ["u000"], "what": ["new"], "when": pd.Timestamp("2024-06-01"), "much": 1, "kind": "x"})
    lazy = to_histories(log, **ROLES, store=stored.path, append=True)
    assert "not read yet" in repr(lazy)
    assert COPIES[how](lazy).n_events == lazy.n_events == 1501
    assert COPIES[how](lazy[:1])[0][-1] == "new"


def test_joblib_and_processes(pair, tmp_path):
    stored, frame = pair
    joblib.dump(stored, tmp_path / "x.joblib")
    assert_same(joblib.load(tmp_path / "x.joblib"), frame)
    X, y = split_last(stored, verbose=0)
    one, two = (cross_val_score(ItemKNN(), X, y, cv=3, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


SPLITS = {
    "last": lambda X: split_last(X, verbose=0),
    "last 2": lambda X: split_last(X, 2, verbose=0),
    "basket": lambda X: split_last(X, unit="basket", verbose=0),
    "new items": lambda X: split_last(X, exclude_seen=True, exclude_unknown=True, verbose=0),
    "time": lambda X: split_time(X, "2024-03-01", verbose=0),
    "users": lambda X: split_users(X, random_state=0),
}


@pytest.mark.parametrize("split", SPLITS)
def test_every_split(pair, split):
    parts, wanted = (SPLITS[split](X) for X in pair)
    assert len(parts) == len(wanted)
    for part, one in zip(parts, wanted, strict=True):
        if isinstance(part, StoredHistories):
            assert_same(part, one)
        else:
            pd.testing.assert_series_equal(part, one)


def test_model_selection(pair):
    (X, y), (frame, answer) = (split_last(one, verbose=0) for one in pair)
    np.testing.assert_array_equal(cross_val_score(EASE(), X, y, cv=3), cross_val_score(EASE(), frame, answer, cv=3))
    grid = {"n_neighbors": [2, 5]}
    found = [GridSearchCV(ItemKNN(), grid, cv=SameUsers()).fit(*one) for one in ((X, y), (frame, answer))]
    assert found[0].best_score_ == found[1].best_score_
    parts = train_test_split(X, y, random_state=0)
    wanted = train_test_split(frame, answer, random_state=0)
    assert_same(parts[0], wanted[0])
    assert_same(parts[1], wanted[1])
    tables = [
        compare({"a": ItemKNN(), "b": PopularityRecommender()}, *one).filter(regex="@")
        for one in ((X, y), (frame, answer))
    ]
    pd.testing.assert_frame_equal(*tables)


def test_histories_at_and_next_purchase(pair):
    stored, frame = pair
    logs = pd.DataFrame({"user": ["u001", "u001", "u050"], "time": pd.Timestamp("2024-02-01"), "rec_id": [1, 1, 2]})
    assert_same(histories_at(stored, logs, verbose=0), histories_at(frame, logs, verbose=0))
    with pytest.raises(TypeError, match=r"to_frame\(\)"):
        split_next_purchase(stored, "2024-02-01")


def test_inspection_and_features(pair):
    stored, frame = pair
    assert profile_log(stored) == profile_log(frame)
    tables = [BehaviorFeatures().fit_transform(X) for X in pair]
    np.testing.assert_allclose(*tables, rtol=1e-12)  # the order of ids changes sums
    assert (HistoryVectorizer().fit_transform(stored) != HistoryVectorizer().fit_transform(frame)).nnz == 0
    model = ItemKNN().fit(frame)
    pd.testing.assert_frame_equal(explain(model, stored[:5]), explain(model, frame.iloc[:5]))
    known = split_time(frame, "2024-02-15", verbose=0)[0]
    curves = [staleness(ItemKNN().fit(known), X, since="2024-02-15", n_points=2, n_resamples=10).curve for X in pair]
    pd.testing.assert_frame_equal(*curves)


MODELS = [
    ItemKNN(incremental=True),
    EASE(incremental=True),
    PopularityRecommender(),
    TransitionRecommender(),
    PureSVD(4, random_state=0),
    ALS(n_components=4, random_state=0),
    BlendRecommender([("ease", EASE()), ("next", TransitionRecommender())]),
    TwoStageRecommender([("ease", EASE()), ("next", TransitionRecommender())], random_state=0),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_model_answers_as_with_the_frame(model, pair):
    stored, frame = pair
    one, other = (clone(model).fit(X) for X in (stored, frame))
    np.testing.assert_array_equal(one.items_, other.items_)
    np.testing.assert_array_equal(one.predict(stored), other.predict(frame))
    exclude = {"u003": ["i1", "i2"], "u059": ["i0"]}
    for X, Z in ((stored, frame), (stored[40:], frame.iloc[40:])):
        named = {user: items for user, items in exclude.items() if user in Z.index}
        np.testing.assert_array_equal(one.recommend(X, 3, exclude=named), other.recommend(Z, 3, exclude=named))
    with pytest.raises(ValueError, match="exclude names the user 3, who is not in X"):
        one.recommend(stored, exclude={3: ["i1"]})


@pytest.mark.parametrize("model", MODELS[:2], ids=lambda model: type(model).__name__)
def test_updates_take_stored_histories(model, pair):
    stored, frame = pair
    one, other = (clone(model).fit(X[:40]).partial_fit(X[40:]).forget(X[10:20]) for X in (stored, frame))
    np.testing.assert_array_equal(one.predict(stored), other.predict(frame))


def test_parts_that_are_appended_are_the_whole_log(events, engine, tmp_path):
    whole = to_histories(events, **ROLES)
    for start in range(0, 500, 100):
        part = events[start : start + 100]
        if start != 200:
            part.to_parquet(tmp_path / "part.parquet")
            part = tmp_path / "part.parquet"
        stored = to_histories(part, **ROLES, store=tmp_path / "s", append=True)
        if start == 200:
            open_histories(tmp_path / "s")  # merges
    assert_same(stored, whole)
    assert_same(open_histories(tmp_path / "s"), whole)
    assert sum(one.name.startswith("part-") for one in (tmp_path / "s").iterdir()) == 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_partition_of_a_log_is_the_whole_log(data, tmp_path_factory):
    rows = data.draw(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-2, 3)), min_size=1, max_size=25)
    )
    log = pd.DataFrame(rows, columns=["u", "i", "t"])
    timed = data.draw(st.booleans())
    texts = data.draw(st.sampled_from([(), ("u",), ("i",), ("u", "i")]))
    types = st.sampled_from(["int8", "int64", "uint16", "uint64", "float64", "int32"])
    names = {"user": "u", "item": "i"} | ({"time": "t"} if timed else {})
    folder = tmp_path_factory.mktemp("log") / "s"
    start = 0
    while start < len(log):
        stop = data.draw(st.integers(start + 1, len(log)))
        part = log[start:stop].astype({name: str if name in texts else data.draw(types) for name in ("u", "i")})
        to_histories(part, **names, store=folder, append=True)
        start = stop
        if data.draw(st.booleans()):
            open_histories(folder)
    whole = to_histories(log.astype(dict.fromkeys(texts, str)), **names)
    found = open_histories(folder).to_frame()
    assert found.index.tolist() == whole.index.tolist()
    for column in whole:
        assert found[column].map(list).tolist() == whole[column].map(list).tolist()


def test_appended_times_keep_the_finest_unit(tmp_path):
    names = {"user": "u", "item": "i", "time": "t", "store": tmp_path / "s", "append": True}
    days = pd.DataFrame({"u": [1], "i": [1], "t": [datetime.date(2024, 1, 2)]})
    fine = pd.DataFrame({"u": [1], "i": [2], "t": pd.to_datetime(["2024-01-01 00:00:00.000123"])})
    to_histories(days, **names)
    to_histories(fine, **names)
    assert open_histories(tmp_path / "s").to_frame()["time"].iloc[0] == [
        fine["t"][0],
        pd.Timestamp("2024-01-02"),
    ]


BASE = pd.DataFrame({"u": [1, 2], "i": [3, 4], "t": [10, 20], "d": pd.to_datetime(["2024-01-01"] * 2), "s": ["a", "b"]})
WRONG = [
    ({"user": "u", "item": "i"}, ValueError, "name the same columns"),
    ({"user": "u", "item": "i", "time": "t", "weight": "t2"}, ValueError, "name the same columns"),
    ({"user": "u", "item": "i", "time": "d"}, TypeError, "numbers as times, and the events to append have dates"),
    ({"user": "s", "item": "i", "time": "t"}, TypeError, "users of the store .* mix ids of several types"),
    ({"user": "u", "item": "s", "time": "t"}, TypeError, "items of the store .* mix ids of several types"),
    ({"user": "n", "item": "i", "time": "t"}, TypeError, "which no integer type holds"),
]


@pytest.mark.parametrize(("names", "error", "match"), WRONG)
def test_what_does_not_fit_leaves_the_store_as_it_was(names, error, match, tmp_path):
    log = BASE.assign(t2=1.0, n=[-1, -2], u=np.array([1, 2**63], dtype="uint64"))
    to_histories(log, user="u", item="i", time="t", store=tmp_path / "s")
    before = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "s").rglob("*") if one.is_file()}
    with pytest.raises(error, match=match):
        to_histories(log, **names, store=tmp_path / "s", append=True)
    after = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "s").rglob("*") if one.is_file()}
    assert before | {".lock": 0} == after | {".lock": 0}
    assert len(open_histories(tmp_path / "s")) == 2


def test_zones_are_not_mixed(tmp_path):
    to_histories(BASE, user="u", item="i", time="d", store=tmp_path / "s")
    zoned = BASE.assign(d=BASE["d"].dt.tz_localize("UTC"))
    with pytest.raises(ValueError, match="mixes times with a zone"):
        to_histories(zoned, user="u", item="i", time="d", store=tmp_path / "s", append=True)


def test_a_type_that_fits_one_part_but_not_another_is_refused(tmp_path):
    names = {"user": "u", "item": "i", "store": tmp_path / "s", "append": True}
    to_histories(pd.DataFrame({"u": [1], "i": [1]}), **names)
    to_histories(pd.DataFrame({"u": [1], "i": [-1]}), **names)
    with pytest.raises(TypeError, match="no integer type holds"):
        to_histories(pd.DataFrame({"u": [1], "i": np.array([2**64 - 1], dtype="uint64")}), **names)
    assert open_histories(tmp_path / "s").n_events == 2


def test_notes_are_logged_alike(events, engine, tmp_path, caplog):
    events["when"] = 1_700_000_000
    events.to_parquet(tmp_path / "log.parquet")
    names = {"user": "who", "item": "what", "time": "when"}
    to_histories(tmp_path / "log.parquet", **names)
    first = [record.message for record in caplog.records]
    caplog.clear()
    to_histories(tmp_path / "log.parquet", **names, store=tmp_path / "s")
    assert [record.message for record in caplog.records] == first
    assert any("seconds since 1970" in one for one in first)


def test_part_files_are_what_the_docstring_says(pair):
    stored, _ = pair
    (part,) = stored.path.glob("part-*")
    facts = json.loads((part / "part.json").read_text())
    assert facts["n_events"] == stored.n_events
    assert (part / "item.npy").stat().st_size == 128 + 4 * stored.n_events
    assert (part / "time.npy").stat().st_size == 128 + 8 * stored.n_events


def test_far_dates_are_counted_over_the_whole_log(engine, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_open_histories, "BLOCK", 2)  # all dates of the second block are far
    when = pd.to_datetime(["2024-01-01", "2024-01-02", "2200-01-01", "2200-01-02"])
    pd.DataFrame({"who": [1, 1, 2, 2], "what": list("abcd"), "when": when}).to_parquet(tmp_path / "log.parquet")
    to_histories(tmp_path / "log.parquet", user="who", item="what", time="when", store=tmp_path / "s")
    assert "2 of 4 events are dated more than a year from now" in caplog.text


def mapped_in(value, path="", seen=None):
    """Yield where arrays of files stand in the state of a model."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        while value is not None and not isinstance(value, np.memmap):
            value = getattr(value, "base", None)
        if value is not None:
            yield path
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from mapped_in(one, f"{path}.{name}", seen)
    elif isinstance(value, (list, tuple)):
        for place, one in enumerate(value):
            yield from mapped_in(one, f"{path}[{place}]", seen)
    elif hasattr(value, "__dict__"):
        yield from mapped_in(vars(value), path, seen)


@pytest.mark.parametrize(
    "model",
    [
        ItemKNN(incremental=True),
        TransitionRecommender(incremental=True),
        SessionKNN(incremental=True),
        BuyAgainRecommender(),
        PopularityRecommender(window="30D"),
        PopularityRecommender(count="events"),
    ],
)
def test_models_keep_no_arrays_of_the_files(model, tmp_path):
    log = make_histories(200, 30, repeats=True, random_state=0).explode(["item", "time"]).reset_index()
    stored = to_histories(log, user="user", item="item", time="time", store=tmp_path / "s")
    assert list(mapped_in(stored.histories))
    assert not list(mapped_in(model.fit(stored)))
