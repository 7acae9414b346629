"""Relations between the answers of one fitted model that must hold whatever the model has learned."""

import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from .. import persistence
from ..utils._histories import read_histories
from ._data import N_ITEMS

_UNKNOWN = 10 * N_ITEMS


def histories_with_repeats(n_users: int = 25, seed: int = 0) -> list[list[int]]:
    """Return histories with items that come back and items that nobody had in fit, and empty ones."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, N_ITEMS, rng.integers(1, 10)).tolist() for _ in range(n_users)]
    rows = [row + row[: len(row) // 2] for row in rows]
    rows[1], rows[4], rows[7] = [], [_UNKNOWN, 3, _UNKNOWN, 3], [_UNKNOWN]
    return rows


def require_same(answer, other, message: str) -> None:
    """Raise unless two answers, each items and scores, have the same scores, and the same items but for ties."""
    (items, scores), (other_items, other_scores) = answer, other
    assert_allclose(scores, other_scores, rtol=1e-4, atol=1e-5, err_msg=message)
    shown = np.where(np.isfinite(scores), scores, np.finfo(np.float32).min)
    near = np.isclose(shown[:, 1:], shown[:, :-1], rtol=1e-4, atol=1e-5)
    tied = np.zeros(items.shape, dtype=bool)
    tied[:, 1:] |= near
    tied[:, :-1] |= near
    tied[:, -1] = True  # what comes next may tie with the last
    assert_array_equal(items[~tied], other_items[~tied], message)


def check_batch_equals_one_by_one(model) -> None:
    """The answer for a user does not depend on who else is in the call."""
    X = histories_with_repeats()
    alone = [model.recommend([row], return_scores=True) for row in X]
    together = tuple(np.concatenate(parts) for parts in zip(*alone, strict=True))
    require_same(model.recommend(X, return_scores=True), together, "a user gets another answer in a batch than alone")


def check_one_user_in_any_form(model) -> None:
    """One user gets the same answer as a list, which takes an inexpensive way, and as an array, which does not."""
    for row in histories_with_repeats()[:10]:
        array = np.empty(1, dtype=object)
        array[0] = row
        listed, other = (model.recommend(X, return_scores=True) for X in ([row], array))
        require_same(listed, other, "a user in a list gets another answer than in an array")


def check_order_of_users(model) -> None:
    """Permuting the users permutes the answers."""
    X = histories_with_repeats()
    order = np.random.default_rng(0).permutation(len(X))
    items, scores = model.recommend(X, return_scores=True)
    moved = model.recommend([X[number] for number in order], return_scores=True)
    require_same(moved, (items[order], scores[order]), "the order of the users changes their answers")


def check_prefix(model) -> None:
    """A short list is the beginning of a long one."""
    X = histories_with_repeats()
    assert_array_equal(model.recommend(X, k=5), model.recommend(X, k=N_ITEMS)[:, :5])


def check_all_candidates(model) -> None:
    """To name all items as candidates changes nothing, whatever names them."""
    X = histories_with_repeats()
    answer = model.recommend(X)
    assert_array_equal(model.recommend(X, candidates=model.items_), answer)
    assert_array_equal(model.recommend(X, candidates=(item for item in model.items_)), answer)


def check_excluded_items(model) -> None:
    """What is excluded is absent, for all or for one user; None excludes nothing."""
    X = histories_with_repeats()
    first = model.recommend(X, k=1)
    gone = first[0, 0]
    if gone in model.recommend(X, exclude=(item for item in [gone])):
        raise AssertionError("an excluded item was recommended")
    by_user = [None, *([item] for item in first[1:, 0])]
    answer = model.recommend(X, k=3, exclude=by_user)
    if any(item in row for row, (item,) in zip(answer[1:], first[1:], strict=True)):
        raise AssertionError("an item was recommended to a user for whom it is excluded")
    assert_array_equal(answer[0], model.recommend(X, k=3)[0])


def check_asked_again(model) -> None:
    """To ask changes nothing, neither the model nor what is passed."""
    X = read_histories(histories_with_repeats())
    before = [array.copy() for array in (X.codes, X.indptr)]
    answer = model.recommend(X)
    model.recommend(histories_with_repeats(seed=1))
    assert_array_equal(model.recommend(X), answer)
    for array, old in zip((X.codes, X.indptr), before, strict=True):
        assert_array_equal(array, old)


def check_added_empty_history(model) -> None:
    """A user of whom nothing is known changes nothing for the others."""
    X = histories_with_repeats()
    items, scores = model.recommend([*X, []], return_scores=True)
    message = "an added empty history changes the answers of others"
    require_same((items[:-1], scores[:-1]), model.recommend(X, return_scores=True), message)


def _is_importable(model) -> bool:
    """Tell whether the class of a model stands in a module, where pickle and load can find it."""
    kind = type(model)
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


def check_threads(model) -> None:
    """Eight threads at once get what one gets, also of a model that nobody has asked yet."""
    X = histories_with_repeats()
    answer = model.recommend(X)
    for asked in (model, pickle.loads(pickle.dumps(model))) if _is_importable(model) else (model,):
        with ThreadPoolExecutor(8) as pool:
            for other in pool.map(lambda _, asked=asked: asked.recommend(X), range(16)):
                assert_array_equal(other, answer)


def stored(model):
    """Return the model saved and loaded; itself where its class is of a script or function and cannot be loaded."""
    if not _is_importable(model):
        return model
    kind = type(model)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of the user's own is trusted here
        path = persistence.save(model, Path(folder) / "model.skrec")
        return persistence.load(path, trusted=[f"{kind.__module__}.{kind.__qualname__}"])


def check_saved_and_loaded(model) -> None:
    """A model that is loaded answers as the one that was saved."""
    X = histories_with_repeats()
    assert_array_equal(stored(model).recommend(X), model.recommend(X))


def check_frame(model) -> None:
    """A frame holds what the arrays hold, a row per user and rank, and marks what the user's history holds."""
    X = histories_with_repeats()
    names = {item: f"item {item}" for item in model.items_.tolist()}
    for options in ({"exclude_seen": True, "k": N_ITEMS}, {"exclude_seen": False, "candidates": model.items_[:5]}):
        items, scores, sources = model.recommend(X, return_scores=True, return_source=True, **options)
        frame = model.recommend(X, as_frame=True, names=names, return_source=True, **options)
        assert_array_equal(list(frame.columns), ["user", "rank", "item", "score", "name", "source", "seen"])
        assert_array_equal(frame["user"], np.repeat(np.arange(len(X)), items.shape[1]))
        assert_array_equal(frame["rank"], np.tile(np.arange(1, items.shape[1] + 1), len(X)))
        for column, expected in (("item", items), ("score", scores), ("source", sources)):
            assert_array_equal(frame[column], expected.ravel(), f"the column {column} differs from the array")
        assert_array_equal(frame["name"], [names[item] for item in items.ravel().tolist()])
        own = np.concatenate([np.isin(row, history) for row, history in zip(items, X, strict=True)])
        if (frame["seen"] & ~own).any():
            raise AssertionError("an item is marked as seen that the history of the user does not hold")
        if options["exclude_seen"]:
            assert_array_equal(np.isneginf(frame["score"]), frame["seen"], "seen items must have the score -inf")


METAMORPHIC_CHECKS: list[Callable] = [
    check_batch_equals_one_by_one,
    check_one_user_in_any_form,
    check_order_of_users,
    check_prefix,
    check_all_candidates,
    check_excluded_items,
    check_asked_again,
    check_frame,
    check_added_empty_history,
    check_threads,
    check_saved_and_loaded,
]
