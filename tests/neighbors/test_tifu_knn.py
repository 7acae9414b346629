"""TIFUKNN against its formula, basket by basket."""

import numpy as np
import pandas as pd
import protocols
import pytest
import sklearn
from sklearn.metrics import pairwise_distances

from skrec.datasets import make_histories
from skrec.model_selection import split_last
from skrec.neighbors import TIFUKNN

N_ITEMS = 30


def make_baskets(n_users=60, *, seed=0):
    """Give each user up to nine baskets of one to four items."""
    rng = np.random.default_rng(seed)
    users = []
    for _ in range(n_users):
        taste = rng.permutation(N_ITEMS)[:10]
        users.append([rng.choice(taste, rng.integers(1, 5), replace=False) for _ in range(rng.integers(1, 10))])
    users[0].append(np.arange(N_ITEMS))  # so that every item is known
    return users


def as_frame(users):
    return pd.DataFrame(
        {
            "item": [[int(item) for basket in baskets for item in basket] for baskets in users],
            "time": [[float(day) for day, basket in enumerate(baskets) for _ in basket] for baskets in users],
        }
    )


BASKETS = make_baskets()
FRAME = as_frame(BASKETS)


def vector_by_hand(baskets, within, between, n_groups):
    """Return a user's vector by the formula, group by group."""
    newest_first = np.empty(len(baskets), dtype=object)
    newest_first[:] = baskets[::-1]
    groups = []
    for group in np.array_split(newest_first, min(n_groups or len(baskets), len(baskets))):
        total = np.zeros(N_ITEMS)
        for place, basket in enumerate(group):
            total[np.unique(basket)] += within**place
        groups.append(total / len(group))
    return sum(between**age * group for age, group in enumerate(groups)) / len(groups)


def users_of(lengths, seed):
    return [baskets for baskets in make_baskets(seed=seed) if len(baskets) in lengths]


# array_split puts the longer groups first, the model spreads them: the lengths here make both alike
@pytest.mark.parametrize(("within", "between", "n_groups"), [(0.9, 0.7, 3), (0.5, 0.83, None), (0.8, 1.0, 1)])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_scores_equal_the_formula(within, between, n_groups, metric):
    lengths = {1, 2, 3, 4, 6, 7, 9} if n_groups == 3 else set(range(12))
    known = [*users_of(lengths, 0), [np.arange(N_ITEMS)]]
    asked = users_of(lengths, 1)
    model = TIFUKNN(7, alpha=0.6, within_decay=within, group_decay=between, n_groups=n_groups, metric=metric).fit(
        as_frame(known)
    )
    vectors = np.array([vector_by_hand(baskets, within, between, n_groups) for baskets in known])
    np.testing.assert_allclose(model.user_vectors_.toarray(), vectors, rtol=1e-5, atol=1e-7)

    own = np.array([vector_by_hand(baskets, within, between, n_groups) for baskets in asked])
    distances = pairwise_distances(own, vectors, metric=metric)
    near = distances <= np.sort(distances, axis=1)[:, [6]] + 1e-6
    expected = 0.6 * own + 0.4 * (near @ vectors) / near.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.decision_function(as_frame(asked)), expected, rtol=1e-4, atol=1e-6)


def test_alpha_one_is_the_own_frequency():
    model = TIFUKNN(alpha=1).fit(FRAME)
    np.testing.assert_allclose(model.decision_function(FRAME), model.user_vectors_.toarray(), rtol=1e-6)


def test_without_times_each_event_is_a_basket():
    lists = [[1, 2, 1], [2, 3], [3]]
    timed = pd.DataFrame({"item": lists, "time": [list(range(len(row))) for row in lists]})
    scores = TIFUKNN(2).fit(lists).decision_function(lists)
    np.testing.assert_array_equal(TIFUKNN(2).fit(timed).decision_function(timed), scores)
    first = TIFUKNN(within_decay=0.5, n_groups=1).fit(lists).user_vectors_.toarray()[0]
    np.testing.assert_allclose(first, [(1 + 0.25) / 3, 0.5 / 3, 0], rtol=1e-6)


def test_an_item_counts_once_a_basket():
    once = pd.DataFrame({"item": [[1, 2], [2, 3]], "time": [[5, 5], [6, 7]]})
    twice = pd.DataFrame({"item": [[1, 1, 2], [2, 3]], "time": [[5, 5, 5], [6, 7]]})
    np.testing.assert_array_equal(
        TIFUKNN(1).fit(once).user_vectors_.toarray(), TIFUKNN(1).fit(twice).user_vectors_.toarray()
    )


def test_nobody_near_gives_the_mean_of_all():
    model = TIFUKNN(3).fit([[1, 2], [2, 3], [], [4]])
    assert model.user_vectors_.shape[0] == 3  # the empty history is no neighbour
    for metric in ("euclidean", "cosine"):
        scores = model.set_params(metric=metric).decision_function([[], [99]])
        np.testing.assert_allclose(scores, np.tile(0.5 * model.mean_vector_, (2, 1)), rtol=1e-6)


def test_equally_near_users_all_count():
    model = TIFUKNN(1, alpha=0.0).fit([["a", "b"], ["a", "c"], ["z"]])
    scores = dict(zip(model.items_, model.decision_function([["a"]])[0], strict=True))
    assert scores["b"] == scores["c"]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_blocks_give_the_same_scores(metric):
    model = TIFUKNN(5, metric=metric).fit(FRAME)
    whole = model.decision_function(FRAME)
    with sklearn.config_context(working_memory=1e-3):
        np.testing.assert_allclose(model.decision_function(FRAME), whole, rtol=1e-5)


def test_neighbors_help_in_planted_clusters():
    histories = make_histories(300, 60, mean_length=12, n_clusters=4, random_state=0, repeats=True)
    X, y = split_last(histories, n=3)
    assert TIFUKNN(30).fit(X).score(X, y) > TIFUKNN(alpha=1).fit(X).score(X, y)


def test_online_retail_floor():
    task = protocols.online_retail()
    assert TIFUKNN().fit(task.X_train).score(task.X_test, task.y_test) > 0.345  # own counts: 0.343, EASE: 0.305


@pytest.mark.parametrize(
    "parameters",
    [{"n_neighbors": 0}, {"alpha": 1.1}, {"within_decay": 0}, {"group_decay": 2}, {"n_groups": 0}, {"metric": "l1"}],
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of TIFUKNN"):
        TIFUKNN(**parameters).fit(FRAME)


def test_a_matrix_has_no_order():
    with pytest.raises(TypeError, match="TIFUKNN needs histories"):
        TIFUKNN().fit(np.ones((3, 4)))
