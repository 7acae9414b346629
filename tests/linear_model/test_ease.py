"""EASE against the formula in double precision, and against ridge regressions."""

from pathlib import Path

import numpy as np
import protocols
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from skrec import persistence
from skrec.datasets import make_histories
from skrec.feature_extraction import HistoryVectorizer, to_histories
from skrec.linear_model import EASE, _ease, _ease_sparse
from skrec.linear_model._ease import symmetric_inverse
from skrec.linear_model._ease_update import low_rank_factors, updated_inverse
from skrec.model_selection import split_users
from skrec.utils import _cooccurrence, _resources

HISTORIES = make_histories(300, 60, mean_length=10, random_state=0)
REPEATS = make_histories(300, 60, mean_length=10, random_state=0, repeats=True)
COUNTS = HistoryVectorizer(binary=False).fit_transform(REPEATS).toarray().astype(np.float64)
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


def regressions(X, l2, dropout=0.0, length_exponent=0.0, popularity_exponent=0.0):
    """Each item by least squares in float64 on the others, the penalty as further rows of the regression."""
    users, n_items = X > 0, X.shape[1]
    Z = X / np.maximum(users.sum(axis=1), 1)[:, None] ** length_exponent
    penalty = np.sqrt(dropout / (1 - dropout) * (Z**2).sum(axis=0) + l2)
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.arange(n_items) != item
        rows = np.vstack([Z[:, others], np.diag(penalty[others])])
        wanted = np.concatenate([X[:, item], np.zeros(n_items - 1)])
        weights[others, item] = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return weights / users.sum(axis=0) ** popularity_exponent


EXPONENTS = [
    {"dropout": 0.4},
    {"length_exponent": 0.5},
    {"popularity_exponent": 0.3},
    {"dropout": 0.3, "length_exponent": 0.35, "popularity_exponent": 0.1},
]


@pytest.mark.parametrize("method", [{}, {"method": "sparse", "n_neighbors": 59}], ids=["dense", "sparse"])
@pytest.mark.parametrize("parameters", EXPONENTS, ids=str)
def test_dropout_and_exponents_equal_regressions(parameters, method):
    expected = regressions(COUNTS, 2.0, **parameters)
    model = EASE(2.0, vectorizer=HistoryVectorizer(binary=False), **parameters, **method).fit(REPEATS)
    weights = model.similarity_.toarray() if method else model.similarity_
    np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.decision_function(REPEATS), COUNTS @ expected, rtol=1e-3, atol=1e-4)
    assert np.abs(expected - regressions(COUNTS, 2.0)).max() > 1e-3


def test_dropout_equals_the_formula():
    """EDLAE: C = (X'X + p / (1 - p) dMat(X'X) + l2 I)^-1 and B = I - C dMat(1 / C)."""
    gram = MATRIX.T @ MATRIX
    inverse = np.linalg.inv(gram + 0.25 / 0.75 * np.diag(np.diag(gram)) + 20 * np.eye(len(gram)))
    expected = np.eye(len(gram)) - inverse @ np.diag(1 / np.diag(inverse))
    np.testing.assert_allclose(EASE(20, dropout=0.25).fit(HISTORIES).similarity_, expected, rtol=1e-3, atol=1e-5)


def test_dropout_is_the_mean_over_histories_that_lost_items():
    """The ridge regression on many copies of the users, each with other items left out."""
    rng, rows, copies = np.random.default_rng(0), MATRIX[:, :8], 2000
    rows = rows[rows.any(axis=1)][:60]
    kept = rng.random((copies, *rows.shape)) >= 0.3
    given, wanted = (kept * rows / 0.7).reshape(-1, 8), np.tile(rows, (copies, 1))
    model = EASE(2, dropout=0.3, vectorizer="passthrough").fit(rows)
    for item in (0, 5):
        others = np.arange(8) != item
        ridge = Ridge(alpha=2 * copies, fit_intercept=False).fit(given[:, others], wanted[:, item])
        np.testing.assert_allclose(model.similarity_[others, item], ridge.coef_, atol=0.01)


def test_defaults_are_plain_ease_to_the_bit():
    matrix = HistoryVectorizer().fit_transform(HISTORIES).astype(np.float32)
    gram = (matrix.T @ matrix).toarray(order="F")
    gram[np.diag_indices_from(gram)] += np.float32(20)
    expected = symmetric_inverse(gram)
    expected /= -expected.diagonal().copy()
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(EASE(20).fit(HISTORIES).similarity_, expected)


@pytest.mark.parametrize(
    "wrong",
    [{"dropout": 1.0}, {"dropout": -0.1}, {"length_exponent": -0.1}, {"popularity_exponent": "much"}],
    ids=str,
)
def test_bad_dropout_and_exponents_are_named(wrong):
    with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter of EASE must be"):
        EASE(**wrong).fit(HISTORIES)


def test_a_length_exponent_needs_more_memory():
    assert EASE(max_memory=3e-5).fit(HISTORIES).similarity_.ndim == 2
    with pytest.raises(ValueError, match="above max_memory=3e-05"):
        EASE(method="dense", max_memory=3e-5, length_exponent=0.5).fit(HISTORIES)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize(("n_users", "n_changed"), [(2, 9), (30, 3)], ids=["few users", "few items"])
