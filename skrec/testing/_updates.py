"""Checks of `partial_fit` and `forget`: what an update gives, what is unlearned, and that nobody reads half of it."""

import threading
import time
from functools import partial

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.utils import get_tags

from ._data import _require, with_items_of

_N_USERS, _N_ITEMS, _N_DAYS = 60, 24, 40


def shop_log(seed: int = 0) -> list[list[tuple[int, float, float]]]:
    """Return the events of each user, (item, day, weight), with repeats, equal times, new users and new items."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(_N_USERS):
        begins = rng.integers(0, _N_DAYS // 2)
        days = np.sort(rng.integers(begins, _N_DAYS, rng.integers(2, 12)))
        days[-1] = _N_DAYS - 1 - user % 30  # most of the last days differ
        days = np.sort(days).astype(float)
        newest = 10 + days * (_N_ITEMS - 10) / _N_DAYS  # items come out over time
        items = (rng.integers(0, newest.astype(int)) * 7 + user % 2) % _N_ITEMS
        rows.append(
            [(int(i), float(d), float(w)) for i, d, w in zip(items, days, rng.integers(1, 4, len(days)), strict=False)]
        )
    return rows


def as_frame(rows):
    """Return events of users as a frame of histories."""
    import pandas as pd

    columns = {
        name: [[event[place] for event in row] for row in rows] for place, name in enumerate(("item", "time", "weight"))
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def _prepared(estimator, rows):
    """Clone an estimator so that it can be updated, with features for the items of all rows."""
    model = with_items_of(estimator, as_frame(rows))
    if "incremental" in model.get_params(deep=False):
        model.set_params(incremental=True)
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    if getattr(model, "incremental", False) and "tol" in model.get_params(deep=False):
        model.set_params(tol=1e-10)  # what is solved until a tolerance is compared beyond it
    return model


def _kind(estimator):
    return getattr(get_tags(_prepared(estimator, shop_log())), "updates", None)


def _until(rows, day: float):
    return [[event for event in row if event[1] < day] for row in rows]


def learned_in_steps(model, rows, cuts):
    """Fit on what came before the first cut, and learn the rest step by step, by moments and by numbers of events."""
    model.fit(as_frame([row for row in _until(rows, cuts[0]) if row]))
    for step, (day, end) in enumerate(zip(cuts, [*cuts[1:], np.inf], strict=True)):
        before, now = _until(rows, day), _until(rows, end)
        active = [number for number, row in enumerate(now) if len(row) > len(before[number])]
        X = as_frame([now[number] for number in active])
        known = [len(before[number]) for number in active]
        model.partial_fit(X, since=known if step % 2 else day)
    return model


def require_same_model(model, other, rows, message: str) -> None:
    """Raise unless two models know the same items and score them alike."""
    assert_array_equal(np.sort(model.items_), np.sort(other.items_), f"{message}: other items")
    place = [int(np.flatnonzero(model.items_ == item)[0]) for item in other.items_]
    assert_array_equal(model.popularity_[place], other.popularity_, f"{message}: other popularity_")
    _require(model.n_items_ == len(model.items_) == len(model.popularity_), f"{message}: attributes of several lengths")
    X = as_frame([*rows[:20], []])
    scores, expected = model.decision_function(X)[:, place], other.decision_function(X)
    tolerance = 1e-5 * max(1.0, float(np.abs(expected).max()))
    assert_allclose(scores, expected, rtol=1e-5, atol=tolerance, err_msg=message)


def check_update_equals_refit(estimator):
    """A model that was fitted on a part and updated in three steps is the model fitted on all."""
    kind = _kind(estimator)
    for seed in range(2):
        rows = shop_log(seed)
        whole = _prepared(estimator, rows)
        if kind is None:
            _require(not hasattr(whole, "partial_fit"), "partial_fit must be absent where the tag `updates` is None")
            return
        cuts = np.sort(np.random.default_rng(seed).uniform(10, 38, 3))
        model = learned_in_steps(_prepared(estimator, rows), rows, cuts)
        first = clone(whole).fit(as_frame([row for row in _until(rows, cuts[0]) if row]))
        assert_array_equal(model.items_[: first.n_items_], first.items_, "an update moves items that are known")
        if kind == "exact":
            require_same_model(model, whole.fit(as_frame(rows)), rows, "the update differs from a refit")
        else:
            expected = {event[0] for row in rows for event in row}
            _require(set(model.items_.tolist()) >= expected, "an update leaves out new items")
            _require(np.isfinite(model.decision_function(as_frame(rows[:10]))).all(), "scores that are not finite")


def check_update_before_fit_and_of_nothing(estimator):
    """The first `partial_fit` fits; an update without new events changes nothing."""
    if _kind(estimator) is None:
        return
    rows = shop_log()
    X = as_frame(rows)
    model, other = _prepared(estimator, rows).partial_fit(X), _prepared(estimator, rows).fit(X)
    require_same_model(model, other, rows, "the first partial_fit is no fit")
    if _kind(estimator) == "exact":
        model.partial_fit(X, since=[len(row) for row in rows])
        require_same_model(model, other, rows, "an update without events changes the model")


def check_update_refuses(estimator):
    """A malformed `since` is an error that names it, and the model stays as it was."""
    if _kind(estimator) is None:
        return
    rows = shop_log()
    X = as_frame(rows)
    model = _prepared(estimator, rows).fit(X)
    before = model.recommend(X, return_scores=True)
    untimed = X[["item"]]
    for data, since in [(X, [1]), (X, [99] * len(rows)), (X, [-1] * len(rows)), (X, ["a"] * len(rows)), (untimed, 3.0)]:
        try:
            model.partial_fit(data, since=since)
        except (TypeError, ValueError) as error:
            _require("since" in str(error) or "'time'" in str(error), f"the error does not name since: {error}")
        else:
            raise AssertionError(f"since={since!r} raises no error")
    for now, then in zip(model.recommend(X, return_scores=True), before, strict=True):
        assert_array_equal(now, then, "an update that failed changed the model")


def check_forget_equals_never_seen(estimator):
    """Users who are forgotten were never seen: the model is the one fitted on the others, also after updates."""
    if _kind(estimator) != "exact":
        _require(not hasattr(_prepared(estimator, shop_log()), "forget"), "forget must be absent where it is not exact")
        return
    for seed in range(2):
        rows = shop_log(seed)
        rows.append([(777, 5.0, 1.0), (0, 6.0, 1.0)])  # an item of one user alone
        order = np.random.default_rng(seed).permutation(len(rows) - 1)
        gone, stay = [*order[:15], len(rows) - 1], np.sort(order[15:])
        model = learned_in_steps(_prepared(estimator, rows), rows, [18.0, 30.0])
        model.forget(as_frame([rows[number] for number in gone[:7]]))
        model.forget(as_frame([rows[number] for number in gone[7:]]))
        rest = [rows[number] for number in stay]
        features = {
            name: value for name, value in model.get_params().items() if name.rpartition("__")[2] == "item_features"
        }
        other = _prepared(estimator, rest).set_params(**features).fit(as_frame(rest))
        require_same_model(model, other, rest, "a forgotten user is not as never seen")
        again = [rows[number] for number in gone]
        model.partial_fit(as_frame(again))
        whole = _prepared(estimator, rows).fit(as_frame(rest + again))
        require_same_model(model, whole, rows, "users learned again differ from a refit")


def check_update_after_storage(estimator):
    """A model that was saved and loaded is updated like the one that was not; a copy taken before stays whole."""
    import copy
    import pickle
    import tempfile
    from pathlib import Path

    from .. import persistence

    if _kind(estimator) is None:
        return
    rows = shop_log()
    model = _prepared(estimator, rows).fit(as_frame([row for row in _until(rows, 25) if row]))
    with tempfile.TemporaryDirectory() as folder:
        path = persistence.save(model, Path(folder) / "model.skrec")
        copies = [persistence.load(path), pickle.loads(pickle.dumps(model))]
    X = as_frame(rows)
    held, answer = copy.copy(model), model.recommend(X, return_scores=True)
    since = [len(row) for row in _until(rows, 25)]
    model.partial_fit(X, since=since)
    for one in copies:
        one.partial_fit(X, since=since)
        assert_array_equal(one.items_, model.items_)
        assert_allclose(one.decision_function(X), model.decision_function(X), rtol=1e-4, atol=1e-4)
    for now, then in zip(held.recommend(X, return_scores=True), answer, strict=True):
        assert_array_equal(now, then, "an update changes a copy of the model that was taken before")


def check_threads_during_updates(estimator, n_updates: int = 60, seconds: float = 60):
    """While a model is updated, each answer in other threads is that of the model before or after an update."""
    kind = _kind(estimator)
    if kind is None:
        return
    rows = shop_log()
    model = _prepared(estimator, rows).fit(as_frame([row for row in _until(rows, 25) if row]))
    described = any(
        name.rpartition("__")[2] == "item_features" and value is not None for name, value in model.get_params().items()
    )  # no items come without features
    answer_of = partial(model.recommend, as_frame(rows[:3]), k=5, return_scores=True)
    right, answers, errors = {_key(answer_of())}, set(), []
    stop = threading.Event()

    def read():
        try:
            while not stop.is_set():
                answers.add(_key(answer_of()))
        except Exception as error:  # whatever it is, it fails the check
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    new = rows[0]
    try:
        ends = time.monotonic() + seconds
        for number in range(n_updates):
            if number >= 6 and time.monotonic() > ends:  # an update of a net takes seconds
                break
            row = rows[number % len(rows)] + [(number % _N_ITEMS if described else 1000 + number, 50.0 + number, 1.0)]
            user = as_frame([row])
            if kind == "exact" and number % 3 == 2:
                model.forget(as_frame([new]))
            else:
                model.partial_fit(user)
                new = row
            right.add(_key(answer_of()))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    if errors:
        raise AssertionError(f"a reader failed during updates: {errors[0]!r}") from errors[0]
    _require(answers <= right, f"{len(answers - right)} of {len(answers)} answers are of no state of the model")


def _key(answer) -> tuple:
    items, scores = answer
    return tuple(items.ravel().tolist()), scores.tobytes()


UPDATE_CHECKS = [
    check_update_equals_refit,
    check_update_before_fit_and_of_nothing,
    check_update_refuses,
    check_forget_equals_never_seen,
    check_update_after_storage,
    check_threads_during_updates,
]
