"""Checks that a recommender keeps its contract; for skrec's own models and for yours.

>>> from skrec.dummy import PopularityRecommender
>>> from skrec.testing import check_recommender
>>> check_recommender(PopularityRecommender())
"""

import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.utils import get_tags

from ._data import N_ITEMS, N_USERS, _fitted, _require, _require_error, checkerboard, planted_histories, with_items_of
from ._explanations import check_explanations
from ._metamorphic import METAMORPHIC_CHECKS
from ._refits import check_interrupted_fit, check_relations_on_a_log, check_renamed_items
from ._updates import UPDATE_CHECKS


def check_recommender(estimator) -> None:
    """Run all checks of the recommender contract.

    Parameters
    ----------
    estimator : estimator
        An instance, not fitted, small enough to fit in moments on 60 users. It is cloned for every check. A parameter
        `item_features` must be None, or a pandas frame of 60 rows, of which the first are given to the items of each
        check: `skrec.testing.planted_features()` is one that tells what the checks of quality ask for.

    Raises
    ------
    AssertionError
        If the contract is broken; the message says where.
    """
    for _, check in yield_recommender_checks(estimator):
        check()


def yield_recommender_checks(estimator) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the name of each check and a function without arguments that runs it.

    Parameters
    ----------
    estimator : estimator
        An instance, not fitted.

    Yields
    ------
    name : str
        Name of the check.
    check : callable
        Raises AssertionError if the check fails.
    """
    personalized = getattr(get_tags(estimator), "personalized", True)
    for check in _CHECKS + (_PERSONALIZED_CHECKS if personalized else []):
        yield check.__name__.removeprefix("check_"), partial(check, estimator)


# ---- the answers ---------------------------------------------------------------------------------------------


def check_fit_attributes(estimator):
    """`fit` returns self, ignores y and learns sorted distinct items."""
    X, y = checkerboard()
    model = with_items_of(estimator, X)
    _require(model.fit(X, y) is model, "fit must return self")
    assert_array_equal(model.items_, np.arange(N_ITEMS))
    _require(model.n_items_ == N_ITEMS, f"n_items_ must be {N_ITEMS}, got {model.n_items_}")
    assert_array_equal(_fitted(estimator).predict(X), _fitted(estimator, X, y).predict(X))


def check_shapes(estimator):
    """`predict` gives min(k, n_items) distinct known items, `decision_function` all scores, finite."""
    X, _ = checkerboard()
    for k in (1, 3, N_ITEMS, 10 * N_ITEMS):
        answer = _fitted(estimator, k=k).predict(X)
        _require(answer.shape == (N_USERS, min(k, N_ITEMS)), f"k={k} gave the shape {answer.shape}")
        for row in answer:
            _require(len(set(row)) == len(row), f"k={k} repeats an item: {row}")
        _require(np.isin(answer, np.arange(N_ITEMS)).all(), "predict gives ids that were not learned")
    scores = _fitted(estimator).decision_function(X)
    _require(scores.shape == (N_USERS, N_ITEMS), f"decision_function has the shape {scores.shape}")
    _require(np.isfinite(scores).all(), "decision_function gives scores that are not finite")


def check_scores_agree(estimator):
    """The recommended items are those with the best scores, in their order."""
    X, _ = checkerboard()
    model = _fitted(estimator, k=5)
    items, scores = model.recommend(X, exclude_seen=False, return_scores=True)
    full = model.decision_function(X)
    np.testing.assert_allclose(np.take_along_axis(full, items, axis=1), scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(-np.sort(-full, axis=1)[:, :5], scores, rtol=1e-4, atol=1e-5)


def check_seen_demoted(estimator):
    """With exclude_seen, the user's own items come after all others; the call wins over the constructor."""
    X, _ = checkerboard()
    model = _fitted(estimator, k=N_ITEMS, exclude_seen=False)
    for answer, history in zip(model.recommend(X, exclude_seen=True), X, strict=True):
        seen = np.isin(answer, history)
        _require(not seen[: N_ITEMS - len(history)].any(), f"seen items stand before unseen ones: {answer}")
    strict, free = _fitted(estimator, exclude_seen=True), _fitted(estimator, exclude_seen=False)
    assert_array_equal(strict.recommend(X, exclude_seen=False), free.predict(X))
    assert_array_equal(free.recommend(X, exclude_seen=True), strict.predict(X))


