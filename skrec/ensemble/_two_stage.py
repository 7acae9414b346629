"""Retrieve with several recommenders, rank with a classifier."""

from dataclasses import replace
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.utils import Bunch, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ..base import BaseRecommender
from ..utils._fitting import fit_context, snapshot
from ..utils._frame_parameter import FrameParameter
from ..utils._histories import as_passed
from ..utils._prepared import item_order
from ..utils._progress import Progress
from ..utils._sklearn import HasMethods, Interval, StrOptions
from ..utils._threads import single_threaded_openmp
from ..utils._topk import map_blocks
from ._explain import explain_ranking
from ._normalization import NORMALIZATIONS
from ._pair_features import ItemColumns, PairFeatures, as_table, joined
from ._pairs import Pairs, by_row, draw_questions, importances, list_ndcg, retrieve, split_repeats
from ._parts import PartsRecommender
from ._ranker import default_ranker
from ._second_stage import TrainingPairs, choose_second_stage, fit_ranker


class TwoStageRecommender(FrameParameter, PartsRecommender):
    r"""Retrieve candidates with several recommenders, then rank them with a classifier that has learned whom to trust.

    The first stage is fast and knows one thing each: what follows what, what stands together, what resembles what, what
    is bought again. It reduces the catalogue to some hundred candidates for each user. The second stage sees each pair
    of user and candidate as a row of numbers and estimates :math:`P(\text{wanted} \mid \text{pair})`; any classifier of
    scikit-learn will do. It learns honestly [1]_: the retrievers are fitted on histories without their last events, are
    asked for candidates, and those that came true are the positive rows. Then the retrievers are fitted again on
    everything.

    The features of a pair, by name:

    - each retriever, and the sum of all as ``blend``: its normalised score, the log of its place among the candidates;
    - the item: log of its events, also in the last `windows`, its age and idle time (with times), its numbers in
      `item_features`, the events of each of its labels;
    - the user: length of the history, time since its last event, what `user_features` gives;
    - both: how often the user had the item or each of its labels, the share of the history, 1 / steps since, days
      since; the mean share of its tags; how far its numbers are from the history's mean (a price: log of the ratio);
      with ``holdout`` "last" or "sessions", the cosine of its co-occurrence vector
      (:class:`~skrec.decomposition.PPMISVD`, 64 components) with that of the newest item, and the largest with those of
      the ten newest.

    Parameters
    ----------
    retrievers : list of (str, recommender) pairs
        The first stage. ``set_params(name="drop")`` leaves one out, ``set_params(name__parameter=...)`` reaches inside.
        Their own `exclude_seen` and `k` have no say.
    ranker : "auto", classifier, ranker, regressor or None, default="auto"
        The second stage: anything with `predict_proba`, a ranker whose `fit` takes `group`, such as LightGBM's
        ``LGBMRanker``, or a regressor. None is a HistGradientBoostingClassifier of 100 small trees. "auto" chooses on
        the held-out items: the best retriever alone, the blend with equal or with learned weights, the ranker of None,
        or, where LightGBM is installed, LambdaMART, three times 70 small trees. The more complex one is taken only
        where its NDCG at `k` is higher beyond chance, by a paired bootstrap over users from whom it has not learned.
    n_candidates : int, default=100
        Number of items to retrieve.
    normalization : {"auto", "zscore", "rank", "softmax", "rrf"}, or one of them per retriever, default="auto"
        How scores become comparable, as in :class:`BlendRecommender`.
    merge : {"blend", "union"}, default="blend"
        Whether candidates are the best `n_candidates` of the sum of the normalised scores, or those of each retriever.
    holdout : "last", "basket", "sessions", float or str, default="last"
        What the second stage learns from: the last `n_last` events of each user, or what came in the last days, such as
        30 or ``"30D"``, or in the last part of the time, ``"10%"``. Say one of these where people buy baskets: the last
        event of a basket is easily told from its others. ``"basket"`` holds out each user's events of the latest time,
        for baskets with numbers instead of dates. ``"sessions"`` holds out the newest tenth of the rows whole, those
        that end last, and asks each with its beginning for the event that follows.
    n_last : int, default=1
        Number of last events with ``holdout="last"``, of last baskets with ``"basket"``.
    n_holdouts : int, default=1
        How often to hold out: 2 or more step back in time, fit the retrievers again on still shorter histories and
        learn and choose from all steps, so that one season is not all there is; fewer where events run out. With
        ``prefit=True`` it is 1.
    max_users : int, default=10000
        Number of users, drawn at random in each holdout, on whom the second stage learns; None takes all.
    item_features : pandas or polars DataFrame of shape (n_items, n_columns), default=None
        Numbers, labels and lists of labels of the items, indexed by item id. Texts are left to a
        :class:`~skrec.neighbors.ContentRecommender` among the retrievers.
    user_features : transformer, default=None
        Gives numbers for each row of `X`, such as :class:`~skrec.feature_extraction.BehaviorFeatures`.
    windows : sequence of float or str, default=(7, 30, 90)
        Recent windows in which the events of an item are counted, in days (or the unit of numeric times) or text such
        as ``"30D"``; only with times.
    fallback : recommender, default=None
        Answers for users of whose history nothing is known, for instance
        ``PopularityRecommender(by=["age_band"])``; None recommends what is popular.
    prefit : bool, default=False
        Whether the retrievers are fitted already and are used as they are; honest only if they have not seen what is
        held out of the histories passed to `fit`.
    n_jobs : int, default=None
        Number of processes that fit retrievers; None is one, -1 all processors.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last. With False, and if anybody came back to an item in the held-out part, own
        items are candidates too: one list joins buying again and discovery.
    random_state : int, RandomState instance or None, default=None
        Draws the users and seeds the default ranker. The retrievers have their own.
    verbose : int, default=0
        1 prints the progress and the time left at intervals, counted by fitted retrievers.

    Attributes
    ----------
    ranker_ : estimator or None
        The fitted second stage; None where there is none, and `weights_` weigh the retrievers.
    choice_ : str
        With ``ranker="auto"``: "ranker", "listwise ranker", "learned weights", "equal weights", or "part " and the name
        of the best retriever.
    validation_scores_ : dict of str to float
        With ``ranker="auto"``: mean NDCG at `k` of each candidate on the held-out items.
    n_validation_users_ : int
        With ``ranker="auto"``: number of held-out users behind these means.
    weights_ : ndarray of shape (n_retrievers,)
        Weights of the retrievers in the blend; they sum to 1.
    retrievers_ : list of recommenders
        The fitted first stage.
    named_retrievers_ : Bunch
        The fitted first stage by name.
    feature_names_ : list of str
        Names of the features of a pair.
    feature_importances_ : ndarray of shape (n_features,)
        How much NDCG at `k` on training pairs of 1,000 users falls when the feature is shuffled among them; 0 without
        a ranker.
    n_updates_ : int
        Number of updates by `partial_fit` since the ranker was fitted: it stays as it is.
    repeats_ : bool
        Whether anybody came back to an item in the held-out part.
    fallback_ : recommender
        The fitted fallback.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores: the union of the retrievers' items.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.

    See Also
    --------
    BlendRecommender : The same parts with fixed weights; nothing to overfit.

    Notes
    -----
    A candidate's score is the ranker's, log-odds for a classifier; all other items stand below, in the order of the
    blend. Cost of `fit`: the retrievers once more per holdout, and the ranker on at most ``max_users * n_candidates``
    rows of each. Users none of whose held-out items was retrieved teach nothing and are left out. ``ranker="auto"``
    fits each ranker two or three times more, on parts of these rows. Where no ranker is chosen, scores are the weighted
    sum of the retrievers' normalised scores, as in :class:`BlendRecommender`.

    References
    ----------
    .. [1] D. H. Wolpert, "Stacked Generalization", Neural Networks 5(2), 1992.

    Examples
    --------
    >>> from skrec.datasets import make_histories
    >>> from skrec.ensemble import TwoStageRecommender
    >>> from skrec.linear_model import EASE
    >>> from skrec.neighbors import TransitionRecommender
    >>> histories = make_histories(200, 50, random_state=0)
    >>> model = TwoStageRecommender([("ease", EASE()), ("next", TransitionRecommender())], k=3, random_state=0)
    >>> model.fit(histories).predict(histories[:2]).shape
    (2, 3)
    >>> list(model.explain(histories[:1], k=1))
    ['user', 'item', 'score', 'retriever', 'place', 'feature', 'value', 'contribution']
    """

    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        "retrievers": "no_validation",  # _named_parts says more
        "ranker": [HasMethods(["fit", "predict"]), StrOptions({"auto"}), None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "normalization": [StrOptions({"auto", *NORMALIZATIONS}), "array-like"],
        "merge": [StrOptions({"blend", "union"})],
        "holdout": "no_validation",  # as_duration says more
        "n_last": [Interval(Integral, 1, None, closed="left")],
        "n_holdouts": [Interval(Integral, 1, None, closed="left")],
        "max_users": [Interval(Integral, 1, None, closed="left"), None],
        "item_features": "no_validation",  # read_item_features says more
        "user_features": [HasMethods(["fit", "transform"]), None],
        "windows": ["array-like"],
        "fallback": [BaseRecommender, None],
        "prefit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _parts_name = "retrievers"

    def __init__(
        self,
        retrievers,
        *,
        ranker="auto",
        n_candidates=100,
        normalization="auto",
        merge="blend",
        holdout="last",
        n_last=1,
        n_holdouts=1,
        max_users=10_000,
        item_features=None,
        user_features=None,
        windows=(7, 30, 90),
        fallback=None,
        prefit=False,
        n_jobs=None,
        k=10,
        exclude_seen=True,
        random_state=None,
        verbose=0,
    ):
        self.retrievers = retrievers
        self.ranker = ranker
        self.n_candidates = n_candidates
        self.normalization = normalization
        self.merge = merge
        self.holdout = holdout
        self.n_last = n_last
        self.n_holdouts = n_holdouts
        self.max_users = max_users
        self.item_features = item_features
        self.user_features = user_features
        self.windows = windows
        self.fallback = fallback
        self.prefit = prefit
        self.n_jobs = n_jobs
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> "TwoStageRecommender":
        """Fit the retrievers without the last events, the ranker on these, and the retrievers on everything.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One row per user.
        y : None
            Ignored.

        Returns
        -------
        TwoStageRecommender
            The fitted recommender itself.
        """
        names, parts = self._named_parts()
        histories, X = self._read_training(X), as_passed(X)
        rng = check_random_state(self.random_state)
        ranker = self._checked_ranker(rng)
        blocks, self.repeats_ = [], False

        def learn(known, asked, held, number):
            self._fit_first_stage(known, self._read(known), names, parts, progress)
            blocks.extend(self._training_pairs(asked, held, number, rng))

        n_fits = 0 if self.prefit else len(parts) * (self.n_holdouts + 1)
        with Progress(self, "retriever", n_fits) as progress:
            self._step_back(X, learn, self.n_last)
            self._fit_second_stage(ranker, TrainingPairs.join(blocks), rng)
            weights = self.weights_
            self._fit_first_stage(X, histories, names, parts, progress)
        self.weights_, self.n_updates_ = weights, 0
        return self

    def _update(self, after, before):
        columns = self._pairs.columns
        if columns is not None:
            columns = ItemColumns(self.item_features, self.items_, like=columns)
        n_known = before.histories.lengths[after.histories.rows]
        position = np.arange(len(n_known)) - after.histories.indptr[:-1][after.histories.rows]
        self._pairs = self._pairs.update(after.histories.take_events(position >= n_known), self.n_items_, columns)
        self.n_updates_ += 1

    def _part_updates(self, parts):
        return "approximate" if super()._part_updates(parts) else None  # the ranker is kept

    def _checked_ranker(self, rng):
        if isinstance(self.ranker, str):
            return None  # chosen on the held-out items
        if self.ranker is None:
            return default_ranker(rng.randint(np.iinfo(np.int32).max))
        ranker = self.ranker
        if has_fit_parameter(ranker, "group") or hasattr(ranker, "predict_proba") or is_regressor(ranker):
            return clone(ranker)
        raise TypeError(
            f"ranker must be a classifier with predict_proba, a ranker or a regressor, got {self.ranker!r}: wrap a "
            "classifier without probabilities in CalibratedClassifierCV"
        )

    def _fit_first_stage(self, X, histories, names, parts, progress) -> None:
        """Fit all that does not need the held-out part."""
        self._normalizations = self._chosen_normalizations(parts)
        self.weights_ = np.full(len(parts), 1 / len(parts))
        self._fit_parts(X, histories, names, parts, progress)
        columns = None if self.item_features is None else ItemColumns(self.item_features, self.items_)
        dated = histories.dated if histories.time is not None and len(histories.time) else None
        own_time, repeats = by_row(self.holdout), not self.exclude_seen
        next_event = isinstance(self.holdout, str) and self.holdout in ("last", "sessions")
        self._pairs = PairFeatures(names, self.windows, own_time, dated, repeats, next_event)
        can_update = get_tags(self).updates is not None
        self._pairs.fit(histories.on_items(self.items_), self.n_items_, columns, keep_events=can_update)
        self.user_features_, self._user_names = None, []
        if self.user_features is not None:
            self.user_features_ = clone(self.user_features).fit(X)
            named = hasattr(self.user_features_, "get_feature_names_out")
            names = self.user_features_.get_feature_names_out() if named else None
            names = range(as_table(self.user_features_.transform(X)).shape[1]) if names is None else names
            self._user_names = [f"user {name}" for name in names]

    def _training_pairs(self, X, held, number: int, rng) -> list[TrainingPairs]:
        """Return candidates of held-out users, by block of users."""
        asked, relevant = draw_questions(X, held, self.max_users, rng)
        users = self._encode(asked)
        relevant, repeats = split_repeats(self._presence(relevant), users.matrix, self.exclude_seen)
        self.repeats_ |= repeats
        n_relevant, scorers = np.diff(relevant.indptr), self._scorers(None)
        keep_seen, (order, _) = repeats and not self.exclude_seen, item_order(self)

        def training(block):
            part = users[block]
            scores = self._normalized(scorers, part)
            pairs, _ = self._choose(scores, part.matrix, keep_seen=keep_seen)
            labels = pairs.labels(relevant[block])
            self.feature_names_, table = self._pairs.table(part, pairs, self._user_names, None)
            has_hit = np.bincount(pairs.row[labels], minlength=pairs.n_rows) > 0
            kept = has_hit[pairs.row]
            alone = None
            if isinstance(self.ranker, str):
                seen = None if keep_seen else part.matrix
                alone = np.column_stack([list_ndcg(one, relevant[block], seen, order, self.k) for one in scores])
            n_held, of_holdout = n_relevant[block], np.full(len(has_hit), number)
            return TrainingPairs(pairs.keep(has_hit), labels[kept], table[kept], n_held, has_hit, of_holdout, alone)

        return map_blocks(training, len(users), 4 * self._block_width())

    def _fit_second_stage(self, ranker, training: TrainingPairs, rng) -> None:
        """Fit the ranker, or choose between rankers and weights first."""
        if not len(training.labels):
            raise ValueError(
                f"no held-out item is among the n_candidates={self.n_candidates} candidates of its user: raise "
                "n_candidates, or hold out more (n_last, holdout)"
            )
        self._record_choice()
        if isinstance(self.ranker, str):
            chosen = choose_second_stage(training, self._names, self._rank, self.k, rng)
            choice, ranker, self.weights_, scores = chosen
            self._record_choice(choice, scores)
        self.ranker_, self.feature_importances_ = None, np.zeros(training.table.shape[1])
        if ranker is not None:
            self.ranker_ = fit_ranker(ranker, training)
            arguments = training.labels, training.table, training.n_relevant[training.has_hit], self.k, rng
            self.feature_importances_ = importances(partial(self._rank, self.ranker_), training.pairs, *arguments)

    # ---- asking ----------------------------------------------------------------------------------------------

    def _describe(self, users, X, *, fitting):
        if self.user_features_ is None:
            return users
        return replace(users, features=as_table(self.user_features_.transform(X)))

    def _retrieve(self, scorers, users, *, keep_seen: bool, also=None) -> tuple[Pairs, np.ndarray]:
        """Return the candidates of a block of users and the blend of all scores."""
        return self._choose(self._normalized(scorers, users), users.matrix, keep_seen=keep_seen, also=also)

    def _choose(self, scores: list[np.ndarray], seen, *, keep_seen: bool, also=None) -> tuple[Pairs, np.ndarray]:
        """Return the candidates of a block of users, given the scores of the parts, and the blend of these."""
        blend = np.sum(scores, axis=0)
        choose_by = [blend] if self.merge == "blend" else scores
        order, _ = item_order(self)
        wishes = {"keep_seen": keep_seen, "choose_by": choose_by, "also": also}
        return retrieve([*scores, blend], self.n_candidates, order, seen, **wishes), blend

    @staticmethod
    def _value(ranker, table: np.ndarray) -> np.ndarray:
        """Return what a ranker gives each pair: log-odds of a classifier, else its prediction."""
        if not len(table):
            return np.empty(0)
        direct = has_fit_parameter(ranker, "group") or not hasattr(ranker, "predict_proba")
        with single_threaded_openmp():  # blocks have threads already; in a small one they would wait at every tree
            value = ranker.predict(table) if direct else ranker.predict_proba(table)[:, -1]
        if direct:
            return np.asarray(value, dtype=np.float64)
        chance = np.clip(np.asarray(value, dtype=np.float64), 1e-9, 1 - 1e-9)
        return np.log(chance) - np.log1p(-chance)

    def _rank(self, ranker, pairs: Pairs, table: np.ndarray) -> np.ndarray:
        """Return a ranker's score of each pair; equal ones are told apart by their place in the blend."""
        place = pairs.places(pairs.scores[:, -1])
        return (self._value(ranker, table) - 1e-4 * place / self.n_items_).astype(np.float32)

    def _scorer(self, at):
        if self.ranker_ is None:
            blend = self._blend_scorer(at)
            return lambda users: self._without_repeats(blend(users), users.matrix)
        sourced = self._sourced_scorer(at)
        return lambda users: sourced(users)[0]

    def _sourced_scorer(self, at):
        if self.ranker_ is None:
            blend = self._sourced_blend_scorer(at)

            def score_blend(users):
                scores, sources = blend(users)
                return self._without_repeats(scores, users.matrix), sources

            return score_blend
        scorers, names = self._scorers(at), np.array([*self._names, "blend"], dtype=object)

        def score(users):
            pairs, scores = self._retrieve(scorers, users, keep_seen=self.repeats_)
            self._place_candidates(users, pairs, scores, at)

            def sources(found):
                source = np.full(users.shape, len(self._names))
                source[pairs.row, pairs.column] = self._best_placed(pairs)[0]
                return self._cold_sources(users, names[np.take_along_axis(source, found, axis=1)])

            return self._serve_cold(scores, users, at), sources

        return score

    def _place_candidates(self, users, pairs: Pairs, scores: np.ndarray, at: float | None) -> None:
        """Give the candidates the ranker's scores, and all others the blend's below them, in place."""
        _, table = self._pairs.table(users, pairs, self._user_names, at)
        ranked = self._rank(self.ranker_, pairs, table)
        floor = np.zeros(pairs.n_rows, dtype=np.float32)
        filled = np.flatnonzero(np.diff(pairs.starts))
        if len(filled):
            floor[filled] = np.minimum.reduceat(ranked, pairs.starts[filled]) - 1
        scores += (floor - scores.max(axis=1))[:, None]
        scores[pairs.row, pairs.column] = ranked

    def _score_single(self, user, at):
        if self.ranker_ is None:
            return self._without_repeats(self._blend_single(user, at)[None], user.matrix)[0]
        scores = [self._normalized_single(user, at, number) for number in range(len(self._parts))]
        pairs, blend = self._choose(scores, user.matrix, keep_seen=self.repeats_)
        self._place_candidates(user.described, pairs, blend, at)
        return blend[0]

    def _without_repeats(self, scores: np.ndarray, seen) -> np.ndarray:
        """Bring seen items below all others where nobody came back to one in the held-out items, in place."""
        if not self.repeats_ and seen.nnz:
            rows = np.repeat(np.arange(len(scores)), np.diff(seen.indptr))
            fall = np.ptp(scores, axis=1) + 1
            scores[rows, seen.indices] -= fall[rows]
        return scores

    def _best_placed(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """Return for each pair which retriever places it best among the candidates, and at which place, from 0."""
        places = np.array([pairs.places(pairs.scores[:, number]) for number in range(len(self._parts))])
        return places.argmin(axis=0), places.min(axis=0)

    @snapshot
    def explain(self, X, items=None, *, k: int = 3, n_reasons: int = 3):
        """Say which retriever brought each item, at which place, and which features raised or lowered it.

        Parameters
        ----------
        X : histories of shape (n_users,)
            The users to explain, a few.
        items : array-like of ids, or one such list per user, default=None
            The items to explain; None explains what is recommended.
        k : int, default=3
            Number of recommendations to explain where `items` is None.
        n_reasons : int, default=3
            Number of features to name for each item, those with the largest contributions.

        Returns
        -------
        pandas.DataFrame
            A row per user, item and feature: `user` (the index of `X`, else the row number), `item`, the ranker's
            `score`, the `retriever` that places it best, its `place` there among the candidates (1 is the best), the
            `feature`, its `value`, and its `contribution` to the score. ``attrs["contributions"]`` says what these are:
            "shap" where the ranker gives Shapley values (LightGBM), "weights" without a ranker: each retriever's
            weighted score, else "occlusion": what the score loses when the feature is set to its median among the
            user's candidates. With ``ranker="auto"``, ``attrs["choice"]`` and ``attrs["validation_scores"]`` tell what
            was chosen and why. Users whom the fallback serves are left out.
        """
        check_is_fitted(self)
        return explain_ranking(self, X, items, k, n_reasons)

    @property
    def named_retrievers_(self) -> Bunch:
        """The fitted first stage by name."""
        return self._named

    def _with_new_items(self, item_features):
        wider = super()._with_new_items(item_features)
        columns = self._pairs.columns
        if columns is not None:
            columns = ItemColumns(joined(self.item_features, item_features), wider.items_, like=columns)
        wider._pairs = self._pairs.extend(wider.n_items_, columns)
        return wider

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.fit_randomness = True  # rankers sum and bin in the order of the rows
        return tags
