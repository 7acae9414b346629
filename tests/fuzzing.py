"""Calls of the public functions with hostile arguments, drawn from a seed, and a judge of how they end."""

import contextlib
import datetime
import inspect
import io
import linecache
import os
import random
import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

import skrec
from skrec.decomposition import ALS, BPR, PPMISVD, PureSVD
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.feature_extraction import BehaviorFeatures, BM25Transformer, HistoryVectorizer, check_events, to_histories
from skrec.inspection import (
    ComparisonDisplay,
    MetricAtKDisplay,
    PopularityBiasDisplay,
    TrainingDisplay,
    explain,
    profile_log,
    write_report,
)
from skrec.linear_model import EASE, SLIM
from skrec.metrics import (
    auc_at_k,
    bootstrap_interval,
    coverage_at_k,
    gini_at_k,
    hit_rate_at_k,
    intra_list_diversity_at_k,
    map_at_k,
    mrr_at_k,
    ndcg_at_k,
    novelty_at_k,
    paired_bootstrap,
    precision_at_k,
    ranking_scores,
    recall_at_k,
)
from skrec.model_selection import (
    SameUsers,
    compare,
    default_grid,
    split_last,
    split_next_purchase,
    split_time,
    split_users,
)
from skrec.neighbors import (
    TIFUKNN,
    BuyAgainRecommender,
    ContentRecommender,
    ItemKNN,
    RP3beta,
    SessionKNN,
    TransitionRecommender,
)
from skrec.persistence import ModelFileError, load, read_header, save
from skrec.recipes import make_recommender, recipe_grid

PACKAGE = str(Path(skrec.__file__).parent) + os.sep
# names that are also words of English, which a message of a dependency may hold by chance
COMMON = {"a", "b", "at", "by", "k", "n", "y", "item", "items", "values", "order", "count", "time", "where", "split"}
COMMON |= {"data", "names", "note", "weight", "weights", "low", "high", "name", "positive", "path", "dtype", "title"}
# a large number is in order here, and only takes long or much memory
PATIENT = {"n_components", "n_resamples", "max_iter", "n_users", "n_holdouts", "n_items", "n_clusters", "mean_length"}
WORKERS = {"n_jobs"}  # every number of processes is in order and takes seconds to start


@dataclass(frozen=True)
class Target:
    """A function, arguments that are in order, and which of them are replaced.

    Attributes
    ----------
    name : str
        For reports.
    call : callable
        What is called.
    good : callable
        Returns arguments that are in order.
    names : tuple of str
        What is replaced.
    parameters : tuple of str
        What a message may name.
    """

    name: str
    call: Callable
    good: Callable[[], dict]
    names: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Suspect:
    """A call whose end no parameter of ours explains."""

    call: str
    error: str
    where: str

    def __str__(self):
        return f"{self.call}\n    {self.error}\n    {self.where}"


# ---- data that is in order ---------------------------------------------------------------------------------------


@cache
def shop() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    items, times, weights, events = [], [], [], []
    for user in range(16):
        length = 3 + user % 5
        items.append(rng.integers(0, 12, length).tolist())
        days = np.sort(rng.integers(0, 60, length))
        times.append(list(pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")))
        weights.append(rng.integers(1, 4, length).astype(float).tolist())
        events.append(["view", "buy"] * 4)
        events[-1] = events[-1][:length]
    frame = pd.DataFrame({"item": items, "time": times, "weight": weights, "event": events})
    return frame.set_index(pd.Index([f"u{user}" for user in range(16)]))


@cache
def matrix() -> sp.csr_array:
    return sp.csr_array((np.random.default_rng(1).random((14, 9)) < 0.4).astype(np.float32))


@cache
def log() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user": ["ann", "bob", "ann", "eve", "bob"],
            "item": [1, 2, 2, 3, 1],
            "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]),
            "weight": [1.0, 2.0, 1.0, 1.0, 3.0],
            "event": ["view", "buy", "buy", "view", "buy"],
        }
    )


@cache
def features() -> pd.DataFrame:
    return pd.DataFrame({"price": np.arange(12.0), "kind": list("abcabcabcabc")}, index=np.arange(12))


