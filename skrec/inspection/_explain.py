"""Why an item was recommended."""

import logging

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..base import BaseRecommender
from ..utils._arguments import check_choice, check_whole, shown
from ..utils._containers import row_ids
from ..utils._fitting import snapshot_of
from ..utils._requests import Request
from ..utils._single import agrees
from ..utils._validation import as_collection, as_id_list, is_nested, lookup, plain
from ._attribution import leave_one_out

logger = logging.getLogger("skrec")
_COLUMNS = ["user", "item", "score", "reason", "contribution", "share", "method"]
_METHODS = ("auto", "exact", "leave-one-out")


def explain(
    model, X, items=None, *, k: int = 3, n_reasons: int = 3, method: str = "auto", max_length: int = 50, at=None
):
    r"""Name the items of the history that caused each recommendation, and their share.

    Parameters
    ----------
    model : recommender
        A fitted recommender.
    X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
        The users to explain; a few, since each takes a row per item and reason.
    items : array-like of ids, or one such list per user, default=None
        The items to explain; None explains what the model recommends.
    k : int, default=3
        Number of recommendations to explain where `items` is None.
    n_reasons : int, default=3
        Number of items of the history to name for each.
    method : {"auto", "exact", "leave-one-out"}, default="auto"
        How contributions are computed. "exact" splits the score, where it is a sum over the history: EASE, SLIM,
        ItemKNN, RP3beta, TransitionRecommender, ContentRecommender, PureSVD, PPMISVD, ALS, and a Reranker of one of
        them. "leave-one-out", for any model, is the score less the score without the item. "auto" is "exact" where the
        model allows it, else "leave-one-out".
    max_length : int, default=50
        The largest number of items of a history that are left out, one at a time, with "leave-one-out": those of the
        most recent events. Older items have no contribution then.
    at : date or number, default=None
        The moment of asking, for models that know time; None is the latest time they have seen.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 7)
        A row per user, item and reason, strongest reason first, with the columns `user` (the index of `X`, else the
        row number), `item`, `score`, `reason` (an item of the history), `contribution` (what it adds to the score),
        `share` (its part of all that speaks for the item, between 0 and 1; negative where it speaks against) and
        `method`: "exact", "leave-one-out", or "popular" where no item of the history changes the score. Such an item
        has one row, without a reason, with contribution and share 0. ``attrs["n_cut"]`` is the number of users of
        whose history only `max_length` items were left out.

    Raises
    ------
    TypeError
        If `model` is no recommender, or `method` is "exact" and the scores of the model are no sum over the history.
    ValueError
        If an item is not known, or a number is below 1.

    See Also
    --------
    skrec.base.BaseRecommender.recommend : What is explained.
    skrec.ensemble.TwoStageRecommender.explain : The retriever and the features behind a place.

    Notes
    -----
    Exact contributions of all items of the history add up to the score. In ALS the weight of a past item depends on
    the other items of the history, as Hu et al. [1]_ derive; they too add up.

    The leave-one-out contribution of item i to item j is

    .. math:: s_j(h) - s_j(h \setminus i)

    with :math:`s_j` the score that `decision_function` gives, of an ensemble the final one, and
    :math:`h \setminus i` the history without all events of item i, the others in their order [2]_. Such contributions
    do not add up to the score: of two items that say the same, neither changes much alone. For EASE and the other
    linear models on binary histories without `recency`, both methods agree.

    Where nothing known is left, an ensemble is scored by its parts rather than by its fallback; for nets, whose scores
    are logits, the mean score of all items takes the place of :math:`s_j(h \setminus i)`. Contributions within
    rounding, 1e-5 of the score, are 0.

    Cost of "leave-one-out": that of scoring ``1 + min(max_length, n)`` users for each user with n items, in one call.

    References
    ----------
    .. [1] Y. Hu, Y. Koren and C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008,
       section 5.
    .. [2] J. Li, W. Monroe and D. Jurafsky, "Understanding Neural Networks through Representation Erasure",
       arXiv:1612.08220, 2016.

    Examples
    --------
    >>> from skrec.inspection import explain
    >>> from skrec.linear_model import EASE
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = EASE(l2=0.5).fit(histories)
    >>> explain(model, [["tea", "sugar"]], items=["milk"]).round(2)
       user  item  score reason  contribution  share method
    0     0  milk   0.91    tea          0.73    0.8  exact
    1     0  milk   0.91  sugar          0.18    0.2  exact

    A model of sessions, which is no sum over the history:

    >>> from skrec.neighbors import SessionKNN
    >>> model = SessionKNN().fit(histories)
    >>> explain(model, [["tea", "sugar"]], items=["milk"], n_reasons=1).round(2)
       user  item  score reason  contribution  share         method
    0     0  milk   1.28    tea          0.72    1.0  leave-one-out
    """
    if not isinstance(model, BaseRecommender):
        raise TypeError(f"model must be a fitted recommender, got {shown(model)}")
    check_is_fitted(model)
    model = snapshot_of(model)
    for name, value in (("n_reasons", n_reasons), ("max_length", max_length)):
        if check_whole(value, name, low=0) < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    method = check_choice(method, "method", _METHODS)
    scored = _inner(model)
    if method == "auto":
        method = "exact" if _adds_up(scored) else "leave-one-out"
    elif method == "exact" and not _adds_up(scored):
        name = type(scored).__name__
        raise TypeError(f"{name} has scores that are no sum over the history: pass method='leave-one-out'")

    if items is None:
        wanted = [lookup(found, model.items_) for found in model.recommend(X, k=k, at=at)]
    else:
        wanted = _columns(model, items, X, scored)
    moment = Request.read(scored, X, k, None, None, None, at).at
    n_cut = 0
    if method == "exact":
        attributed = _split(scored, X, wanted)
    else:
        attributed, n_cut = leave_one_out(scored, X, wanted, moment, max_length)
    if n_cut:
        logger.info(
            "%d of %d histories have more than max_length=%d items: the most recent %d were left out one at a time",
            *(n_cut, len(wanted), max_length, max_length),
        )
    table = _table(model, X, wanted, attributed, n_reasons, method)
    table.attrs["n_cut"] = n_cut
    return table


