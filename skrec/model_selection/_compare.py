"""Several models on one question: how good, how sure, at what cost."""

import contextlib
import time
from numbers import Real

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ..metrics import bootstrap_interval, coverage_at_k, paired_bootstrap, ranking_scores
from ..metrics._hits import read_truth
from ..metrics._scores import metric_names
from ..utils._arguments import check_flags, check_seed, check_share, check_verbose, check_whole, shown
from ..utils._containers import count_rows, take_rows
from ..utils._histories import read_histories
from ..utils._progress import duration
from ..utils._resources import measure_resources
from ..utils._sklearn import is_search
from ..utils._split import split_last
from ._compare_logs import COLUMNS, logged_row, read_pair

METRICS = ("ndcg", "recall", "hit_rate", "mrr")
_REQUESTS, _REQUEST_SECONDS = 20, 0.2  # the most requests that are timed, and the seconds after which no other begins
_BUDGETS = ("n_iter", "n_trials", "timeout")  # of RandomizedSearchCV and OptunaSearchCV


def compare(
    models,
    X,
    y,
    *,
    X_test=None,
    k: int = 10,
    metrics=METRICS,
    validation=None,
    logs=None,
    off_policy=None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state=0,
    verbose: int = 0,
    return_per_user: bool = False,
    return_estimator: bool = False,
):
    """Fit several models on the same histories and ask them the same question.

    Each model is cloned and fitted on `X`, without `y`; then it recommends `k` items to each row of `X_test`, and
    the lists are scored against `y`. A model that fails keeps its row, with the error in it, and the others go on.

    Parameters
    ----------
    models : dict of str to estimator, or list of estimators
        What to compare. The names of a list are those of the classes. Recommenders, pipelines that end in one, and
        search objects such as ``GridSearchCV`` or the ``OptunaSearchCV`` of the package optuna-integration.
    X : histories of shape (n_users,)
        What the models may learn from.
    y : sequence of shape (n_users,)
        The held-out item ids of each row of `X_test`; rows with none are left out of the means.
    X_test : histories of shape (n_users,), default=None
        What is known when asking; None is `X`.
    k : int, default=10
        Number of recommendations. It replaces the models' own `k`.
    metrics : str or sequence of str, default=("ndcg", "recall", "hit_rate", "mrr")
        Names that :func:`~skrec.metrics.ranking_scores` knows, but "auc". NDCG is always computed.
    validation : pair (X, y), default=None
        What search objects choose by; it must not hold events of `y`. None holds out the last item of each history
        of `X`. The best setting is then fitted on the whole of `X`.
    logs : pair (logs, histories), default=None
        Lists that were shown at random after the events of `X`, and the histories of their users as of that time, as
        :func:`off_policy_evaluation` takes them: adds what each model would have earned. Times of the lists in a
        column named ``time``, of the kind that `X` has, are checked: all must be later than the events of `X`.
    off_policy : dict, default=None
        Arguments of :func:`off_policy_evaluation`, such as ``{"temperature": 0.3, "standardize": True}``, which means
        the same for models of other scores, or the names of columns; its `estimators` is one name, "snips" unless
        given.
    confidence : float, default=0.95
        Confidence of the intervals.
    n_resamples : int, default=1000
        Number of bootstrap resamples of the users.
    random_state : int, RandomState instance or None, default=0
        Seed of the bootstrap. That of a model is its own parameter.
    verbose : int, default=0
        1 prints a line per model, with the time left if the others take as long as those before.
    return_per_user : bool, default=False
        Return what each model recommended and the score of each user as well.
    return_estimator : bool, default=False
        Return the fitted models as well, which takes the memory of all of them.

    Returns
    -------
    leaderboard : pandas.DataFrame of shape (n_models, n_columns)
        Indexed by name, the best NDCG first, with the columns

        - the mean of each metric, such as ``ndcg@10``, and the interval ``ndcg@10_low``, ``ndcg@10_high``;
        - ``difference``, ``difference_low``, ``difference_high``, ``p_value``: NDCG minus that of the best model on
          the same users, its interval, and how often chance alone makes a difference this large;
        - ``coverage@10``: share of the items of `X` that anybody is recommended;
        - ``fit_seconds``, ``predict_seconds``, ``users_per_second``;
        - ``request_ms``: median milliseconds of `predict` for one row, over up to 20 rows of `X_test`, after one that
          is not timed; NaN where a single row is refused;
        - ``peak_mib``: the most memory while fitting, above that at the start, in MiB; a lower bound, see Notes;
        - with `logs`: ``off_policy``, ``off_policy_low``, ``off_policy_high``, reward per list and its interval,
          ``off_policy_ess``, and ``off_policy_verdict``, compared with what the logs earned, or why it is refused;
        - ``error``: why a model failed, empty where it did not.

        ``leaderboard.attrs`` holds `k`, `confidence`, `n_users` (rows asked), `n_scored` (rows with a held-out item)
        and `n_items`.
    details : dict of str to sklearn.utils.Bunch
        Only with `return_per_user` or `return_estimator`: by name, for the models that did not fail, the attributes
        `scores` (dict of metric to array of shape (n_users,), NaN for rows with no held-out item),
        `recommendations` (array of shape (n_users, k)) and `estimator`, None where not asked for.

    Raises
    ------
    ValueError
        If two models have the same name, there is none, a search may try nothing, or a parameter is out of its range.
    TypeError
        If a model is no estimator.

    See Also
    --------
    split_time : Makes X and y.
    skrec.metrics.paired_bootstrap : The test behind the p-values.
    off_policy_evaluation : The estimate behind `logs`.
    skrec.inspection.ComparisonDisplay : Draws the leaderboard.

    Notes
    -----
    The p-values are not corrected for the number of models. The best of many models is also a little lucky: its NDCG
    here is an optimistic estimate of what it will reach.

    Peak memory is the resident memory of the process, sampled every 10 ms. Memory that the process already holds
    is used again without counting, so run a model alone to measure it well. NaN where the system does not tell.

    Examples
    --------
    >>> from skrec.datasets import make_histories
    >>> from skrec.dummy import PopularityRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.model_selection import compare, split_time
    >>> X, y = split_time(make_histories(300, 100, random_state=0), "2024-10-01")
    >>> leaderboard = compare({"popular": PopularityRecommender(), "EASE": EASE(l2=50)}, X, y)
    >>> leaderboard.index.tolist()
    ['EASE', 'popular']
    >>> bool(leaderboard.loc["popular", "p_value"] < 0.01)
    True
    """
    models = _by_name(models)
    k, n_resamples = check_whole(k, "k"), check_whole(n_resamples, "n_resamples")
    confidence = check_share(confidence, "confidence")
    check_flags(return_per_user=return_per_user, return_estimator=return_estimator)
    check_verbose(verbose)
    check_seed(random_state)
    if validation is not None and (not isinstance(validation, (tuple, list)) or len(validation) != 2):
        raise TypeError(f"validation must be a pair (X, y), got {shown(validation)}")
    metrics = metric_names(metrics)
    metrics = metrics if "ndcg" in metrics else ["ndcg", *metrics]
    X_test = X if X_test is None else X_test
    if len(read_truth(y, "y")) != count_rows(X_test, "X_test"):
        raise ValueError(f"y has {len(y)} rows for {count_rows(X_test)} rows of X_test (or X): pass one list per row")
    pair = read_pair(logs, off_policy, X)
    n_users, n_items = count_rows(X_test, "X_test"), len(read_histories(X).ids)

    rows, details, started = {}, {}, time.perf_counter()
    for number, (name, model) in enumerate(models.items(), 1):
        try:
            row, detail = _evaluate(model, X, y, X_test, k, metrics, n_items, validation)
            row |= logged_row(detail.estimator, pair) if pair else {}
            details[name] = detail
            detail.estimator = detail.estimator if return_estimator else None
        except Exception as error:
            row = {"error": f"{type(error).__name__}: {error}"}
        rows[name] = row
        if verbose:
            left = (time.perf_counter() - started) / number * (len(models) - number)
            ending = f", about {duration(left)} left" if number < len(models) else ""
            print(f"[{number}/{len(models)}] {name}: {_summary(row, k)}{ending}", flush=True)
    if not details:
        name, row = next(iter(rows.items()))
        raise ValueError(f"every model failed, {name} with {row['error']}")

    added = COLUMNS if pair else ()
    leaderboard = _table(rows, details, metrics, k, confidence, n_resamples, random_state, added)
    scored = next(iter(details.values())).scores[f"ndcg@{k}"]
    leaderboard.attrs = {
        "k": int(k),
        "confidence": float(confidence),
        "n_users": int(n_users),
        "n_scored": int(np.count_nonzero(~np.isnan(scored))),
        "n_items": int(n_items),
    }
    return (leaderboard, details) if return_per_user or return_estimator else leaderboard


