"""RP3beta against dense random walks."""

from pathlib import Path

import numpy as np
import pandas as pd
import protocols
import pytest
import sklearn

from skrec import persistence
from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.neighbors import RP3beta
from skrec.testing import check_recommender

HISTORIES = make_histories(150, 40, mean_length=8, random_state=0, repeats=True)
COUNTS = HistoryVectorizer(binary=False)
X = HistoryVectorizer(binary=False).fit_transform(HISTORIES).toarray().astype(np.float64)


def steps():
    """Probabilities of going from users to items and from items to users."""
    return X / X.sum(axis=1, keepdims=True), X.T / X.sum(axis=0)[:, None]


def test_plain_walk_of_three_steps():
    """With alpha=1 and beta=0 the scores of new items are the probabilities of P3."""
    to_items, to_users = steps()
    walk = to_items @ to_users @ to_items
    model = RP3beta(100, alpha=1, beta=0, vectorizer=COUNTS).fit(HISTORIES)
    scores = model.decision_function(HISTORIES) / X.sum(axis=1, keepdims=True)
    new = X == 0
    np.testing.assert_allclose(scores[new], walk[new], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.6), (0.6, 0.5), (1.7, 0.0)])
def test_similarity_equals_its_formula(alpha, beta):
    to_items, to_users = steps()
    expected = to_users**alpha @ to_items**alpha / (X > 0).sum(axis=0) ** beta
    np.fill_diagonal(expected, 0)
    model = RP3beta(100, alpha=alpha, beta=beta, vectorizer=COUNTS).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(model.decision_function(HISTORIES), X @ expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("alpha", "beta", "gamma"), [(1.0, 0.3, 0.0), (0.6, 0.5, 1.2), (1.7, 0.0, 0.4)])
def test_similarity_with_an_exponent_for_users_equals_its_formula(alpha, beta, gamma):
    expected = np.zeros((X.shape[1], X.shape[1]))
    for row in X:  # a sum over users, term by term
        expected += np.outer((row / X.sum(axis=0)) ** alpha, row**alpha / row.sum() ** gamma)
    expected /= (X > 0).sum(axis=0) ** beta
    np.fill_diagonal(expected, 0)
    model = RP3beta(100, alpha=alpha, beta=beta, gamma=gamma, vectorizer=COUNTS).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-4, atol=1e-7)


def test_three_exponents_are_a_graph_filter():
    R = HistoryVectorizer().fit_transform(HISTORIES).toarray().astype(np.float64)
    users, items = np.diag(R.sum(axis=1) ** -0.8), R.sum(axis=0)
    expected = np.diag(items**-0.5) @ R.T @ users @ R @ np.diag(items**-0.2)
    np.fill_diagonal(expected, 0)
    model = RP3beta(100, alpha=0.5, beta=0.2, gamma=0.8).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_gamma_is_alpha_by_default(alpha):
    default = RP3beta(100, alpha=alpha, vectorizer=COUNTS).fit(HISTORIES).similarity_.toarray()
    named = RP3beta(100, alpha=alpha, gamma=alpha, vectorizer=COUNTS).fit(HISTORIES).similarity_.toarray()
    np.testing.assert_allclose(named, default, rtol=1e-5)
    other = RP3beta(100, alpha=alpha, gamma=alpha + 0.2, vectorizer=COUNTS).fit(HISTORIES).similarity_.toarray()
    assert (other[other > 0] < 0.9 * default[other > 0]).all()


@pytest.mark.parametrize("change", [{"alpha": 0.5}, {"gamma": 1.0}, {"gamma": None}], ids=str)
def test_updates_refuse_other_exponents_of_what_has_been_counted(change):
    model = RP3beta(alpha=1.0, gamma=0.7, incremental=True).fit(HISTORIES).set_params(**change)
    for update in (model.partial_fit, model.forget):
        with pytest.raises(ValueError, match=r"alpha and gamma must be those of fit, 1\.0 and 0\.7, for updates"):
            update(HISTORIES[:2])
    model.set_params(alpha=1.0, gamma=0.7, beta=0.5).partial_fit(HISTORIES[:20])
    whole = RP3beta(alpha=1.0, gamma=0.7, beta=0.5).fit(pd.concat([HISTORIES, HISTORIES[:20]], ignore_index=True))
    np.testing.assert_allclose(model.similarity_.toarray(), whole.similarity_.toarray(), rtol=1e-5)


def sharpened(time, n=100, vectorizer=COUNTS):
    """The weights of three steps after two Euler steps of sharpening, dense."""
    R = vectorizer.fit_transform(HISTORIES).toarray().astype(np.float64)
    weights = RP3beta(n, alpha=0.8, vectorizer=vectorizer).fit(HISTORIES).similarity_.toarray().astype(np.float64)
    items = np.diag(R.sum(axis=0) ** -0.5)
    P = items @ R.T @ np.diag(1 / R.sum(axis=1)) @ R @ items
    np.testing.assert_allclose(np.linalg.eigvalsh(P).max(), 1)
    step = np.eye(len(P)) - time / 2 * P
    expected = weights @ step @ step
    np.fill_diagonal(expected, 0)
    return np.maximum(expected, 0)


@pytest.mark.parametrize("vectorizer", [COUNTS, HistoryVectorizer()], ids=["counts", "binary"])
@pytest.mark.parametrize("time", [0.1, 1.0, 3.0])
def test_sharpening_equals_its_formula(time, vectorizer):
    expected = sharpened(time, vectorizer=vectorizer)
    model = RP3beta(100, alpha=0.8, sharpening=time, vectorizer=vectorizer).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-3, atol=1e-6 * expected.max())