def _inner(model):
    """Return the model whose scores are those of `model`: one that holds another changes the lists alone."""
    while hasattr(model, "recommender_"):  # Reranker, AutoRecommender
        model = model.recommender_
    return model


def _adds_up(model) -> bool:
    """Tell whether `_contributions` splits the scores: no subclass has overridden these alone."""
    own = type(model)._contributions is not BaseRecommender._contributions
    return (own or hasattr(model, "similarity_")) and agrees(type(model), "_contributions", "_score", "_scorer")


def _split(model, X, wanted: list[np.ndarray]) -> list[tuple]:
    """Return the exact contributions, in the form of `leave_one_out`."""
    users, answers = model._encode(X), []
    for user, columns in enumerate(wanted):
        reasons, contributions = model._contributions(users[user : user + 1], columns)
        answers.append((reasons, contributions, contributions.sum(axis=0)))
    return answers


def _table(model, X, wanted, attributed, n_reasons: int, method: str):
    import pandas as pd

    rows: dict[str, list] = {name: [] for name in _COLUMNS[:-1]}
    for user, (columns, (reasons, contributions, scores)) in enumerate(zip(wanted, attributed, strict=True)):
        best = np.argsort(-contributions, axis=0, kind="stable")[:n_reasons]
        speaking_for = np.clip(contributions, 0, None).sum(axis=0)
        changed = np.any(contributions != 0, axis=0)
        for place, column in enumerate(columns):
            chosen = best[: None if changed[place] else 0, place]
            n_rows = max(1, len(chosen))
            rows["user"] += [user] * n_rows
            rows["item"] += [column] * n_rows
            rows["score"] += [float(scores[place])] * n_rows
            rows["reason"] += reasons[chosen].tolist() or [-1]
            rows["contribution"] += contributions[chosen, place].tolist() or [0.0]
            rows["share"] += (contributions[chosen, place] / (speaking_for[place] or 1.0)).tolist() or [0.0]
    places = {name: np.array(rows[name], dtype=np.int64) for name in ("user", "item", "reason")}
    numbers = {name: np.array(rows[name], dtype=np.float64) for name in ("score", "contribution", "share")}
    users = row_ids(X)
    users = np.arange(len(wanted)) if users is None else users.to_flat_index() if users.nlevels > 1 else users
    popular = places["reason"] < 0
    reason = model.items_[places["reason"]]
    if popular.any():
        reason = reason.astype(object)
        reason[popular] = None
    columns = {
        "user": users[places["user"]],
        "item": model.items_[places["item"]],
        "reason": pd.Series(reason, dtype=object if popular.any() else None),
        "method": pd.Series(np.where(popular, "popular", method), dtype=object),
    }
    return pd.DataFrame({**columns, **numbers}, columns=_COLUMNS)


def _columns(model, items, X, scored) -> list[np.ndarray]:
    n_users = len(scored._encode(X)) if scored._is_passthrough() else len(scored._read(X))
    items = as_collection(items, "items")
    lists = list(items) if is_nested(items) else [items] * n_users
    if len(lists) != n_users:
        raise ValueError(f"items has {len(lists)} lists for {n_users} users: pass one list, or one per user")
    columns = []
    for one in lists:
        ids = as_id_list(one, "items")
        codes = lookup(ids, model.items_, "items")
        if (codes < 0).any():
            unknown = plain(ids[codes < 0][0])
            raise ValueError(f"items holds {unknown!r}, which the model does not know: pass ids seen in fit")
        columns.append(codes)
    return columns
