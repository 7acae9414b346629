"""ItemKNN against its formulas, item by item."""

import warnings

import numpy as np
import pytest
import sklearn
from implicit.nearest_neighbours import CosineRecommender
from implicit.utils import ParameterWarning
from scipy.sparse import csr_matrix

from skrec.datasets import make_histories
from skrec.feature_extraction import HistoryVectorizer
from skrec.neighbors import ItemKNN

HISTORIES = make_histories(150, 40, mean_length=8, random_state=0, repeats=True)
COUNTS = HistoryVectorizer(binary=False)
X = HistoryVectorizer(binary=False).fit_transform(HISTORIES).toarray().astype(np.float64)


def by_formula(metric, shrinkage, alpha, beta):
    values = (X > 0).astype(float) if metric in ("jaccard", "tversky") else X
    n_items = X.shape[1]
    similarity = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            if i == j:
                continue
            both, own, other = values[:, i] @ values[:, j], values[:, i] @ values[:, i], values[:, j] @ values[:, j]
            below = {
                "cosine": np.sqrt(own * other),
                "asymmetric": own**alpha * other ** (1 - alpha),
                "jaccard": own + other - both,
                "tversky": both + alpha * (own - both) + beta * (other - both),
            }[metric]
            similarity[i, j] = both / (below + shrinkage)
    return similarity


@pytest.mark.parametrize("metric", ["cosine", "asymmetric", "jaccard", "tversky"])
@pytest.mark.parametrize("shrinkage", [0.0, 5.0])
def test_similarity_equals_its_formula(metric, shrinkage):
    model = ItemKNN(100, metric=metric, shrinkage=shrinkage, alpha=0.3, beta=0.8, vectorizer=COUNTS).fit(HISTORIES)
    expected = by_formula(metric, shrinkage, 0.3, 0.8)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.decision_function(HISTORIES), X @ expected, rtol=1e-3, atol=1e-4)


def test_only_the_nearest_neighbors_stay():
    full = by_formula("cosine", 0, 0.5, 0.5)
    model = ItemKNN(5, shrinkage=0, vectorizer=COUNTS).fit(HISTORIES)
    kept = model.similarity_.toarray()
    assert (np.count_nonzero(kept, axis=0) == 5).all()
    for row, entries in zip(full.T, kept.T, strict=True):
        np.testing.assert_allclose(np.sort(entries)[-5:], np.sort(row)[-5:], rtol=1e-4)


def test_equals_implicit():
    peer = CosineRecommender(K=6, num_threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)  # implicit warns of its own normalised matrix
        peer.fit(csr_matrix(X), show_progress=False)
    expected = peer.similarity.toarray()
    np.fill_diagonal(expected, 0)  # implicit counts the item among its own neighbours
    ours = ItemKNN(5, shrinkage=0, vectorizer=COUNTS).fit(HISTORIES).similarity_.toarray().T
    np.testing.assert_allclose(np.sort(ours, axis=1), np.sort(expected, axis=1), rtol=1e-4, atol=1e-6)


def test_blocks_give_the_same_similarity():
    whole = ItemKNN(10).fit(HISTORIES).similarity_.toarray()
    with sklearn.config_context(working_memory=1e-3):
        blocks = ItemKNN(10).fit(HISTORIES).similarity_.toarray()
    np.testing.assert_array_equal(blocks, whole)


@pytest.mark.parametrize(
    "parameters", [{"n_neighbors": 0}, {"metric": "euclid"}, {"shrinkage": -1}, {"alpha": -0.1}, {"k": 0}]
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of ItemKNN"):
        ItemKNN(**parameters).fit(HISTORIES)