@cache
def split() -> tuple:
    return split_last(shop(), verbose=0)


@cache
def fitted(kind) -> object:
    model = kind() if isinstance(kind, type) else kind
    rows = matrix() if getattr(model, "vectorizer", None) == "passthrough" else shop()
    return model.fit(rows)


# ---- what is passed instead --------------------------------------------------------------------------------------

NUMBERS: dict[str, Callable] = {
    "-1": lambda: -1,
    "0": lambda: 0,
    "1": lambda: 1,
    "3": lambda: 3,
    "2**31": lambda: 2**31,
    "2**63": lambda: 2**63,
    "-2**64": lambda: -(2**64),
    "10**400": lambda: 10**400,
    "0.5": lambda: 0.5,
    "2.5": lambda: 2.5,
    "1e-300": lambda: 1e-300,
    "1e30": lambda: 1e30,
    "1e308": lambda: 1e308,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "np.int8(3)": lambda: np.int8(3),
    "np.uint64(2**64-1)": lambda: np.uint64(2**64 - 1),
    "np.float32(nan)": lambda: np.float32("nan"),
    "np.float16(0.5)": lambda: np.float16(0.5),
    "1j": lambda: 1j,
    "True": lambda: True,
    "np.True_": lambda: np.True_,
    "np.False_": lambda: np.False_,
}
SCALARS: dict[str, Callable] = {
    "None": lambda: None,
    "''": lambda: "",
    "'false'": lambda: "false",
    "'item'": lambda: "item",
    "'\\ud800'": lambda: "\ud800",
    "'nul\\0'": lambda: "nul\0",
    "b'x'": lambda: b"x",
    "object()": object,
    "len": lambda: len,
    "int": lambda: int,
    "pd.NA": lambda: pd.NA,
    "pd.NaT": lambda: pd.NaT,
    "NaT": lambda: np.datetime64("NaT"),
    "date": lambda: datetime.date(2024, 2, 1),
    "datetime64": lambda: np.datetime64("2024-02-01"),
    "timedelta": lambda: datetime.timedelta(days=3),
    "Ellipsis": lambda: ...,
    "slice": lambda: slice(2),
}
COLLECTIONS: dict[str, Callable] = {
    "[]": list,
    "()": tuple,
    "{}": dict,
    "set()": set,
    "[1, 2]": lambda: [1, 2],
    "['a', 1]": lambda: ["a", 1],
    "[None]": lambda: [None],
    "[nan]": lambda: [float("nan")],
    "['a']": lambda: ["a"],
    "[True]": lambda: [True],
    "[2**70]": lambda: [2**70],
    "[object()]": lambda: [object()],
    "[{}]": lambda: [{}],
    "[b'x']": lambda: [b"x"],
    "[[1], [2]]": lambda: [[1], [2]],
    "[[1], None]": lambda: [[1], None],
    "[[[1]]]": lambda: [[[1]]],
    "[[1, 'a']]": lambda: [[1, "a"]],
    "[[None]]": lambda: [[None]],
    "[[nan]]": lambda: [[float("nan")]],
    "[[]]": lambda: [[]],
    "[[1], 2]": lambda: [[1], 2],
    "[[(1, 2)]]": lambda: [[(1, 2)]],
    "[[{1}]]": lambda: [[{1}]],
    "[[Decimal-like]]": lambda: [[1j]],
    "[{1}]": lambda: [{1}],
    "[arrow]": lambda: [pa.array([1, 2]), pa.array([1])],
    "{0: [5]}": lambda: {0: [5]},
    "{'a': 1}": lambda: {"a": 1},
    "{1: 2.5}": lambda: {1: 2.5},
    "{(1,): None}": lambda: {(1,): None},
    "{1}": lambda: {1},
    "range(3)": lambda: range(3),
    "generator": lambda: (i for i in range(3)),
    "generator of lists": lambda: ([i] for i in range(3)),
    "iter([])": lambda: iter([]),
    "map": lambda: map(str, [1]),
    "values of a dict": lambda: {"a": [1]}.values(),
    "bytearray": lambda: bytearray(b"ab"),
}
ARRAYS: dict[str, Callable] = {
    "array(3)": lambda: np.array(3),
    "array('a')": lambda: np.array("a"),
    "array(None)": lambda: np.array(None),
    "array([])": lambda: np.array([]),
    "array([1, 2])": lambda: np.array([1, 2]),
    "array([True, False])": lambda: np.array([True, False]),
    "array(['a'])": lambda: np.array(["a"]),
    "array([nan, inf])": lambda: np.array([np.nan, np.inf]),
    "array of bytes": lambda: np.array([b"x", b"yz"]),
    "array of complex": lambda: np.array([1j]),
    "array of dates": lambda: np.array(["2024-01-01"], dtype="datetime64[D]"),
    "array of durations": lambda: np.array([3], dtype="timedelta64[D]"),
    "structured array": lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "void array": lambda: np.zeros(2, dtype="V4"),
    "array (2, 2)": lambda: np.ones((2, 2)),
    "array (0, 3)": lambda: np.ones((0, 3)),
    "array (3, 0)": lambda: np.ones((3, 0)),
    "array (2, 2, 2)": lambda: np.ones((2, 2, 2)),
    "array of inf (2, 9)": lambda: np.full((2, 9), np.inf),
    "array of 1e300 (2, 9)": lambda: np.full((2, 9), 1e300),
    "array of objects (2, 2)": lambda: np.array([[1, "a"], [None, {}]], dtype=object),
    "array of lists": lambda: np.array([[1], [2, 3], None], dtype=object),
    "masked array": lambda: np.ma.masked_array([1, 2], [True, False]),
    "matrix": lambda: sp.csr_array(np.eye(3)),
    "matrix of inf": lambda: sp.csr_array(np.full((2, 9), np.inf)),
    "matrix of complex": lambda: sp.csr_array(np.eye(9) * 1j),
    "coo matrix": lambda: sp.coo_array(np.eye(3)),
    "coo vector": lambda: sp.coo_array(np.array([1.0, 0, 2])),
    "matrix (0, 0)": lambda: sp.csr_array((0, 0)),
}
TABLES: dict[str, Callable] = {
    "DataFrame()": pd.DataFrame,
    "DataFrame of numbers": lambda: pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
    "DataFrame, item of numbers": lambda: pd.DataFrame({"item": [1, 2]}),
    "DataFrame, item of lists": lambda: pd.DataFrame({"item": [[1, 2], [3]]}),
    "DataFrame, item of arrow arrays": lambda: pd.DataFrame({"item": pd.Series([pa.array([1, 2]), pa.array([3])])}),
    "DataFrame, item and short time": lambda: pd.DataFrame({"item": [[1, 2], [3]], "time": [[1], [2]]}),
    "DataFrame, item and time of text": lambda: pd.DataFrame({"item": [[1, 2]], "time": [["a", "b"]]}),
    "DataFrame, item and time of lists": lambda: pd.DataFrame({"item": [[1]], "time": [[[1]]]}),
    "DataFrame, item and weight of text": lambda: pd.DataFrame({"item": [[1, 2]], "weight": [["a", "b"]]}),
    "DataFrame, item and weight 1e308": lambda: pd.DataFrame({"item": [[1, 2]], "weight": [[1e308, 1.0]]}),
    "DataFrame, item twice": lambda: pd.DataFrame([[[1], [2]]], columns=["item", "item"]),
    "DataFrame, no rows": lambda: pd.DataFrame({"item": []}),
    "DataFrame, wide index": lambda: pd.DataFrame({"item": [[1], [2]]}, index=pd.MultiIndex.from_tuples([(1, 2)] * 2)),
    "DataFrame, arrow lists": lambda: pd.DataFrame(
        {"item": pd.Series([[1, 2], None], dtype=pd.ArrowDtype(pa.list_(pa.int64())))}
    ),
    "DataFrame of text": lambda: pd.DataFrame({"user": ["a"], "item": ["b"], "time": ["c"]}),
    "DataFrame of objects": lambda: pd.DataFrame({"user": [[]], "item": [{}], "time": [object()]}),
    "Series of numbers": lambda: pd.Series([1, 2, 3]),
    "Series of lists": lambda: pd.Series([[1, 2], [3]]),
    "Series of categories": lambda: pd.Series(["a", "b"], dtype="category"),
    "Series of pd.NA": lambda: pd.Series([1, None], dtype="Int64"),
    "Series, no rows": lambda: pd.Series([], dtype=object),
    "Index": lambda: pd.Index([1, 2]),
    "MultiIndex": lambda: pd.MultiIndex.from_tuples([(1, 2), (3, 4)]),
    "polars frame": lambda: pl.DataFrame({"item": [[1, 2], [3]]}),
    "polars frame with null": lambda: pl.DataFrame({"item": [[1, None], None]}),
    "polars frame of numbers": lambda: pl.DataFrame({"a": [1, 2]}),
    "polars frame, no rows": lambda: pl.DataFrame({"item": []}),
    "polars lazy frame": lambda: pl.LazyFrame({"item": [[1]]}),
    "polars frame of objects": lambda: pl.DataFrame({"item": [object()]}),
    "polars series": lambda: pl.Series([1, 2]),
    "polars series of lists": lambda: pl.Series([["a"], ["b"]]),
    "polars series of structs": lambda: pl.Series([{"a": 1}]),
    "arrow table": lambda: pa.table({"item": [[1, 2], [3]]}),
    "arrow table of text": lambda: pa.table({"user": ["a"], "item": ["b"]}),
    "arrow table, no columns": lambda: pa.table({}),
    "arrow record batch": lambda: pa.record_batch({"item": [[1, 2]]}),
    "arrow array": lambda: pa.array([1, 2]),
    "arrow array of lists": lambda: pa.array([[1, 2], None]),
    "arrow array of structs": lambda: pa.array([{"a": 1}]),
    "arrow array of decimals": lambda: pa.array([[None]], type=pa.list_(pa.decimal128(5, 2))),
    "arrow array of null": lambda: pa.nulls(2),
    "arrow array of maps": lambda: pa.array([[(1, 2)]], type=pa.map_(pa.int64(), pa.int64())),
    "arrow fixed lists": lambda: pa.array([[1, 2]], type=pa.list_(pa.int64(), 2)),
    "arrow scalar": lambda: pa.scalar(1),
    "chunked arrow array": lambda: pa.chunked_array([[1], [2]]),
}
POOLS = [NUMBERS, SCALARS, COLLECTIONS, ARRAYS, TABLES]
LARGE = {"2**31", "2**63", "10**400", "np.uint64(2**64-1)", "1e30", "1e308", "inf"}


