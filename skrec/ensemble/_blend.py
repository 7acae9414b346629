"""The weighted sum of several recommenders."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..base import BaseRecommender
from ..utils._fitting import fit_context
from ..utils._histories import Histories, as_passed
from ..utils._progress import Progress
from ..utils._sklearn import Interval, StrOptions
from ..utils._topk import map_blocks, popularity_order
from ..utils._validation import type_name
from ._normalization import NORMALIZATIONS
from ._pairs import Pairs, draw_questions, retrieve, split_repeats
from ._parts import PartsRecommender
from ._weights import choose_weights

_N_RETRIEVED = 200  # items of each part among which the weights are learned


class BlendRecommender(PartsRecommender):
    r"""Add the scores of several recommenders, each brought to one scale per user.

    Models that look at different things make different mistakes: what follows what, what stands together in
    histories, what resembles what. With :math:`s_p` the scores that part :math:`p` gives the items, for one user, the
    blend is

    .. math:: \text{score}(u, i) = \sum_p w_p \, f(s_p)_i

    where :math:`f` is the `normalization` over all items:

    ========= ===========================================================================================
    zscore    less the mean, over the standard deviation; keeps how far the best stand out
    softmax   the z-score of the square root of the softmax: for nets, whose scores are logits
    rank      1 for the best, 0 for the last, equal steps between; CombSUM on ranks, forgets distances
    rrf       61 / (60 + place): reciprocal rank fusion [1]_, little more than the best places counts
    ========= ===========================================================================================

    The items are the union of the parts' items. What a part does not know is scored as its lowest for that user.

    Parameters
    ----------
    recommenders : list of (str, recommender) pairs
        The parts. ``set_params(name="drop")`` leaves one out, ``set_params(name__parameter=...)`` reaches inside. Their
        own `exclude_seen` and `k` have no say.
    normalization : {"auto", "zscore", "rank", "softmax", "rrf"}, or one of them per part, default="auto"
        How scores become comparable. "auto" is "softmax" for nets, whose scores are logits, and "zscore" for all else.
    weights : array-like of shape (n_parts,), "auto" or None, default=None
        Weight of each part; None weighs all alike. ``"auto"`` chooses them on held-out items, of which the parts know
        nothing: the best part alone, equal weights, or learned ones, which climb from equal weights by the NDCG at `k`.
        Learned ones are taken only where they are better beyond chance, by a paired bootstrap over users of holdouts,
        or of a part of a single one, from which they were not learned. Then the parts are fitted again on everything.
    holdout : "last", "basket", "sessions", float or str, default="last"
        What ``weights="auto"`` holds out: the last event of each user, or what came in the last days, such as 30 or
        ``"30D"``, or in the last part of the time, ``"10%"``. Say one of these where people buy baskets: the last event
        of a basket is easily told from its others. ``"basket"`` holds out each user's events of the latest time, for
        baskets with numbers instead of dates; ``"sessions"`` the newest tenth of the rows whole, those that end last,
        each asked with its beginning for the event that follows.
    n_holdouts : int, default=1
        How often to hold out for ``weights="auto"``: 2 or more step back in time and fit the parts again on still
        shorter histories, so that one season is not all there is. With ``prefit=True`` it is 1.
    max_users : int, default=5000
        Number of users, drawn at random in each holdout, on whom weights are learned.
    fallback : recommender, default=None
        Answers for users of whose history nothing is known, for instance
        ``PopularityRecommender(by=["age_band"])``; None recommends what is popular.
    prefit : bool, default=False
        Whether the parts are fitted already and are used as they are. `fit` then learns what else there is;
        ``weights="auto"`` is honest only if the parts have not seen the last events of the histories passed to it.
    n_jobs : int, default=None
        Number of processes that fit parts; None is one, -1 all processors.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last, whatever the parts say.
    random_state : int, RandomState instance or None, default=None
        Draws the users for ``weights="auto"``. The parts have their own.
    verbose : int, default=0
        1 prints the progress and the time left at intervals, counted by fitted parts.

    Attributes
    ----------
    weights_ : ndarray of shape (n_parts,)
        Weights of the parts that were not dropped; they sum to 1.
    choice_ : str
        With ``weights="auto"``: "equal weights", "learned weights", or "part " and the name of the best part.
    validation_scores_ : dict of str to float
        With ``weights="auto"``: mean NDCG at `k` of each candidate on the held-out items.
    n_validation_users_ : int
        With ``weights="auto"``: number of held-out users behind these means.
    recommenders_ : list of recommenders
        The fitted parts.
    named_recommenders_ : Bunch
        The fitted parts by name.
    fallback_ : recommender
        The fitted fallback.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.

    See Also
    --------
    TwoStageRecommender : Learns how to weigh the parts for each pair of user and item.
    sklearn.ensemble.VotingClassifier : The same idea for classes.

    Notes
    -----
    Cost: that of the parts, and a few passes over the scores of a block of users; a sort of them with "rank" and
    "rrf". ``weights="auto"`` fits every part twice and then tries some hundred sets of weights on the 200 best items
    of each part. In ``recommend(return_source=True)`` the source of an item is the part that added most.

    References
    ----------
    .. [1] G. V. Cormack, C. L. A. Clarke and S. Büttcher, "Reciprocal Rank Fusion Outperforms Condorcet and
       Individual Rank Learning Methods", SIGIR 2009.

    Examples
    --------
    >>> from skrec.ensemble import BlendRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.neighbors import TransitionRecommender
    >>> histories = [["phone", "case", "cable"], ["phone", "case"], ["tent", "stove"], ["tent", "mat", "stove"]]
    >>> model = BlendRecommender([("ease", EASE(l2=0.5)), ("next", TransitionRecommender())], k=2).fit(histories)
    >>> items, source = model.recommend([["phone"], []], return_source=True)
    >>> items
    array([['case', 'cable'],
           ['case', 'phone']], dtype=object)
    >>> source[1]
    array(['popularity', 'popularity'], dtype=object)
    """

    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        "recommenders": "no_validation",  # _named_parts says more
        "normalization": [StrOptions({"auto", *NORMALIZATIONS}), "array-like"],
        "weights": ["array-like", StrOptions({"auto"}), None],
        "holdout": "no_validation",  # as_duration says more
        "n_holdouts": [Interval(Integral, 1, None, closed="left")],
        "max_users": [Interval(Integral, 1, None, closed="left")],
        "fallback": [BaseRecommender, None],
        "prefit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        recommenders,
        *,
        normalization="auto",
        weights=None,
        holdout="last",
        n_holdouts=1,
        max_users=5000,
        fallback=None,
        prefit=False,
        n_jobs=None,
        k=10,
        exclude_seen=True,
        random_state=None,
        verbose=0,
    ):
        self.recommenders = recommenders
        self.normalization = normalization
        self.weights = weights
        self.holdout = holdout
        self.n_holdouts = n_holdouts
        self.max_users = max_users
        self.fallback = fallback
        self.prefit = prefit
        self.n_jobs = n_jobs
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> "BlendRecommender":
        """Fit the parts on histories, and learn the weights where they are to be learned.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One row per user.
        y : None
            Ignored.

        Returns
        -------
        BlendRecommender
            The fitted recommender itself.
        """
        names, parts = self._named_parts()
        histories, X = self._read_training(X), as_passed(X)
        self._normalizations = self._chosen_normalizations(parts)
        weights = self._given_weights(names)
        self._record_choice()
        n_fits = len(parts) * (1 if weights is not None else self.n_holdouts + 1)
        with Progress(self, "part", 0 if self.prefit else n_fits) as progress:
            if weights is None:
                weights = self._learn_weights(X, histories, names, parts, progress)
            self._fit_parts(X, histories, names, parts, progress)
        self.weights_ = weights
        return self

    def _given_weights(self, names: list[str]) -> np.ndarray | None:
        """Return the weights of the parts that are not dropped, None if they are to be learned."""
        if self.weights is None:
            return np.full(len(names), 1 / len(names))
        if isinstance(self.weights, str):
            return None
        try:
            weights = np.asarray(self.weights, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"weights must hold numbers, got {type_name(self.weights)}: {error}") from error
        if weights.shape != (len(self.recommenders),):
            raise ValueError(
                f"weights has the shape {weights.shape} for {len(self.recommenders)} recommenders: give one weight each"
            )
        weights = weights[[name in names for name, _ in self.recommenders]]
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise ValueError(f"weights must be finite, at least 0 and not all 0, got {weights.tolist()}")
        return weights / weights.sum()

    def _learn_weights(self, X, histories: Histories, names, parts, progress) -> np.ndarray:
        """Return the weights chosen on held-out items, of the best part alone, equal ones and learned ones."""
        rng = check_random_state(self.random_state)
        held_out = []

        def learn(known, asked, held, number):
            self._fit_parts(known, self._read(known), names, parts, progress)
            held_out.append(self._held_out_pairs(asked, held, rng))

        self._step_back(X, learn)
        pairs = Pairs.join([one[0] for one in held_out])
        holdout = np.repeat(np.arange(len(held_out)), [one[0].n_rows for one in held_out])
        labels, n_relevant = (np.concatenate([one[number] for one in held_out]) for number in (1, 2))
        choice, weights, scores = choose_weights(pairs, labels, n_relevant, holdout, names, self.k, rng)
        self._record_choice(choice, scores)
        return weights

    def _held_out_pairs(self, X, held, rng) -> tuple[Pairs, np.ndarray, np.ndarray]:
        """Return the best items of each part for held-out users, which are relevant, and how many are for each user."""
        asked, relevant = draw_questions(X, held, self.max_users, rng)
        users = self._encode(asked)
        relevant, repeats = split_repeats(self._presence(relevant), users.matrix, self.exclude_seen)
        keep_seen = repeats and not self.exclude_seen
        order, scorers = popularity_order(self.popularity_), self._scorers(None)

        def pairs_of(block):
            part = users[block]
            scores = self._normalized(scorers, part)
            return retrieve(scores, max(_N_RETRIEVED, self.k), order, part.matrix, keep_seen=keep_seen)

        pairs = Pairs.join(map_blocks(pairs_of, len(users), 4 * self._block_width()))
        return pairs, pairs.labels(relevant), np.diff(relevant.indptr)

    def _scorer(self, at):
        return self._blend_scorer(at)

    def _score_single(self, user, at):
        return self._blend_single(user, at)

    def _sourced_scorer(self, at):
        return self._sourced_blend_scorer(at)

    def _part_updates(self, parts):
        kind = super()._part_updates(parts)
        return "approximate" if kind and isinstance(self.weights, str) else kind  # learned weights are kept

    @property
    def named_recommenders_(self) -> Bunch:
        """The fitted parts by name."""
        return self._named
