import numpy as np
import pytest
import scipy.sparse as sp

from skrec.utils import _fast, _fast_als
from skrec.utils._fast_als import conjugate_gradients
from skrec.utils._sklearn import least_squares_steps


def problem(n_rows=70, n_columns=40, size=9, seed=0):
    rng = np.random.default_rng(seed)
    dense = rng.random((n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.2) * 5
    dense[3], dense[-1] = 0, 0
    entries = sp.csr_matrix(dense, dtype=np.float32)
    other = rng.standard_normal((n_columns, size)).astype(np.float32) / 3
    factors = rng.standard_normal((n_rows, size)).astype(np.float32) / 3
    penalties = (0.1 + rng.random(n_rows)).astype(np.float32)
    return entries, factors, other, other.T @ other, penalties


def solved(entries, factors, other, gram, penalties, **how):
    result = factors.copy()
    conjugate_gradients(entries, result, other, gram, penalties, **how)
    return result


@pytest.fixture(params=["numpy", "numba"])
def way(request, monkeypatch):
    if request.param == "numba" and not _fast.available():
        pytest.skip("needs numba")
    monkeypatch.setattr(_fast_als, "_worthwhile", lambda work: request.param == "numba")
    monkeypatch.setattr(_fast_als, "_BLOCK", 9 * 50)  # several blocks
    monkeypatch.setattr(_fast_als, "_PIECE", 16)
    return request.param


@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_equal_penalties_give_the_steps_of_implicit(way, n_steps):
    entries, factors, other, gram, penalties = problem()
    penalties[:] = 0.7
    expected = factors.copy()
    least_squares_steps(entries, expected, other, 0.7, n_threads=1, n_steps=n_steps)
    got = solved(entries, factors, other, gram, penalties, n_steps=n_steps, n_threads=2)
    filled = np.diff(entries.indptr) > 0  # rows without entries are 0 at once
    np.testing.assert_allclose(got[filled], expected[filled], rtol=1e-3, atol=1e-5)
    assert not got[~filled].any()


def test_many_steps_reach_the_closed_form(way):
    entries, factors, other, gram, penalties = problem()
    got = solved(entries, factors, other, gram, penalties, n_steps=40, n_threads=2)
    confidence = entries.toarray()
    for row in np.flatnonzero(np.diff(entries.indptr)):
        seen = confidence[row] > 0
        weight = np.where(seen, confidence[row], 1).astype(np.float64)
        left = (other.T * weight) @ other + penalties[row] * np.eye(len(gram))
        np.testing.assert_allclose(got[row], np.linalg.solve(left, other.T @ (weight * seen)), rtol=1e-3, atol=1e-4)


def test_rows_do_not_depend_on_each_other_or_on_threads(way):
    entries, factors, other, gram, penalties = problem()
    whole = solved(entries, factors, other, gram, penalties, n_steps=3, n_threads=2)
    for rows in (slice(0, 1), slice(5, 41), slice(60, 70)):
        part = solved(entries[rows], factors[rows], other, gram, penalties[rows], n_steps=3, n_threads=1)
        np.testing.assert_allclose(part, whole[rows], rtol=1e-4, atol=1e-6)
