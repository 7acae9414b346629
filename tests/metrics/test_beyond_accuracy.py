"""Coverage, Gini, novelty and diversity against definitions written out by hand."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from sklearn import config_context

import skrec.metrics as M

N_ITEMS = 9
lists = st.lists(
    st.lists(st.integers(0, N_ITEMS - 1), min_size=0, max_size=6, unique=True), min_size=1, max_size=6
).filter(lambda rows: any(len(row) > 1 for row in rows))


def shown(y_pred, k):
    return [row[:k] for row in y_pred]


@settings(max_examples=50, deadline=None)
@given(lists, st.sampled_from([int, str]))
def test_coverage_and_gini(y_pred, kind):
    k = max(map(len, y_pred))
    for cut in {1, k}:
        flat = [item for row in shown(y_pred, cut) for item in row]
        counts = [flat.count(item) for item in range(N_ITEMS)]
        ids = [[kind(item) for item in row] for row in y_pred]
        assert M.coverage_at_k(None, ids, n_items=N_ITEMS, k=cut) == len(set(flat)) / N_ITEMS
        gap = sum(abs(a - b) for a in counts for b in counts)  # half the relative mean absolute difference
        assert M.gini_at_k(None, ids, n_items=N_ITEMS, k=cut) == pytest.approx(gap / (2 * N_ITEMS * sum(counts)))


@settings(max_examples=50, deadline=None)
@given(lists, st.lists(st.integers(0, 20), min_size=N_ITEMS - 1, max_size=N_ITEMS - 1))
def test_novelty(y_pred, counts):  # the last item is absent from the popularity
    means = []
    for row in y_pred:
        bits = [-np.log2(max(1, counts[item] if item < len(counts) else 0) / 20) for item in row]
        means += [np.mean(bits)] if row else []
    for popularity in (
        dict(enumerate(counts)),
        pd.Series(counts),
        (np.arange(N_ITEMS - 1), np.array(counts)),
        (list(range(N_ITEMS - 1)), counts),
    ):
        got = M.novelty_at_k(None, y_pred, popularity=popularity, n_users=20)
        assert got == pytest.approx(np.mean(means), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(lists, st.integers(0, 1000))
def test_diversity(y_pred, seed):
    features = np.random.default_rng(seed).integers(-1, 3, size=(N_ITEMS, 4)).astype(float)
    means = []
    for row in y_pred:
        distances = []
        for i, j in combinations(row, 2):
            norm = np.linalg.norm(features[i]) * np.linalg.norm(features[j])
            distances.append(1 - (features[i] @ features[j] / norm if norm else 0))
        means += [np.mean(distances)] if distances else []
    items = np.arange(N_ITEMS)
    shuffled = np.random.default_rng(seed).permutation(N_ITEMS)
    for item_features in (
        pd.DataFrame(features),
        (items, features),
        (items[shuffled], csr_matrix(features[shuffled])),
        (items.tolist(), csr_array(features)),
    ):
        got = M.intra_list_diversity_at_k(None, y_pred, item_features=item_features)
        assert got == pytest.approx(np.mean(means), abs=1e-9)


def test_diversity_in_blocks_is_the_same():
    rng = np.random.default_rng(0)
    y_pred = np.argsort(rng.random((500, 40)), axis=1)[:, :5]
    features = (np.arange(40), rng.random((40, 2000)))
    whole = M.intra_list_diversity_at_k(None, y_pred, item_features=features)
    with config_context(working_memory=1):
        assert M.intra_list_diversity_at_k(None, y_pred, item_features=features) == pytest.approx(whole)


def test_known_values():
    y_pred = np.array([["a", "b"], ["a", "c"]])
    assert M.coverage_at_k(None, y_pred, n_items=4) == 0.75
    assert M.coverage_at_k(None, y_pred, n_items=4, k=1) == 0.25
    assert M.gini_at_k(None, [["a"], ["b"]], n_items=2) == 0
    assert M.gini_at_k(None, [["a"], ["a"]], n_items=10) == pytest.approx(0.9)
    assert M.novelty_at_k(None, y_pred, popularity={"a": 4, "b": 1}, n_users=4) == 1.0
    frame = pd.DataFrame({"red": [1, 1, 0], "blue": [0, 0, 1]}, index=["a", "b", "c"])
    assert M.intra_list_diversity_at_k(None, y_pred, item_features=frame) == pytest.approx(0.5)


Y = [["a", "b"]]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: M.coverage_at_k(None, Y, n_items=1), ValueError, "n_items=1, but y_pred has 2 distinct items"),
        (lambda: M.gini_at_k(None, Y, n_items=0), ValueError, "n_items == 0, must be >= 1"),
        (lambda: M.gini_at_k(None, Y, n_items=3, k=5), ValueError, "k=5, but y_pred has only 2"),
        (lambda: M.novelty_at_k(None, Y, popularity={"a": 5}, n_users=4), ValueError, "popularity has 5 users"),
        (lambda: M.novelty_at_k(None, Y, popularity={"a": -1}, n_users=4), ValueError, "popularity has -1 users"),
        (lambda: M.novelty_at_k(None, Y, popularity={1: 1}, n_users=4), TypeError, "popularity has ids such as 1 "),
        (lambda: M.novelty_at_k(None, Y, popularity=3, n_users=4), TypeError, "popularity must be a pandas object"),
        (
            lambda: M.novelty_at_k(None, Y, popularity=(["a", "a"], [1, 2]), n_users=4),
            ValueError,
            "popularity has the id 'a' more than once",
        ),
        (
            lambda: M.novelty_at_k(None, Y, popularity=(["a", "b"], [1]), n_users=4),
            ValueError,
            "popularity has 2 ids but counts of shape",
        ),
        (
            lambda: M.intra_list_diversity_at_k(None, Y, item_features=(["a"], [[1.0]])),
            ValueError,
            "item_features lacks 1 of the recommended items, such as 'b'",
        ),
        (
            lambda: M.intra_list_diversity_at_k(None, Y, item_features=(["a", "b"], [["x"], ["y"]])),
            TypeError,
            "item_features must hold numbers",
        ),
        (
            lambda: M.intra_list_diversity_at_k(None, Y, item_features=(["a", "b"], [[1.0]])),
            ValueError,
            "item_features has 2 ids but values of shape",
        ),
        (
            lambda: M.intra_list_diversity_at_k(None, Y, item_features=(["a", "b"], [[1.0], [2.0]]), k=1),
            ValueError,
            "no list of two items",
        ),
    ],
)
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()
