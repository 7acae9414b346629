"""Planted data for the checks of estimators."""

import numpy as np
from sklearn.base import clone

from ..utils._histories import is_frame, read_histories
from ..utils._list_columns import is_matrix

N_USERS, N_ITEMS = 60, 20


def checkerboard(n_users: int = N_USERS, n_items: int = N_ITEMS) -> tuple[list[list[int]], list[list[int]]]:
    """Make histories in which even users have the even items and odd users the odd ones, one item held out each.

    Parameters
    ----------
    n_users : int, default=60
        Number of users.
    n_items : int, default=20
        Number of items, the integers from 0.

    Returns
    -------
    histories : list of lists of int
        All items of the user's parity but one.
    held_out : list of lists of int
        The one.
    """
    histories, held_out = [], []
    for user in range(n_users):
        items = list(range(user % 2, n_items, 2))
        gap = (user // 2) % len(items)
        order = items[gap + 1 :] + items[:gap]
        histories.append(order)
        held_out.append([items[gap]])
    return histories, held_out


def planted_histories(*, return_truth: bool = False):
    """Return histories of 300 users among 60 items in four clusters of taste."""
    from ..datasets import make_histories

    return make_histories(300, 60, mean_length=12, n_clusters=4, return_truth=return_truth, random_state=0)


def planted_features():
    """Return a frame of item features for the checks of models that need some.

    Returns
    -------
    pandas.DataFrame of shape (60, 2)
        The side of the checkerboard and the planted cluster of each item.
    """
    import pandas as pd

    _, truth = planted_histories(return_truth=True)
    board = np.array(["even", "odd"])[np.arange(len(truth.item_clusters)) % 2]
    return pd.DataFrame({"board": board, "cluster": [f"cluster {one}" for one in truth.item_clusters]})


def with_items_of(estimator, X):
    """Clone an estimator and give the first rows of its frames of item features to the items of X, in their order."""
    model = clone(estimator)
    for name, frame in model.get_params().items():
        if name.rpartition("__")[2] == "item_features" and frame is not None:
            ids = _distinct_items(X)
            if len(frame) < len(ids):
                raise AssertionError(f"item_features needs {len(ids)} rows for the checks, got {len(frame)}")
            model.set_params(**{name: frame.iloc[: len(ids)].set_axis(ids)})
    return model


def _distinct_items(X) -> np.ndarray:
    if is_matrix(X) and not (is_frame(X) and "item" in X.columns):
        return np.asarray(X.columns) if is_frame(X) else np.arange(X.shape[1])
    return np.sort(read_histories(X).ids)


def _fitted(estimator, X=None, y=None, **parameters):
    X = checkerboard()[0] if X is None else X
    model = with_items_of(estimator, X).set_params(**parameters)
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    return model.fit(X, y)


def _require(condition, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _require_error(call, word: str) -> None:
    try:
        call()
    except (ValueError, TypeError) as error:
        _require(word in str(error), f"the message must name {word!r}: {error}")
    else:
        raise AssertionError(f"a wrong {word} must raise ValueError or TypeError")
