"""The recommender that chooses its recipe and settings itself, within a time budget."""

import json
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import BaseRecommender
from ..ensemble._meta_recommender import MetaRecommender
from ..recipes import make_recommender, recipe_grid, recipe_names
from ..utils._arguments import as_list
from ..utils._fitting import fit_context, snapshot
from ..utils._frame_parameter import shallow
from ..utils._histories import Histories, as_passed
from ..utils._resources import free_bytes
from ..utils._row_blocks import are_basket_numbers
from ..utils._sklearn import Interval, StrOptions
from ..utils._suggest import did_you_mean
from . import _auto_search
from ._auto_question import draw_question
from ._auto_search import FLOOR, Candidate, Search, interval
from ._suggest import suggest

_NO_LIMIT = 1e9  # GiB
_UNMEASURED = 10.0  # what a recipe that was never measured is expected to cost, in times of the most expensive other


def _winner_forgets(self) -> bool:
    return get_tags(self.best_estimator_).updates == "exact"


class AutoRecommender(MetaRecommender):
    """Choose a recipe and its settings by successive halving within a time budget, and fit it to the whole log.

    The candidates are the recipes of :mod:`skrec.recipes`, ensembles included, in the order in which :func:`suggest`
    expects them to be good. All are fitted to a small sample of the users; the best third goes on to a sample three
    times as large, and so on to all users [1]_, [2]_. In one of the last rungs the settings of the three best recipes
    are varied, one at a time, over :func:`~skrec.recipes.recipe_grid`. What is chosen learns the whole log.

    The cost of a fit is what `suggest` expects, corrected by what the fits so far took. A candidate is not begun where
    it, and the last fit of it on the whole log, would not fit into the time that is left.

    Parameters
    ----------
    budget : float, default=60.0
        Seconds for the search and the last fit. A fit that has begun is not stopped, so that one that takes longer than
        expected exceeds it; the last fit then may exceed it by a quarter. Where it allows no comparison, popularity is
        fitted, or without it the candidate that costs least, with a warning.
    recipes : list of str, default=None
        Names of the candidates, see :func:`~skrec.recipes.recipe_names`; None takes all but the random
        recommender and the neural networks.
    grids : bool, default=True
        Whether to vary settings.
    time : {"date", "number", "basket"} or None, default=None
        What the times of the histories are, as in :func:`~skrec.recipes.make_recommender`; None takes it from them:
        numbers that count the baskets of each user are "basket".
    rows : {"users", "sessions"}, default="users"
        What a row is.
    item_names : pandas.Series of shape (n_items,), default=None
        Names of the items, indexed by item id: the ensembles get a part that recommends by text. Candidates see those
        of items that they may learn alone.
    incremental : bool, default=False
        Whether the chosen model keeps what `partial_fit` needs. Recipes that cannot be updated are then left out.
    k : int, default=10
        Number of items to recommend, and length of the lists that are compared.
    exclude_seen : bool, default=True
        Whether a user's own items come last. The candidates are compared on that question.
    random_state : int, RandomState instance or None, default=None
        Draws the users of samples and questions, and seeds the recipes.
    verbose : int, default=0
        Print a line per fit, with the time left.

    Attributes
    ----------
    best_estimator_ : recommender
        The chosen recommender, fitted to the whole log.
    best_recipe_ : str
        Its recipe.
    best_settings_ : dict
        Its settings, as :func:`~skrec.recipes.make_recommender` takes them.
    score_ : float
        Its NDCG at `k` on held-out users who had no part in the choice, fitted to the sample of the last rung without
        what is held out; NaN where it was not measured.
    score_interval_ : tuple of (float, float)
        95 % bootstrap interval of `score_` over these users.
    n_scored_ : int
        Number of these users.
    reason_ : str
        Why it was chosen.
    leaderboard_ : pandas.DataFrame of shape (n_candidates, 9)
        What became of each candidate.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.

    See Also
    --------
    suggest : The order of the candidates, and their expected cost.
    skrec.model_selection.compare : Compares models that you name.

    Notes
    -----
    What is held out follows from the data: the last 10 % of the time; the last basket with ``time="basket"``; the last
    event of each user without times; with ``rows="sessions"`` an event of the newest tenth of the sessions. No
    candidate learns it, and item names that only it has are hidden. Users with something held out are divided at
    random: at most 2,000 choose, fewer with budgets below 50 seconds, and
    at most half as many others tell `score_`. So the winner is not measured on the users
    that it was chosen by. The scores in `leaderboard_` are those of the choosing users, and the best of many is
    optimistic there. The users of both parts live in the same time, so `score_` does not tell how the choice ages.

    A simpler candidate than the best, which stands earlier in `recipe_names` or has default settings, is taken where it
    lacks at most 1 % of the best score, popularity at most 5 %, and chance explains that (paired bootstrap, p of at
    least .05).

    With an int as `random_state` the choice is the same each time only if the budget excludes nothing: what is begun
    otherwise depends on the speed of the machine. The draws do not depend on the order of the rows.

    Cost: with m candidates, about m fits on the first sample, and less than that for the rest, as every rung has a
    third of the candidates on three times the users.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
       AISTATS 2016.
    .. [2] L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, "Hyperband: A Novel Bandit-Based Approach
       to Hyperparameter Optimization", JMLR 18, 2018.

    Examples
    --------
    >>> from skrec.advice import AutoRecommender
    >>> from skrec.datasets import make_histories
    >>> histories = make_histories(300, 60, random_state=0)
    >>> model = AutoRecommender(recipes=["popularity", "item-knn"], grids=False, random_state=0).fit(histories)
    >>> model.best_recipe_
    'item-knn'
    >>> model.leaderboard_["recipe"].tolist()
    ['item-knn', 'popularity']
    >>> model.recommend(histories[:2], k=3).shape
    (2, 3)
    """

    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        "budget": [Interval(Real, 0, None, closed="neither")],
        "recipes": "no_validation",  # _names says more
        "grids": ["boolean"],
        "time": [StrOptions({"date", "number", "basket"}), None],
        "rows": [StrOptions({"users", "sessions"})],
        "item_names": "no_validation",  # make_recommender says more
        "incremental": ["boolean"],
        "random_state": ["random_state"],
        "verbose": [Interval(Integral, 0, None, closed="left"), "boolean"],
    }

    _frames = ("item_names",)

    def __init__(
        self,
        *,
        budget=60.0,
        recipes=None,
        grids=True,
        time=None,
        rows="users",
        item_names=None,
        incremental=False,
        k=10,
        exclude_seen=True,
        random_state=None,
        verbose=0,
    ):
        self.budget = budget
        self.recipes = recipes
        self.grids = grids
        self.time = time
        self.rows = rows
        self.item_names = item_names
        self.incremental = incremental
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Choose a recipe on held-out parts of the histories, and fit it to all of them.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One row per user.
        y : None
            Ignored.

        Returns
        -------
        AutoRecommender
            The fitted recommender itself.

        Raises
        ------
        ValueError
            If `recipes` names an unknown one, none can be used for these histories, or every candidate failed.

        Warns
        -----
        UserWarning
            If nothing could be compared: the budget is too small, or nothing can be held out.
        """
        started = _auto_search.clock()
        histories, X = self._read(X), as_passed(X)
        if not len(histories.codes):
            raise ValueError("X has no item in any history: nothing can be learned from it")
        self._time = self._kind_of_time(histories)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 2))
        names = self._names()
        search = None
        try:
            how = {"time": self._time, "rows": self.rows, "exclude_seen": self.exclude_seen}
            how |= {"budget": self.budget, "seed": self._seed}
            question = draw_question(X, histories, **how)
        except ValueError as error:
            reason = f"nothing can be compared: {error}"
            every = [Candidate(name, {}, level, level, level) for level, name in enumerate(names)]
        else:
            every = self._candidates(names, question)
            grids = {name: recipe_grid(name) for name in names} if self.grids else {}
            options = {"budget": self.budget, "started": started, "k": self.k, "verbose": self.verbose}
            search = Search(question, self._build, grids, **options)
            too_large = [one for one in every if one.why]
            every = [*search.run([one for one in every if not one.why]), *too_large]
            reason = f"budget={self.budget:g} allows no comparison"
        self._fit_winner(X, every, search, reason)
        return self

    def _kind_of_time(self, histories: Histories) -> str | None:
        """Return what `make_recommender` must know of the times."""
        if histories.time is None or self.time is not None:
            return None if histories.time is None else self.time
        if histories.dated:
            return "date"
        return "basket" if are_basket_numbers(histories.indptr, histories.time) else "number"

    def _names(self) -> list[str]:
        """Return the names of the candidates, from simple to elaborate."""
        known = recipe_names(time=self._time)
        if self.recipes is None:
            names = [name for name in recipe_names(nets=False, time=self._time) if name != "random"]
        else:
            names = as_list(self.recipes, "recipes", "names")
            for name in names:
                if name not in recipe_names():
                    raise ValueError(f"recipes has {name!r}, which is no recipe{did_you_mean(str(name), known)}")
                if name not in known:
                    raise ValueError(
                        f"recipes has {name!r}, which needs dates, and the histories have none: leave it out"
                    )
            names = [name for name in known if name in names]
        built = {name: self._build(Candidate(name, {}, 0, 0, 0), None) for name in names}
        names = [name for name, model in built.items() if not self.incremental or hasattr(model, "partial_fit")]
        if not names:
            which = "that can be updated: leave incremental=True out" if self.incremental and self.recipes else ""
            raise ValueError(f"recipes must have at least one name {which}".rstrip())
        return names

    def _build(self, candidate: Candidate, items):
        """Make the recommender of a candidate; of the item names those of these items, None for all."""
        names = self.item_names
        if names is not None and items is not None:
            names = names[names.index.isin(items)]
        options = {"time": self._time, "rows": self.rows, "item_names": names}
        model = make_recommender(
            candidate.recipe, candidate.settings, k=self.k, exclude_seen=self.exclude_seen, **options
        )
        found = model.get_params()
        changes = {name: True for name in found if self.incremental and name.rpartition("__")[2] == "incremental"}
        if self.random_state is not None and "random_state" in found:
            changes["random_state"] = self._seed
        return model.set_params(**changes)

    def _candidates(self, names: list[str], question) -> list[Candidate]:
        """Return the candidates, the most promising first; those that do not fit into memory are marked."""
        options = {"exclude_seen": self.exclude_seen, "rows": self.rows, "item_names": self.item_names}
        advice = suggest(question.known, memory=_NO_LIMIT, n=len(recipe_names()), **options)
        costs, free = advice[["fit_seconds", "latency_ms", "memory_gib"]], free_bytes() / 2**30
        known, quickest = [name for name in advice.index if name in names], 0.9 * costs.min()  # little but reading
        most, found = _UNMEASURED * costs.max()[:2], []
        for name in [*known, *(name for name in names if name not in known)]:
            seconds, milliseconds, memory = costs.loc[name] if name in known else [*most, 0.0]
            seconds, milliseconds = seconds - quickest["fit_seconds"], milliseconds - quickest["latency_ms"]
            found.append(Candidate(name, {}, names.index(name), float(seconds), float(milliseconds) / 1000))
            if memory > free:
                found[-1].why = f"it is expected to take {memory:.2g} GiB, and {free:.2g} GiB are free"
        return found

    def _fit_winner(self, X, every: list[Candidate], search: Search | None, reason: str) -> None:
        """Fit the chosen candidate to the whole log, or the next one where it fails."""
        while able := [one for one in every if not one.failed]:
            best, why = search.choose(able) if search else (_cheapest(able), "")
            if not why:
                why = f"{reason}, so {best.name} is fitted"
            if self.verbose:
                print(f"Fitting {best.name} to all histories")
            try:
                self.best_estimator_ = self._build(best, None).fit(X)
                break
            except Exception as error:
                Search.fail(best, error)
        else:
            raise ValueError(f"recipes has no candidate that can be fitted: {every[0].name} {every[0].why}")
        if best.scores is None:
            warnings.warn(why, UserWarning, stacklevel=2)
        best.why, self.reason_ = f"chosen: {why}", why
        self.best_recipe_, self.best_settings_ = best.recipe, dict(best.settings)
        reported = np.zeros(0) if best.reported is None else best.reported
        self.n_scored_ = len(reported)
        self.score_ = float(np.mean(reported)) if len(reported) else float("nan")
        self.score_interval_ = interval(reported)
        ranked = sorted(every, key=lambda one: (one is not best, one.failed, -one.rung, *_by_score(one)))
        self._rows = [one.row() for one in ranked]
        self._bind()

    @property
    def leaderboard_(self):
        """What became of each candidate, the chosen one first.

        A pandas DataFrame with the columns `recipe`; `settings`, as JSON; `rung`, the last that it was measured in, 0
        for none; `n_users`, the sample it was fitted to there; `score`, its NDCG at `k` on the users who choose, with
        the 95 % interval `score_low`, `score_high`; `fit_seconds` there; `seconds` in all rungs; and `why` it was
        chosen, left behind, not begun, or failed.
        """
        import pandas as pd

        check_is_fitted(self)
        frame = pd.DataFrame(self._rows)
        return frame.assign(settings=[json.dumps(settings) for settings in frame["settings"]])

    @property
    def recommender_(self):
        """The same as `best_estimator_`, under the name that all recommenders around another have."""
        return self.best_estimator_

    @recommender_.setter
    def recommender_(self, recommender):
        self.best_estimator_ = recommender

    # ---- what the chosen recommender does ----------------------------------------------------------------------

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
    ) -> np.ndarray | tuple[np.ndarray, ...]:
        """Recommend items to each user, with the wishes of one request; see `BaseRecommender.recommend`.

        Parameters
        ----------
        X : histories of shape (n_users,)
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
        item_features : pandas DataFrame of shape (n_new_items, n_features), default=None
            Features of items that came after `fit`, for models that score items by their features.
        return_scores : bool, default=False
            Whether to return the scores as well.
        return_source : bool, default=False
            Whether to return as well what gave each item.
        as_frame : bool, default=False
            Whether to return one frame, a row per user and rank, in place of the arrays.
        names : pandas Series or dict, default=None
            Names of items by item id, for the frame.

        Returns
        -------
        items : ndarray of shape (n_users, n_columns)
            Item ids, best first.
        scores : ndarray of shape (n_users, n_columns)
            Only with ``return_scores=True``.
        sources : ndarray of shape (n_users, n_columns)
            Only with ``return_source=True``.
        frame : pandas or polars DataFrame of shape (n_users * n_columns, n)
            Only with ``as_frame=True``, in place of the arrays.
        """
        check_is_fitted(self)
        wishes = {"candidates": candidates, "exclude": exclude, "at": at, "item_features": item_features}
        wishes["exclude_seen"] = self.exclude_seen if exclude_seen is None else exclude_seen
        returned = {"return_scores": return_scores, "return_source": return_source}
        returned |= {"as_frame": as_frame, "names": names}
        return self.best_estimator_.recommend(X, self.k if k is None else k, **wishes, **returned)

    @available_if(_winner_forgets)
    @fit_context(prefer_skip_nested_validation=True)
    def forget(self, X):
        """Unlearn users: the chosen recommender is the one that never saw them; the choice of it stays.

        Parameters
        ----------
        X : histories of shape (n_users,)
            The complete histories of the users, as they were learned.

        Returns
        -------
        AutoRecommender
            The recommender itself.
        """
        self.best_estimator_ = shallow(self.best_estimator_).forget(X)
        self._bind()
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = tags.fit_randomness = True
        best = getattr(self, "best_estimator_", None)
        can = self.incremental if best is None else get_tags(best).updates is not None
        tags.updates = "approximate" if can else None  # the choice is kept
        return tags


def _cheapest(able: list[Candidate]) -> Candidate:
    return min(able, key=lambda one: (one.recipe != FLOOR, one.level))


def _by_score(one: Candidate) -> tuple[float, float]:
    return (np.inf if one.scores is None else -one.mean), one.level
