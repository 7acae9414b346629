"""Ranking metrics against ranx, scikit-learn and definitions written out by hand."""

import math
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import cross_validate

import skrec.metrics as M

NAMES = ["hit_rate", "recall", "precision", "map", "mrr", "ndcg"]
N_ITEMS = 15


def by_hand(name, relevant, ranked, k):
    relevant, ranked = set(relevant), list(ranked)[:k]
    places = [place for place, item in enumerate(ranked, start=1) if item in relevant]
    if name == "hit_rate":
        return float(len(places) > 0)
    if name == "recall":
        return len(places) / len(relevant)
    if name == "precision":
        return len(places) / k
    if name == "mrr":
        return 1 / places[0] if places else 0.0
    if name == "map":
        return sum(len([p for p in places if p <= place]) / place for place in places) / len(relevant)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(relevant)) + 1))
    return sum(1 / math.log2(place + 1) for place in places) / ideal


@st.composite
def problems(draw, ragged=False, asked=False):
    """Held-out items (with repeats, perhaps none) and distinct recommendations for a few users."""
    n_users = draw(st.integers(1, 6))
    width = draw(st.integers(1, N_ITEMS))
    y_true = [
        draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=int(asked), max_size=N_ITEMS - 2)) for _ in range(n_users)
    ]
    y_pred = [draw(st.permutations(range(N_ITEMS)))[:width] for _ in range(n_users)]
    if ragged:
        y_pred = [row[: draw(st.integers(0, width))] for row in y_pred]
        y_pred[0] = y_pred[0] or [0]
        width = max(map(len, y_pred))
    k = draw(st.integers(1, width))
    if not any(y_true):
        y_true[0] = [0]
    return y_true, y_pred, k


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from(["int", "str"]))
def test_equals_definitions(problem, kind):
    y_true, y_pred, k = problem
    convert = (lambda i: f"item {i}") if kind == "str" else (lambda i: i - 7)
    y_true = [[convert(i) for i in row] for row in y_true]
    y_pred = np.array([[convert(i) for i in row] for row in y_pred], dtype=object if kind == "str" else int)
    for name in NAMES:
        expected = np.mean([by_hand(name, t, p, k) for t, p in zip(y_true, y_pred, strict=True) if t])
        got = getattr(M, f"{name}_at_k")(y_true, y_pred, k=k)
        assert isinstance(got, float)
        assert got == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(problems(ragged=True))
