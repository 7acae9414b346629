"""EASE against the formula in double precision, and against ridge regressions."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skrec.datasets import make_histories
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.linear_model._ease import symmetric_inverse

HISTORIES = make_histories(300, 60, mean_length=10, random_state=0)
MATRIX = HistoryVectorizer().fit_transform(HISTORIES).toarray().astype(np.float64)


def test_weights_equal_the_formula():
    inverse = np.linalg.inv(MATRIX.T @ MATRIX + 20 * np.eye(MATRIX.shape[1]))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    model = EASE(l2=20).fit(HISTORIES)
    np.testing.assert_allclose(model.similarity_, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.decision_function(HISTORIES), MATRIX @ expected, rtol=1e-3, atol=1e-4)


def test_each_column_is_a_ridge_regression_on_the_other_items():
    model = EASE(l2=20).fit(HISTORIES)
    for item in (0, 7):
        others = np.arange(MATRIX.shape[1]) != item
        ridge = Ridge(alpha=20, fit_intercept=False).fit(MATRIX[:, others], MATRIX[:, item])
        np.testing.assert_allclose(model.similarity_[others, item], ridge.coef_, rtol=1e-3, atol=1e-5)
        assert model.similarity_[item, item] == 0


@pytest.mark.parametrize("size", [1, 3, 511, 512, 513, 1300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_symmetric_inverse_in_blocks(size, dtype):
    root = np.random.default_rng(0).random((size, size + 5))
    matrix = np.asfortranarray((root @ root.T / size + np.eye(size)).astype(dtype))
    expected = np.linalg.inv(matrix.astype(np.float64))
    inverse = symmetric_inverse(matrix)
    assert inverse.flags.c_contiguous
    np.testing.assert_allclose(inverse, expected, rtol=1e-2, atol=2e-4)
    np.testing.assert_array_equal(inverse, inverse.T)


def test_a_singular_matrix_is_named():
    with pytest.raises(ValueError, match="singular in column 1: raise l2"):
        symmetric_inverse(np.asfortranarray(np.ones((3, 3))))


@pytest.mark.parametrize("l2", [0, -1, "big"])
def test_bad_l2(l2):
    with pytest.raises(ValueError, match="The 'l2' parameter of EASE must be a float in the range"):
        EASE(l2=l2).fit(HISTORIES)


def test_similar_items_come_from_the_weights(shop):
    items, scores = EASE(l2=1).fit(shop).similar_items(["tea", "nails"], k=1, return_scores=True)
    assert items.ravel().tolist() == ["milk", "hammer"]
    assert (scores > 0).all()
    with pytest.raises(ValueError, match="items holds 'beer', which is not among the 6 known items"):
        EASE(l2=1).fit(shop).similar_items(["beer"])


def test_sparse_method_with_all_neighbors_equals_the_closed_form():
    dense = EASE(l2=20).fit(HISTORIES)
    sparse = EASE(l2=20, method="sparse", n_neighbors=59).fit(HISTORIES)
    np.testing.assert_allclose(sparse.similarity_.toarray(), dense.similarity_, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        sparse.decision_function(HISTORIES), dense.decision_function(HISTORIES), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_array_equal(sparse.similar_items(dense.items_[:5]), dense.similar_items(dense.items_[:5]))


def test_sparse_method_is_a_ridge_regression_on_the_nearest_items():
    model = EASE(l2=20, method="sparse", n_neighbors=9).fit(HISTORIES)
    gram = MATRIX.T @ MATRIX
    for item in (0, 7):
        cosine = gram[item] / np.sqrt(np.diag(gram))
        cosine[item] = -1
        nearest = np.argsort(-cosine, kind="stable")[:9]
        ridge = Ridge(alpha=20, fit_intercept=False).fit(MATRIX[:, nearest], MATRIX[:, item])
        weights = model.similarity_[:, [item]].toarray().ravel()
        np.testing.assert_allclose(weights[nearest], ridge.coef_, rtol=1e-3, atol=1e-5)
        assert np.count_nonzero(weights) == 9


def test_memory_chooses_the_method():
    assert isinstance(EASE().fit(HISTORIES).similarity_, np.ndarray)
    assert EASE(max_memory=1e-6).fit(HISTORIES).similarity_.format == "csr"
    message = (
        r"method='dense' needs 0\.0 GiB for 60 items, above max_memory=1e-06: raise max_memory, take method='sparse'"
    )
    with pytest.raises(ValueError, match=message):
        EASE(method="dense", max_memory=1e-6).fit(HISTORIES)


def test_a_singular_neighborhood_is_named():
    with pytest.raises(ValueError, match="the regression of column 2 is singular: raise l2"):
        EASE(l2=1e-30, method="sparse").fit([["a", "b", "c"]] * 4 + [["c"]])