def check_candidates_and_exclude(estimator):
    """Candidates bound the answer, excluded items never appear, unknown ids in either are passed over."""
    X, _ = checkerboard()
    model = _fitted(estimator)
    answer = model.recommend(X, k=4, candidates=[3, 4, 5, 999])
    _require(answer.shape == (N_USERS, 3), f"three known candidates gave the shape {answer.shape}")
    _require(np.isin(answer, [3, 4, 5]).all(), "an item outside candidates was recommended")
    answer = model.recommend(X, k=N_ITEMS, exclude=[0, 1, 999])
    _require(answer.shape == (N_USERS, N_ITEMS - 2) and not np.isin(answer, [0, 1]).any(), "exclude was not kept")
    lists = [[user % N_ITEMS, 7] for user in range(N_USERS)]
    answer = model.recommend(X, k=N_ITEMS, exclude=lists)
    for row, out in zip(answer, lists, strict=True):
        _require(not np.isin(row, out).any(), "an item of the user's own exclude list was recommended")
    for argument in ({"candidates": [999]}, {"exclude": list(range(N_ITEMS))}, {"k": 0}):
        _require_error(lambda argument=argument: model.recommend(X, **argument), next(iter(argument)))


def check_empty_and_unknown(estimator):
    """An empty history and one of unknown items get an answer; one that has both kinds counts its known items."""
    model = _fitted(estimator, k=3)
    answer = model.predict([[], [998, 999], [2]])
    _require(answer.shape == (3, 3), f"the answer has the shape {answer.shape}")
    scores = model.decision_function([[], [998, 999], [2], [2]])
    _require(np.isfinite(scores).all(), "an empty or unknown history gives scores that are not finite")
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores[2], scores[3], rtol=1e-5, atol=1e-6)
    _require(model.predict([]).shape[0] == 0, "no users must give an answer without rows")


def check_rows_are_independent(estimator):
    """A row gets the same answer alone, in another order, and in training."""
    X, _ = checkerboard()
    model = _fitted(estimator)
    together = model.decision_function(X)
    order = np.random.default_rng(0).permutation(N_USERS)
    shuffled = model.decision_function([X[row] for row in order])
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-4, atol=1e-5)
    for row in (0, 1, N_USERS - 1):
        np.testing.assert_allclose(model.decision_function([X[row]])[0], together[row], rtol=1e-4, atol=1e-5)


def check_training_order(estimator):
    """The order of the training rows does not matter beyond rounding."""
    if getattr(get_tags(estimator), "fit_randomness", False):
        return
    X, _ = checkerboard()
    order = np.random.default_rng(0).permutation(N_USERS)
    scores = _fitted(estimator).decision_function(X)
    again = _fitted(estimator, [X[row] for row in order]).decision_function(X)
    np.testing.assert_allclose(again, scores, rtol=1e-2, atol=1e-3 * np.abs(scores).max())


def check_determinism(estimator):
    """Two fits with the same seed give the same answer, and asking twice does."""
    X, _ = checkerboard()
    first = _fitted(estimator)
    assert_array_equal(first.decision_function(X), _fitted(estimator).decision_function(X))
    assert_array_equal(first.predict(X), first.predict(X))


# ---- the forms of data ---------------------------------------------------------------------------------------