def test_low_rank_factors_equal_the_change(share, n_users, n_changed):
    rng = np.random.default_rng(0)
    before = rng.integers(0, 2, (n_users, 20)).astype(np.float32)
    after = before.copy()
    after[:, rng.choice(20, n_changed, replace=False)] += rng.integers(0, 2, (n_users, n_changed))
    change = after.T.astype(np.float64) @ after - before.T.astype(np.float64) @ before
    left, right = low_rank_factors(sp.csr_array(after), sp.csr_array(before), share)
    found = (left.T @ right + right.T @ left).toarray()
    np.testing.assert_allclose(found, change + share * np.diag(np.diag(change)), atol=1e-9)
    assert left.shape[0] <= (n_changed if share else min(n_users, n_changed))


def updated(monkeypatch, rows, new, **parameters):
    """Fit, learn users, and return the model and how often the update was low-rank."""
    calls = []
    model = EASE(20, incremental=True, **parameters).fit(rows)
    monkeypatch.setattr(_ease, "updated_inverse", lambda *parts: calls.append(1) or updated_inverse(*parts))
    model.partial_fit(new)
    return model, len(calls)


@pytest.mark.parametrize("parameters", EXPONENTS, ids=str)
def test_updates_are_low_rank_where_they_can_be_and_exact_always(monkeypatch, parameters):
    rows = make_histories(400, 150, mean_length=10, random_state=0)["item"].tolist()
    new = [[*rows[0][:2], 999], [rows[1][0], 999], list(rows[2][:3])]
    model, n_low_rank = updated(monkeypatch, list(rows), new, **parameters)
    assert n_low_rank == (0 if "length_exponent" in parameters else 1)
    whole = EASE(20, **parameters).fit([*rows, *new])
    assert model.items_.tolist() == whole.items_.tolist()
    np.testing.assert_allclose(model.similarity_, whole.similarity_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        model.forget(new).similarity_, EASE(20, **parameters).fit(rows).similarity_, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("change", [{"dropout": 0.5}, {"popularity_exponent": 0.2}, {"l2": 30}], ids=str)
def test_changed_parameters_count_from_the_next_update(change):
    parameters = {"l2": 20, "dropout": 0.2, "popularity_exponent": 0.1}
    rows = make_histories(400, 150, mean_length=10, random_state=0)["item"].tolist()
    model = EASE(incremental=True, **parameters).fit(rows[:-3]).set_params(**change).partial_fit(rows[-3:])
    whole = EASE(**parameters | change).fit(rows)
    np.testing.assert_allclose(model.similarity_, whole.similarity_, rtol=1e-4, atol=1e-6)


def test_updates_refuse_another_length_exponent():
    model = EASE(incremental=True, length_exponent=0.5).fit(HISTORIES).set_params(length_exponent=0.0)
    for update in (model.partial_fit, model.forget):
        with pytest.raises(ValueError, match=r"length_exponent must be that of fit, 0\.5, for updates, got 0\.0"):
            update(HISTORIES[:2])


def test_files_keep_parameters_and_what_updates_need(tmp_path):
    rows = HISTORIES["item"].tolist()
    for parameters in EXPONENTS:
        model = EASE(20, incremental=True, **parameters).fit(rows[:290])
        loaded = persistence.load(persistence.save(model, tmp_path / "model.skrec"))
        assert loaded.get_params() == model.get_params()
        np.testing.assert_array_equal(
            loaded.partial_fit(rows[290:]).similarity_, model.partial_fit(rows[290:]).similarity_
        )


@pytest.mark.filterwarnings("ignore:Trying to unpickle estimator Pipeline")  # of scikit-learn 1.9, read with the lowest
@pytest.mark.parametrize("name", ["ease", "ease_sparse"])
def test_files_of_earlier_versions_have_no_dropout(name):
    model = persistence.load(Path(__file__).parents[1] / "data" / "saved_0.1.0" / f"{name}.skrec")
    assert (model.dropout, model.length_exponent, model.popularity_exponent) == (0.0, 0.0, 0.0)
    assert len(set(model.predict([model.items_[:2].tolist()])[0])) == min(model.k, model.n_items_)


def test_dropout_and_exponents_help_on_ml100k():
    if not protocols.available("ml100k_ratings"):
        pytest.skip(f"ml100k_ratings is not in {protocols.DATA.name}: set SKREC_DATA")
    ratings = protocols._read("ml100k_ratings")
    histories = to_histories(ratings, user="user_id", item="item_id", time="timestamp", time_unit="s")
    train, X, y = split_users(histories, test_size=200, held_out=0.2, order="random", random_state=0)
    plain = EASE(400).fit(train).score(X, y)
    assert EASE(10, dropout=0.35, length_exponent=0.35).fit(train).score(X, y) > max(1.01 * plain, 0.455)


def test_the_sparse_method_tells_before_it_takes_long(monkeypatch):
    histories = make_histories(60, 30, mean_length=6, random_state=0)
    expected = EASE(method="sparse", n_neighbors=5).fit(histories).similarity_
    monkeypatch.setattr(_ease_sparse, "_MANY_ITEMS", 1)
    monkeypatch.setattr(_ease_sparse, "_LONG_SECONDS", 0)
    with pytest.warns(UserWarning, match=r"about .* s for 30 items with n_neighbors=5: lower n_neighbors"):
        warned = EASE(method="sparse", n_neighbors=5).fit(histories).similarity_
    assert (warned != expected).nnz == 0


def test_the_sparse_method_refuses_what_does_not_fit_into_memory(monkeypatch):
    histories = make_histories(60, 30, mean_length=6, random_state=0)
    for module in (_cooccurrence, _resources):
        monkeypatch.setattr(module, "free_bytes", lambda: 100.0)
    with pytest.raises(MemoryError, match=r"EASE with method='sparse' needs about .* leave out rare items"):
        EASE(method="sparse").fit(histories)
