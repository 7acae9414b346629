"""Logs on a Spark cluster: histories, models and recommendations by partition, with the estimators of one machine."""

from collections.abc import Iterable, Sequence

from sklearn.utils import check_random_state

from ..metrics._scores import metric_names
from ..utils._arguments import as_list, check_share, check_whole
from ..utils._fitting import fit_context
from ..utils._validation import type_name
from ._spark_frames import as_frame, check_histories, user_column

__all__ = ["evaluate", "fit", "recommend", "to_histories", "update"]


def to_histories(
    events,
    *,
    user: str,
    item: str,
    time: str | None = None,
    weight: str | None = None,
    event: str | None = None,
    tie: str | None = None,
    time_unit: str | None = None,
):
    """Turn a log of events into histories: one row per user, oldest event first.

    The frame that this function returns is what the other functions of this module take.

    Parameters
    ----------
    events : Spark DataFrame
        One row per event.
    user : str
        The column that says who: integers or strings.
    item : str
        The column that says what: integers or strings.
    time : str, default=None
        The column that says when: timestamps, dates or numbers. With None, `tie` alone is the order.
    weight : str, default=None
        The column that says how much, at least 0.
    event : str, default=None
        The column that says what kind of event.
    tie : str, default=None
        The column that orders events of the same time, such as the offset in a message queue. None takes the order in
        which the rows stand in the partitions of `events`, one partition after the other, which is that of
        ``events.toPandas()``. It is that of the files only where one task reads a file, and after a shuffle (a join, a
        repartition) it may be another one each time.
    time_unit : {"s", "ms", "us", "ns", "D"}, default=None
        The unit since 1970 of times that are numbers, which become timestamps. With None, seconds to nanoseconds are
        recognised where all times lie within 1990 to 2100, which takes a job that reads this column; other numbers
        stay numbers.

    Returns
    -------
    Spark DataFrame
        One row per user, in no order, with the column of `user` and the array column `item`, and, where asked for, the
        parallel array columns `time`, `weight` and `event`. It is lazy: each use computes it again, unless it is
        written or cached.

    Raises
    ------
    ImportError
        If PySpark is not installed.
    TypeError
        If `events` is no Spark DataFrame, or a column has a type that it may not have.
    ValueError
        If a column is missing or named twice, or the unit does not fit the times.
    pyspark.errors.PySparkException
        When the frame is computed: a user, an item, a time or a weight is missing, or a weight is negative.

    See Also
    --------
    skrec.feature_extraction.to_histories : The same on one machine.

    Notes
    -----
    Equal to :func:`skrec.feature_extraction.to_histories` of ``events.toPandas()``, rows in another order. Timestamps
    with the session's time zone are moments, those without (``timestamp_ntz``) count as UTC. Spark holds microseconds:
    nanoseconds order the events of a user and are cut afterwards. Dates in the far future are not counted.

    Cost: one shuffle of all events. A history is held in memory by one task: a robot with 100 million events needs
    about 3 GiB there, so leave such users out first.

    Examples
    --------
    >>> from skrec.large.spark import to_histories
    >>> rows = [(7, "mug", 12), (3, "lamp", 5), (7, "bowl", 11), (3, "mug", 6)]
    >>> events = spark.createDataFrame(rows, "customer int, product string, day int")  # doctest: +SKIP
    >>> histories = to_histories(events, user="customer", item="product", time="day")  # doctest: +SKIP
    >>> [(row.customer, row.item) for row in histories.orderBy("customer").collect()]  # doctest: +SKIP
    [(3, ['lamp', 'mug']), (7, ['bowl', 'mug'])]
    """
    from ._spark_events import group_events

    names = {"user": user, "item": item, "time": time, "weight": weight, "event": event}
    return group_events(events, names, tie, time_unit)


