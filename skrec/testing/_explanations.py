"""The check of explanations: the reasons of every recommender come from the history, and add up where they must."""

import numpy as np
from sklearn.base import clone

from ..inspection import explain
from ._data import _fitted, _require, checkerboard


def check_explanations(estimator):
    """`explain` names items of the history, "popular" where it knows none, and the same alone as among others."""
    board, _ = checkerboard()
    model = _fitted(clone(estimator))
    X = [board[0], [], board[1][:3] * 2, [998, 999], [2]]
    frame = explain(model, X, k=2, n_reasons=100)
    items, scores = model.recommend(X, k=2), model.decision_function(X)
    expected = [(user, item) for user, row in enumerate(items.tolist()) for item in row]
    pairs = list(dict.fromkeys(zip(frame["user"], frame["item"], strict=True)))
    _require(pairs == expected, f"explain must explain what recommend gives, got {pairs} for {expected}")
    for row in frame.itertuples():
        what = f"explain gives {row}"
        popular = row.method == "popular"
        _require(popular == (row.reason is None or row.reason != row.reason), f"{what}: no reason where popular")
        _require(popular or row.reason in X[row.user], f"{what}, whose reason is not in the history {X[row.user]}")
        _require(popular or set(X[row.user]) & set(model.items_.tolist()), f"{what} for a history without known items")
        np.testing.assert_allclose(row.score, scores[row.user, row.item], rtol=1e-3, atol=1e-4, err_msg=what)
    repeated = frame.duplicated(["user", "item", "reason"])
    _require(not repeated.any(), f"explain names a reason twice: {frame[repeated]}")
    for user, history in enumerate(X):
        alone = explain(model, [history], items=[items[user].tolist()], n_reasons=100)
        together = frame[frame["user"] == user]
        _require(alone["method"].tolist() == together["method"].tolist(), f"another method alone: {alone}, {together}")
        for column in ("score", "contribution"):
            np.testing.assert_allclose(alone[column], together[column], rtol=1e-3, atol=1e-4, err_msg=column)