# ---- what is called ----------------------------------------------------------------------------------------------


def targets() -> list[Target]:
    """Return everything that is called."""
    return [*_functions(), *_models()]


def _parameters(call) -> tuple[str, ...]:
    names = inspect.signature(call).parameters
    return tuple(name for name in names if name not in ("self", "args", "kwargs"))


def _function(call, names=(), /, **good) -> Target:
    """`good` holds arguments in order, or functions without arguments that make them."""
    parameters = _parameters(call)
    return Target(call.__name__, call, lambda: good, tuple(names) or parameters, parameters)


def _functions() -> Iterator[Target]:
    X, (history, y) = shop(), split()
    y_true, y_pred = [[1], [2], []], [[1, 2], [3, 1], [2, 5]]
    for metric in (hit_rate_at_k, map_at_k, mrr_at_k, ndcg_at_k, precision_at_k, recall_at_k):
        yield _function(metric, y_true=y_true, y_pred=y_pred, k=2)
    yield _function(auc_at_k, y_true=y_true, y_pred=y_pred, n_items=8, k=2)
    for metric in (coverage_at_k, gini_at_k):
        yield _function(metric, ("y_pred", "n_items", "k"), y_true=None, y_pred=y_pred, n_items=8, k=2)
    yield _function(
        novelty_at_k,
        ("y_pred", "popularity", "n_users", "k"),
        y_true=None,
        y_pred=y_pred,
        popularity={1: 2, 2: 3},
        n_users=8,
        k=2,
    )
    names = ("y_pred", "item_features", "k")
    yield _function(
        intra_list_diversity_at_k, names, y_true=None, y_pred=y_pred, item_features=features()[["price"]], k=2
    )
    yield _function(ranking_scores, y_true=y_true, y_pred=y_pred, k=[1, 2], metrics=["ndcg", "auc"], n_items=8)
    values = [0.1, 0.5, 0.2, 0.9]
    yield _function(bootstrap_interval, values=values, confidence=0.9, n_resamples=20, random_state=0)
    yield _function(paired_bootstrap, a=values, b=values[::-1], confidence=0.9, n_resamples=20, random_state=0)
    yield _function(split_last, X=X, n=1, min_history=1, exclude_seen=False, exclude_unknown=False, verbose=0)
    yield _function(split_time, X=X, at="2024-02-01", until=None, exclude_seen=False, exclude_unknown=False, verbose=0)
    yield _function(split_users, X=X, test_size=0.3, held_out=1, order="random", random_state=0)
    yield _function(split_next_purchase, X=X, at="2024-02-01", horizon="5D", event="buy")
    yield Target("SameUsers.split", lambda X: list(SameUsers().split(X)), lambda: {"X": X}, ("X",), ("X",))
    yield _function(
        compare,
        models={"p": PopularityRecommender()},
        X=history,
        y=y,
        X_test=None,
        k=3,
        metrics=["ndcg"],
        validation=None,
        confidence=0.9,
        n_resamples=20,
        random_state=0,
        verbose=0,
        return_per_user=True,
        return_estimator=False,
    )
    yield _function(default_grid, model=EASE())
    yield _function(make_recommender, **{next(iter(_parameters(make_recommender))): "ease"})
    yield _function(recipe_grid, **{next(iter(_parameters(recipe_grid))): "ease"})
    for call in (to_histories, check_events):
        names = _parameters(call)
        yield _function(
            call, events=log(), **{name: name for name in ("user", "item", "time", "weight", "event") if name in names}
        )
    yield _function(profile_log, X=X)
    yield _function(explain, model=fitted(EASE), X=X[:1], items=None, k=2, n_reasons=2)
    yield _function(read_header, path="missing.skrec")
    yield Target("load", lambda path: load(path), lambda: {"path": "missing.skrec"}, ("path",), ("path",))
    yield _function(skrec.datasets.make_histories, n_users=20, n_items=10, n_clusters=2, mean_length=4, random_state=0)
    leaderboard = compare([PopularityRecommender(), EASE()], history, y, n_resamples=20)
    yield Target(
        "write_report",
        _report,
        lambda: {"questions": {"next": {"leaderboard": leaderboard, "note": "x"}}, "title": "T", "random_state": 0},
        (
            "questions",
            "title",
            "data",
            "split",
            "names",
            "categories",
            "rows",
            "examples",
            "popularity",
            "check",
            "random_state",
        ),
        _parameters(write_report),
    )
    yield Target("save", _save, lambda: {"estimator": fitted(EASE)}, ("estimator", "metadata"), _parameters(save))
    yield Target("save(path)", _save_anywhere, lambda: {"estimator": fitted(EASE)}, ("path",), _parameters(save))
    given = {"curves": {"a": [0.1, 0.2]}}
    yield _function(MetricAtKDisplay, ("k", "curves"), k=[1, 2], **given)
    yield _function(PopularityBiasDisplay, ("rank", "curves", "history"), rank=[1, 2], **given)
    yield _function(TrainingDisplay, ("loss", "held_out"), loss=[0.3, 0.2])
    yield _function(
        ComparisonDisplay,
        ("names", "values", "low", "high"),
        names=["a", "b"],
        values=[0.1, 0.2],
        low=[0, 0.1],
        high=[1, 1],
    )
    yield Target(
        "BM25Transformer",
        lambda X, **given: BM25Transformer(**given).fit(X).transform(X),
        lambda: {"X": matrix(), "k1": 1.2, "b": 0.75, "use_idf": True},
        ("X", "k1", "b", "use_idf"),
        ("X", "k1", "b", "use_idf"),
    )
    names = _parameters(HistoryVectorizer)
    yield Target(
        "HistoryVectorizer",
        lambda **given: HistoryVectorizer(**given).fit(X).transform(X),
        dict,
        names,
        names,
    )
    yield Target("HistoryVectorizer.fit", HistoryVectorizer().fit, lambda: {"X": X}, ("X",), ("X",))
    yield Target("HistoryVectorizer.transform", fitted(HistoryVectorizer).transform, lambda: {"X": X}, ("X",), ("X",))
    names = _parameters(BehaviorFeatures)
    yield Target(
        "BehaviorFeatures",
        lambda **given: BehaviorFeatures(**given).fit(X).transform(X),
        dict,
        names,
        names,
    )
    yield Target("BehaviorFeatures.fit", BehaviorFeatures().fit, lambda: {"X": X}, ("X",), ("X",))
    yield Target("BehaviorFeatures.transform", fitted(BehaviorFeatures).transform, lambda: {"X": X}, ("X",), ("X",))