def fit(model, frame, *, sample: float | None = None, random_state=None, user: str | None = None):
    r"""Fit a model to all histories of a Spark frame, or to those of some users.

    Models of additive statistics are fitted to all users: the partitions are counted where they lie, and what is added
    comes to the driver, which solves. These are :class:`~skrec.dummy.PopularityRecommender`,
    :class:`~skrec.neighbors.ItemKNN`, :class:`~skrec.neighbors.RP3beta`, :class:`~skrec.linear_model.EASE`,
    :class:`~skrec.linear_model.SLIM`, :class:`~skrec.neighbors.TransitionRecommender`,
    :class:`~skrec.neighbors.BuyAgainRecommender` and :class:`~skrec.decomposition.PPMISVD`, and
    :class:`~skrec.neighbors.SessionKNN` and :class:`~skrec.neighbors.TIFUKNN`, which keep all histories and bring them
    to the driver. All others learn from a sample of users on the driver.

    Parameters
    ----------
    model : recommender
        Any recommender of skrec. It is fitted in place, as by ``model.fit``, and stays unfitted where this fails.
    frame : Spark DataFrame
        One row per user with the array column `item`, from :func:`to_histories`. It is read two to four times: write it
        (``frame.write.parquet``) or cache it first.
    sample : float, default=None
        Share of the users to fit on, on the driver, above 0 and at most 1, chosen by a hash of their ids; for any
        model. None fits to all users on the cluster.
    random_state : int, RandomState instance or None, default=None
        Chooses the users of a sample.
    user : str, default=None
        The column of user ids that a sample is chosen by; None is the first column that is no list column of histories.

    Returns
    -------
    object
        The fitted recommender itself.

    Raises
    ------
    ImportError
        If PySpark is not installed.
    TypeError
        If the model cannot be fitted to all users: it has no additive statistics, its vectorizer needs the whole
        matrix, or it has a parameter `by`.
    ValueError
        If the frame has no row or no item.

    See Also
    --------
    recommend : Recommendations of a fitted model for all users of a frame.
    update : Learn what came since.

    Notes
    -----
    The model is the one that ``model.fit`` gives: equal where the statistics are whole numbers, up to the rounding of
    float32 sums else, and the same each time while the partitions of `frame` are. A task that is repeated counts once.

    Cost, with :math:`l_u` the items of user :math:`u`, :math:`n` items and :math:`P` partitions:

    - items: one job, a shuffle of :math:`n P` counts at most.
    - sums: one job; partial sums of :math:`n` numbers in a tree, then the driver.
    - products (ItemKNN, RP3beta, EASE, SLIM): one job; the row of each user is sent to every block of items that it has
      an item of, at most :math:`4 \sum_u l_u^2` bytes, and the executors keep the best `n_neighbors` of an item
      (ItemKNN, RP3beta). The driver holds what the model keeps: :math:`n \cdot` `n_neighbors` entries, or for EASE
      :math:`4 n^2` bytes and 12 for each pair of items that occur together. With ``incremental=True`` it holds all
      pairs.

    Examples
    --------
    >>> from skrec.large.spark import fit
    >>> from skrec.neighbors import ItemKNN
    >>> rows = [(1, ["tea", "milk"]), (2, ["tea", "milk", "sugar"]), (3, ["nails", "hammer"])]
    >>> frame = spark.createDataFrame(rows, "user int, item array<string>")  # doctest: +SKIP
    >>> fit(ItemKNN(k=2), frame).predict([["tea"]])  # doctest: +SKIP
    array([['milk', 'sugar']], dtype=object)
    """
    from ._spark_fit import has_statistics, learn

    check_histories(frame)
    _check_recommender(model)
    if sample is None:
        if not has_statistics(model):
            raise TypeError(
                f"{type(model).__name__} has no statistics that add up over the users, so it learns on one machine: "
                "pass sample=, the share of the users whose histories fit into the memory of the driver"
            )
        return fit_context(prefer_skip_nested_validation=True)(learn)(model, frame)
    from pyspark.sql import functions as F

    share = 1.0 if sample == 1 else check_share(sample, "sample")
    name = user_column(frame, user)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    mark = F.pmod(F.xxhash64(F.col(f"`{name}`"), F.lit(seed)), F.lit(2**53)) / float(2**53)
    chosen = frame.filter(mark < share).toArrow()
    if not chosen.num_rows:
        raise ValueError(f"sample={sample!r} has no user of frame: pass a larger share")
    return model.fit(as_frame(chosen.sort_by(name)))


