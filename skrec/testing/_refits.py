"""Checks of what was fitted: on other ids, on a log with times and weights, and by a fit that was interrupted."""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from ._data import _fitted, _require, checkerboard, planted_histories, with_items_of
from ._metamorphic import _UNKNOWN, histories_with_repeats, require_same, stored
from ._updates import as_frame, shop_log


def check_renamed_items(estimator):
    """Other ids for the same items, in another order, give the same scores under the other names."""
    if get_tags(estimator).fit_randomness or {"random_state", "item_features"} & set(estimator.get_params()):
        return  # what is drawn for an item, or told of it, depends on its place
    rows = [list(row) for row in planted_histories()["item"]]
    names = {
        item: f"{number:03d}" for number, item in enumerate(sorted({i for row in rows for i in row}, reverse=True))
    }
    model, other = _fitted(estimator, rows), _fitted(estimator, [[names[item] for item in row] for row in rows])
    place = [np.flatnonzero(other.items_ == names[item])[0] for item in model.items_]
    scores = other.decision_function([[names[item] for item in row] for row in rows[:50]])
    differ = np.mean(~np.isclose(scores[:, place], model.decision_function(rows[:50]), rtol=1e-3, atol=1e-4))
    ties = 0.05 if "n_neighbors" in model.get_params() else 0.0  # of equal neighbours the first by id stay
    _require(differ <= ties, f"{differ:.0%} of the scores change when the items get other ids")


def _fitted_on_a_log(estimator):
    """Fit on a log with times and weights, with repeats, ties, empty rows and a catalogue in no order."""
    rng = np.random.default_rng(0)
    rows = [*shop_log(), [], []]
    rows[3] = [(item, 9.0, weight) for item, _, weight in rows[3]]  # all at once
    rows = [rows[number] for number in rng.permutation(len(rows))]
    X = as_frame(rows)
    model = with_items_of(estimator, X)
    for name, value in model.get_params().items():
        if name.rpartition("__")[2] == "item_features" and value is not None:
            model.set_params(**{name: value.iloc[rng.permutation(len(value))]})
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    return model.fit(X), [*rows[:6], [], [(_UNKNOWN, 3.0, 1.0)], sorted(rows[10] * 2, key=lambda event: event[1])]


def check_relations_on_a_log(estimator):
    """What holds between answers holds after a fit on a log, also with seen items and at a moment that is given."""
    model, rows = _fitted_on_a_log(estimator)
    again = stored(model)
    X, order = as_frame(rows), np.random.default_rng(1).permutation(len(rows))
    for options in ({}, {"exclude_seen": False}, {"at": 30.0}):
        asked = {**options, "k": 20, "return_scores": True}
        items, scores = model.recommend(X, **asked)
        moved = model.recommend(as_frame([rows[number] for number in order]), **asked)
        require_same(moved, (items[order], scores[order]), f"the order of the users changes their answers: {options}")
        alone = [model.recommend(as_frame([row]), **asked) for row in rows]
        together = tuple(np.concatenate(parts) for parts in zip(*alone, strict=True))
        require_same((items, scores), together, f"a user gets another answer in a batch than alone: {options}")
        assert_array_equal(model.recommend(X, k=5, **options), items[:, :5], f"k=5 is no prefix of k=20: {options}")
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(lambda _, asked=asked: model.recommend(X, **asked)[0], range(4)):
                assert_array_equal(answer, items, f"threads get other answers: {options}")
        assert_array_equal(again.recommend(X, **asked)[0], items, f"a stored model answers otherwise: {options}")


def check_interrupted_fit(estimator):
    """A fit that is interrupted leaves the model as it was, fitted or not."""
    X = histories_with_repeats()
    model, other = _fitted(estimator), checkerboard()[0][:45]
    before = model.recommend(X, return_scores=True)
    for _ in range(2):  # the first fit imports what it needs
        n_lines, _ = _interrupted(model, other, None)
    for line in np.random.default_rng(0).integers(1, max(2, n_lines), 3):
        if not _interrupted(model, other, int(line))[1]:
            break  # the fit was over before: the model is another now
        for now, then in zip(model.recommend(X, return_scores=True), before, strict=True):
            assert_array_equal(now, then, "an interrupted fit changed the model")
    fresh = with_items_of(estimator, other)
    if not _interrupted(fresh, other, 1 + n_lines // 2)[1]:
        return
    try:
        fresh.predict(X)
    except NotFittedError:
        return
    raise AssertionError("an unfinished first fit counts as fitted")


_FITTING = "skrec.utils._fitting"  # what comes after the attributes have changed is no interruption


def _interrupted(model, X, line: int | None) -> tuple[int, bool]:
    """Fit until a number of lines of skrec were run, then raise KeyboardInterrupt; None counts them on a clone.

    Returns the number of lines, and whether the fit was interrupted.
    """
    count, ended = 0, False

    def trace(frame, event, argument):
        nonlocal count
        if not frame.f_globals.get("__name__", "").startswith("skrec.") or frame.f_globals["__name__"] == _FITTING:
            return None
        if event == "line":
            count += 1
            if count == line:
                raise KeyboardInterrupt
        return trace

    model = clone(model) if line is None else model
    old = sys.gettrace()
    sys.settrace(trace)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(X)
            ended = True
    finally:
        sys.settrace(old)
    return count, not ended
