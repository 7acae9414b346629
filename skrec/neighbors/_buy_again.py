"""What a user will buy again."""

from dataclasses import replace
from numbers import Real

import numpy as np

from .._updates import new_events
from ..base import BaseRecommender
from ..feature_extraction._gather import event_blocks
from ..feature_extraction._vectorizer import last_times
from ..utils._histories import check_same_times
from ..utils._sklearn import Interval
from ..utils._statistics import Records, Statistics
from ..utils._time import as_duration, far_future, far_limit, latest_time, latest_until
from ._baskets import read_baskets


class BuyAgainRecommender(BaseRecommender):
    r"""Recommend what the user will buy again: own purchases, how lately, and how the item is usually bought again.

    With :math:`a_b` the ages of the baskets of user :math:`u` that hold item :math:`i`, and :math:`h` the half-life,

    .. math::

        s_{ui} = \rho_i^{\beta} \, \tau_i^{\gamma} \; g_{ui} \sum_b 2^{-a_b / h} + w \mu_i

    - :math:`\rho_i`, the item's share of buyers who bought it again over that of all items, with :math:`\beta` the
      parameter `repeat_power`;
    - :math:`\tau_i`, its trend: buyers of the last `window` over all buyers, over the same of all items, with
      :math:`\gamma` the parameter `trend_power`;
    - :math:`g_{ui} = 1 - \exp(-x_{ui} / c)`, with :math:`x_{ui}` the time since the last purchase in units of the
      item's usual interval and :math:`c` the parameter `cooldown`: what was just bought is not needed yet (None:
      :math:`g_{ui} = 1`);
    - :math:`\mu_i`, the share of users who bought the item in the last `window`: the prior, which also fills the list
      with items that the user never had.

    Both shares and the interval are shrunk towards the catalogue's by `shrinkage` observations. This is, in the
    manner of [1]_, the mean of a Gamma-Poisson rate times the item's tendency to be bought again.

    Parameters
    ----------
    half_life : float or str, default=180.0
        Time after which a purchase counts half: days (or the unit of numeric times), or text such as ``"180D"``.
    recency : float, default=0.95
        Instead of `half_life` where histories have no times: a purchase counts this factor less per later event.
    cooldown : float, default=None
        Intervals that an item rests after a purchase: 0.1 for "tomorrow", None for "in the next month".
    prior_weight : float, default=5.0
        Purchases that the prior is worth; near 0, items never had stand below all others.
    window : float, str or None, default=30.0
        How far back trend and prior look. Without times they count all events and there is no trend. None does the same
        with times, and the moment of asking is each user's own latest time: for times that number the baskets of a
        user, which say nothing about the other users.
    repeat_power : float, default=0.25
        How much the item's repeat share counts; 0 for not at all.
    trend_power : float, default=0.5
        How much the item's trend counts; 0 for not at all.
    shrinkage : float, default=10.0
        Observations that the catalogue's shares and interval are worth for an item.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, 12 bytes for each pair of user and item.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=False
        Whether a user's own items come last. False, unlike in other models: this one is about them. With True only
        the prior is left.

    Attributes
    ----------
    item_weight_ : ndarray of shape (n_items,)
        The factor :math:`\rho_i^{\beta} \tau_i^{\gamma}`.
    repeat_share_ : ndarray of shape (n_items,)
        Share of an item's buyers who bought it in more than one basket, shrunk.
    interval_ : ndarray of shape (n_items,)
        Usual time between two purchases of the item by a user, in the unit of the times (without times: in events),
        shrunk; infinite if nobody bought anything twice.
    prior_ : ndarray of shape (n_items,)
        The prior :math:`\mu_i`.
    latest_ : float or None
        The latest time seen; None without times and with ``window=None``.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The vectorizer that holds the items.

    See Also
    --------
    TIFUKNN : Fills the list with what similar users buy again.
    skrec.dummy.PopularityRecommender : The prior alone.

    Notes
    -----
    Events at one time are one basket, and an item counts once in it; without times every event is its own basket.
    The moment of asking is ``recommend(at=...)``, by default the latest time seen, in training (unless
    ``window=None``) or in the user's own history; purchases after it have age 0. It moves ages and intervals; trend and
    prior stay as learned.

    Cost of `fit`: sorting the events; memory five numbers per item. Scoring sorts the events of a block.

    References
    ----------
    .. [1] R. Bhagat, S. Muralidharan, A. Lobzhanidze and S. Vishwanath, "Buy It Again: Modeling Repeat Purchase
       Recommendations", KDD 2018.

    Examples
    --------
    >>> from skrec.neighbors import BuyAgainRecommender
    >>> histories = [["milk", "pot", "milk"], ["tea", "milk", "tea", "milk"], ["pot", "tea", "lamp"]]
    >>> model = BuyAgainRecommender(k=2).fit(histories)
    >>> model.predict([["tea", "pot", "tea"], []])
    array([['tea', 'pot'],
           ['milk', 'pot']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        "half_life": "no_validation",  # as_duration says more
        "recency": [Interval(Real, 0, 1, closed="right")],
        "cooldown": [Interval(Real, 0, None, closed="neither"), None],
        "prior_weight": [Interval(Real, 0, None, closed="left")],
        "window": "no_validation",  # as_duration says more
        "repeat_power": [Interval(Real, 0, None, closed="left")],
        "trend_power": [Interval(Real, 0, None, closed="left")],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "incremental": ["boolean"],
    }

    def __init__(
        self,
        half_life=180.0,
        *,
        recency=0.95,
        cooldown=None,
        prior_weight=5.0,
        window=30.0,
        repeat_power=0.25,
        trend_power=0.5,
        shrinkage=10.0,
        incremental=False,
        k=10,
        exclude_seen=False,
    ):
        self.half_life = half_life
        self.recency = recency
        self.cooldown = cooldown
        self.prior_weight = prior_weight
        self.window = window
        self.repeat_power = repeat_power
        self.trend_power = trend_power
        self.shrinkage = shrinkage
        self.incremental = incremental
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        histories = users.histories
        sums = {name: np.zeros(self.n_items_) for name in ("buyers", "again", "gaps", "gap")}
        limit = np.inf if histories.time is None else far_limit(histories.time, histories.dated)
        counts_last = self._last_that_counts(histories, limit)
        items, last = [np.empty(0, dtype=histories.codes.dtype)], [np.empty(0)]
        for rows in event_blocks(histories.indptr, self.n_items_):
            bought = read_baskets(histories[rows])
            pair_items = bought.codes[bought.starts]
            sums["buyers"] += self._per_item(pair_items)
            sums["again"] += self._per_item(pair_items[bought.counts > 1])
            newer = np.ones(len(bought.codes), dtype=bool)
            newer[bought.starts] = False  # a purchase that follows a newer one of its pair in the sorted order
            position = -bought.ages if bought.time is None else bought.time
            if bought.time is not None:
                far = bought.time > limit
                newer[1:] &= ~far[:-1]  # no gap ends in the far future
                if len(bought.starts):
                    newest = np.maximum.reduceat(np.where(far, -np.inf, bought.time), bought.starts)
                    keep = counts_last(newest)
                    items.append(pair_items[keep])
                    last.append(newest[keep])
            gap_items = bought.codes[newer]
            sums["gaps"] += self._per_item(gap_items)
            np.add.at(sums["gap"], gap_items, (position[:-1] - position[1:])[newer[1:]])
        sums["users"] = np.count_nonzero(np.diff(users.matrix.indptr))  # in an update, histories may be cut
        if histories.time is not None:
            sums["last"] = Records(np.concatenate(items), np.concatenate(last))
        return Statistics(sums)

    def _last_that_counts(self, histories, limit: float):
        """Return the function that tells which pairs' last times `_solve` needs: all where they are kept for updates,
        else those within the window of the latest, since it can only become later as statistics are added.
        """
        if self.incremental or histories.time is None:
            return lambda last: slice(None)
        if self.window is None:
            return lambda last: slice(0)
        window = as_duration(self.window, "window", dated=histories.dated)
        latest = latest_until(histories.time, limit)
        return lambda last: latest - last < window

    def _changing(self, after, before):
        """Leave out items of users without a new event, where baskets are told apart by their times."""
        new = new_events(after.histories, before.histories)
        if new is None or after.histories.time is None:
            return after, before
        marked = np.zeros(2**20, dtype=bool)  # some more pairs than have changed do no harm: they cancel
        place = (after.histories.rows * 1_000_003 + after.histories.codes) % len(marked)
        marked[place[new]] = True
        keep = marked[place]
        return tuple(
            replace(users, histories=users.histories.take_events(part))
            for users, part in ((after, keep), (before, keep[~new]))
        )

    def _solve(self, statistics):
        self._times_dated = self._dated if "last" in statistics.sums else None
        self._half_life = as_duration(self.half_life, "half_life", dated=self._times_dated)
        window = None if self.window is None else as_duration(self.window, "window", dated=self._times_dated)
        n_users, buyers, again = max(1, statistics["users"]), statistics["buyers"], statistics["again"]
        self.repeat_share_ = self._shrunk(again, buyers)
        self.interval_ = self._shrunk(statistics["gap"], statistics["gaps"])
        if not statistics["gaps"].any():
            self.interval_[:] = np.inf

        weight = _relative(self.repeat_share_, again.sum() / buyers.sum()) ** self.repeat_power
        if "last" not in statistics.sums or window is None:
            self.latest_, recent = None, buyers
        else:
            items, last = statistics["last"].columns
            self.latest_ = latest_time(last, self._times_dated)
            recent = self._per_item(items, self.latest_ - last < window)
            trend = _relative(self._shrunk(recent, buyers), recent.sum() / buyers.sum())
            weight = weight * trend**self.trend_power
        self.item_weight_ = weight.astype(np.float32)
        self.prior_ = (recent / n_users).astype(np.float32)

    def _per_item(self, items: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(items, values, minlength=self.n_items_).astype(np.float64)

    def _shrunk(self, total: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the mean of each item, shrunk towards that of all."""
        overall = total.sum() / max(1, count.sum())
        below = count + self.shrinkage
        return np.divide(total + self.shrinkage * overall, below, out=np.full(len(total), overall), where=below > 0)

    def _score(self, users):
        return self._score_at(users.histories, None)

    def _scorer(self, at):
        return lambda users: self._score_at(users.histories, at)

    def _score_single(self, user, at):
        return self._score_at(user.histories, at)[0]

    def _score_at(self, histories, at: float | None) -> np.ndarray:
        bought = read_baskets(histories)
        items = bought.codes[bought.starts]
        if bought.time is None:
            age, decayed = bought.ages, np.power(self.recency, bought.ages)
        else:
            age = self._asked(histories, at)[bought.rows] - bought.time
            age = np.maximum(age, 0)
            decayed = np.exp2(-age / self._half_life)
            decayed[far_future(bought.time, histories.dated)] = 0
        own = bought.per_pair(decayed) * self.item_weight_[items]
        timed = self.latest_ is not None or self._times_dated is not None
        if self.cooldown is not None and timed == (bought.time is not None):
            own *= -np.expm1(-age[bought.starts] / (self.cooldown * self.interval_[items]))
        scores = np.repeat(np.float32(self.prior_weight) * self.prior_[None], len(histories), axis=0)
        scores[bought.rows[bought.starts], items] += own.astype(np.float32)
        return scores

    def _asked(self, histories, at: float | None) -> np.ndarray:
        """Return the moment of asking of each user: `at`, or the latest time in training or in the user's history."""
        check_same_times(histories, self._times_dated)
        if at is not None:
            return np.full(len(histories), at)
        asked = np.full(len(histories), -np.inf if self.latest_ is None else self.latest_)
        return np.maximum(asked, last_times(histories))

    def __setstate__(self, state):
        if "item_weight_" in state and "_half_life" not in state:  # a file of skrec 0.1.0
            state = {**state, "_half_life": as_duration(state["half_life"], "half_life"), "_times_dated": None}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        tags.personalized = False  # knows only the user's own items: an item that is missing cannot be recognised
        return tags


def _relative(share: np.ndarray, overall: float) -> np.ndarray:
    """Return the share over the overall share, 1 where that is 0."""
    return share / overall if overall > 0 else np.ones_like(share)
