"""The last step: valuable, varied, calibrated and ruled lists from any recommender."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import BaseRecommender
from ..utils._answer_frame import answer_frame_or_arrays
from ..utils._arguments import check_flags
from ..utils._fitting import fit_context, snapshot
from ..utils._frame_parameter import shallow
from ..utils._histories import as_passed
from ..utils._requests import Request
from ..utils._selection import stack
from ..utils._sklearn import HasMethods, Interval, StrOptions
from ..utils._topk import map_blocks
from ._item_tables import stock_mask
from ._meta_recommender import MetaRecommender
from ._rules import Rules, with_forced
from ._value import PurchaseCalibration, calibrate, item_values, item_worth


def _has_value(self):
    return self.value is not None


_NO_CALIBRATION = (
    "value needs a calibration of the scores, and this Reranker was fitted without value: fit it again, with "
    "prefit=True to keep its recommender"
)


class Reranker(MetaRecommender):
    r"""Reorder what another recommender found, by value, variety, the mix of the history, and the rules of the shop.

    The `n_candidates` best of the recommender are asked for, and the list is built from them one place at a time. The
    relevance :math:`r_i` of a candidate is its score, brought to 0 (the last candidate) to 1 (the first) for each user
    and multiplied by `boost`. With the `trade_off` :math:`\lambda` and the list so far :math:`L`, the next item has the
    largest

    .. math::

        (1 - \lambda)\, r_i - \lambda \cdot \begin{cases}
        \max_{j \in L} \cos(v_i, v_j) & \text{"mmr"} \\
        |L|^{-1} \sum_{j \in L} \cos(v_i, v_j) & \text{"mean"} \\
        \sum_c p_c \log \bigl(p_c / q_c(L \cup i)\bigr) & \text{"calibrated"}
        \end{cases}

    maximal marginal relevance [1]_, mean dissimilarity [2]_ or calibration [3]_, where :math:`p` is the mix of
    categories in the history and :math:`q = 0.99\,\bar q + 0.01\,p` that of the list :math:`\bar q`, smoothed.

    With a `value` :math:`v_i` of each item, its margin or price, the relevance is the expected value of the
    recommendation [4]_, [5]_ instead, brought to at most 1 for each user and multiplied by `boost`:

    .. math:: r_i \propto P(\text{purchase} \mid u, i) \; v_i^{\,\gamma}

    with `value_exponent` :math:`\gamma`: 1 ranks by expected value, 0 by the probability alone, which is the order of
    the recommender. The probability is a monotone function of the recommender's score, learned by isotonic or logistic
    regression [6]_ on candidates of a clone that was fitted without the held-out part of the histories.

    Parameters
    ----------
    recommender : recommender
        Any recommender of skrec, an ensemble for instance. It is cloned and fitted, unless `prefit`.
    n_candidates : int, default=100
        Number of candidates; at least the length of the list is taken.
    diversity : {"mmr", "mean", "calibrated"} or None, default=None
        What to reorder by; None keeps the order of the relevance. For the same accuracy ``"mean"`` gave more variety
        than ``"mmr"``; ``"calibrated"`` keeps the small tastes of a user in the list.
    trade_off : float, default=0.3
        The weight :math:`\lambda` of diversity, 0 to 1.
    categories : dict or pandas Series, default=None
        The category, or a list of categories, of each item id; a column of an item frame, for instance. Items
        without one are like nothing. With ``"mmr"`` and ``"mean"`` None compares the `item_factors_` of the
        recommender.
    max_per_category : int, default=None
        Number of items of one category in a list; more come only where no other candidate is left.
    must_include : array-like of shape (n_included,), default=None
        Items that every list has, at the latest in its last places, also for users who have seen them.
    must_exclude : array-like of shape (n_excluded,), default=None
        Items that no list has. Ids the recommender does not know are passed over.
    boost : dict or pandas Series, default=None
        Factor of the relevance by item id, at least 0; 1 for items it does not name.
    in_stock : callable, dict or pandas Series, default=None
        Which items may be recommended now: a function from the array of all ids to an array of booleans, called at
        each request, or a boolean by item id, true for items it does not name.
    explore : float, default=0.0
        Share of the places, rounded, that are drawn at random from the candidates behind those that would fill the
        list, to learn about them.
    value : callable, dict or pandas Series, default=None
        What a purchase is worth by item id, at least 0: margin or price; items it does not name get the median, with a
        warning. Or a function from the array of all ids to their values, called at each request. None leaves value out.
    value_exponent : float, default=1.0
        The exponent :math:`\gamma` that trades relevance (0) against value (1); not used without `value`.
    calibration : {"isotonic", "sigmoid"} or PurchaseCalibration, default="isotonic"
        How scores become probabilities of a purchase: isotonic regression, or Platt's logistic regression for scores
        that are log-odds already, as a :class:`TwoStageRecommender` with a classifier gives, or where only some hundred
        purchases are held out. Or the `calibration_` of another reranker of the same recommender, used as it is, so
        that nothing is fitted for it. Not used without `value`.
    holdout : "last", "basket", "sessions", float or str, default="last"
        What of the histories calibrates, as in :class:`BlendRecommender`; it says what the probability is of: that the
        item is the next one (``"last"``), or is bought within 30 days (``"30D"``). Not used without `value`.
    prefit : bool, default=False
        Whether `recommender` is fitted already; a clone then keeps it fitted, so that a search over the other
        parameters fits nothing. With `value` a clone of it is fitted all the same to learn the calibration, unless
        `calibration` is given.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last; wins over the recommender's.
    random_state : int, RandomState instance or None, default=None
        Seed of what is explored.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.
    calibration_ : PurchaseCalibration or None
        What makes probabilities of scores, and `n_purchases`, the number of held-out purchases it was learned from;
        None without `value`.
    seed_ : int
        What the draw of explored items begins with.
    items_ : ndarray of shape (n_items,)
        Its item ids.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.

    See Also
    --------
    skrec.metrics.intra_list_diversity_at_k : Measures the variety of lists.
    skrec.metrics.value_at_k : Measures the value of what was found.
    BlendRecommender : Joins several recommenders, and can be one's `recommender`.

    Notes
    -----
    `decision_function` and the scores of `recommend` are those of the recommender, so that along a list they need not
    fall; an item that `must_include` added from outside the candidates shows ``-inf``.

    What is explored depends on the seed and the user's candidates: asking twice gives the same list.

    Updates by `partial_fit` keep the calibration, so that with `value` they are approximate.

    Cost: that of `n_candidates` recommendations, and for each place one operation per candidate, times the size of the
    item vectors (at most 256; longer ones are reduced to 64), or with ``"calibrated"`` the number of an item's
    categories. All users of a block are served at once. With `value`, `fit` fits the recommender once more, without the
    held-out part, and asks it for the candidates of at most 5,000 users.

    References
    ----------
    .. [1] J. Carbonell and J. Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and
       Producing Summaries", SIGIR 1998.
    .. [2] B. Smyth and P. McClave, "Similarity vs. Diversity", ICCBR 2001, section 3 (bounded greedy selection).
    .. [3] H. Steck, "Calibrated Recommendations", RecSys 2018, sections 3 and 4.
    .. [4] L.-S. Chen, F.-H. Hsu, M.-C. Chen and Y.-C. Hsu, "Developing recommender systems with the consideration of
       product profitability for sellers", Information Sciences 178, 2008.
    .. [5] D. Jannach and G. Adomavicius, "Price and Profit Awareness in Recommender Systems", VAMS workshop at RecSys
       2017.
    .. [6] B. Zadrozny and C. Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates",
       KDD 2002.

    Examples
    --------
    >>> from skrec.ensemble import Reranker
    >>> from skrec.neighbors import ItemKNN
    >>> histories = [["tea", "coffee", "milk"], ["tea", "coffee", "cocoa", "milk"], ["tea", "coffee", "cocoa"]]
    >>> kinds = {"tea": "drink", "coffee": "drink", "cocoa": "drink", "milk": "dairy"}
    >>> ItemKNN(k=2).fit(histories).predict([["tea"]])
    array([['coffee', 'cocoa']], dtype=object)
    >>> Reranker(ItemKNN(), categories=kinds, max_per_category=1, k=2).fit(histories).predict([["tea"]])
    array([['coffee', 'milk']], dtype=object)
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "recommender": [HasMethods(["fit", "recommend"])],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "diversity": [StrOptions({"mmr", "mean", "calibrated"}), None],
        "trade_off": [Interval(Real, 0, 1, closed="both")],
        "categories": "no_validation",  # the tables of items say more
        "max_per_category": [Interval(Integral, 1, None, closed="left"), None],
        "must_include": ["array-like", None],
        "must_exclude": ["array-like", None],
        "boost": "no_validation",
        "value": "no_validation",
        "value_exponent": [Interval(Real, 0, None, closed="left")],
        "calibration": [StrOptions({"isotonic", "sigmoid"}), PurchaseCalibration],
        "holdout": "no_validation",  # as_duration says more
        "in_stock": "no_validation",
        "explore": [Interval(Real, 0, 1, closed="both")],
        "prefit": ["boolean"],
        "random_state": ["random_state"],
    }
    del _parameter_constraints["vectorizer"]

    _frames = ("categories", "boost", "in_stock", "value")

    def __init__(
        self,
        recommender,
        *,
        n_candidates=100,
        diversity=None,
        trade_off=0.3,
        categories=None,
        max_per_category=None,
        must_include=None,
        must_exclude=None,
        boost=None,
        in_stock=None,
        explore=0.0,
        value=None,
        value_exponent=1.0,
        calibration="isotonic",
        holdout="last",
        prefit=False,
        k=10,
        exclude_seen=True,
        random_state=None,
    ):
        self.recommender = recommender
        self.n_candidates = n_candidates
        self.diversity = diversity
        self.trade_off = trade_off
        self.categories = categories
        self.max_per_category = max_per_category
        self.must_include = must_include
        self.must_exclude = must_exclude
        self.boost = boost
        self.in_stock = in_stock
        self.explore = explore
        self.value = value
        self.value_exponent = value_exponent
        self.calibration = calibration
        self.holdout = holdout
        self.prefit = prefit
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state

    def __sklearn_clone__(self):
        if not self.prefit:
            return super().__sklearn_clone__()
        bare = shallow(self)
        bare.recommender = None
        return super(Reranker, bare).__sklearn_clone__().set_params(recommender=self.recommender)

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the recommender and read the rules.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One row per user; with ``prefit=True`` used only to learn the calibration.
        y : None
            Ignored.

        Returns
        -------
        Reranker
            The fitted reranker itself.
        """
        if self.prefit:
            check_is_fitted(
                self.recommender, "items_", msg="recommender is not fitted: fit it, or leave prefit=True out"
            )
            self.recommender_ = self.recommender
        else:
            self.recommender_ = clone(self.recommender).fit(X)
        rng = check_random_state(self.random_state)
        self.seed_ = int(rng.randint(2**31 - 1))
        self.calibration_ = None
        if self.value is not None:
            item_values(self.value, self.recommender_.items_, tell=True)
            self.calibration_ = self._calibrate(X, rng)
        self._bind()
        return self

    def _calibrate(self, X, rng) -> PurchaseCalibration:
        if not isinstance(self.calibration, str):
            if not hasattr(self.calibration, "by_place"):
                raise ValueError("calibration is not fitted: pass the calibration_ of a fitted Reranker, or a name")
            return self.calibration
        n_candidates = max(self.k, self.n_candidates)
        return calibrate(
            self.recommender, as_passed(X), self.holdout, n_candidates, self.calibration, self.exclude_seen, rng
        )

    def _bind(self) -> None:
        """Bring the rules to the order of the recommender's items."""
        super()._bind()
        self._rules = Rules(self, self.recommender_)

    @snapshot
    def recommend(
        self,
        X,
        k=None,
        *,
        candidates=None,
        exclude=None,
        exclude_seen=None,
        at=None,
        item_features=None,
        return_scores=False,
        return_source=False,
        as_frame=False,
        names=None,
    ) -> np.ndarray | tuple[np.ndarray, ...] | Any:
        """Recommend items to each user, with the options of one request; see `BaseRecommender.recommend`.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user.
        k : int, default=None
            Number of items; None takes the constructor's `k`.
        candidates : array-like of shape (n_candidates,), default=None
            The only items that may be recommended.
        exclude : array-like of shape (n_excluded,), or one such list per user, or dict, default=None
            Items that must not be recommended; it wins over `must_include`.
        exclude_seen : bool, default=None
            Whether the user's own items come last; None takes the constructor's `exclude_seen`.
        at : date or number, default=None
            The moment of asking, for models that know time.
        item_features : pandas DataFrame of shape (n_new_items, n_features), default=None
            Features of items that came after `fit`, for models that score items by their features.
        return_scores : bool, default=False
            Whether to return the recommender's scores as well.
        return_source : bool, default=False
            Whether to return as well what gave each item: the recommender's sources, ``"must_include"`` or
            ``"explore"``.
        as_frame : bool, default=False
            Whether to return one frame, a row per user and rank, in place of the arrays.
        names : pandas Series or dict, default=None
            Names of items by item id, for the frame.

        Returns
        -------
        items : ndarray of shape (n_users, n_columns)
            Item ids, in the order of the list.
        scores : ndarray of shape (n_users, n_columns)
            Only with ``return_scores=True``.
        sources : ndarray of shape (n_users, n_columns)
            Only with ``return_source=True``.
        frame : pandas or polars DataFrame of shape (n_users * n_columns, n)
            Only with ``as_frame=True``, in place of the arrays. The scores are the recommender's, so that they need
            not fall with the rank; an item of `must_include` may be `seen`.
        """
        check_is_fitted(self)
        check_flags(return_scores=return_scores, return_source=return_source, as_frame=as_frame)
        if item_features is not None or as_frame or names is not None:
            how = {"candidates": candidates, "exclude": exclude, "exclude_seen": exclude_seen, "at": at}
            how |= {"return_scores": return_scores, "return_source": return_source}
            return answer_frame_or_arrays(self, X, k, how, item_features, as_frame, names)
        request = Request.read(self, X, k, candidates, exclude, exclude_seen, at)
        codes, scores, _, picked, drawn, found = self._lists(X, request, at, return_source)
        answer = [self.items_[np.take_along_axis(codes, picked, axis=1)]]
        if return_scores:
            answer.append(np.take_along_axis(scores, picked, axis=1))
        if return_source:
            sources = np.full(codes.shape, "must_include", dtype=object)
            sources[:, : found.shape[1]] = found
            sources = np.take_along_axis(sources, picked, axis=1)
            sources[drawn] = "explore"
            answer.append(sources)
        return answer[0] if len(answer) == 1 else tuple(answer)

    @available_if(_has_value)
    @snapshot
    def purchase_probability(
        self, X, k=None, *, candidates=None, exclude=None, exclude_seen=None, at=None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Recommend items to each user, with the probability that the user buys each of them.

        Times the value of the items, summed over a list, it is the expected value of the list. With ``k=n_candidates``
        these are all candidates, for a reliability diagram on later purchases.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user.
        k : int, default=None
            Number of items; None takes the constructor's `k`.
        candidates : array-like of shape (n_candidates,), default=None
            The only items that may be recommended.
        exclude : array-like of shape (n_excluded,), or one such list per user, or dict, default=None
            Items that must not be recommended.
        exclude_seen : bool, default=None
            Whether the user's own items come last; None takes the constructor's `exclude_seen`.
        at : date or number, default=None
            The moment of asking, for models that know time.

        Returns
        -------
        items : ndarray of shape (n_users, n_columns)
            Item ids, as `recommend` gives them.
        probabilities : ndarray of shape (n_users, n_columns)
            Probability of a purchase within what `holdout` holds out; 0 for what comes last in any case, and NaN for
            items of `must_include` without a score: those from outside the candidates, or seen by the user. Users of
            whom the recommender knows nothing get that of others at the same place, which is too high for most of
            them.

        Raises
        ------
        ValueError
            If `value` was set after `fit`, so that there is no calibration.
        """
        check_is_fitted(self)
        if self.calibration_ is None:
            raise ValueError(_NO_CALIBRATION)
        request = Request.read(self, X, k, candidates, exclude, exclude_seen, at)
        codes, scores, is_forced, picked, *_ = self._lists(X, request, at, False)
        probabilities = self.calibration_.probability(scores)
        probabilities[is_forced & np.isneginf(scores)] = np.nan
        items = self.items_[np.take_along_axis(codes, picked, axis=1)]
        return items, np.take_along_axis(probabilities, picked, axis=1)

    def _lists(self, X, request: Request, at, return_source: bool):
        """Build the lists of one request.

        Returns
        -------
        codes, scores : ndarray of shape (n_users, n_candidates)
            Positions in `items_` and scores of the candidates.
        is_forced : ndarray of shape (n_users, n_candidates), dtype bool
            Which of them `must_include` names.
        picked, drawn : ndarray of shape (n_users, k)
            Columns of the candidates in the order of the list, and which of them were drawn at random.
        sources : ndarray of shape (n_users, n_found) or None
            What gave each candidate but those that only `must_include` names.
        """
        k, by_user = request.k, request.exclude_by_user
        allowed = np.zeros(self.n_items_, dtype=bool)
        allowed[request.columns(self.items_)] = True
        allowed &= self._rules.allowed
        if callable(self.in_stock):
            allowed &= stock_mask(self.in_stock, self.items_)
        if not allowed.any():
            raise ValueError("in_stock, must_exclude and exclude leave no item to recommend: allow some")
        forced = self._rules.forced[allowed[self._rules.forced]]
        if len(forced) > k:
            raise ValueError(f"must_include has {len(forced)} items for lists of k={k}: raise k or name fewer")
        worth = self._rules.worth
        if callable(self.value):
            if self._rules.calibration is None:
                raise ValueError(_NO_CALIBRATION)
            worth = item_worth(self.value, self.items_, self.value_exponent)
        found = self.recommender_.recommend(
            X,
            max(k, self.n_candidates),
            candidates=None if allowed.all() else self.items_[allowed],
            exclude=by_user,
            exclude_seen=request.exclude_seen,
            at=at,
            return_scores=True,
            return_source=return_source,
        )
        removed = request.removed(self.items_, len(found[0])) if len(forced) else None
        codes, scores, is_forced = with_forced(self._codes(found[0]), found[1], forced, removed)
        k = min(k, found[0].shape[1])
        mix = self._rules.mix(self.recommender_, X) if self.diversity == "calibrated" else None
        blocks = map_blocks(
            lambda rows: self._rules.lists(codes[rows], scores[rows], is_forced[rows], mix and mix(rows), k, worth),
            len(codes),
            self._rules.row_bytes(codes.shape[1]),
        )
        picked, drawn = (stack([block[part] for block in blocks], (0, k), np.int64) for part in (0, 1))
        return codes, scores, is_forced, picked, drawn.astype(bool), found[2] if return_source else None

    def _codes(self, ids: np.ndarray) -> np.ndarray:
        """Return positions in `items_`; by hashing, since there are many."""
        import pandas as pd

        return pd.Index(self.items_).get_indexer(ids.ravel()).reshape(ids.shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.recommender) if isinstance(self.recommender, BaseRecommender) else tags
        for name in ("personalized", "fit_randomness", "needs_order", "updates"):
            setattr(tags, name, getattr(inner, name))
        if self.value is not None and tags.updates == "exact":
            tags.updates = "approximate"  # the calibration is kept
        return tags