def recommend(
    model,
    frame,
    k: int | None = None,
    *,
    candidates=None,
    exclude=None,
    exclude_seen: bool | None = None,
    at=None,
    return_scores: bool = False,
    user: str | None = None,
    trusted: Sequence[str] = (),
):
    """Recommend items to each user of a Spark frame.

    Parameters
    ----------
    model : recommender or path
        A fitted recommender, or the path of a file of :func:`skrec.save` that the driver can read.
    frame : Spark DataFrame
        One row per user with the array column `item`, from :func:`to_histories`.
    k : int, default=None
        Number of items; None takes the model's `k`.
    candidates : array-like of shape (n_candidates,), default=None
        The only items that may be recommended.
    exclude : array-like of shape (n_excluded,), default=None
        Items that nobody gets.
    exclude_seen : bool, default=None
        Whether the user's own items come last; None takes the model's `exclude_seen`.
    at : date or number, default=None
        The moment of asking, for models that know time; None is the latest time they have seen.
    return_scores : bool, default=False
        Whether to return the scores as well.
    user : str, default=None
        The column that the answer keeps; None is the first column that is no list column of histories.
    trusted : sequence of str, default=()
        Full names of types of your own in the model, as in :func:`skrec.load`.

    Returns
    -------
    Spark DataFrame
        The column of users and the array column `items`, best first; with ``return_scores=True`` the array column
        `scores` too. It is lazy: write it.

    Raises
    ------
    ImportError
        If PySpark is not installed.
    TypeError, ValueError
        If an option does not fit the model, or the ids of frame and model are of different kinds.

    See Also
    --------
    evaluate : Means of ranking metrics, without writing the recommendations.

    Notes
    -----
    The answer of a user is that of ``model.recommend``. The model travels as a file of :func:`skrec.save`, without
    pickle: once to each executor, by a broadcast (with Spark Connect as a file of the session), and each Python worker
    loads it once. Every worker holds the model: with ``spark.executor.cores`` of 4, four times.

    Examples
    --------
    >>> from skrec.large.spark import recommend
    >>> from skrec.neighbors import ItemKNN
    >>> model = ItemKNN(k=1).fit([["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"]])
    >>> frame = spark.createDataFrame([(1, ["tea"]), (2, ["nails"])], "user int, item array<string>")  # doctest: +SKIP
    >>> [(row.user, row["items"]) for row in recommend(model, frame).orderBy("user").collect()]  # doctest: +SKIP
    [(1, ['milk']), (2, ['hammer'])]
    """
    from ._spark_answers import recommend_frame

    options = {"k": k, "candidates": candidates, "exclude": exclude, "exclude_seen": exclude_seen, "at": at}
    return recommend_frame(model, frame, options, return_scores, user, trusted)


