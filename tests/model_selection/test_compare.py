"""Comparing models: the numbers are those of the metrics, a failure stays a row, nothing leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, coverage_at_k, ndcg_at_k, paired_bootstrap, ranking_scores
from skrec.model_selection import SameUsers, compare, split_last, split_time
from skrec.utils._resources import measure_resources


@pytest.fixture(scope="module")
def task():
    return split_time(make_histories(200, 60, random_state=0), "2024-09-01")


MODELS = {"popular": PopularityRecommender(), "EASE": EASE(l2=20), "random": RandomRecommender(random_state=0)}


def test_numbers_are_those_of_the_metrics(task):
    X, y = task
    board, details = compare(MODELS, X, y, k=5, metrics=["recall"], return_per_user=True)
    assert board.index.tolist() == ["EASE", "popular", "random"] and board.index.name == "model"
    given = {name: clone.fit(X).recommend(X, 5) for name, clone in MODELS.items()}
    for name, lists in given.items():
        row = board.loc[name]
        assert row["ndcg@5"] == pytest.approx(ndcg_at_k(y, lists, k=5))
        scores = ranking_scores(y, lists, k=5, metrics="ndcg")["ndcg@5"]
        assert (row["ndcg@5_low"], row["ndcg@5_high"]) == bootstrap_interval(scores, random_state=0)
        assert row["coverage@5"] == coverage_at_k(None, lists, n_items=board.attrs["n_items"])
        np.testing.assert_array_equal(details[name].recommendations, lists)
        np.testing.assert_array_equal(details[name].scores["ndcg@5"], scores)
        assert details[name].estimator is None
    best, other = (details[name].scores["ndcg@5"] for name in ("EASE", "random"))
    expected = paired_bootstrap(other, best, random_state=0)
    assert tuple(board.loc["random", ["difference", "difference_low", "difference_high", "p_value"]]) == expected
    assert board.loc["EASE", "difference"] == 0 and np.isnan(board.loc["EASE", "p_value"])
    assert (board[["fit_seconds", "predict_seconds", "users_per_second", "request_ms"]] > 0).all(axis=None)
    assert board.attrs["n_users"] == 200 and board.attrs["n_scored"] == sum(map(bool, map(len, y)))


def test_a_failing_model_keeps_its_row(task):
    board = compare({**MODELS, "broken": PopularityRecommender(window=-1)}, *task)
    assert board.index[-1] == "broken" and "window must be above 0" in board.loc["broken", "error"]
    assert np.isnan(board.loc["broken", "ndcg@10"]) and (board["error"] == "").sum() == 3


def test_models_are_cloned_and_y_is_not_shown(task):
    class Watcher(EASE):
        def fit(self, X, y=None):
            assert y is None
            return super().fit(X)

    model = Watcher()
    board = compare([model], *task, k=3)
    assert board["error"].tolist() == [""] and not hasattr(model, "items_") and model.k == 10


def test_search_chooses_inside_the_history(task):
    X, y = task
    search = GridSearchCV(EASE(), {"l2": [1.0, 50.0]}, cv=SameUsers())
    board, details = compare({"search": search, "pipeline": make_pipeline(FunctionTransformer(), EASE())}, X, y, k=7,
                             return_estimator=True)  # fmt: skip
    assert (board["error"] == "").all()
    chosen = search.fit(*split_last(X, verbose=0)).best_params_["l2"]
    fitted = details["search"].estimator
    assert fitted.l2 == chosen and fitted.k == 7
    np.testing.assert_array_equal(fitted.predict(X), EASE(l2=chosen, k=7).fit(X).predict(X))
    assert details["pipeline"].recommendations.shape == (200, 7)


def test_search_takes_a_validation_part(task):
    X, y = task
    seen = []

    class Spy(EASE):
        def score(self, X, y):
            seen.append(list(map(list, y)))
            return super().score(X, y)

    validation = split_last(X, 2, verbose=0)
    board = compare([GridSearchCV(Spy(), {"l2": [1.0]}, cv=SameUsers())], X, y, validation=validation)
    assert board["error"].tolist() == [""] and seen == [list(map(list, validation[1]))]


@pytest.mark.parametrize("n", [0, -1])
def test_no_budget_is_an_error(task, n):
    search = RandomizedSearchCV(EASE(), {"l2": [1.0, 50.0]}, n_iter=n, cv=SameUsers())
    with pytest.raises(ValueError, match=rf"models\['search'\] has n_iter={n}: give the search at least one try"):
        compare({**MODELS, "search": search}, *task)
    with pytest.raises(ValueError, match=f"n_resamples == {n}, must be >= 1"):
        compare(MODELS, *task, n_resamples=n)


def test_other_histories_when_asking(task):
    X, y = task
    board = compare([EASE(), PopularityRecommender()], X[:100], y[100:], X_test=X[100:])
    assert board.attrs["n_users"] == 100 and (board["error"] == "").all()


def test_fewer_items_than_k():
    board = compare([EASE(l2=1.0)], [["a", "b"], ["b", "c"], ["a"]], [["c"], ["a"], ["b"]])
    assert board.loc["EASE", "hit_rate@10"] == 1


def test_prints_a_line_per_model(task, capsys):
    compare(MODELS, *task, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[1].startswith("[2/3] EASE: NDCG@10 0.")


class Narrow(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([EASE(), EASE(l2=3)], ValueError, "two of the name 'EASE'"),
        ({}, ValueError, "models is empty"),
        ({"a": "EASE"}, TypeError, "must be an estimator"),
        ([EASE], TypeError, "must be an estimator"),
        ([Narrow()], ValueError, "every model failed, Narrow with ValueError: predict gave the shape"),
    ],
)
def test_bad_models(task, models, error, message):
    with pytest.raises(error, match=message):
        compare(models, *task)


def test_resources_see_time_and_memory():
    with measure_resources() as used:
        block = np.ones(8_000_000)
        del block
    assert used.seconds > 0
    assert np.isnan(used.peak_mib) or 0 <= used.peak_mib < 1000
    with measure_resources() as used:
        block = np.ones(8_000_000)
    assert np.isnan(used.peak_mib) or used.peak_mib > 30
    assert len(block)


@pytest.mark.parametrize(
    "name, value",
    [
        ("return_estimator", np.array([1, 0])),
        ("return_per_user", "false"),
        ("verbose", pd.DataFrame()),
        ("metrics", 3),
        ("metrics", [["ndcg"]]),
        ("confidence", float("nan")),
        ("n_resamples", 2**63),
        ("random_state", [{}]),
        ("k", True),
        ("validation", 5),
        ("X_test", (row for row in [[1]])),
        ("y", {0: [1]}),
        ("y", [[1]]),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_arguments_of_compare_are_named(name, value):
    arguments = {"models": [PopularityRecommender()], "X": [[1, 2], [2]], "y": [[3], [1]]} | {name: value}
    with pytest.raises((TypeError, ValueError), match=f"^{name}"):
        compare(**arguments)


def test_requests_of_one_row_are_timed_and_may_be_refused(task):
    class Batches(EASE):
        def predict(self, X):
            if len(X) == 1:
                raise ValueError("one row")
            return super().predict(X)

    X, y = task
    for rows in (X, X["item"].to_list()):
        board = compare({"batches": Batches(), "EASE": EASE()}, rows, y, n_resamples=10)
        assert (board["error"] == "").all() and np.isnan(board.loc["batches", "request_ms"])
        assert 0 < board.loc["EASE", "request_ms"] < 1000 * board.loc["EASE", "predict_seconds"] + 1000
