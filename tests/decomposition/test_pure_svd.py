"""PureSVD against NumPy's full decomposition, scikit-learn's TruncatedSVD, and a floor on real data."""

import numpy as np
import protocols
import pytest
from sklearn.decomposition import TruncatedSVD

from skrec.datasets import make_histories
from skrec.decomposition import PureSVD
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer

HISTORIES = make_histories(300, 100, mean_length=10, random_state=0)  # above the size that is decomposed in full
MATRIX = HistoryVectorizer().fit_transform(HISTORIES).toarray().astype(np.float64)


@pytest.mark.parametrize("n_components", [1, 8, 40, 99])
@pytest.mark.parametrize("scaling", [1.0, 0.5, 0.0])
def test_scores_equal_the_definition(n_components, scaling):
    scales = np.linalg.norm(MATRIX, axis=0) ** (scaling - 1)
    _, values, vectors = np.linalg.svd(MATRIX * scales, full_matrices=False)
    first = vectors[:n_components]
    model = PureSVD(n_components, scaling=scaling, random_state=0).fit(HISTORIES)
    np.testing.assert_allclose(model.singular_values_, values[:n_components], rtol=1e-4)
    expected = (MATRIX * scales) @ first.T @ first / scales
    np.testing.assert_allclose(model.decision_function(HISTORIES), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(model.transform(HISTORIES) @ model.item_factors_.T, expected, rtol=1e-3, atol=1e-3)


def test_vectors_equal_truncated_svd():
    model = PureSVD(5, scaling=1.0, random_state=0).fit(HISTORIES)
    peer = TruncatedSVD(5, algorithm="arpack", random_state=0).fit(MATRIX)
    np.testing.assert_allclose(np.abs(model.item_factors_.T), np.abs(peer.components_), atol=1e-3)
    np.testing.assert_allclose(model.item_factors_.T @ model.item_factors_, np.eye(5), atol=1e-4)


def test_the_seed_matters_by_rounding_only():
    one, two = (PureSVD(6, random_state=seed).fit(HISTORIES).item_factors_ for seed in (0, 1))
    np.testing.assert_allclose(one, two, atol=2e-4)
    again = PureSVD(6, random_state=0).fit(HISTORIES).item_factors_
    np.testing.assert_array_equal(one, again)


def test_more_components_than_the_matrix_has_and_names_out(shop):
    model = PureSVD(50).fit(shop)
    assert model.item_factors_.shape == (6, min(6, len(shop)))
    assert PureSVD().fit(HISTORIES).item_factors_.shape[1] == MATRIX.shape[1] // 10
    assert list(PureSVD(2).fit(shop).get_feature_names_out()) == ["puresvd0", "puresvd1"]
    with pytest.raises(ValueError, match="The 'n_components' parameter of PureSVD must be an int"):
        PureSVD(0).fit(shop)


@pytest.mark.skipif(not protocols.available("ml100k_ratings"), reason="ml100k_ratings is absent: set SKREC_DATA")
def test_movielens_beats_popularity():
    task = protocols.ml100k()
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    assert PureSVD(20, random_state=0).fit(task.X_train).score(task.X_test, task.y_test) > 2 * popularity


@pytest.mark.parametrize("scaling", [1.0, 0.5])
def test_an_update_of_all_components_is_a_refit(scaling):
    started = HISTORIES["item"].apply(lambda row: [item for item in row[: -(-len(row) // 2)] if item >= 10])
    whole = PureSVD(100, scaling=scaling, random_state=0).fit(HISTORIES["item"])
    model = PureSVD(100, scaling=scaling, random_state=0).fit(started)
    now = [
        [*old, *(item for item in row if item not in old)] for old, row in zip(started, HISTORIES["item"], strict=True)
    ]
    for start in range(0, 300, 100):
        part = slice(start, start + 100)
        model.partial_fit(now[part], since=started[part].map(len).to_numpy())
    place = np.argsort(model.items_)
    assert not np.array_equal(place, np.arange(len(place)))
    np.testing.assert_allclose(
        model.decision_function(now)[:, place], whole.decision_function(now), rtol=1e-3, atol=3e-3
    )


def test_an_update_of_few_components_is_nearer_to_a_refit_than_none():
    started = HISTORIES["item"].apply(lambda row: row[: -(-len(row) // 2)])
    whole = PureSVD(20, random_state=0).fit(HISTORIES["item"]).decision_function(HISTORIES["item"])
    model = PureSVD(20, random_state=0).fit(started)
    before = np.abs(model.decision_function(HISTORIES["item"]) - whole).mean()
    model.partial_fit(HISTORIES["item"], since=started.map(len).to_numpy())
    assert np.abs(model.decision_function(HISTORIES["item"]) - whole).mean() < 0.7 * before
