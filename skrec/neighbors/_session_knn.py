"""Nearest sessions."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

from ..base import BaseRecommender
from ..feature_extraction._vectorizer import event_ages, last_times
from ..utils._histories import Histories
from ..utils._nearest import prune_rows
from ..utils._sklearn import Interval
from ..utils._statistics import Rows, Statistics, history_keys
from ..utils._time import as_duration, latest_time


class SessionKNN(BaseRecommender):
    r"""Recommend what stood near the shared items in the training sessions most like the current one.

    The history asked with is the current session :math:`s`, its items aged 0, 1, ... from the newest. A training
    session :math:`n` with :math:`|n|` items is similar to it by the items they share,

    .. math:: \text{sim}(s, n) = \frac{2^{-a_n / h}}{|n|^\lambda}
        \sum_{i \in s \cap n} r^{\text{age}_s(i)} \, \text{idf}_i^{\,\gamma},
        \qquad \text{idf}_i = \log \Bigl(1 + \frac{N}{n_i}\Bigr)

    with :math:`r` the `recency`, :math:`\lambda` the `length_penalty`, :math:`\gamma` the exponent `idf`, :math:`N`
    sessions of which :math:`n_i` have item :math:`i`, and, where `half_life` :math:`h` is given, the time
    :math:`a_n` from the end of the session to the latest seen. The `n_neighbors` most similar sessions vote: with
    :math:`i^*` the newest item of :math:`s` that stands in :math:`n`, and :math:`d` the signed number of steps
    from it to :math:`j`,

    .. math:: \text{score}(s, j) = \text{idf}_j^{\,\gamma} \sum_{n \ni j} \text{sim}(s, n) \, \delta^{|d_n(i^*, j)|}
        \cdot (b \text{ where } d < 0)

    with :math:`\delta` the `distance_decay` and :math:`b` the factor `backward`. The decay in the current session is
    V-SKNN's [1]_, those in time and in the neighbour are STAN's [2]_, and looking only at the newest sessions of each
    item is VMIS-kNN's [3]_. An item that a session has several times stands at its last place alone.

    Parameters
    ----------
    n_neighbors : int, default=500
        Number of most similar sessions that vote.
    n_candidates : int, default=1000
        Number of sessions remembered for each item, the newest by the time of their last event; without times, later
        rows of `X` count as newer. Bounds the cost of asking.
    recency : float, default=0.6
        Factor of a shared item's weight per step back in the current session, in (0, 1].
    distance_decay : float, default=0.8
        Factor of a vote per step between the anchor and the candidate in the neighbour session, in (0, 1].
    backward : float, default=0.6
        Factor of votes for items before the anchor; 0 lets only what came after it vote.
    length_penalty : float, default=0.25
        Exponent of the length by which the similarity of a training session is divided; 0.5 is the cosine.
    idf : float, default=0.75
        Exponent of the inverse document frequency of shared items and of candidates; 0 switches it off. More, such as
        1.5, suits anonymous sessions; less suits long histories and purchases that recur.
    half_life : float or str, default=None
        Time after which a training session counts half: days (or the unit of numeric times), or text such as
        ``"30D"``. Needs the column `time`.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, all sessions: 4 bytes an event and 24 a session.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether the items of the current session come last. Visitors return to what they have viewed: say False for
        clicks.

    Attributes
    ----------
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training sessions with each item.
    vectorizer_ : transformer
        Tells the seen items.

    See Also
    --------
    TransitionRecommender : Counts which item follows which; smaller and faster.
    ItemKNN : Compares items and knows no order.

    Notes
    -----
    `fit` sorts the events and keeps them: about 20 bytes an event. A question costs, per event of the current
    session, at most `n_candidates` look-ups, and then the length of each of the `n_neighbors` sessions; once the items
    have that many sessions, neither grows with their number. All of it is sparse products and vectorised sums over
    blocks of questions.

    An update by `partial_fit` equals a fit on all sessions; of sessions that end at the same time, those of the update
    count as newer, as later rows of `X` do in `fit`.

    References
    ----------
    .. [1] M. Ludewig and D. Jannach, "Evaluation of Session-Based Recommendation Algorithms", User Modeling and
       User-Adapted Interaction 28, 2018.
    .. [2] D. Garg, P. Gupta, P. Malhotra, L. Vig and G. Shroff, "Sequence and Time Aware Neighborhood for
       Session-Based Recommendations: STAN", SIGIR 2019.
    .. [3] B. Kersbergen, O. Sprangers and S. Schelter, "Serenade: Low-Latency Session-Based Recommendation in
       e-Commerce at Scale", SIGMOD 2022.

    Examples
    --------
    >>> from skrec.neighbors import SessionKNN
    >>> sessions = [["phone", "case", "cable"], ["phone", "case"], ["tent", "stove"], ["tent", "mat", "stove"]]
    >>> SessionKNN(k=2).fit(sessions).predict([["phone"], ["tent"]])
    array([['case', 'cable'],
           ['stove', 'mat']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "recency": [Interval(Real, 0, 1, closed="right")],
        "distance_decay": [Interval(Real, 0, 1, closed="right")],
        "backward": [Interval(Real, 0, None, closed="left")],
        "length_penalty": [Interval(Real, 0, None, closed="left")],
        "idf": [Interval(Real, 0, None, closed="left")],
        "half_life": "no_validation",  # as_duration says more
        "incremental": ["boolean"],
    }
    del _parameter_constraints["vectorizer"]

    def __init__(
        self,
        n_neighbors=500,
        *,
        n_candidates=1000,
        recency=0.6,
        distance_decay=0.8,
        backward=0.6,
        length_penalty=0.25,
        idf=0.75,
        half_life=None,
        incremental=False,
        k=10,
        exclude_seen=True,
    ):
        self.n_neighbors = n_neighbors
        self.n_candidates = n_candidates
        self.recency = recency
        self.distance_decay = distance_decay
        self.backward = backward
        self.length_penalty = length_penalty
        self.idf = idf
        self.half_life = half_life
        self.incremental = incremental
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        if self.half_life is not None and users.histories.time is None:
            raise ValueError("half_life needs histories with the column 'time': see to_histories(time=)")
        sessions = _without_repeats(users.histories)
        n_rows = len(sessions)
        keys = history_keys(sessions, self.items_) if self.incremental else np.zeros(n_rows, dtype=np.uint64)
        ends = [] if sessions.time is None else [last_times(sessions)]
        rows = Rows(keys, sessions.indptr, [sessions.codes.astype(np.int32)], ends)
        return Statistics({"sessions": rows.taken(sessions.lengths > 0)})

    def _solve(self, statistics):
        sessions = statistics["sessions"]
        number = np.arange(len(sessions))
        ends = sessions.columns[0] if sessions.columns else number
        newest = np.lexsort((-number, -ends))
        lengths = sessions.lengths[newest]
        self._items = sessions.events[0][_ranges(sessions.indptr[newest], lengths)]
        self._indptr = np.concatenate([[0], np.cumsum(lengths)])
        self._session = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)  # 0 is the newest
        factor = lengths ** -float(self.length_penalty)
        if self.half_life is not None:
            half_life = as_duration(self.half_life, "half_life", dated=self._dated)
            age = latest_time(ends, self._dated) - ends[newest]
            factor *= np.where(age < 0, 0, np.exp2(-np.maximum(age, 0) / half_life))  # none of the far future
        self._factor = factor.astype(np.float32)
        idf = np.log1p(len(lengths) / np.maximum(self.popularity_, 1))
        self._idf = (idf**self.idf).astype(np.float32)

        events = np.argsort(self._items, kind="stable")  # the events of each item, newest session first
        counts = np.bincount(self._items, minlength=self.n_items_)
        place = np.arange(len(events)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = np.minimum(counts, self.n_candidates)
        self._events_of = sp.csr_array(
            (
                np.ones(int(kept.sum()), dtype=np.int32),
                events[place < self.n_candidates].astype(np.int32),
                np.concatenate([[0], np.cumsum(kept)]).astype(np.int32),
            ),
            shape=(self.n_items_, len(events)),
        )
        mean = len(events) / max(1, len(lengths))
        found = mean * float(kept @ counts) / max(1, len(events))  # sessions that a question meets
        self._expected = int(8 * found + 8 * min(found, self.n_neighbors) * mean)

    def _block_width(self):
        return super()._block_width() + self._expected

    def _score(self, users) -> np.ndarray:
        neighbors = self._neighbors(_without_repeats(users.histories))
        anchor = neighbors.indices
        start, stop = self._indptr[self._session[anchor]], self._indptr[self._session[anchor] + 1]
        events = _ranges(start, stop - start)
        longest = int((stop - start).max(initial=0))
        steps = np.arange(-longest, longest + 1)
        decay = float(self.distance_decay) ** np.abs(steps) * np.where(steps < 0, self.backward, 1)
        distance = events - np.repeat(anchor, stop - start)
        votes = np.repeat(neighbors.data, stop - start) * decay.astype(np.float32)[distance + longest]
        indptr = np.concatenate([[0], np.cumsum(stop - start)])[neighbors.indptr]
        scores = sp.csr_array((votes, self._items[events], indptr), shape=users.shape).toarray()  # adds the votes
        scores *= self._idf
        return scores

    def _neighbors(self, asked: Histories) -> sp.csr_array:
        """Return the most similar sessions of each history: column = the anchor's event, value = similarity."""
        shape = (len(asked), len(self._items))
        number = np.arange(1, len(asked.codes) + 1, dtype=np.int32)
        pattern = sp.csr_array((number, asked.codes, asked.indptr.astype(np.int32)), shape=(len(asked), self.n_items_))
        shared = sp.csr_array(pattern @ self._events_of)  # column = event of a session, value = number of the asked one
        if shared.nnz == 0:
            return sp.csr_array(shape, dtype=np.float32)
        shared.sort_indices()  # brings the events of a session together
        row = np.repeat(np.arange(len(asked)), np.diff(shared.indptr))
        session = self._session[shared.indices]
        starts = np.flatnonzero(np.concatenate([[True], (np.diff(row) != 0) | (np.diff(session) != 0)]))
        age = event_ages(asked)
        weight = (float(self.recency) ** age * self._idf[asked.codes]).astype(np.float32)
        overlap = np.add.reduceat(weight[shared.data - 1], starts) * self._factor[session[starts]]
        youth = (age.max() - age)[shared.data - 1]
        anchor = np.maximum.reduceat(youth * shape[1] + shared.indices, starts) % shape[1]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row[starts], minlength=len(asked)))])
        return prune_rows(sp.csr_array((overlap, anchor, indptr), shape=shape), self.n_neighbors)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        tags.fit_randomness = True  # without times, later rows count as newer
        return tags


def _without_repeats(histories: Histories) -> Histories:
    """Keep the last event of each item in each history."""
    order = np.lexsort((histories.codes, histories.rows))
    rows, codes = histories.rows[order], histories.codes[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (rows[1:] != rows[:-1]) | (codes[1:] != codes[:-1])
    keep = np.zeros(len(order), dtype=bool)
    keep[order[last]] = True
    return histories if keep.all() else histories.take_events(keep)


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate the ranges of integers that begin at `starts`."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
