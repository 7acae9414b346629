"""RP3beta against dense random walks."""

import numpy as np
import protocols
import pytest
import sklearn

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


@pytest.mark.parametrize("parameters", [{"n_neighbors": 0}, {"alpha": 0}, {"beta": -0.1}, {"k": 0}], ids=str)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of RP3beta"):
        RP3beta(**parameters).fit(HISTORIES)


def test_contract():
    check_recommender(RP3beta())


def test_ml100k():
    if not protocols.available("ml100k_ratings"):
        pytest.skip(f"ml100k_ratings is not in {protocols.DATA.name}: set SKREC_DATA")
    task = protocols.ml100k(validation=True)
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    assert RP3beta().fit(task.X_train).score(task.X_test, task.y_test) > max(0.185, 1.5 * popularity)
