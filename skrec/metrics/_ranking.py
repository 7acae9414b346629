"""Ranking metrics: how high the held-out items stand in the recommendations."""

from ._scores import mean_score


def hit_rate_at_k(y_true, y_pred, *, k: int | None = None) -> float:
    r"""Compute the share of users with at least one hit among k recommendations.

    Also called hit ratio. With one held-out item per user it equals recall.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    recall_at_k : The share of the held-out items that was found.
    mrr_at_k : Also counts how high the first hit stands.

    Notes
    -----
    .. math:: \mathrm{HR@}k = \frac{1}{|U|} \sum_{u \in U} [\, h_u > 0 \,]

    where :math:`h_u` is the number of user u's held-out items among the first k [1]_.

    References
    ----------
    .. [1] M. Deshpande, G. Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 22, 2004.

    Examples
    --------
    >>> from skrec.metrics import hit_rate_at_k
    >>> hit_rate_at_k([["a"], ["b"]], [["a", "c"], ["c", "d"]], k=2)
    0.5
    """
    return mean_score("hit_rate", y_true, y_pred, k)


def recall_at_k(y_true, y_pred, *, k: int | None = None) -> float:
    r"""Compute the share of the held-out items found among k recommendations.

    A user with more than k held-out items cannot reach 1.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    precision_at_k : The share of the recommendations that were right.
    ndcg_at_k : Also counts how high the hits stand.

    Notes
    -----
    .. math:: \mathrm{Recall@}k = \frac{1}{|U|} \sum_{u \in U} \frac{h_u}{n_u}

    where :math:`h_u` is the number of user u's held-out items among the first k, and :math:`n_u` the number of
    user u's distinct held-out items [1]_.

    References
    ----------
    .. [1] C. Manning, P. Raghavan, H. Schuetze, "Introduction to Information Retrieval", 2008, chapter 8.

    Examples
    --------
    >>> from skrec.metrics import recall_at_k
    >>> recall_at_k([["a", "b"], ["c"]], [["a", "c"], ["c", "d"]], k=2)
    0.75
    """
    return mean_score("recall", y_true, y_pred, k)


def precision_at_k(y_true, y_pred, *, k: int | None = None) -> float:
    r"""Compute the share of k recommendations that are held-out items.

    A user with fewer than k held-out items cannot reach 1: with one held-out item, the best value is 1/k.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    recall_at_k : The share of the held-out items that was found.
    map_at_k : Averages precision over the places of the hits.

    Notes
    -----
    .. math:: \mathrm{Precision@}k = \frac{1}{|U|} \sum_{u \in U} \frac{h_u}{k}

    where :math:`h_u` is the number of user u's held-out items among the first k [1]_. A list shorter than k is
    divided by k all the same.

    References
    ----------
    .. [1] J. Herlocker et al., "Evaluating collaborative filtering recommender systems", ACM TOIS 22, 2004.

    Examples
    --------
    >>> from skrec.metrics import precision_at_k
    >>> precision_at_k([["a", "b"], ["c"]], [["a", "b"], ["c", "d"]], k=2)
    0.75
    """
    return mean_score("precision", y_true, y_pred, k)