def _save(**given):
    with tempfile.TemporaryDirectory() as folder:
        save(path=Path(folder) / "model.skrec", **given)


def _save_anywhere(**given):
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        save(**given)


def _report(**given):
    with tempfile.TemporaryDirectory() as folder:
        write_report(path=Path(folder) / "report.html", **given)


def _models() -> Iterator[Target]:
    kinds: list[tuple[type, dict]] = [
        (EASE, {}),
        (SLIM, {"n_jobs": 1}),
        (ItemKNN, {}),
        (RP3beta, {}),
        (TransitionRecommender, {}),
        (SessionKNN, {}),
        (BuyAgainRecommender, {}),
        (TIFUKNN, {}),
        (ContentRecommender, {"item_features": features()}),
        (ALS, {"n_components": 2, "max_iter": 2, "n_jobs": 1, "random_state": 0}),
        (BPR, {"n_components": 2, "max_iter": 2, "n_jobs": 1, "random_state": 0}),
        (PPMISVD, {"random_state": 0}),
        (PureSVD, {"random_state": 0}),
        (PopularityRecommender, {}),
        (RandomRecommender, {"random_state": 0}),
        (BlendRecommender, {"recommenders": [("p", PopularityRecommender()), ("e", EASE())], "holdout": "last"}),
        (Reranker, {"recommender": EASE(), "diversity": "mmr", "categories": features()["kind"]}),
        (TwoStageRecommender, {"retrievers": [("e", EASE())], "n_candidates": 5}),
    ]
    asked = _parameters(EASE.recommend)
    for kind, given in kinds:
        names = _parameters(kind)
        parameters = (*names, *asked)
        yield Target(kind.__name__, _fit_and_ask(kind, "recommend"), lambda given=given: given, names, parameters)
        yield Target(f"{kind.__name__}.fit", kind(**given).fit, lambda: {"X": shop()}, ("X",), parameters)
        model = fitted(kind(**given))
        arguments = {"X": shop()[:4], "k": 3}
        yield Target(f"{kind.__name__}.recommend", model.recommend, lambda a=arguments: a, asked, parameters)
        yield Target(f"{kind.__name__}.predict", model.predict, lambda: {"X": shop()[:4]}, ("X",), parameters)
        yield Target(
            f"{kind.__name__}.score",
            model.score,
            lambda: dict(zip("Xy", split(), strict=True)),
            ("X", "y"),
            ("X", "y", "y_true"),
        )
        yield Target(
            f"{kind.__name__}.decision_function", model.decision_function, lambda: {"X": shop()}, ("X",), ("X",)
        )
        if hasattr(model, "transform"):
            yield Target(f"{kind.__name__}.transform", model.transform, lambda: {"X": shop()}, ("X",), ("X",))
        if hasattr(model, "similar_items"):
            similar = _parameters(model.similar_items)
            yield Target(
                f"{kind.__name__}.similar_items",
                model.similar_items,
                lambda: {"items": [1, 2], "k": 3},
                similar,
                similar,
            )
    for kind in (EASE, ItemKNN, PopularityRecommender):
        model = kind(vectorizer="passthrough")
        yield Target(f"{kind.__name__}(passthrough).fit", model.fit, lambda: {"X": matrix()}, ("X",), ("X",))
        model = fitted(kind(vectorizer="passthrough"))
        arguments = {"X": matrix()[:4], "k": 3}
        yield Target(f"{kind.__name__}(passthrough).recommend", model.recommend, lambda a=arguments: a, asked, asked)
    als = ALS(n_components=2, max_iter=1, n_jobs=1, random_state=0).fit(shop())
    yield Target("ALS.partial_fit", als.partial_fit, lambda: {"X": shop()}, ("X",), ("X",))
    explained = fitted(TwoStageRecommender(retrievers=[("e", EASE())], n_candidates=5)).explain
    yield Target(
        "TwoStageRecommender.explain",
        explained,
        lambda: {"X": shop()[:1]},
        _parameters(explained),
        _parameters(explained),
    )


