"""ALS against implicit, and against the closed form of its own loss."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.pipeline import make_pipeline

from skrec.datasets import make_histories
from skrec.decomposition import ALS, _als
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer

HISTORIES = make_histories(200, 50, mean_length=10, random_state=0)
MATRIX = HistoryVectorizer().fit_transform(HISTORIES)


def closed_form(row, items, alpha, weight, l2, exponent):
    """The minimum of the loss for one user, written from the definition."""
    dense = row.toarray().ravel()
    confidence = np.where(dense > 0, alpha * dense, weight)
    penalty = l2 * (np.count_nonzero(dense) + weight * len(dense)) ** exponent
    left = (items * confidence[:, None]).T @ items + penalty * np.eye(items.shape[1])
    return np.linalg.solve(left, items.T @ (confidence * (dense > 0)))


@pytest.mark.parametrize(("alpha", "weight", "exponent"), [(1.0, 0.1, 1.0), (2.0, 0.3, 0.5), (0.5, 1.0, 0.0)])
def test_fold_in_is_the_closed_form(alpha, weight, exponent):
    model = ALS(8, l2=0.05, alpha=alpha, unobserved_weight=weight, l2_exponent=exponent, random_state=0)
    model.fit(HISTORIES)
    items = model.item_factors_.astype(np.float64)
    expected = [closed_form(MATRIX[[user]], items, alpha, weight, 0.05, exponent) for user in range(20)]
    np.testing.assert_allclose(model.transform(HISTORIES[:20]), expected, rtol=1e-3, atol=1e-4)


def test_items_are_solved_exactly_too():
    model = ALS(6, l2=0.05, unobserved_weight=0.2, max_iter=30, random_state=0).fit(HISTORIES)
    users = model.transform(HISTORIES).astype(np.float64)
    by_item = sp.csr_array(MATRIX.T)
    expected = [closed_form(by_item[[item]], users, 1.0, 0.2, 0.05, 1.0) for item in range(10)]
    np.testing.assert_allclose(model.item_factors_[:10], expected, rtol=0.05, atol=0.01)  # near the fixed point


def implicit_model(use_cg, **parameters):
    from implicit.cpu.als import AlternatingLeastSquares

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # implicit warns of BLAS threads
        return AlternatingLeastSquares(use_cg=use_cg, dtype=np.float32, random_state=3, **parameters)


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_equals_implicit_at_equal_settings(solver):
    peer = implicit_model(solver == "cg", factors=8, regularization=0.5, alpha=2.0, iterations=5)
    peer.fit(sp.csr_matrix(MATRIX), show_progress=False)
    ours = ALS(8, l2=0.5, l2_exponent=0, alpha=2.0, unobserved_weight=1.0, max_iter=5, solver=solver, random_state=3)
    ours.fit(HISTORIES)
    np.testing.assert_allclose(ours.item_factors_, peer.item_factors, rtol=1e-3, atol=1e-5)
    vectors = peer.recalculate_user(np.arange(200), sp.csr_matrix(MATRIX))
    np.testing.assert_allclose(ours.transform(HISTORIES), vectors, rtol=1e-3, atol=1e-4)
    ids, _ = peer.recommend(np.arange(200), sp.csr_matrix(MATRIX), N=5, recalculate_user=True)
    np.testing.assert_array_equal(ours.recommend(HISTORIES, k=5), ours.items_[ids])


def test_the_loss_falls_with_the_sweeps():
    def loss(model):
        scores = model.decision_function(HISTORIES)
        dense = MATRIX.toarray()
        return ((1 - scores) ** 2 * (dense > 0) + 0.2 * scores**2 * (dense == 0)).sum()

    losses = [
        loss(ALS(8, l2=0.001, unobserved_weight=0.2, max_iter=n, random_state=0).fit(HISTORIES)) for n in (1, 3, 12)
    ]
    assert losses[0] > losses[1] > losses[2]


def test_auto_weight_follows_the_density():
    model = ALS(4, max_iter=1, random_state=0).fit(HISTORIES)
    assert model.unobserved_weight_ == pytest.approx(min(1, 12 * MATRIX.nnz / np.prod(MATRIX.shape)))


def test_names_out_verbose_and_errors(capsys):
    model = ALS(2, max_iter=2, random_state=0, verbose=1).fit(HISTORIES)
    assert re.fullmatch(r"\[ALS\] sweep 2 of 2, [\d.]+ s in all\n", capsys.readouterr().out)
    assert list(model.get_feature_names_out()) == ["als0", "als1"]
    with pytest.raises(ValueError, match="n_components"):
        ALS(0).fit(HISTORIES)


def test_one_thread_gives_the_same_vectors():
    one, two = (ALS(16, n_jobs=jobs, random_state=0).fit(HISTORIES).item_factors_ for jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_new_item_gets_the_minimum_over_all_users_and_others_stay():
    settings = {"n_components": 8, "l2": 0.05, "unobserved_weight": 0.2, "random_state": 0}
    known = HISTORIES["item"].apply(lambda row: [item for item in row if item != 49])
    model = ALS(**settings).fit(known)
    before = model.item_factors_.copy()
    old = model.transform(known).astype(np.float64)
    have = HISTORIES["item"].apply(lambda row: 49 in row).to_numpy()
    now = known[have].apply(lambda row: [*row, 49])
    model.partial_fit(now, since=known[have].map(len).to_numpy())
    assert model.items_[-1] == 49 and (np.diff(model.items_) > 0).all()
    np.testing.assert_array_equal(model.popularity_, np.diff(sp.csr_array(MATRIX.T).indptr))
    users = old.copy()
    users[have] = model.transform(now)
    expected = closed_form(sp.csr_array(have[None].astype(float)), users, 1.0, 0.2, 0.05, 1.0)
    np.testing.assert_allclose(model.item_factors_[-1], expected, atol=0.06)  # near the fixed point
    others = ~np.isin(model.items_, [item for row in now for item in row])
    np.testing.assert_array_equal(model.item_factors_[:-1][others[:-1]], before[others[:-1]])


def test_updates_are_nearer_to_a_refit_than_no_update():
    settings = {"n_components": 8, "l2": 0.01, "random_state": 0}
    started = HISTORIES["item"].apply(lambda row: row[: -(-len(row) // 2)])
    whole, stale, model = ALS(**settings).fit(HISTORIES["item"]), ALS(**settings).fit(started), ALS(**settings)
    model.fit(started)
    for start in range(0, 200, 40):
        part = slice(start, start + 40)
        model.partial_fit(HISTORIES["item"][part], since=started[part].map(len).to_numpy())
    assert model._n_users == 200

    def common(one):
        answers = zip(one.recommend(HISTORIES["item"], k=10), whole.recommend(HISTORIES["item"], k=10), strict=True)
        return np.mean([len(np.intersect1d(*pair)) / 10 for pair in answers])

    assert common(model) > common(stale) + 0.05


@pytest.mark.parametrize(("max_iter", "solver"), [(1, None), (1, "cg"), (2, None)])
def test_updates_of_vectors_that_have_not_settled(max_iter, solver):
    rng = np.random.default_rng(0)
    whole = [list(dict.fromkeys((user % 4 * 15 + rng.zipf(1.5, 12) % 15).tolist())) for user in range(400)]
    known = [len(one) - 1 for one in whole]
    old = [one[:n] for one, n in zip(whole, known, strict=True)]
    model = ALS(n_components=8, max_iter=max_iter, solver=solver, random_state=0, k=5).fit(old)
    folded = model.transform(old)
    np.testing.assert_allclose(model._user_gram, folded.T @ folded, rtol=1e-3, atol=1e-3)
    length = np.linalg.norm(model.item_factors_)
    model.partial_fit(whole, since=known)  # with the Gram matrix of the last sweep the vectors became twice as long
    assert np.linalg.norm(model.item_factors_) < 1.5 * length


def test_runs_of_users_tell_whether_vectors_have_settled(monkeypatch):
    rng = np.random.default_rng(0)
    histories = [rng.choice(30, 6, replace=False).tolist() for _ in range(300)]
    monkeypatch.setattr(_als, "_RUNS", 4)
    monkeypatch.setattr(_als, "_RUN", 16)
    model = ALS(n_components=4, max_iter=30, random_state=0).fit(histories)
    matrix = model._confidence(model.vectorizer_.transform(histories))
    folded = model._folded(matrix, model.item_factors_)
    assert model._have_settled(matrix, folded)
    assert not model._have_settled(matrix, 1.2 * folded)
    np.testing.assert_allclose(model._user_gram, folded.T @ folded, rtol=0.1)


@pytest.mark.parametrize("max_iter", [1, 16])
def test_conjugate_gradients_without_penalty_need_as_many_items_as_components(max_iter):
    model = ALS(n_components=8, l2=0, solver="cg", max_iter=max_iter, random_state=0)
    with pytest.raises(ValueError, match="met a singular system: raise l2"):
        model.fit([["a", "b"], ["b", "c"], ["a", "c"], ["b"]])


def test_updates_without_change_and_of_what_cannot_grow():
    model = ALS(4, random_state=0).fit(HISTORIES)
    factors = model.item_factors_
    assert model.partial_fit(HISTORIES, since=[len(row) for row in HISTORIES["item"]]) is model
    np.testing.assert_array_equal(model.item_factors_, factors)
    weighted = ALS(4, vectorizer=make_pipeline(HistoryVectorizer(), BM25Transformer())).fit(HISTORIES[:50])
    with pytest.raises(TypeError, match="ALS cannot be updated with the vectorizer Pipeline"):
        weighted.partial_fit(HISTORIES)


def test_numbers_too_large_are_told_by_name():
    histories = [["a", "b"], ["b", "c"], ["a", "c"]]
    for name in ("alpha", "unobserved_weight", "l2", "n_components"):
        with pytest.raises(ValueError, match=name):
            ALS(**{"n_components": 2, name: 2**63}).fit(histories)
    with pytest.raises(ValueError, match="n_components"):
        ALS(n_components=True).fit(histories)
    with pytest.raises(ValueError, match="alpha"):
        ALS(n_components=2, alpha=1e30, l2=0, random_state=0).fit(histories)


def test_an_unsolvable_system_says_what_to_lower(monkeypatch):
    def fail(*arguments):
        raise ValueError("cython_lapack.posv failed (err=1)")

    monkeypatch.setattr("skrec.decomposition._als.least_squares_rows", fail)
    with pytest.raises(ValueError, match="ALS diverged to infinite vectors: raise l2, or lower alpha"):
        ALS(n_components=2, random_state=0).fit([["a", "b"], ["b", "c"]])