def evaluate(
    model,
    frame,
    y: str = "y",
    *,
    k: int | Sequence[int] | None = None,
    metrics: str | Iterable[str] = ("hit_rate", "recall", "precision", "map", "mrr", "ndcg"),
    candidates=None,
    exclude=None,
    exclude_seen: bool | None = None,
    at=None,
    trusted: Sequence[str] = (),
) -> dict[str, float]:
    """Compute means of ranking metrics over the users of a Spark frame.

    Parameters
    ----------
    model : recommender or path
        A fitted recommender, or the path of a file of :func:`skrec.save` that the driver can read.
    frame : Spark DataFrame
        One row per user: the history in the array column `item`, from :func:`to_histories`, and the held-out items.
    y : str, default="y"
        The array column of held-out item ids; users with none are left out of the mean.
    k : int or sequence of int, default=None
        How many recommendations count; None is the model's `k`, or the number of items if that is smaller.
    metrics : str or sequence of str, default=("hit_rate", "recall", "precision", "map", "mrr", "ndcg")
        Names of metrics, as in :func:`skrec.metrics.ranking_scores`.
    candidates, exclude : array-like of ids, default=None
        As in :func:`recommend`.
    exclude_seen : bool, default=None
        As in :func:`recommend`.
    at : date or number, default=None
        As in :func:`recommend`.
    trusted : sequence of str, default=()
        Full names of types of your own in the model, as in :func:`skrec.load`.

    Returns
    -------
    dict of str to float
        The mean of each metric, such as "ndcg@10", and "n_users", the number of users with a held-out item.

    Raises
    ------
    ImportError
        If PySpark is not installed.
    TypeError, ValueError
        If a column is missing, a metric unknown, no user has a held-out item, or an option does not fit the model.

    See Also
    --------
    skrec.metrics.ranking_scores : The metrics, user by user.

    Examples
    --------
    >>> from skrec.large.spark import evaluate
    >>> from skrec.neighbors import ItemKNN
    >>> model = ItemKNN(k=1).fit([["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"]])
    >>> rows = [(1, ["tea"], ["milk"]), (2, ["nails"], ["saw"])]
    >>> frame = spark.createDataFrame(rows, "user int, item array<string>, y array<string>")  # doctest: +SKIP
    >>> evaluate(model, frame, metrics="recall")  # doctest: +SKIP
    {'recall@1': 0.5, 'n_users': 2}
    """
    from ._spark_answers import evaluate_frame

    names = metric_names(metrics)
    cuts = None if k is None else as_list(k, "k", "integers") if isinstance(k, Iterable) else [k]
    if cuts is not None:
        if not cuts:
            raise ValueError("k is empty: pass at least one number of recommendations, such as k=10")
        cuts = [check_whole(cut, "k") for cut in cuts]
    options = {"candidates": candidates, "exclude": exclude, "exclude_seen": exclude_seen, "at": at}
    return evaluate_frame(model, frame, y, cuts, names, options, trusted)


def update(model, frame, *, since=None):
    """Learn what some users did since the model was fitted.

    Parameters
    ----------
    model : recommender
        A model of additive statistics that keeps them: fitted with ``incremental=True`` where it has this parameter, by
        :func:`fit` or on one machine. It is updated in place, and stays what it was where this fails.
    frame : Spark DataFrame
        The complete histories, as they are now, of the users who did something, from :func:`to_histories`.
    since : date, number or str, default=None
        Which events are new: those at or after a moment, or the name of an integer column of `frame` with the number of
        events of each user that the model knows. None: the model knows none of these users.

    Returns
    -------
    object
        The recommender itself.

    Raises
    ------
    ImportError
        If PySpark is not installed.
    TypeError
        If the vectorizer has weights that depend on the whole log, or the column of `since` has no integers.
    ValueError
        If the model keeps no statistics, or the frame has events before `since` that were never learned.

    See Also
    --------
    fit : Fit to all users.

    Notes
    -----
    The same as ``model.partial_fit`` of these users. Executors count what has changed; the driver adds it to the
    statistics and solves anew.

    Examples
    --------
    >>> from skrec.dummy import PopularityRecommender
    >>> from skrec.large.spark import update
    >>> model = PopularityRecommender(k=1).fit([["tea"], ["tea", "milk"]])
    >>> frame = spark.createDataFrame([(3, ["milk"]), (4, ["milk"])], "user int, item array<string>")  # doctest: +SKIP
    >>> update(model, frame).predict([[]])  # doctest: +SKIP
    array([['milk']], dtype=object)
    """
    from ._spark_update import update_model

    _check_recommender(model)
    return fit_context(prefer_skip_nested_validation=True)(update_model)(model, frame, since)


def _check_recommender(model) -> None:
    from ..base import BaseRecommender

    if not isinstance(model, BaseRecommender):
        raise TypeError(f"model must be a recommender of skrec, such as ItemKNN(), got {type_name(model)}")
