"""Beyond accuracy: how wide, how unexpected and how varied the recommendations are."""

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn import get_config
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from ..utils._arguments import as_floats, check_whole
from ..utils._validation import as_id_list, factorize, lookup, type_name
from ._hits import RankedLists, check_same_kind, read_lists


def coverage_at_k(y_true, y_pred, *, n_items: int, k: int | None = None) -> float:
    """Compute the share of the catalogue that is recommended to at least one user.

    Parameters
    ----------
    y_true : ignored
        May be None; present so that ``make_scorer`` works.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    n_items : int
        Size of the catalogue.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If more distinct items are recommended than `n_items`, or if `k` is above n or below 1.

    See Also
    --------
    gini_at_k : Also counts how evenly the items are recommended.

    Notes
    -----
    The number of distinct items in all lists, divided by `n_items` [1]_. It grows with the number of users, so
    compare models on the same users only.

    References
    ----------
    .. [1] M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond accuracy: evaluating recommender systems by coverage and
       serendipity", RecSys, 2010.

    Examples
    --------
    >>> from skrec.metrics import coverage_at_k
    >>> coverage_at_k(None, [["a", "b"], ["a", "c"]], n_items=6)
    0.5
    """
    return len(_item_counts(read_lists(y_pred, k), n_items)) / int(n_items)


def gini_at_k(y_true, y_pred, *, n_items: int, k: int | None = None) -> float:
    r"""Compute the Gini index of how often each item of the catalogue is recommended.

    It is 0 when all items are recommended equally often, and close to 1 when a few items take all the places.

    Parameters
    ----------
    y_true : ignored
        May be None; present so that ``make_scorer`` works.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    n_items : int
        Size of the catalogue; items that are never recommended count as 0 times.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Between 0 and 1 - 1 / n_items; lower is more even.

    Raises
    ------
    ValueError
        If more distinct items are recommended than `n_items`, or if `k` is above n or below 1.

    See Also
    --------
    coverage_at_k : Counts the items that are recommended at all.

    Notes
    -----
    With the counts sorted, :math:`c_1 \le \dots \le c_N`, [1]_

    .. math:: G = \frac{\sum_{i=1}^{N} (2 i - N - 1) \, c_i}{N \sum_{i=1}^{N} c_i}

    References
    ----------
    .. [1] D. Fleder, K. Hosanagar, "Blockbuster culture's next rise or fall: the impact of recommender systems on
       sales diversity", Management Science 55, 2009.

    Examples
    --------
    >>> from skrec.metrics import gini_at_k
    >>> gini_at_k(None, [["a", "b"], ["c", "d"]], n_items=4)
    0.0
    >>> gini_at_k(None, [["a"], ["a"]], n_items=4)
    0.75
    """
    counts = np.sort(_item_counts(read_lists(y_pred, k), n_items))
    n_never = int(n_items) - len(counts)
    place = np.arange(n_never + 1, int(n_items) + 1)
    return float(((2 * place - int(n_items) - 1) * counts).sum() / (int(n_items) * counts.sum()))