def _by_name(models) -> dict:
    if not isinstance(models, dict):
        models = list(models) if isinstance(models, (list, tuple)) else [models]
        names = [type(model).__name__ for model in models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"models has two of the name {twice!r}: pass a dict of name to model")
        models = dict(zip(names, models, strict=True))
    if not models:
        raise ValueError("models is empty: pass at least one")
    for name, model in models.items():
        if not hasattr(model, "fit") or isinstance(model, type):
            raise TypeError(f"models[{name!r}] must be an estimator, got {model!r}")
        budget = {part: getattr(model, part, None) for part in _BUDGETS} if _is_search(model) else {}
        for part, value in budget.items():
            if isinstance(value, Real) and value <= 0:
                raise ValueError(f"models[{name!r}] has {part}={value}: give the search at least one try")
    return models


def _evaluate(model, X, y, X_test, k: int, metrics: list, n_items: int, validation) -> tuple[dict, Bunch]:
    """Fit and ask one model; return its row of the table, and what stands behind it."""
    model = _with_k(clone(model), k)
    with measure_resources() as fitting:
        if _is_search(model):
            X_choose, y_choose = split_last(X, verbose=0) if validation is None else validation
            model = clone(model.fit(X_choose, y_choose).best_estimator_)
        model.fit(X, None)
    with measure_resources() as asking:
        recommendations = np.asarray(model.predict(X_test))
    if recommendations.ndim != 2 or recommendations.shape[1] < min(k, n_items):
        raise ValueError(
            f"predict gave the shape {recommendations.shape}, but {min(k, n_items)} items per user are expected"
        )
    width = min(k, recommendations.shape[1])
    scores = ranking_scores(y, recommendations, k=width, metrics=metrics)
    scores = {f"{metric}@{k}": scores[f"{metric}@{width}"] for metric in metrics}
    row: dict[str, object] = {name: float(np.nanmean(values)) for name, values in scores.items()}
    row |= {
        f"coverage@{k}": coverage_at_k(None, recommendations[:, :width], n_items=n_items),
        "fit_seconds": fitting.seconds,
        "predict_seconds": asking.seconds,
        "users_per_second": len(recommendations) / max(asking.seconds, 1e-9),
        "request_ms": _request_ms(model, X_test, len(recommendations)),
        "peak_mib": fitting.peak_mib,
        "error": "",
    }
    return row, Bunch(scores=scores, recommendations=recommendations[:, :width], estimator=model)