def check_containers(estimator):
    """Every container of the same histories gives the same answer."""
    import pandas as pd
    import pyarrow as pa

    X, _ = checkerboard()
    expected = _fitted(estimator).predict(X)
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    arrow = pd.Series(pd.array(X, dtype=pd.ArrowDtype(pa.list_(pa.int64()))), index=np.arange(len(X)) + 100)
    forms = {
        "tuples": tuple(tuple(row) for row in X),
        "object array": objects,
        "arrays": [np.array(row) for row in X],
        "pandas Series": pd.Series(X),
        "Arrow Series": arrow,
        "Arrow array": pa.array(X),
        "pandas frame": pd.DataFrame({"item": arrow, "age": 40}),
    }
    if find_spec("polars"):
        import polars as pl

        forms["polars Series"] = pl.Series(X)
        forms["polars frame"] = pl.DataFrame({"item": X, "age": 40})
    for name, form in forms.items():
        model = _fitted(estimator, form)
        assert_array_equal(model.predict(form), expected, err_msg=f"{name} gives another answer than lists")


def check_matrix(estimator):
    """With vectorizer="passthrough" a matrix gives what its histories give, dense or sparse."""
    if "vectorizer" not in estimator.get_params():
        return
    import pandas as pd

    from ..feature_extraction import HistoryVectorizer

    X, _ = checkerboard()
    dense = np.zeros((N_USERS, N_ITEMS), dtype=np.float32)
    for user, history in enumerate(X):
        dense[user, history] = 1
    expected = _fitted(estimator, vectorizer=HistoryVectorizer()).decision_function(X)
    for matrix in (dense, sp.csr_array(dense), sp.csr_matrix(dense), sp.csc_array(dense)):
        model = _fitted(estimator, matrix, vectorizer="passthrough")
        np.testing.assert_allclose(model.decision_function(matrix), expected, rtol=1e-4, atol=1e-5)
    frame = pd.DataFrame(dense, columns=[f"item {column}" for column in range(N_ITEMS)])
    answer = _fitted(estimator, frame, vectorizer="passthrough").predict(frame)
    _require(answer[0, 0] in set(frame.columns), "with a frame the items must be the names of its columns")
    _require_error(lambda: _fitted(estimator, dense, vectorizer=None), "passthrough")


def check_id_types(estimator):
    """Ids leave as they came: strings, small integers and large ones."""
    X, _ = checkerboard()
    expected = _fitted(estimator).predict(X)
    for dtype in (np.int16, np.uint32, np.int64):
        answer = _fitted(estimator, [np.array(row, dtype=dtype) for row in X]).predict(X)
        _require(answer.dtype == dtype, f"ids of {np.dtype(dtype)} came back as {answer.dtype}")
    names = np.array([f"item {number:02d}" for number in range(N_ITEMS)], dtype=object)
    answer = _fitted(estimator, [list(names[row]) for row in X]).predict([list(names[row]) for row in X])
    assert_array_equal(answer, names[expected])
    model = _fitted(estimator)
    _require_error(lambda: model.predict([["a", "b"]]), "X")


def check_bad_input(estimator):
    """Wrong input raises one sentence that names X, before anything is learned."""
    for X in ("abc", ["abc"], [1, 2], [[1, None]], [[1, "a"]], [[True]], 5):
        _require_error(lambda X=X: clone(estimator).fit(X), "X")
    for X in ([[]], []):
        _require_error(lambda X=X: clone(estimator).fit(X), "item")


def check_input_untouched(estimator):
    """Neither fit nor predict changes the histories."""
    X, _ = checkerboard()
    _fitted(estimator, X).predict(X)
    _require(checkerboard()[0] == X, "fit or predict changed X")


# ---- life among other estimators -----------------------------------------------------------------------------


def check_clone_and_storage(estimator):
    """A clone is unfitted and equal; pickle, save and load keep every answer."""
    from ..persistence import load, save

    X, _ = checkerboard()
    names = [[f"item {number}" for number in row] for row in X]
    model = _fitted(estimator, names)
    _require(not hasattr(clone(model), "items_"), "a clone must not be fitted")
    _require(repr(clone(model)) == repr(model), "a clone must have the same parameters")
    expected = model.decision_function(names)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        own = f"{type(model).__module__}.{type(model).__qualname__}"
        warnings.simplefilter("ignore", UserWarning)  # a class of the user's own is trusted here
        loaded = load(save(model, Path(folder) / "model.skrec"), trusted=[own])
    for again in (pickle.loads(pickle.dumps(model)), loaded):
        assert_array_equal(again.decision_function(names), expected)
        assert_array_equal(again.predict(names), model.predict(names))
        _require(again.predict(names).dtype == object, "string ids must come back as objects")