def novelty_at_k(y_true, y_pred, *, popularity, n_users: int, k: int | None = None) -> float:
    r"""Compute the mean self-information of the recommended items, in bits.

    An item that every user has carries 0 bits; each halving of its users adds one.

    Parameters
    ----------
    y_true : ignored
        May be None; present so that ``make_scorer`` works.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    popularity : dict, pandas Series, or pair (items, counts)
        Number of training users of each item id. An item with no user, or absent, counts as one with a single user,
        because the logarithm of 0 is not finite.
    n_users : int
        Number of training users.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the items of a list, then over the users with a list; between 0 and ``log2(n_users)``.

    Raises
    ------
    ValueError
        If a count is above `n_users`, negative or missing, or if `k` is above n or below 1.
    TypeError
        If the ids of `popularity` and `y_pred` are of different kinds.

    See Also
    --------
    coverage_at_k : How much of the catalogue is recommended at all.

    Notes
    -----
    .. math:: \mathrm{Novelty@}k = \frac{1}{|U|} \sum_{u \in U} \frac{1}{k} \sum_{i=1}^{k}
              -\log_2 \frac{\max(1, \mathrm{pop}(i))}{\mathrm{n\_users}}

    This is the mean self-information of [1]_; [2]_ derive it from the chance that a user does not know the item.

    References
    ----------
    .. [1] T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 107, 2010.
    .. [2] S. Vargas, P. Castells, "Rank and relevance in novelty and diversity metrics for recommender systems",
       RecSys, 2011.

    Examples
    --------
    >>> from skrec.metrics import novelty_at_k
    >>> novelty_at_k(None, [["a", "b"]], popularity={"a": 8, "b": 2}, n_users=8)
    1.0
    """
    n_users = check_whole(n_users, "n_users")
    lists = read_lists(y_pred, k)
    items, counts = _read_popularity(popularity, n_users)
    check_same_kind(lists.ids, items, "popularity")
    users = np.append(counts, 1)[lookup(lists.ids, items)]  # an absent item takes the last
    bits = np.append(np.log2(n_users / np.maximum(users, 1)), 0)
    lengths = lists.lengths
    return float((bits[lists.codes].sum(axis=1)[lengths > 0] / lengths[lengths > 0]).mean())


