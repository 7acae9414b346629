"""Why an item was recommended."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..utils._arguments import check_whole, shown
from ..utils._containers import row_ids
from ..utils._fitting import snapshot_of
from ..utils._validation import as_collection, as_id_list, is_nested, lookup


def explain(model, X, items=None, *, k: int = 3, n_reasons: int = 3):
    """Name the items of the history that caused each recommendation, and their share.

    Parameters
    ----------
    model : recommender
        A fitted recommender whose score is a sum over the history: EASE, SLIM, ItemKNN, RP3beta,
        TransitionRecommender, PureSVD, PPMISVD, ALS.
    X : histories of shape (n_users,)
        The users to explain; a few, since each takes a row per item and reason.
    items : array-like of ids, or one such list per user, default=None
        The items to explain; None explains what the model recommends.
    k : int, default=3
        Number of recommendations to explain where `items` is None.
    n_reasons : int, default=3
        Number of items of the history to name for each.

    Returns
    -------
    pandas.DataFrame
        A row per user, item and reason, strongest reason first, with the columns `user` (the index of `X`, else the
        row number), `item`, `score`, `reason` (an item of the history), `contribution` (what it adds to the score)
        and `share` (its part of all that speaks for the item, between 0 and 1; negative where it speaks against).

    Raises
    ------
    TypeError
        If the scores of the model are no sum over the history.
    ValueError
        If an item is not known.

    See Also
    --------
    skrec.base.BaseRecommender.recommend : What is explained.

    Notes
    -----
    The contributions of all items of the history add up to the score. In ALS the weight of a past item depends on
    the other items of the history, as Hu et al. [1]_ derive; they too add up.

    References
    ----------
    .. [1] Y. Hu, Y. Koren and C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008,
       section 5.

    Examples
    --------
    >>> from skrec.inspection import explain
    >>> from skrec.linear_model import EASE
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = EASE(l2=0.5).fit(histories)
    >>> explain(model, [["tea", "sugar"]], items=["milk"]).round(2)
       user  item  score reason  contribution  share
    0     0  milk   0.91    tea          0.73    0.8
    1     0  milk   0.91  sugar          0.18    0.2
    """
    import pandas as pd

    if not hasattr(model, "recommend") or isinstance(model, type):
        raise TypeError(f"model must be a fitted recommender, got {shown(model)}")
    check_is_fitted(model)
    model = snapshot_of(model)
    if check_whole(n_reasons, "n_reasons", low=0) < 1:
        raise ValueError(f"n_reasons must be at least 1, got {n_reasons}")
    rows = model._encode(X)
    n_users = len(rows)
    users = row_ids(X)
    users = np.arange(n_users) if users is None else users
    if items is None:
        columns = [lookup(found, model.items_) for found in model.recommend(X, k=k)]
    else:
        columns = _columns(model, items, n_users)

    parts = []
    for user in range(n_users):
        wanted = np.asarray(columns[user])
        reasons, contributions = model._contributions(rows[user : user + 1], wanted)
        best = np.argsort(-contributions, axis=0, kind="stable")[:n_reasons]
        speaking_for = np.clip(contributions, 0, None).sum(axis=0)
        for place, column in enumerate(wanted):
            chosen = contributions[best[:, place], place]
            parts.append(
                pd.DataFrame(
                    {
                        "user": [users[user]] * len(chosen),
                        "item": [model.items_[column]] * len(chosen),
                        "score": contributions[:, place].sum(),
                        "reason": model.items_[reasons[best[:, place]]],
                        "contribution": chosen,
                        "share": chosen / (speaking_for[place] or 1.0),
                    }
                )
            )
    names = ["user", "item", "score", "reason", "contribution", "share"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def _columns(model, items, n_users: int) -> list[np.ndarray]:
    items = as_collection(items, "items")
    lists = list(items) if is_nested(items) else [items] * n_users
    if len(lists) != n_users:
        raise ValueError(f"items has {len(lists)} lists for {n_users} users: pass one list, or one per user")
    columns = []
    for one in lists:
        ids = as_id_list(one, "items")
        codes = lookup(ids, model.items_, "items")
        if (codes < 0).any():
            raise ValueError(f"items holds {ids[codes < 0][0]!r}, which the model does not know: pass ids seen in fit")
        columns.append(codes)
    return columns