def check_search(estimator):
    """GridSearchCV, HalvingGridSearchCV, cross_validate and learning_curve work with nothing but scikit-learn."""
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate, learning_curve

    from ..metrics import ndcg_at_k, recall_at_k
    from ..model_selection import SameUsers

    X, y = checkerboard()
    grid = {"k": [3, 5]}
    for cv in (3, SameUsers()):
        search = GridSearchCV(clone(estimator), grid, cv=cv, error_score="raise").fit(X, y)
        _require(0 <= search.best_score_ <= 1, f"best_score_ is {search.best_score_}")
        _require(search.predict(X[:2]).shape[0] == 2, "the best estimator must recommend")
    halving = HalvingGridSearchCV(clone(estimator), grid, cv=2, min_resources=30, error_score="raise", random_state=0)
    _require(0 <= halving.fit(X, y).best_score_ <= 1, "HalvingGridSearchCV must give a score")
    scoring = {"ndcg": make_scorer(ndcg_at_k, k=3), "recall": make_scorer(recall_at_k)}
    result = cross_validate(clone(estimator), X, y, cv=3, scoring=scoring, error_score="raise")
    _require(np.isfinite(result["test_ndcg"]).all() and np.isfinite(result["test_recall"]).all(), "scores are missing")
    _, _, scores = learning_curve(clone(estimator), X, y, cv=2, train_sizes=[0.5, 1.0], error_score="raise")
    _require(scores.shape == (2, 2), "learning_curve must give a score per size and fold")


def check_score(estimator):
    """`score` is NDCG at k, also where k exceeds the catalogue."""
    from ..metrics import ndcg_at_k

    X, y = checkerboard()
    for k in (2, 10 * N_ITEMS):
        model = _fitted(estimator, k=k)
        _require(abs(model.score(X, y) - ndcg_at_k(y, model.predict(X))) < 1e-12, "score must be NDCG at k")


# ---- quality -------------------------------------------------------------------------------------------------


def check_checkerboard(estimator):
    """Even users like even items: the held-out item comes first."""
    X, y = checkerboard()
    answer = _fitted(estimator, k=1).predict(X)
    share = np.mean(answer[:, 0] == np.ravel(y))
    _require(share == 1, f"only {share:.0%} of the users get the item that is missing from their board")


def check_quality_floor(estimator):
    """On planted clusters the model ranks at least half as well again as popularity."""
    from ..dummy import PopularityRecommender
    from ..model_selection import split_last

    X, y = split_last(planted_histories())
    floor = PopularityRecommender(k=10).fit(X).score(X, y)
    reached = _fitted(estimator, X, k=10).score(X, y)
    _require(reached > 1.5 * floor, f"NDCG@10 is {reached:.3f} where popularity has {floor:.3f}")


# ---- relations between answers ---------------------------------------------------------------------------------


def check_metamorphic(estimator):
    """Relations that must hold between the answers of one model, on histories with repeats and unknown items."""
    model = _fitted(estimator)
    for check in METAMORPHIC_CHECKS:
        check(model)


_CHECKS = [
    check_fit_attributes,
    check_shapes,
    check_scores_agree,
    check_seen_demoted,
    check_candidates_and_exclude,
    check_empty_and_unknown,
    check_rows_are_independent,
    check_training_order,
    check_determinism,
    check_containers,
    check_matrix,
    check_id_types,
    check_bad_input,
    check_input_untouched,
    check_clone_and_storage,
    check_search,
    check_score,
    check_metamorphic,
    check_renamed_items,
    check_relations_on_a_log,
    check_interrupted_fit,
    check_explanations,
    *UPDATE_CHECKS,
]
_PERSONALIZED_CHECKS = [check_checkerboard, check_quality_floor]
