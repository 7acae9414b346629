"""PPMISVD against a plain loop and NumPy's full decomposition, its vectors, and a floor on real data."""

import numpy as np
import pandas as pd
import protocols
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skrec.datasets import make_histories
from skrec.decomposition import PPMISVD
from skrec.dummy import PopularityRecommender
from skrec.testing import check_recommender

HISTORIES = [list(row) for row in make_histories(150, 40, mean_length=7, random_state=0, repeats=True)["item"]]
SETTINGS = [
    {},
    {"window": 1, "context_exponent": 1.0},
    {"window": 50, "shift": 0.7, "singular_exponent": 1.0},
    {"window": 3, "context_exponent": 0.0, "singular_exponent": 0.0, "recency": 1.0},
    {"min_count": 25, "recency": 0.3},
]


def by_hand(model, histories):
    """Return the matrix of positive pointwise mutual information, pair by pair."""
    place = {item: number for number, item in enumerate(model.items_)}
    users = np.array([sum(item in history for history in histories) for item in model.items_])
    counts = np.zeros((len(place), len(place)))
    for history in histories:
        for early, item in enumerate(history):
            for late in range(early + 1, min(early + 1 + model.window, len(history))):
                pair = place[item], place[history[late]]
                if min(users[list(pair)]) >= model.min_count:
                    counts[pair] += 1 / (late - early)
                    counts[pair[::-1]] += 1 / (late - early)
    total = counts.sum(axis=1)
    smoothed = np.array([one**model.context_exponent if one > 0 else 0 for one in total])
    expected = np.zeros_like(counts)
    for row, column in zip(*counts.nonzero(), strict=True):
        chance = total[row] * smoothed[column] / smoothed.sum()
        expected[row, column] = max(0, np.log(counts[row, column] / chance) - model.shift)
    return expected


def vectors_of(matrix, model, n_components):
    left, values, _ = np.linalg.svd(matrix)
    kept = np.minimum(n_components, np.count_nonzero(values > 1e-6 * values[0]))
    vectors = left[:, :kept] * values[:kept] ** model.singular_exponent
    vectors[~matrix.any(axis=1)] = 0
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


@pytest.mark.parametrize("n_components", [3, 40])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_vectors_and_scores_equal_the_definition(settings, n_components):
    model = PPMISVD(n_components, random_state=0, **settings).fit(HISTORIES)
    expected = vectors_of(by_hand(model, HISTORIES), model, n_components)
    found = model.item_factors_
    assert found.shape == (model.n_items_, n_components)
    if n_components == 3:  # up to sign, all singular values differ
        signs = np.sign((found * expected).sum(axis=0))
        np.testing.assert_allclose(found * signs, expected, atol=2e-3)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=2e-3)

    place = {item: number for number, item in enumerate(model.items_)}
    users = np.zeros((len(HISTORIES), expected.shape[1]))
    for row, history in enumerate(HISTORIES):
        weights = [model.recency**age for age in range(len(history) - 1, -1, -1)]
        for item, weight in zip(history, weights, strict=True):
            users[row] += weight * expected[place[item]] / sum(weights)
    norms = np.linalg.norm(users, axis=1, keepdims=True)
    cosine = users @ expected.T / np.where(norms > 0, norms, 1)
    np.testing.assert_allclose(model.decision_function(HISTORIES), cosine, atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(model.transform(HISTORIES), axis=1), norms.ravel(), atol=3e-3)