def test_sharpening_keeps_the_nearest_neighbors():
    full = sharpened(2.0, n=7)
    kept = RP3beta(7, alpha=0.8, sharpening=2.0, vectorizer=COUNTS).fit(HISTORIES).similarity_.toarray()
    assert np.count_nonzero(kept, axis=0).max() == 7
    np.testing.assert_allclose(np.sort(kept, axis=0)[-7:], np.sort(full, axis=0)[-7:], rtol=1e-3, atol=1e-6)


def test_sharpening_of_sparse_and_dense_products_and_of_blocks_is_the_same(monkeypatch):
    dense = RP3beta(10, sharpening=1.5).fit(HISTORIES).similarity_.toarray()
    monkeypatch.setattr("skrec.neighbors._sharpening._DENSE", 0.5)
    with sklearn.config_context(working_memory=1e-3):
        sparse = RP3beta(10, sharpening=1.5).fit(HISTORIES).similarity_.toarray()
    np.testing.assert_allclose(sparse, dense, rtol=1e-4, atol=1e-7)


def test_sharpening_does_not_depend_on_the_order_of_the_users():
    first = RP3beta(10, sharpening=1.5).fit(HISTORIES)
    second = RP3beta(10, sharpening=1.5).fit(HISTORIES[::-1].reset_index(drop=True))
    np.testing.assert_allclose(first.similarity_.toarray(), second.similarity_.toarray(), rtol=1e-4, atol=1e-7)


def test_updates_with_sharpening_equal_a_refit():
    model = RP3beta(10, sharpening=2.0, incremental=True).fit(HISTORIES[:100]).partial_fit(HISTORIES[100:])
    whole = RP3beta(10, sharpening=2.0).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_.toarray(), whole.similarity_.toarray(), rtol=1e-4, atol=1e-7)
    less = RP3beta(10, sharpening=2.0).fit(HISTORIES[:100])
    model.forget(HISTORIES[100:])
    np.testing.assert_allclose(model.similarity_.toarray(), less.similarity_.toarray(), rtol=1e-4, atol=1e-7)
    model.set_params(sharpening=1.0).partial_fit(HISTORIES[100:])
    whole = RP3beta(10, sharpening=1.0).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_.toarray(), whole.similarity_.toarray(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("before", "after"), [(0.0, 1.0), (1.0, 0.0)])
def test_updates_refuse_to_begin_or_end_sharpening(before, after):
    model = RP3beta(sharpening=before, incremental=True).fit(HISTORIES).set_params(sharpening=after)
    with pytest.raises(ValueError, match=f"sharpening must be {'above 0' if before else '0'} for updates"):
        model.partial_fit(HISTORIES[:2])


def test_sharpening_of_one_item_and_of_users_without_items():
    model = RP3beta(sharpening=3.0, k=2).fit([["a"], ["a"], [], ["b", "b"]])
    assert model.similarity_.nnz == 0
    assert model.predict([["a"], []]).shape == (2, 2)


def test_files_of_earlier_versions_have_no_exponent_for_users():
    model = persistence.load(Path(__file__).parents[1] / "data" / "saved_0.1.0" / "rp3beta.skrec")
    assert model.gamma is None
    assert len(set(model.predict([model.items_[:2].tolist()])[0])) == min(model.k, model.n_items_)


def test_only_the_nearest_neighbors_stay():
    full = RP3beta(100).fit(HISTORIES).similarity_.toarray()
    kept = RP3beta(5).fit(HISTORIES).similarity_.toarray()
    assert (np.count_nonzero(kept, axis=0) == 5).all()
    np.testing.assert_allclose(np.sort(kept, axis=0)[-5:], np.sort(full, axis=0)[-5:], rtol=1e-6)


def test_beta_pushes_popular_items_down():
    held = [RP3beta(beta=beta).fit(HISTORIES) for beta in (0, 1)]
    users = [model.popularity_[np.searchsorted(model.items_, model.predict(HISTORIES))].mean() for model in held]
    assert users[1] < users[0]


def test_blocks_give_the_same_similarity():
    whole = RP3beta(10).fit(HISTORIES).similarity_.toarray()
    with sklearn.config_context(working_memory=1e-3):
        blocks = RP3beta(10).fit(HISTORIES).similarity_.toarray()
    np.testing.assert_allclose(blocks, whole, rtol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [{"n_neighbors": 0}, {"alpha": 0}, {"beta": -0.1}, {"gamma": -0.1}, {"sharpening": -1}, {"k": 0}],
    ids=str,
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of RP3beta"):
        RP3beta(**parameters).fit(HISTORIES)


@pytest.mark.parametrize("gamma", [None, 0.0, 1.3])
def test_contract(gamma):
    check_recommender(RP3beta(gamma=gamma))


def test_contract_with_sharpening():
    check_recommender(RP3beta(sharpening=1.5))


def test_ml100k():
    if not protocols.available("ml100k_ratings"):
        pytest.skip(f"ml100k_ratings is not in {protocols.DATA.name}: set SKREC_DATA")
    task = protocols.ml100k(validation=True)
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    assert RP3beta().fit(task.X_train).score(task.X_test, task.y_test) > max(0.185, 1.5 * popularity)