def intra_list_diversity_at_k(y_true, y_pred, *, item_features, k: int | None = None) -> float:
    r"""Compute how different the items of a list are, by the cosine of their features.

    It is 0 when all items of a list have the same features, and 1 when they have nothing in common.

    Parameters
    ----------
    y_true : ignored
        May be None; present so that ``make_scorer`` works.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    item_features : pandas DataFrame or pair (items, matrix)
        Numbers that describe each item: a frame indexed by item id, or the ids and a dense or CSR matrix with a row
        per id. An item whose features are all 0 has the cosine 0 with every other.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.

    Returns
    -------
    float
        Mean over the pairs of a list, then over the users with at least two items; between 0 and 1 where no feature
        is negative, at most 2 otherwise.

    Raises
    ------
    ValueError
        If a recommended item has no features, if an id stands twice in `item_features`, if no list has two items, or
        if `k` is above n or below 1.
    TypeError
        If `item_features` is not one of the forms, or its ids are of another kind.

    See Also
    --------
    coverage_at_k : Variety between users rather than within a list.

    Notes
    -----
    .. math:: \mathrm{ILD@}k = \frac{1}{|U|} \sum_{u \in U} \frac{2}{k (k - 1)}
              \sum_{i < j} \left( 1 - \cos(x_i, x_j) \right)

    as in [1]_. The pairs are not visited: the sum of their cosines follows from the length of the sum of the
    normalized rows, so the cost is that of one product of a sparse (n_users, n_items) matrix with the features.

    References
    ----------
    .. [1] C.-N. Ziegler et al., "Improving recommendation lists through topic diversification", WWW, 2005.

    Examples
    --------
    >>> from skrec.metrics import intra_list_diversity_at_k
    >>> items, features = ["a", "b", "c"], [[1, 0], [0, 1], [1, 0]]
    >>> intra_list_diversity_at_k(None, [["a", "b"], ["a", "c"]], item_features=(items, features))
    0.5
    """
    lists = read_lists(y_pred, k)
    items, features = _read_features(item_features)
    check_same_kind(lists.ids, items, "item_features")
    place = lookup(lists.ids, items)
    absent = lists.ids[place < 0]
    if len(absent):
        raise ValueError(
            f"item_features lacks {len(absent)} of the recommended items, such as {absent.item(0)!r}: "
            "add a row for each, of zeros where nothing is known"
        )
    lengths = lists.lengths
    if not (lengths > 1).any():
        raise ValueError("y_pred has no list of two items, so there is no pair to compare: pass k=2 or more")
    vectors = normalize(features[place])
    squares = vectors.multiply(vectors).sum(axis=1) if issparse(vectors) else (vectors**2).sum(axis=1)
    codes, lengths = lists.codes[lengths > 1], lengths[lengths > 1]
    total = np.empty(len(codes))
    block = max(1, int(get_config()["working_memory"] * 2**20 // (8 * max(vectors.shape[1], codes.shape[1], 1))))
    for rows in gen_batches(len(codes), block):
        inside = codes[rows] >= 0
        indptr = np.append(0, np.cumsum(inside.sum(axis=1)))
        chosen = codes[rows][inside]
        members = csr_array((np.ones(len(chosen)), chosen, indptr), shape=(len(inside), len(place)))
        sums = members @ vectors
        length = sums.multiply(sums).sum(axis=1) if issparse(sums) else (sums**2).sum(axis=1)
        total[rows] = length - members @ squares
    return float((1 - total / (lengths * (lengths - 1))).mean())


def _item_counts(lists: RankedLists, n_items) -> np.ndarray:
    """Count how often each recommended item stands in the lists."""
    check_whole(n_items, "n_items")
    counts = np.bincount(lists.codes[lists.codes >= 0], minlength=len(lists.ids))
    counts = counts[counts > 0]
    if len(counts) > n_items:
        raise ValueError(
            f"n_items={n_items}, but y_pred has {len(counts)} distinct items: pass the size of the whole catalogue"
        )
    return counts


def _read_pair(value, name: str, second: str):
    """Return the ids and the values of a Series or frame indexed by id, or of a pair."""
    if hasattr(value, "iloc") and hasattr(value, "index"):
        ids, values = value.index, value.to_numpy()
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        ids, values = value
    else:
        raise TypeError(
            f"{name} must be a pandas object indexed by item id or a pair (items, {second}), got {type_name(value)}"
        )
    ids = as_id_list(ids, f"the ids of {name}")
    codes, distinct = factorize(ids)
    if len(distinct) < len(ids):
        twice = distinct.item(np.bincount(codes).argmax())
        raise ValueError(f"{name} has the id {twice!r} more than once: keep one entry per item")
    return ids, values


def read_numbers(value, name: str, second: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids and the numbers of a dict, a Series indexed by id, or a pair; a number may be NaN.

    Parameters
    ----------
    value : dict, pandas Series, or pair (items, numbers)
        A number by item id.
    name : str
        The parameter, for errors.
    second : str
        What the numbers are, in the plural.

    Returns
    -------
    items, numbers : ndarray of shape (n_items,)
        Distinct ids, and their numbers as float64.
    """
    if isinstance(value, dict):
        value = (list(value), list(value.values()))
    items, numbers = _read_pair(value, name, second)
    numbers = as_floats(numbers, name)
    if numbers.shape != items.shape:
        raise ValueError(f"{name} has {len(items)} ids but {second} of shape {numbers.shape}: pass one number per id")
    return items, numbers


def _read_popularity(popularity, n_users: int) -> tuple[np.ndarray, np.ndarray]:
    items, counts = read_numbers(popularity, "popularity", "counts")
    bad = ~((counts >= 0) & (counts <= n_users))
    if bad.any():
        raise ValueError(
            f"popularity has {counts[bad][0]:g} users for the item {items[bad].item(0)!r}, but n_users={n_users}: "
            "count each user of an item once, and pass the number of training users"
        )
    return items, counts


def _read_features(item_features):
    items, features = _read_pair(item_features, "item_features", "matrix")
    if issparse(features):
        features = csr_array(features, dtype=np.float64)
    else:
        try:
            features = np.asarray(features, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(
                "item_features must hold numbers: encode the columns first, for instance with a ColumnTransformer"
            ) from error
    if not np.isfinite(features.data if issparse(features) else features).all():
        raise ValueError("item_features must hold finite numbers: fill what is missing first")
    if features.ndim != 2 or features.shape[0] != len(items):
        raise ValueError(
            f"item_features has {len(items)} ids but values of shape {features.shape}: pass one row of numbers per id"
        )
    return items, features