def planted(seed=0):
    """Histories that walk within one of two groups of items, each in its own cycle."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(80):
        start, group = rng.integers(10), 10 * (number % 2)
        rows.append([int(group + (start + step) % 10) for step in range(rng.integers(2, 6))])
    return rows


def test_groups_and_neighbours_are_found():
    model = PPMISVD(20, window=1, k=3, random_state=0).fit(planted())
    cosine = model.item_factors_ @ model.item_factors_.T
    assert np.abs(cosine[:10, 10:]).max() < 1e-3 < cosine[:10, :10].mean()
    similar = model.similar_items(model.items_, k=2)
    for item, two in zip(model.items_, similar, strict=True):  # those two steps away have the same neighbours
        assert {(one - item) % 10 for one in two} == {2, 8} and (two // 10 == item // 10).all()


def test_recency_weighs_the_newest_event():
    model = PPMISVD(4, recency=0.2, exclude_seen=False, k=3, random_state=0).fit(planted())
    near, even = model.recommend([[0, 1, 12]], k=1), clone(model).set_params(recency=1.0).fit(planted())
    assert near[0, 0] >= 10 > even.recommend([[0, 1, 12]], k=1)[0, 0]
    weights = 0.2 ** np.array([2, 1, 0])
    expected = weights @ model.item_factors_[[0, 1, 12]] / weights.sum()
    np.testing.assert_allclose(model.transform([[0, 1, 12]])[0], expected, rtol=1e-5, atol=1e-6)


def test_events_of_one_moment_have_one_age():
    timed = pd.DataFrame({"item": planted(), "time": [list(range(len(row))) for row in planted()]})
    model = PPMISVD(4, recency=0.2, random_state=0).fit(timed)
    together = pd.DataFrame({"item": [[0, 12]], "time": [[1.0, 1.0]]})
    expected = model.item_factors_[[0, 12]].mean(axis=0)
    np.testing.assert_allclose(model.transform(together)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_components", [2, 8, 100])
def test_items_without_neighbours_have_no_vector(n_components):
    histories = [*planted(), [77], [77], [78], [79]]
    model = PPMISVD(n_components, k=3, random_state=0).fit(histories)
    alone = model.items_ >= 77
    assert (model.item_factors_[alone] == 0).all()
    popular = PopularityRecommender(k=3).fit(histories)
    np.testing.assert_array_equal(model.predict([[77], [], []]), popular.predict([[77], [], []]))
    assert (model.decision_function([[77], []]) == 0).all()
    assert (model.transform([[77], []]) == 0).all()


def test_nobody_has_two_events():
    model = PPMISVD(k=2, random_state=0).fit([["a"], ["b"], ["b"]])
    assert (model.item_factors_ == 0).all() and model.item_factors_.shape == (2, 2)
    assert model.predict([["a"], []]).tolist() == [["b", "a"], ["b", "a"]]
    assert PPMISVD(random_state=0).fit([["a"]]).predict([[]]).tolist() == [["a"]]


@pytest.mark.parametrize("seed", range(3))
def test_items_that_the_components_do_not_hold_have_no_vector(seed):
    """Three groups fill three components; what these have of a pair on its own is rounding, of any direction."""
    rng = np.random.default_rng(0)
    histories = [(30 * (number % 3) + rng.permutation(30)[:10]).tolist() for number in range(300)]
    histories += [[900, 901]] * 100
    model = PPMISVD(3, window=10, k=5, random_state=seed).fit(histories)
    alone = model.items_ >= 900
    np.testing.assert_allclose(np.linalg.norm(model.item_factors_[~alone], axis=1), 1, rtol=1e-5)
    assert (model.item_factors_[alone] == 0).all()
    np.testing.assert_array_equal(model.predict([[900]]), PopularityRecommender(k=5).fit(histories).predict([[900]]))


@pytest.mark.parametrize("singular_exponent", [0.0, 0.5])
def test_vectors_of_rounding_are_zero(singular_exponent):
    """More components than the matrix has rank: the vectors of its null space have no part in a cosine."""
    settings = {"singular_exponent": singular_exponent, "window": 1, "random_state": 0}
    histories = [list(range(start, start + 3)) for start in range(0, 60, 3) for _ in range(start + 1)]
    many = PPMISVD(60, **settings).fit(histories)
    left, right = np.divmod(np.arange(60), 3)
    cosine = many.item_factors_ @ many.item_factors_.T
    assert np.abs(cosine[left[:, None] != left]).max() < 1e-3
    ends = cosine[(left[:, None] == left) & (right[:, None] == 0) & (right == 2)]
    np.testing.assert_allclose(ends, 1, atol=1e-3)  # the first and the last of three have one neighbour alone


def test_the_seed_gives_the_same_vectors_twice():
    one, two = (PPMISVD(6, random_state=3).fit(HISTORIES).item_factors_ for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_more_components_than_items_and_names_out(shop):
    model = PPMISVD(50, random_state=0).fit(shop)
    assert model.item_factors_.shape == (6, 6)
    assert list(PPMISVD(2, random_state=0).fit(shop).get_feature_names_out()) == ["ppmisvd0", "ppmisvd1"]


@pytest.mark.parametrize("n_components", [5, 40])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_updates_are_refits(settings, n_components):
    model = PPMISVD(n_components, incremental=True, random_state=0, **settings)
    started = [[item for item in row[: -(-len(row) // 2)] if item >= 8] for row in HISTORIES]
    now = [[*old, *row[len(row) // 2 :]] for old, row in zip(started, HISTORIES, strict=True)]
    whole = clone(model).fit(now)
    updated = clone(model).fit(started)
    for start in range(0, 150, 50):
        part = slice(start, start + 50)
        updated.partial_fit(now[part], since=[len(row) for row in started[part]])
    place = np.argsort(updated.items_)
    assert not np.array_equal(place, np.arange(len(place)))
    np.testing.assert_array_equal(updated.items_[place], whole.items_)
    np.testing.assert_allclose(updated.decision_function(now)[:, place], whole.decision_function(now), atol=2e-3)

    left = clone(model).fit(now[:100])
    updated.forget(now[100:])
    place = np.argsort(updated.items_)
    np.testing.assert_array_equal(updated.items_[place], left.items_)
    np.testing.assert_allclose(updated.decision_function(now)[:, place], left.decision_function(now), atol=2e-3)


def test_without_statistics_there_is_no_update():
    with pytest.raises(AttributeError, match="partial_fit"):
        _ = PPMISVD().fit(HISTORIES).partial_fit


def test_updates_with_another_window_are_refused():
    model = PPMISVD(4, incremental=True, random_state=0).fit(HISTORIES).set_params(window=2)
    for update in (model.partial_fit, model.forget):
        with pytest.raises(ValueError, match="window must be that of fit, 5, for updates, got 2"):
            update(HISTORIES[:3])


def test_a_matrix_has_no_order():
    with pytest.raises(TypeError, match="a matrix, which has no order"):
        PPMISVD().fit(sp.eye_array(5, format="csr"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"window": 0},
        {"context_exponent": -1},
        {"shift": -1},
        {"singular_exponent": -0.5},
        {"min_count": 0},
        {"recency": 0},
    ],
    ids=str,
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of PPMISVD"):
        PPMISVD(**parameters).fit(HISTORIES)


def test_contract():
    check_recommender(PPMISVD(2, random_state=0))


@pytest.mark.skipif(not protocols.available("s3rec_beauty_sequences"), reason="s3rec_beauty_sequences: set SKREC_DATA")
def test_beauty():
    task = protocols.s3rec("beauty", validation=True)
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    reached = PPMISVD(64, random_state=0).fit(task.X_train).score(task.X_test, task.y_test)
    assert reached > max(0.03, 3 * popularity)


def test_online_retail_new_items():
    task = protocols.online_retail(exclude_seen=True, validation=True)
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    reached = PPMISVD(random_state=0).fit(task.X_train).score(task.X_test, task.y_test)
    assert reached > max(0.06, 1.5 * popularity)
