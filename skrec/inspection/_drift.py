"""Drift of a log: a panel of statistics by period, each judged against the periods before."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..utils._sklearn import Interval
from ..utils._time import logger
from ._drift_judge import STATISTICS, judge
from ._drift_log import (
    LABELS,
    Calendar,
    code_log,
    frame_of_state,
    frame_state,
    make_calendar,
    read_frame,
    text,
    whole_periods,
    without_future,
)
from ._drift_statistics import Past, cut, measure

_NEEDS = {
    "price": ("price_ratio", "repriced_items", "off_price_events"),
    **{role: (f"{role}_shares", f"{role}_lost") for role in LABELS},
}


class DriftMonitor(BaseEstimator):
    r"""Tell whether the newest periods of a log differ from those before.

    A panel of up to 20 statistics is computed for each period (a week) against the `window` periods before it, and
    each is judged by a robust z-score. Statistics whose column is not named are left out, which `notes_` says.

    Parameters
    ----------
    user, item, time : str, default=None
        The columns of events that say who, what and when. None, all three, where histories are passed.
    weight : str, default=None
        The column that says how much; it tells duplicates from repeated events.
    price : str, default=None
        The column with the price of one piece.
    category : str, default=None
        The column with the item's category.
    country : str, default=None
        The column with the user's country, or the store.
    event : str, default=None
        The column with the kind or the source of the event.
    period : str, number or timedelta, default="7D"
        Length of a period. Whole weeks begin on Mondays; for times that are plain numbers, their unit.
    window : int, default=8
        Number of periods before the one judged that are its reference.
    warn, alarm : float, default=4.0 and 5.0
        Absolute z from where the verdict is "warn" and "alarm".

    Attributes
    ----------
    statistics_ : pandas.DataFrame of shape (n_periods, n_statistics)
        The panel of the reference periods, indexed by their first moment. NaN where a statistic needs more past.
    notes_ : list of str
        What was left out: periods that are not whole, statistics without their column.
    n_periods_ : int
        Number of reference periods.

    See Also
    --------
    DriftDisplay : Draws the scores.
    staleness : Whether a model has aged.
    skrec.feature_extraction.check_events : What looks wrong in a log as a whole.

    Notes
    -----
    For a value x, on the scale of logarithms for rates and price ratios,

    .. math:: z = \frac{x - m}{\max(s, f)}, \qquad s^2 = \frac{1}{2} (s_w^2 + s_a^2)

    where m is the median of the last `window` periods, :math:`s_w` is 1.4826 times their median absolute deviation,
    :math:`s_a` the same of the moves of all earlier periods from their own medians, and f the larger of a floor of
    the statistic and its standard error. Judging periods, not events, is what keeps it calm: events cluster by user,
    so that tests over events alarm in every week.

    What a season moves is compared with the same periods of a year ago, within one period: where the move was in the
    same direction and at least half as large, and what is left is no warning, the verdict is "as a year ago". Where
    the log does not reach back a year (and `window` periods), the advice says that it could not be told.

    A persistent change stops to alarm once it fills half of the window: after about `window` / 2 periods it is the
    reference.

    Dates of events are those of UTC. Events dated more than a day after the present moment are left out, and counted
    in the notes, unless all are.

    The monitor keeps the events, user ids included, of the last `window` periods, and those of a period that was not
    over: `score` counts them where `X` goes on after them.

    Cost: O(events log events) and one pass over items and users per period; 52 weeks of Online Retail (396,370
    events) take about half a second, memory a few times that of the columns.

    Examples
    --------
    >>> from skrec.datasets import load_online_retail
    >>> from skrec.inspection import DriftMonitor
    >>> events = load_online_retail().events
    >>> columns = dict(user="CustomerID", item="StockCode", time="InvoiceDate", price="UnitPrice")
    >>> monitor = DriftMonitor(**columns).fit(events[events["InvoiceDate"] < "2011-08-01"])
    >>> week = events[(events["InvoiceDate"] >= "2011-08-01") & (events["InvoiceDate"] < "2011-08-08")]
    >>> scores = monitor.score(week)
    >>> scores["verdict"].unique().tolist()
    ['ok']
    >>> scores = monitor.score(week.assign(UnitPrice=1.1 * week["UnitPrice"]))
    >>> scores.loc[scores["verdict"] == "alarm", "statistic"].tolist()
    ['price_ratio', 'repriced_items']
    """

    _parameter_constraints: dict = {
        "window": [Interval(Integral, 4, None, closed="left")],
        "warn": [Interval(Real, 0, None, closed="neither")],
        "alarm": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        user=None,
        item=None,
        time=None,
        weight=None,
        price=None,
        category=None,
        country=None,
        event=None,
        period="7D",
        window=8,
        warn=4.0,
        alarm=5.0,
    ):
        self.user = user
        self.item = item
        self.time = time
        self.weight = weight
        self.price = price
        self.category = category
        self.country = country
        self.event = event
        self.period = period
        self.window = window
        self.warn = warn
        self.alarm = alarm

    def fit(self, X, y=None, *, until=None):
        """Learn the reference periods.

        Parameters
        ----------
        X : events or histories
            A frame with a row per event (pandas, polars or pyarrow), whose columns the parameters name; or the frame
            that :func:`~skrec.feature_extraction.to_histories` returns, with times.
        y : None
            Ignored.
        until : moment, default=None
            Until when the log is complete. None leaves out a last period that the events do not fill.

        Returns
        -------
        DriftMonitor
            The monitor itself.
        """
        frame, calendar, far = self._read(X, "X")
        first, last, notes = whole_periods(frame["time"].to_numpy(), calendar, until)
        if last < first:
            raise ValueError(f"X has no whole period of {self.period!r}: {'; '.join(notes)}: give a longer log")
        self._calendar, self._window = calendar, self.window
        self._numbers, self._values, self._noise, _ = _panel(frame, calendar, first, last, self.window)
        number = calendar.number(frame["time"].to_numpy())
        self._recent = frame[number >= max(first, last - self.window + 1)].reset_index(drop=True)
        self.statistics_ = self._values.set_axis([calendar.start(one) for one in self._numbers])
        self.n_periods_ = len(self._numbers)
        self.notes_ = far + notes + self._left_out(frame)
        return self

    def score(self, X, y=None, *, until=None):
        """Judge the periods that follow the reference.

        Parameters
        ----------
        X : events or histories
            The events of one or more periods after the reference, in the form `fit` took.
        y : None
            Ignored.
        until : moment, default=None
            Until when the events are complete. None leaves out a last period that they do not fill.

        Returns
        -------
        pandas.DataFrame
            A row per period and statistic with the columns `period` (its first moment), `statistic`, `value`,
            `reference` (median of the last periods), `z`, `verdict` ("ok", "warn", "alarm", "as a year ago", or
            "unjudged" where fewer than 4 earlier periods have the statistic), `year_ago` (the value then), `moved`
            (which items, users, categories or countries moved most, for all but "ok") and `advice`. What was left
            out is in ``attrs["notes"]``, `warn` and `alarm` in ``attrs["thresholds"]``.

        Raises
        ------
        ValueError
            If no whole period follows the reference, events lie within it, or `X` has a part of the events that `fit`
            had already and left out, since their period was not over: all or none are needed.

        Notes
        -----
        Periods without events between the reference and `X` are judged too: pass all that followed.
        """
        import pandas as pd

        check_is_fitted(self, "statistics_")
        frame, calendar, far = self._read(X, "X")
        if calendar.dated != self._calendar.dated:
            raise ValueError(
                "X must have times like those of fit: dates in one and numbers in the other do not compare"
            )
        calendar, window = self._calendar, self._window  # those of fit, whatever period= and window= are now
        known = int(self._numbers[-1])
        early = int((calendar.number(frame["time"].to_numpy()) <= known).sum())
        if early:
            end = text(calendar, known + 1)
            raise ValueError(f"X has {early:,} events before {end}, where the reference ends: pass later events only")
        is_past = calendar.number(self._recent["time"].to_numpy()) <= known
        frame, begun = _with_begun(self._recent[~is_past], frame, calendar, known + 1)
        _, last, notes = whole_periods(frame["time"].to_numpy(), calendar, until)
        notes = far + begun + [note for note in notes if not note.startswith("the first")]
        first = known + 1  # periods without events count
        if last < first:
            raise ValueError(f"X has no whole period of {self.period!r}: {'; '.join(notes)}: wait, or give until=")
        both = pd.concat([self._recent[is_past], frame], ignore_index=True)
        _, values, noise, moved = _panel(both, calendar, known - window + 1, last, window, first=first)
        table, errors = pd.concat([self._values, values]), pd.concat([self._noise, noise])
        columns = [name for name in STATISTICS if name in table]
        rows = range(len(self._numbers), len(table))
        notes += self._left_out(frame)
        return self._judge(calendar, window, table[columns], errors[columns], moved, rows, notes)

    def score_log(self, X, *, until=None):
        """Judge each whole period of a log against those before it; nothing is learned, and no `fit` is needed.

        Parameters
        ----------
        X : events or histories
            The whole log, in the form `fit` takes.
        until : moment, default=None
            Until when the log is complete. None leaves out a last period that the events do not fill.

        Returns
        -------
        pandas.DataFrame
            As `score` returns it, for all periods.
        """
        frame, calendar, far = self._read(X, "X")
        first, last, notes = whole_periods(frame["time"].to_numpy(), calendar, until)
        if last < first:
            raise ValueError(f"X has no whole period of {self.period!r}: {'; '.join(notes)}: give a longer log")
        numbers, values, noise, moved = _panel(frame, calendar, first, last, self.window)
        notes = far + notes + self._left_out(frame)
        return self._judge(calendar, self.window, values, noise, moved, range(len(numbers)), notes)

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_recent" in state:
            del state["statistics_"]
            state["_calendar"] = {"length": self._calendar.length, "origin": self._calendar.origin}
            state["_calendar"]["dated"] = self._calendar.dated
            for name in ("_recent", "_values", "_noise"):
                state[name] = frame_state(state[name])
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_recent" in state:
            self._window = state.get("_window", self.window)  # monitors saved before it was kept lack it
            self._calendar = Calendar(**state["_calendar"])
            self._recent = frame_of_state(state["_recent"])
            self._values = frame_of_state(state["_values"]).set_axis(self._numbers)
            self._noise = frame_of_state(state["_noise"]).set_axis(self._numbers)
            self.statistics_ = self._values.set_axis([self._calendar.start(one) for one in self._numbers])

    def _judge(self, calendar: Calendar, window: int, values, noise, moved, rows, notes: list[str]):
        for note in notes:
            logger.info(note)
        scores = judge(
            values,
            noise,
            moved,
            rows=rows,
            calendar=calendar,
            window=window,
            warn=self.warn,
            alarm=self.alarm,
        )
        scores.attrs |= {"notes": notes, "thresholds": (float(self.warn), float(self.alarm))}
        return scores

    def _read(self, X, name: str):
        self._validate_params()
        if self.warn > self.alarm:
            raise ValueError(f"warn must be at most alarm, got warn={self.warn} and alarm={self.alarm}")
        roles = ("user", "item", "time", "weight", "price", *LABELS)
        frame, dated = read_frame(X, {role: getattr(self, role) for role in roles}, name)
        frame, notes = without_future(frame, dated)
        return frame, make_calendar(self.period, dated), notes

    def _left_out(self, frame) -> list[str]:
        return [f"{', '.join(names)}: left out without {role}=" for role, names in _NEEDS.items() if role not in frame]


def _with_begun(begun, frame, calendar: Calendar, number: int):
    """Return new events with those of a period that was not over in `fit`, where they lack them, and a note on it."""
    import pandas as pd

    if not len(begun) or frame["time"].iloc[0] <= begun["time"].iloc[0]:
        return frame, []
    bounds = np.array([frame["time"].iloc[0], begun["time"].iloc[0], begun["time"].iloc[-1]])
    if bounds[0] < bounds[2]:
        own, first, last = map(calendar.start, (bounds - calendar.origin) / calendar.length)
        raise ValueError(
            f"X begins at {own}, among the {len(begun):,} events from {first} to {last} that fit left out, since their "
            "period was not over: pass all of them again, or none"
        )
    note = f"the {len(begun):,} events of the period from {text(calendar, number)} that fit had are counted in it"
    return pd.concat([begun, frame], ignore_index=True), [note]


def _panel(frame, calendar: Calendar, start: int, last: int, window: int, first: int | None = None):
    """Compute the panel of the periods from `first` to `last`, with a past that begins at `start`.

    Returns
    -------
    numbers : ndarray of shape (n_periods,)
        Numbers of the periods.
    values, noise : pandas.DataFrame of shape (n_periods, n_statistics)
        The panel and its standard errors, indexed by the numbers.
    moved : dict of (number, statistic) to str
        What moved most.
    """
    import pandas as pd

    first = start if first is None else first
    log = code_log(frame, calendar, start, last)
    ids = {"user": log.user_ids, "item": log.item_ids, **{role: names for role, (_, names) in log.labels.items()}}
    past, values, noise, moved = Past(log, window), {}, {}, {}
    for place in range(log.n_periods):
        number, now = start + place, cut(log, place)
        if number >= first:
            found = measure(now, past, calendar.length)
            values[number] = {name: one[0] for name, one in found.items()}
            noise[number] = {name: one[1] for name, one in found.items()}
            for name, (_, _, what) in found.items():
                if what is not None and len(what[1]):
                    moved[number, name] = f"{what[0]} {', '.join(str(one) for one in ids[what[0]][what[1]])}"
        past.add(now)
    tables = [pd.DataFrame(list(one.values()), index=list(one)).astype(np.float64) for one in (values, noise)]
    columns = [name for name in STATISTICS if name in tables[0]]
    return np.array(list(values)), tables[0][columns], tables[1][columns].fillna(0.0), moved
