"""Scorers by name: "ndcg@10" for the searches and cross-validation of scikit-learn."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..utils._arguments import as_list, shown
from ._beyond_accuracy import coverage_at_k
from ._scores import ranking_scores

_RANKING = ("hit_rate", "recall", "precision", "map", "mrr", "ndcg")
_NAMES = (*_RANKING, "coverage")


@dataclass(frozen=True)
class RankingScorer:
    """A scorer in scikit-learn's form: ``scorer(estimator, X, y)``.

    Attributes
    ----------
    scoring : str or tuple of str
        The names; of several the scorer returns a dict.
    """

    scoring: str | tuple[str, ...]

    def __call__(self, estimator, X, y=None) -> float | dict[str, float]:
        names = (self.scoring,) if isinstance(self.scoring, str) else self.scoring
        parts = {name: _parse(name) for name in names}
        model, X = _last_step(estimator, X)
        if not hasattr(model, "predict"):
            raise TypeError(f"scoring needs a recommender, or a Pipeline that ends with one, got {shown(estimator)}")
        longest = max((k for _, k in parts.values() if k is not None), default=None)
        lists: dict[int | None, np.ndarray] = {}
        if any(k is None for _, k in parts.values()):
            lists[None] = np.asarray(model.predict(X))
        if longest is not None:
            found = _recommend(model, X, longest)
            lists |= {k: found[:, :k] for _, k in parts.values() if k is not None}
        scores = {name: _value(metric, y, lists[k], model) for name, (metric, k) in parts.items()}
        return scores[self.scoring] if isinstance(self.scoring, str) else scores

    def __repr__(self) -> str:
        return f"get_scorer({list(self.scoring) if isinstance(self.scoring, tuple) else self.scoring!r})"


def get_scorer(scoring):
    """Get a scorer of recommendations by its name, for the parameter `scoring` of scikit-learn.

    Parameters
    ----------
    scoring : str, sequence of str, or callable
        A metric and the number of recommendations that count, such as "ndcg@10": "hit_rate", "recall", "precision",
        "map", "mrr", "ndcg" or "coverage". Without ``@``, the model's own `k` counts. Of several names the scorer
        returns a dict, and asks the model once. A callable is returned as it is.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)`` returns a float, higher is better, or a dict of name to float. It can be pickled and
        cloned.

    Raises
    ------
    TypeError
        If `scoring` is neither names nor a callable.
    ValueError
        If a name is unknown, or its number is below 1.

    See Also
    --------
    ndcg_at_k : The metrics as functions.
    skrec.model_selection.compare : Several models on one held-out part, with intervals.
    sklearn.metrics.make_scorer : Scorers from metrics with parameters of your own.

    Notes
    -----
    scikit-learn's searches accept as text only the names that its own `get_scorer_names` returns, and has no way to
    register others; pass what this function returns.

    The scorer asks `recommend` for as many items as the name says, whatever the model's `k` is; in a Pipeline that of
    the last step, and in a fitted search that of the best estimator. Where a model knows fewer items, all of them
    count, as in `score`. Rows of `y` without items do not count; if no row has any, the scorer raises ValueError.
    "coverage" is the share of the model's items, `n_items_`, that are recommended to any row of `X`; it needs no `y`.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, cross_validate
    >>> from skrec.datasets import make_histories
    >>> from skrec.linear_model import EASE
    >>> from skrec.metrics import get_scorer
    >>> from skrec.model_selection import SameUsers, split_last
    >>> X, y = split_last(make_histories(300, 50, random_state=0))
    >>> search = GridSearchCV(EASE(), {"l2": [1, 1000]}, cv=SameUsers(), scoring=get_scorer("ndcg@10")).fit(X, y)
    >>> search.best_params_
    {'l2': 1000}

    Several at once, of which one chooses:

    >>> scorer = get_scorer(["ndcg@10", "recall@20", "coverage@10"])
    >>> sorted(cross_validate(EASE(), X, y, cv=3, scoring=scorer))[2:]
    ['test_coverage@10', 'test_ndcg@10', 'test_recall@20']
    >>> _ = GridSearchCV(EASE(), {"l2": [1, 1000]}, cv=SameUsers(), scoring=scorer, refit="ndcg@10").fit(X, y)
    """
    if callable(scoring):
        return scoring
    if isinstance(scoring, str):
        _parse(scoring)
        return RankingScorer(scoring)
    if not isinstance(scoring, Iterable) or isinstance(scoring, (bytes, dict)):
        raise TypeError(f"scoring must be a name such as 'ndcg@10', several names, or a callable, got {shown(scoring)}")
    names = tuple(as_list(scoring, "scoring", "names such as 'ndcg@10'"))
    for name in names:
        _parse(name)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"scoring must have at least one name, each once, got {list(names)}")
    return RankingScorer(names)


def _parse(name) -> tuple[str, int | None]:
    """Return the metric and the number of recommendations of a name, None where it has none."""
    found = re.fullmatch(r"([a-z_]+)(?:@(\d+))?", name) if isinstance(name, str) else None
    if found is None or found[1] not in _NAMES or not 1 <= int(found[2] or 1) < 2**31:
        raise ValueError(
            f"scoring has the unknown name {shown(name)}: write a metric and a number of at least 1, such as "
            f"'ndcg@10'; the metrics are {', '.join(_NAMES)}"
        )
    return found[1], None if found[2] is None else int(found[2])


def _last_step(estimator, X):
    """Return the model that recommends, and X in its form: of a search the best one, of a Pipeline the last step."""
    from sklearn.pipeline import Pipeline

    if not hasattr(estimator, "recommend"):  # an AutoRecommender recommends itself
        estimator = getattr(estimator, "best_estimator_", estimator)
    while isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return estimator, X


def _recommend(model, X, k: int) -> np.ndarray:
    """Return k items a user, fewer only where the model knows fewer."""
    if hasattr(model, "recommend"):
        return np.asarray(model.recommend(X, k))
    found = np.asarray(model.predict(X))
    if found.ndim != 2 or found.shape[1] < min(k, getattr(model, "n_items_", k)):
        raise ValueError(
            f"scoring needs {k} recommendations a user, but predict gives the shape {found.shape}: raise k"
        )
    return found


def _value(metric: str, y, lists, model) -> float:
    if metric == "coverage":
        n_items = getattr(model, "n_items_", None)
        if n_items is None:
            raise TypeError(f"scoring='coverage' needs a model with n_items_, and {type(model).__name__} has none")
        return float(coverage_at_k(None, lists, n_items=n_items))
    if y is None:
        raise TypeError("scoring needs the held-out items as y: X, y = split_last(histories)")
    values = ranking_scores(y, lists, k=lists.shape[1], metrics=metric)[f"{metric}@{lists.shape[1]}"]
    if np.isnan(values).all():
        raise ValueError("y has no held-out item in any row, and scoring needs one at least: split otherwise")
    return float(np.nanmean(values))
