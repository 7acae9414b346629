"""The ranking metrics of each user, from one matching of recommendations and held-out items."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..utils._arguments import as_list, check_whole
from ..utils._held_out import ndcg
from ._hits import Hits, asked_users, find_hits


def _hit_rate(hits: Hits, n_items) -> np.ndarray:
    return np.asarray(hits.is_hit.any(axis=1), dtype=np.float64)


def _recall(hits: Hits, n_items) -> np.ndarray:
    return hits.is_hit.sum(axis=1) / hits.n_relevant


def _precision(hits: Hits, n_items) -> np.ndarray:
    return hits.is_hit.sum(axis=1) / hits.is_hit.shape[1]


def _map(hits: Hits, n_items) -> np.ndarray:
    n_hits_so_far = np.cumsum(hits.is_hit, axis=1, dtype=np.int32)
    gain = 1 / np.arange(1, hits.is_hit.shape[1] + 1)
    return (n_hits_so_far * hits.is_hit) @ gain / hits.n_relevant


def _mrr(hits: Hits, n_items) -> np.ndarray:
    return hits.is_hit.any(axis=1) / (hits.is_hit.argmax(axis=1) + 1)


def _ndcg(hits: Hits, n_items) -> np.ndarray:
    return ndcg(hits.is_hit, hits.n_relevant)


def _auc(hits: Hits, n_items) -> np.ndarray:
    if n_items is None:
        raise ValueError("n_items is missing, and AUC needs the size of the catalogue: pass n_items=model.n_items_")
    n_items = check_whole(n_items, "n_items")
    if len(hits.n_relevant) and n_items <= hits.n_relevant.max():
        raise ValueError(
            f"n_items={n_items}, but a user has {hits.n_relevant.max()} held-out items, so no other item is left to "
            "compare with: pass the size of the whole catalogue"
        )
    n_hits = hits.is_hit.sum(axis=1)
    n_other = n_items - hits.n_relevant
    other_above = np.cumsum(~hits.is_hit, axis=1, dtype=np.int32)
    other_ranked = hits.n_ranked - n_hits
    if (other_ranked > n_other).any():
        raise ValueError(
            f"n_items={n_items} is smaller than the number of items that appear in y_true and y_pred: "
            "pass the size of the whole catalogue"
        )
    wins = n_hits * n_other - (other_above * hits.is_hit).sum(axis=1)
    ties = (hits.n_relevant - n_hits) * (n_other - other_ranked)
    return (wins + ties / 2) / (hits.n_relevant * n_other)


_SCORES = {
    "hit_rate": _hit_rate,
    "recall": _recall,
    "precision": _precision,
    "map": _map,
    "mrr": _mrr,
    "ndcg": _ndcg,
    "auc": _auc,
}


def _per_user(metric: str, hits: Hits, n_items=None) -> np.ndarray:
    """Score each user; NaN for a user with no held-out item."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = _SCORES[metric](hits, n_items)
    return np.where(hits.n_relevant > 0, values, np.nan)


def mean_score(metric: str, y_true, y_pred, k, n_items=None) -> float:
    hits = find_hits(y_true, y_pred, k)
    asked = asked_users(hits)
    return float(_per_user(metric, hits, n_items)[asked].mean())


def metric_names(metrics) -> list[str]:
    """Return the names of metrics as a list; raise where one is unknown."""
    names = [metrics] if isinstance(metrics, str) else as_list(metrics, "metrics", "names of metrics")
    for name in names:
        if not isinstance(name, str) or name not in _SCORES:
            raise ValueError(f"metrics has the unknown name {name!r}: choose from {sorted(_SCORES)}")
    return names


def ranking_scores(
    y_true,
    y_pred,
    *,
    k: int | Sequence[int] = 10,
    metrics: str | Iterable[str] = ("hit_rate", "recall", "precision", "map", "mrr", "ndcg"),
    n_items: int | None = None,
) -> dict[str, np.ndarray]:
    """Compute several ranking metrics, user by user.

    The recommendations are matched with the held-out items once for all metrics and all k. The values per user are
    what :func:`bootstrap_interval` and :func:`paired_bootstrap` take.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int or sequence of int, default=10
        How many recommendations count, at most n.
    metrics : str or sequence of str, default=("hit_rate", "recall", "precision", "map", "mrr", "ndcg")
        Names of metrics: those of the default, and "auc".
    n_items : int, default=None
        Size of the catalogue, needed for "auc" only.

    Returns
    -------
    dict of str to ndarray of shape (n_users,)
        One entry per metric and k, such as "ndcg@10"; NaN for users with no held-out item.

    Raises
    ------
    ValueError, TypeError
        As for the metrics themselves; also if a metric has no such name.

    See Also
    --------
    ndcg_at_k : One number, the mean over users.
    paired_bootstrap : Is one model better than another, or lucky.

    Examples
    --------
    >>> from skrec.metrics import ranking_scores
    >>> scores = ranking_scores([["a"], []], [["b", "a"], ["a", "c"]], k=[1, 2], metrics=["recall", "mrr"])
    >>> {name: values.tolist() for name, values in scores.items()}
    {'recall@1': [0.0, nan], 'mrr@1': [0.0, nan], 'recall@2': [1.0, nan], 'mrr@2': [0.5, nan]}
    """
    metrics = metric_names(metrics)
    cuts: list[int] = as_list(k, "k", "integers") if isinstance(k, Iterable) else [k]
    if not cuts:
        raise ValueError("k is empty: pass at least one number of recommendations, such as k=10")
    for cut in cuts:
        check_whole(cut, "k")
    hits = find_hits(y_true, y_pred, max(cuts))
    return {f"{name}@{cut}": _per_user(name, hits.first(cut), n_items) for cut in cuts for name in metrics}