def _fit_and_ask(kind, method):
    return lambda **given: getattr(kind(**given).fit(shop()), method)(shop()[:4])


# ---- the judge ---------------------------------------------------------------------------------------------------


def draw(all_targets: list[Target], seed: int, number: int) -> tuple[str, Target, dict]:
    """Return one call: its text, its target and its arguments; one or two of them are hostile."""
    rng = random.Random(f"{seed} {number}")
    target = rng.choice(all_targets)
    arguments, shown = dict(target.good()), []
    for name in rng.sample(target.names, min(len(target.names), rng.choice([1, 1, 1, 2]))):
        given = arguments.get(name)
        if isinstance(given, pd.DataFrame) and rng.random() < 0.5:
            label, arguments[name] = _spoiled(given, rng)
        else:
            pool = rng.choice(POOLS[1:] if name in WORKERS else POOLS)
            label = rng.choice([one for one in pool if name not in PATIENT or one not in LARGE])
            arguments[name] = pool[label]()
        shown.append(f"{name}={label}")
    return f"{target.name}({', '.join(shown)})", target, arguments


def _spoiled(frame: pd.DataFrame, rng: random.Random) -> tuple[str, pd.DataFrame]:
    """Return a frame with one hostile cell, or one hostile value within the list of a cell."""
    column, row, pool = rng.choice(list(frame.columns)), rng.randrange(len(frame)), rng.choice(POOLS)
    label = rng.choice(list(pool))
    cells = np.empty(len(frame), dtype=object)
    for place, cell in enumerate(frame[column]):
        cells[place] = cell
    where = f"frame[{column!r}][{row}]"
    if isinstance(cells[row], list) and rng.random() < 0.7:
        place = rng.randrange(len(cells[row]))
        cells[row] = [*cells[row][:place], pool[label](), *cells[row][place + 1 :]]
        where += f"[{place}]"
    else:
        cells[row] = pool[label]()
    return f"{where}={label}", frame.assign(**{column: pd.Series(cells, index=frame.index, dtype=object)})


