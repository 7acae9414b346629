"""Nearest sessions."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

from ..base import BaseRecommender
from ..feature_extraction._vectorizer import event_ages, last_times
from ..utils._csr import counts_of
from ..utils._histories import Histories, required
from ..utils._nearest import prune_rows
from ..utils._row_blocks import row_blocks
from ..utils._sklearn import Interval
from ..utils._statistics import Rows, Statistics, history_keys
from ..utils._time import as_duration, far_limit, latest_time

_BLOCK = 2**21  # events that are sorted at once


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
    `fit` works on blocks of sessions. The model keeps 4 bytes an event and 8 for each of at most `n_candidates`
    sessions of an item. A request sorts, for each event of the current session, at most `n_candidates` entries, and
    then reads the `n_neighbors` sessions; once the items have that many sessions, neither grows with their number.

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
        histories = users.histories
        timed = histories.time is not None
        if self.half_life is not None and not timed:
            raise ValueError("half_life needs histories with the column 'time': see to_histories(time=)")
        keep = _last_places(histories)
        ends = [_session_ends(histories, keep)] if timed else []
        if not self.incremental:  # only keys need the times of events
            histories = replace(histories, time=None, weight=None, event_ids=None, event_codes=None)
        sessions = histories if keep is None else histories.take_events(keep)
        n_rows = len(sessions)
        keys = history_keys(sessions, self.items_) if self.incremental else np.zeros(n_rows, dtype=np.uint64)
        codes = sessions.codes.astype(np.int32, copy=self.incremental)
        return Statistics({"sessions": Rows(keys, sessions.indptr, [codes], ends).taken(sessions.lengths > 0)})

    def _solve(self, statistics):
        sessions = statistics["sessions"]
        number = np.arange(len(sessions))
        ends = sessions.columns[0] if sessions.columns else number
        newest = np.lexsort((-number, -ends))
        lengths = sessions.lengths[newest]
        self._indptr = np.concatenate([[0], np.cumsum(lengths)])  # of the sessions, 0 is the newest
        self._items = np.empty(self._indptr[-1], dtype=np.int32)
        for rows in row_blocks(self._indptr):
            events = _ranges(sessions.indptr[newest[rows]], lengths[rows])
            self._items[self._indptr[rows.start] : self._indptr[rows.stop]] = sessions.events[0][events]
        factor = lengths ** -float(self.length_penalty)
        if self.half_life is not None:
            half_life = as_duration(self.half_life, "half_life", dated=self._dated)
            age = latest_time(ends, self._dated) - ends[newest]
            factor *= np.where(age < 0, 0, np.exp2(-np.maximum(age, 0) / half_life))  # none of the far future
        self._factor = factor.astype(np.float32)
        idf = np.log1p(len(lengths) / np.maximum(self.popularity_, 1))
        self._idf = (idf**self.idf).astype(np.float32)

        counts = counts_of(self._items, self.n_items_)
        self._candidates = _newest_of_items(self._items, self._indptr, counts, self.n_candidates)
        mean = len(self._items) / max(1, len(lengths))
        found = mean * float(np.minimum(counts, self.n_candidates) @ counts) / max(1, len(self._items))
        self._expected = int(8 * found + 8 * min(found, self.n_neighbors) * mean)  # found: sessions a question meets

    def _block_width(self):
        return super()._block_width() + self._expected

    def _score(self, users) -> np.ndarray:
        neighbors = self._neighbors(_without_repeats(users.histories))
        anchor = neighbors.indices
        session = np.searchsorted(self._indptr, anchor, side="right") - 1
        start, stop = self._indptr[session], self._indptr[session + 1]
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
        of_item, sessions_of, events_of = self._candidates
        sizes = of_item[asked.codes + 1] - of_item[asked.codes]
        if not sizes.sum():
            return sp.csr_array(shape, dtype=np.float32)
        number = np.repeat(np.arange(len(asked.codes)), sizes)  # of the event of the current session
        places = _ranges(of_item[asked.codes], sizes)
        row, event = asked.rows[number], events_of[places].astype(np.int64)
        order = np.argsort(row * shape[1] + event)  # brings the events of a session together
        number, row, event, session = number[order], row[order], event[order], sessions_of[places[order]]
        starts = np.flatnonzero(np.concatenate([[True], (np.diff(row) != 0) | (np.diff(session) != 0)]))
        age = event_ages(asked)
        weight = (float(self.recency) ** age * self._idf[asked.codes]).astype(np.float32)
        overlap = np.add.reduceat(weight[number], starts) * self._factor[session[starts]]
        youth = (age.max() - age)[number]
        anchor = np.maximum.reduceat(youth * shape[1] + event, starts) % shape[1]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row[starts], minlength=len(asked)))])
        return prune_rows(sp.csr_array((overlap, anchor, indptr), shape=shape), self.n_neighbors)

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_events_of" in vars(self):  # a file from before the lists of sessions
            for name in ("_events_of", "_session"):
                del vars(self)[name]
            counts = counts_of(self._items, self.n_items_)
            self._candidates = _newest_of_items(self._items, self._indptr, counts, self.n_candidates)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        tags.fit_randomness = True  # without times, later rows count as newer
        return tags


def _without_repeats(histories: Histories) -> Histories:
    """Keep the last event of each item in each history."""
    keep = _last_places(histories)
    return histories if keep is None else histories.take_events(keep)


def _last_places(histories: Histories) -> np.ndarray | None:
    """Mark the last event of each item in each history, shape (n_events,); None where no item is repeated."""
    keep = np.ones(len(histories.codes), dtype=bool)
    for rows in row_blocks(histories.indptr, _BLOCK):
        first, last = histories.indptr[rows.start], histories.indptr[rows.stop]
        row = np.repeat(np.arange(rows.stop - rows.start), np.diff(histories.indptr[rows.start : rows.stop + 1]))
        key = row * len(histories.ids) + histories.codes[first:last]
        order = np.argsort(key)
        new = np.flatnonzero(np.diff(key[order], prepend=-1))
        if len(new) < len(key):
            keep[first:last] = False
            keep[first + np.maximum.reduceat(order, new)] = True
    return None if keep.all() else keep


def _session_ends(histories: Histories, keep: np.ndarray | None) -> np.ndarray:
    """Return the `last_times` of the events where a mask of shape (n_events,) is true, or of all; by blocks."""
    limit, ends = far_limit(required(histories.time, "time"), histories.dated), []
    for rows in row_blocks(histories.indptr, _BLOCK):
        block = histories[rows]
        if keep is not None:
            block = block.take_events(keep[histories.indptr[rows.start] : histories.indptr[rows.stop]])
        ends.append(last_times(block, limit))
    return np.concatenate(ends)


def _newest_of_items(
    items: np.ndarray, indptr: np.ndarray, counts: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the n newest sessions of each item, newest first.

    Parameters
    ----------
    items : int32 ndarray of shape (n_events,)
        The items of the sessions, the newest session first; each item at most once in a session.
    indptr : int64 ndarray of shape (n_sessions + 1,)
        Boundaries of the sessions.
    counts : int64 ndarray of shape (n_items,)
        Number of sessions of each item.
    n : int
        Most sessions of an item.

    Returns
    -------
    of_item : int64 ndarray of shape (n_items + 1,)
        Boundaries of the lists.
    sessions : ndarray of shape (n_listed,), dtype int32
        The sessions of each item.
    events : ndarray of shape (n_listed,), dtype int32 or int64
        Where the item stands in `items`.
    """
    of_item = np.concatenate([[0], np.cumsum(np.minimum(counts, n))])
    sessions = np.empty(of_item[-1], dtype=np.int32)
    events = np.empty(of_item[-1], dtype=np.int32 if len(items) < 2**31 else np.int64)
    listed = np.zeros(len(counts), dtype=np.int64)
    for rows in row_blocks(indptr, max(_BLOCK, len(counts))):
        first, last = indptr[rows.start], indptr[rows.stop]
        wanted = np.flatnonzero(listed[items[first:last]] < n)
        pattern = sp.csr_array((wanted, items[first:last][wanted], [0, len(wanted)]), shape=(1, len(counts)))
        by_item = pattern.tocsc()  # a counting sort
        found = np.diff(by_item.indptr)
        place = np.arange(len(wanted)) + np.repeat(listed - by_item.indptr[:-1], found)
        keep = place < n
        to = (place + np.repeat(of_item[:-1], found))[keep]
        session = np.repeat(np.arange(rows.start, rows.stop), np.diff(indptr[rows.start : rows.stop + 1]))
        events[to] = first + by_item.data[keep]
        sessions[to] = session[by_item.data[keep]]
        listed += found
    return of_item, sessions, events


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate the ranges of integers that begin at `starts`."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
