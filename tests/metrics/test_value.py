"""Value at k, against sums by hand and a slow way."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import make_scorer

from skrec.dummy import PopularityRecommender
from skrec.metrics import bootstrap_interval, paired_bootstrap, precision_at_k, value_at_k

PRICE = {"a": 1.0, "b": 10.0, "c": 100.0, "d": 1000.0}


def test_by_hand():
    y_true, y_pred = [["a", "c", "c"], ["b"], []], [["c", "b", "a"], ["a", "b", "c"], ["d", "a", "b"]]
    assert value_at_k(y_true, y_pred, value=PRICE) == (101 + 10) / 2
    assert value_at_k(y_true, y_pred, value=PRICE, k=1) == (100 + 0) / 2
    np.testing.assert_array_equal(value_at_k(y_true, y_pred, value=PRICE, per_user=True), [101, 10, np.nan])


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_slow_way(k):
    rng = np.random.RandomState(0)
    value = rng.normal(size=30)
    y_pred = np.array([rng.permutation(30)[:6] for _ in range(50)])
    y_true = [rng.randint(0, 30, rng.randint(0, 9)).tolist() for _ in range(50)]
    slow = [
        sum(value[item] for item in row[:k] if item in truth) if truth else np.nan
        for row, truth in zip(y_pred, y_true, strict=True)
    ]
    found = value_at_k(y_true, y_pred, value=pd.Series(value), k=k, per_user=True)
    np.testing.assert_allclose(found, slow, rtol=1e-12)
    assert value_at_k(y_true, y_pred, value=pd.Series(value), k=k) == pytest.approx(np.nanmean(slow))


def test_equal_values_count_hits():
    rng = np.random.RandomState(1)
    y_pred, y_true = np.array([rng.permutation(9)[:4] for _ in range(20)]), rng.randint(0, 9, 20).tolist()
    assert value_at_k(y_true, y_pred, value=dict.fromkeys(range(9), 2.0)) == pytest.approx(
        8 * precision_at_k(y_true, y_pred)
    )


def test_forms_of_value_and_shorter_lists():
    y_true, y_pred = [["a"], ["b"]], [["a", "b", "c"], ["b"]]
    forms = [PRICE, pd.Series(PRICE), (list(PRICE), list(PRICE.values()))]
    assert [value_at_k(y_true, y_pred, value=form) for form in forms] == [5.5] * 3


def test_intervals_take_the_values_of_users():
    y_true = [["a"], ["b"], ["c"], []] * 50
    better = value_at_k(y_true, [["c", "a"]] * 200, value=PRICE, per_user=True)
    worse = value_at_k(y_true, [["b", "a"]] * 200, value=PRICE, per_user=True)
    low, high = bootstrap_interval(better, random_state=0)
    assert low < np.nanmean(better) < high
    difference, low, _, p_value = paired_bootstrap(better, worse, random_state=0)
    assert difference == pytest.approx(30)
    assert low > 0
    assert p_value < 0.01


def test_as_a_scorer():
    X, y = [["a", "b"], ["a", "c"], ["b"]], [["c"], ["b"], ["a"]]
    model = PopularityRecommender(k=2).fit(X)
    assert make_scorer(value_at_k, value=PRICE)(model, X, y) == pytest.approx(111 / 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"value": {"a": 1.0}}, ValueError, "value lacks 1 of the recommended items, such as 'b'"),
        ({"value": {1: 1.0, 2: 2.0}}, TypeError, "convert both to one type"),
        ({"value": {"a": 1.0, "b": np.nan}}, ValueError, "value must be finite, got nan for 'b'"),
        ({"value": {"a": 1.0, "b": np.inf}}, ValueError, "value must be finite, got inf for 'b'"),
        ({"value": 3}, TypeError, "value must be a pandas object"),
        ({"value": (["a", "b"], [1.0])}, ValueError, "pass one number per id"),
        ({"value": pd.Series([1, 2, 3], index=["a", "b", "a"])}, ValueError, "more than once"),
        ({"value": PRICE, "k": 3}, ValueError, "k=3, but y_pred has only 2"),
        ({"value": PRICE, "per_user": 1}, TypeError, "per_user must be True or False"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        value_at_k([["a"]], [["a", "b"]], **arguments)


def test_nothing_held_out():
    with pytest.raises(ValueError, match="holds no held-out item for any of its 1 users"):
        value_at_k([[]], [["a"]], value=PRICE)