def _request_ms(model, X, n_rows: int) -> float:
    """Return the median milliseconds of one row; the first is not timed, since models prepare themselves by it."""
    taken, end = [], np.inf
    with contextlib.suppress(Exception):
        for row in np.linspace(0, n_rows - 1, _REQUESTS + 1).astype(int):
            started = time.perf_counter()
            if started > end:
                break
            model.predict(take_rows(X, np.array([row])))
            taken.append(1000 * (time.perf_counter() - started))
            end = min(end, time.perf_counter() + _REQUEST_SECONDS)
    return float(np.median(taken[1:])) if len(taken) > 1 else np.nan


def _is_search(model) -> bool:
    """Tell a search of scikit-learn, or one that follows it such as Optuna's OptunaSearchCV."""
    return is_search(model) or hasattr(type(model), "best_params_")


def _with_k(model, k: int):
    """Set the number of recommendations of a recommender, also inside a pipeline or a search."""
    if _is_search(model):
        model.estimator = _with_k(model.estimator, k)
    elif isinstance(model, Pipeline):
        _with_k(model.steps[-1][1], k)
    elif hasattr(model, "recommend") and "k" in model.get_params(deep=False):
        model.set_params(k=k)
    return model


def _table(rows: dict, details: dict, metrics: list, k: int, confidence, n_resamples, random_state, added=()):
    import pandas as pd

    key = f"ndcg@{k}"
    per_user = {name: detail.scores[key] for name, detail in details.items()}
    best = max(details, key=lambda name: rows[name][key])
    options = {"confidence": confidence, "n_resamples": n_resamples, "random_state": random_state}
    for name, values in per_user.items():
        row = rows[name]
        if np.count_nonzero(~np.isnan(values)) < 2:  # no interval from a single user
            continue
        row[f"{key}_low"], row[f"{key}_high"] = bootstrap_interval(values, **options)
        if name == best:
            row |= {"difference": 0.0, "difference_low": 0.0, "difference_high": 0.0}
            continue
        difference, low, high, p_value = paired_bootstrap(values, per_user[best], **options)
        row |= {"difference": difference, "difference_low": low, "difference_high": high, "p_value": p_value}
    columns = [
        *(column for metric in metrics for column in _columns_of(metric, k)),
        *("difference", "difference_low", "difference_high", "p_value", f"coverage@{k}"),
        *("fit_seconds", "predict_seconds", "users_per_second", "request_ms", "peak_mib", *added, "error"),
    ]
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("model")
    table = table.astype({column: "float64" for column in columns if column not in ("error", "off_policy_verdict")})
    return table.sort_values(key, ascending=False, kind="stable")  # a failed model has NaN and comes last


def _columns_of(metric: str, k: int) -> list[str]:
    name = f"{metric}@{k}"
    return [name, f"{name}_low", f"{name}_high"] if metric == "ndcg" else [name]


def _summary(row: dict, k: int) -> str:
    if row["error"]:
        return f"failed, {row['error']}"
    return f"NDCG@{k} {row[f'ndcg@{k}']:.4f}, fitted in {row['fit_seconds']:.1f} s"