def test_ragged_lists_equal_definitions(problem):
    y_true, y_pred, k = problem
    scores = M.ranking_scores(y_true, y_pred, k=k, metrics=NAMES)
    for name in NAMES:
        expected = [by_hand(name, t, p, k) if t else np.nan for t, p in zip(y_true, y_pred, strict=True)]
        np.testing.assert_allclose(scores[f"{name}@{k}"], expected, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(problems(ragged=True))
def test_auc_equals_scikit_learn(problem):
    y_true, y_pred, k = problem
    expected = []
    for relevant, ranked in zip(y_true, y_pred, strict=True):
        if not relevant:
            continue
        scores = np.zeros(N_ITEMS)
        scores[list(ranked[:k])] = k - np.arange(len(ranked[:k]))
        expected.append(roc_auc_score(np.isin(np.arange(N_ITEMS), relevant), scores))
    assert M.auc_at_k(y_true, y_pred, n_items=N_ITEMS, k=k) == pytest.approx(np.mean(expected), abs=1e-9)


@pytest.mark.slow  # compiles for a minute the first time
@settings(max_examples=20, deadline=None)
@given(problems(asked=True))
def test_equals_ranx(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ranx import Qrels, Run, evaluate

        y_true, y_pred, k = problem
        qrels = Qrels({f"u{u}": {f"i{i}": 1 for i in row} for u, row in enumerate(y_true)})
        run = Run({f"u{u}": {f"i{i}": 99.0 - r for r, i in enumerate(row)} for u, row in enumerate(y_pred)})
        theirs = evaluate(qrels, run, [f"{name}@{k}" for name in NAMES])
    theirs = theirs if isinstance(theirs, dict) else {f"{NAMES[0]}@{k}": theirs}
    for name in NAMES:
        assert getattr(M, f"{name}_at_k")(y_true, y_pred, k=k) == pytest.approx(theirs[f"{name}@{k}"], abs=1e-9)


def test_known_values():
    y_true, y_pred = [["a", "b"], ["c"], []], [["a", "x", "b"], ["x", "c", "y"], ["x", "y", "z"]]
    assert M.hit_rate_at_k(y_true, y_pred, k=1) == 0.5
    assert M.recall_at_k(y_true, y_pred) == 1.0
    assert M.precision_at_k(y_true, y_pred) == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert M.map_at_k(y_true, y_pred) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert M.mrr_at_k(y_true, y_pred) == 0.75
    ideal = 1 + 1 / math.log2(3)
    assert M.ndcg_at_k(y_true, y_pred) == pytest.approx(((1 + 0.5) / ideal + 1 / math.log2(3)) / 2)


def test_scores_at_several_k_equal_one_at_a_time():
    rng = np.random.default_rng(0)
    y_pred = np.argsort(rng.random((50, 30)), axis=1)[:, :12]
    y_true = [rng.integers(30, size=rng.integers(0, 5)).tolist() for _ in range(50)]
    scores = M.ranking_scores(y_true, y_pred, k=[1, 5, 12], metrics=[*NAMES, "auc"], n_items=30)
    assert list(scores)[:2] == ["hit_rate@1", "recall@1"] and len(scores) == 21
    empty = np.array([not row for row in y_true])
    for key, values in scores.items():
        name, k = key.split("@")
        extra = {"n_items": 30} if name == "auc" else {}
        np.testing.assert_array_equal(np.isnan(values), empty)
        assert getattr(M, f"{name}_at_k")(y_true, y_pred, k=int(k), **extra) == pytest.approx(np.nanmean(values))
    assert list(M.ranking_scores(y_true, y_pred, metrics="mrr")) == ["mrr@10"]


def test_scores_without_any_held_out_item_are_nan():
    assert np.isnan(M.ranking_scores([[], []], [[1], [2]], k=1, metrics="ndcg")["ndcg@1"]).all()


LISTS = [["a", "b"], [], ["c"]]


def object_array(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


@pytest.mark.parametrize(
    "y_true",
    [
        LISTS,
        [tuple(row) for row in LISTS],
        [np.array(row, dtype=object) for row in LISTS],
        object_array(LISTS),
        pd.Series(LISTS, index=[7, 5, 3]),
        pd.Series([["a", "b"], None, ["c"]]),
        pd.Series([None, ["b", "a"], ["c"]])[[1, 0, 2]],
        pd.Series(LISTS, dtype=pd.ArrowDtype(pa.list_(pa.string()))),
        pd.DataFrame({"item": LISTS}),
        pl.Series(LISTS),
        pl.DataFrame({"item": LISTS}),
        pa.array(LISTS),
    ],
    ids=lambda value: type(value).__module__ + "." + type(value).__name__,
)
@pytest.mark.parametrize("make_pred", [np.array, pd.DataFrame, pl.Series, pa.array, list, object_array])
def test_containers(y_true, make_pred):
    y_pred = make_pred([["a", "x"], ["x", "a"], ["x", "y"]])
    assert M.recall_at_k(y_true, y_pred, k=2) == 0.25


@pytest.mark.parametrize("make", [list, np.array, pd.Series, pl.Series, lambda v: np.array(v, dtype=object)])
@pytest.mark.parametrize("kind", [str, int])
def test_single_ids(make, kind):
    y_true = make([kind(i) for i in (1, 2, 3)])
    y_pred = np.array([[1, 9], [8, 2], [4, 5]]).astype(kind)
    assert M.mrr_at_k(y_true, y_pred) == 0.5


def test_a_repeated_held_out_item_counts_once():
    assert M.recall_at_k([["a", "a", "b"]], [["a", "c"]]) == 0.5


def test_an_unknown_held_out_item_is_a_miss():
    assert M.recall_at_k([["a", "new"]], [["a", "b"]]) == 0.5


def test_users_without_held_out_items_are_left_out():
    assert M.ndcg_at_k([["a"], []], [["a"], ["b"]]) == 1.0


@pytest.mark.parametrize("name", [*NAMES, "auc"])
@pytest.mark.parametrize(
    ("y_true", "y_pred", "k", "error", "match"),
    [
        ([["a"]], [["a", "b"]], 3, ValueError, "k=3, but y_pred has only 2 .* recommend with a larger k first"),
        ([["a"]], [["a", "b"]], 0, ValueError, "k == 0, must be >= 1"),
        ([["a"]], [["a", "b"]], 1.5, TypeError, "k must be an instance of int"),
        ([["a"], ["b"]], [["a", "b"]], 2, ValueError, "y_true has 2 users but y_pred has 1"),
        ([["a"]], [[1, 2]], 2, TypeError, "y_pred has item ids such as 1 .integer. but y_true has ids such as 'a'"),
        ([[1]], np.array([[0.3, 0.1]]), 2, TypeError, "y_pred has numbers such as 0.3, .* not scores"),
        ([[], []], [["a"], ["b"]], 1, ValueError, "y_true holds no held-out item for any of its 2 users"),
        ([], np.empty((0, 1), dtype=int), 1, ValueError, "y_true holds no held-out item"),
        ([["b"], ["a"]], [["b", "a"], ["a", "a"]], 2, ValueError, "row 1 of y_pred recommends the item 'a' more than"),
        ([["a"]], [[]], None, ValueError, "y_pred holds no recommendation"),
        ([["a"]], [["a", None]], 2, ValueError, "y_pred has a missing id"),
        (["a", None], [["a"], ["b"]], 1, ValueError, "y_true has a missing id"),
        (csr_matrix(np.eye(2)), [[0], [1]], 1, TypeError, "y_true is a matrix of shape 2x2"),
        (np.eye(2), [[0], [1]], 1, TypeError, "y_true is a matrix of shape 2x2"),
        ([[1]], csr_matrix(np.eye(1)), 1, TypeError, "y_pred is a sparse matrix"),
        ("abc", [["a"]], 1, TypeError, "y_true must be a sequence"),
    ],
)
def test_errors(name, y_true, y_pred, k, error, match):
    extra = {"n_items": 10} if name == "auc" else {}
    with pytest.raises(error, match=match):
        getattr(M, f"{name}_at_k")(y_true, y_pred, k=k, **extra)


def test_a_repeated_miss_and_a_repeat_below_k_are_no_error():
    assert M.recall_at_k([["a"]], [["a", "b", "b", "a"]], k=3) == 1.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        ({"metrics": "auc", "n_items": 1}, "n_items=1, but a user has 1 held-out items"),
        ({"metrics": "auc", "n_items": 2}, "n_items=2 is smaller than the number of items"),
        ({"metrics": "auc"}, "n_items is missing"),
        ({"metrics": ["ndgc"]}, "unknown name 'ndgc': choose from"),
        ({"k": []}, "k is empty"),
        ({"k": [1, 0]}, "k == 0"),
    ],
)
def test_errors_of_ranking_scores(call, match):
    with pytest.raises(ValueError, match=match):
        M.ranking_scores([["a"]], [["x", "y"]], **{"k": 2, **call})


class Popular(BaseEstimator):
    """Recommends the most frequent items of the training histories."""

    def __init__(self, k=3):
        self.k = k

    def fit(self, X, y=None):
        self.items_, counts = np.unique(np.concatenate([np.asarray(row) for row in X]), return_counts=True)
        self.order_ = np.argsort(-counts, kind="stable")
        return self

    def predict(self, X):
        return np.tile(self.items_[self.order_[: self.k]], (len(X), 1))


@pytest.mark.parametrize("kind", [str, int])
def test_scorers_in_cross_validation(kind):
    rng = np.random.default_rng(0)
    X = [[kind(i) for i in rng.integers(6, size=8)] for _ in range(40)]
    y = [[kind(rng.integers(6))] for _ in range(40)]
    scoring = {
        "ndcg": make_scorer(M.ndcg_at_k, k=3),
        "auc": make_scorer(M.auc_at_k, k=3, n_items=6),
        "coverage": make_scorer(M.coverage_at_k, n_items=6),
        "gini": make_scorer(M.gini_at_k, n_items=6, greater_is_better=False),
    }
    result = cross_validate(Popular(), X, y, cv=4, scoring=scoring, error_score="raise")
    assert result["test_ndcg"].shape == (4,) and (result["test_ndcg"] > 0).all()
    assert (result["test_coverage"] == 0.5).all()
    assert (result["test_gini"] == -0.5).all()
    model = Popular().fit(X[10:])
    expected = M.ndcg_at_k(y[:10], model.predict(X[:10]), k=3)
    assert result["test_ndcg"][0] == pytest.approx(expected)


def test_arrow_tables_hold_the_truth():
    table = pa.table({"item": [[1, 2], [], [5]]})
    y_pred = [[2, 3], [1, 2], [4, 6]]
    assert M.recall_at_k(table, y_pred, k=2) == M.recall_at_k([[1, 2], [], [5]], y_pred, k=2) == 0.25


@pytest.mark.parametrize("metrics", [3, None, {"ndcg"}, [["ndcg"]], np.ones((2, 2)), pd.DataFrame({"a": [1]})], ids=str)
def test_what_are_no_names_of_metrics(metrics):
    with pytest.raises((TypeError, ValueError), match=r"^metrics "):
        M.ranking_scores([[1]], [[1, 2]], k=2, metrics=metrics)