def judge(text: str, target: Target, arguments: dict) -> Suspect | None:
    """Make a call; return what is wrong with how it ended, None if nothing is."""
    sink = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        warnings.simplefilter("ignore")
        try:
            target.call(**arguments)
        except (NotFittedError, ModelFileError, OSError):  # an OSError names the file
            return None
        except (TypeError, ValueError) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            if _is_raised_by_us(last) or _names(str(error), target.parameters):
                return None
            return _suspect(text, error)
        except Exception as error:
            return _suspect(text, error)
    return None


def _suspect(text: str, error: Exception) -> Suspect:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    where = f"{ours[-1].filename[len(PACKAGE) :]}:{ours[-1].lineno}: {ours[-1].line}" if ours else str(frames[-1])
    return Suspect(text, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", where)


def _is_raised_by_us(frame) -> bool:
    """Tell whether a `raise` of this package ended the call, rather than Python within a line of it."""
    line = linecache.getline(frame.filename, frame.lineno).strip()
    return frame.filename.startswith(PACKAGE) and line.startswith("raise ")


def _names(message: str, parameters: tuple[str, ...]) -> bool:
    """Tell whether a message names a parameter; one that is also a word of English only at the beginning."""
    message = message.removeprefix("The ").replace("'", " ").strip()
    for name in parameters:
        pattern = rf"{name}\b" if name in COMMON else rf".*\b{name}\b"
        if re.match(pattern, message, re.DOTALL):
            return True
    return False