def map_at_k(y_true, y_pred, *, k: int | None = None) -> float:
    r"""Compute the mean average precision of k recommendations.

    The precision at the place of each hit, summed and divided by the number of held-out items.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    ndcg_at_k : A gentler discount of low places.
    mrr_at_k : Counts the first hit only.

    Notes
    -----
    .. math:: \mathrm{MAP@}k = \frac{1}{|U|} \sum_{u \in U} \frac{1}{n_u} \sum_{i=1}^{k}
              \mathrm{rel}_{ui} \, \frac{h_{ui}}{i}

    where :math:`\mathrm{rel}_{ui}` is 1 if recommendation i is a held-out item, :math:`h_{ui}` the number of hits
    among the first i, and :math:`n_u` the number of distinct held-out items [1]_. The divisor is :math:`n_u`, as in
    TREC, not :math:`\min(n_u, k)`, as in some contests.

    References
    ----------
    .. [1] C. Manning, P. Raghavan, H. Schuetze, "Introduction to Information Retrieval", 2008, chapter 8.

    Examples
    --------
    >>> from skrec.metrics import map_at_k
    >>> map_at_k([["a", "b"]], [["a", "c", "b"]], k=3)  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    return mean_score("map", y_true, y_pred, k)


def mrr_at_k(y_true, y_pred, *, k: int | None = None) -> float:
    r"""Compute the mean reciprocal rank of the first hit among k recommendations.

    One over the place of the first held-out item, 0 where none of the k is one.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    hit_rate_at_k : Does not count the place.
    ndcg_at_k : Counts every hit.

    Notes
    -----
    .. math:: \mathrm{MRR@}k = \frac{1}{|U|} \sum_{u \in U} \frac{1}{r_u}

    where :math:`r_u` is the place of user u's first hit, and the term is 0 without a hit [1]_.

    References
    ----------
    .. [1] E. Voorhees, "The TREC-8 question answering track report", TREC, 1999.

    Examples
    --------
    >>> from skrec.metrics import mrr_at_k
    >>> mrr_at_k([["a"], ["b"]], [["a", "c"], ["c", "b"]], k=2)
    0.75
    """
    return mean_score("mrr", y_true, y_pred, k)


def ndcg_at_k(y_true, y_pred, *, k: int | None = None) -> float:
    r"""Compute the normalized discounted cumulative gain of k recommendations.

    A hit at place i counts :math:`1 / \log_2(i + 1)`; the sum is divided by the best sum that was possible.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    recall_at_k : Does not count the place.
    ranking_scores : Several metrics at once, user by user.

    Notes
    -----
    .. math:: \mathrm{NDCG@}k = \frac{1}{|U|} \sum_{u \in U}
              \frac{\sum_{i=1}^{k} \mathrm{rel}_{ui} / \log_2(i + 1)}{\sum_{i=1}^{\min(k, n_u)} 1 / \log_2(i + 1)}

    where :math:`\mathrm{rel}_{ui}` is 1 if recommendation i is a held-out item and :math:`n_u` is the number of
    distinct held-out items [1]_.

    References
    ----------
    .. [1] K. Jarvelin, J. Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20, 2002.

    Examples
    --------
    >>> from skrec.metrics import ndcg_at_k
    >>> ndcg_at_k([["a"], ["b"]], [["a", "c"], ["c", "d"]], k=2)
    0.5

    As a scorer of scikit-learn:

    >>> from sklearn.metrics import make_scorer
    >>> make_scorer(ndcg_at_k, k=5)
    make_scorer(ndcg_at_k, response_method='predict', k=5)
    """
    return mean_score("ndcg", y_true, y_pred, k)


def auc_at_k(y_true, y_pred, *, n_items: int, k: int | None = None) -> float:
    r"""Compute the area under the ROC curve of a ranking cut at k.

    The probability that a random held-out item stands above a random other item of the catalogue. Items below
    place k are tied with each other, and a tie counts one half, so that a model which finds nothing gets just under
    0.5.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    n_items : int
        Size of the catalogue, held-out items included.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the users that have a held-out item, between 0 and 1.

    Raises
    ------
    ValueError
        If no user has a held-out item, if `k` is above n or below 1, if the lengths differ, or if a list recommends
        a held-out item twice, or if the catalogue cannot be that small.
    TypeError
        If the ids of `y_true` and `y_pred` are of different kinds.

    See Also
    --------
    ndcg_at_k : Looks at the head of the list, where a shop shows items.
    sklearn.metrics.roc_auc_score : The same number from scores of the whole catalogue.

    Notes
    -----
    .. math:: \mathrm{AUC@}k = \frac{1}{|U|} \sum_{u \in U} \frac{1}{n_u (N - n_u)}
              \left[ \sum_{j=1}^{h_u} (N - n_u - a_{uj}) + \frac{(n_u - h_u)(N - n_u - b_u)}{2} \right]

    where N is `n_items`, :math:`n_u` the number of distinct held-out items, :math:`h_u` the number of hits among the
    first k, :math:`a_{uj}` the number of other items above hit j, and :math:`b_u` that of other items among the
    first k [1]_.

    References
    ----------
    .. [1] S. Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI, 2009.

    Examples
    --------
    >>> from skrec.metrics import auc_at_k
    >>> auc_at_k([["a"]], [["b", "a"]], n_items=5, k=2)  # above 3 of 4 other items
    0.75
    >>> auc_at_k([["e"]], [["b", "a"]], n_items=5, k=2)  # below 2 and tied with 2 of 4
    0.25
    """
    return mean_score("auc", y_true, y_pred, k, n_items)
