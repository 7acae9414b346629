"""Verdicts on statistics of periods: robust z against the last periods, and against a year ago."""

from dataclasses import dataclass

import numpy as np

MIN_REFERENCE = 4  # values of earlier periods that a verdict needs
_YEAR = 365.25
COLUMNS = ("period", "statistic", "value", "reference", "z", "verdict", "year_ago", "moved", "advice")


@dataclass(frozen=True)
class Statistic:
    """How a statistic is judged.

    Attributes
    ----------
    title : str
        What it is, in words.
    floor : float
        Least scale of z; on the scale of logarithms where `log`.
    log : bool
        Whether z is taken of the logarithm.
    side : int
        1: only a rise is judged, -1: only a fall, 0: both.
    seasonal : bool
        Whether a season moves it, so that it is compared with a year ago.
    advice : str
        What to do on a rise.
    advice_fall : str
        What to do on a fall.
    """

    title: str
    floor: float
    log: bool = False
    side: int = 1
    seasonal: bool = True
    advice: str = ""
    advice_fall: str = ""


STATISTICS: dict[str, Statistic] = {
    "events_per_day": Statistic(
        "events a day",
        0.08,
        log=True,
        side=0,
        advice="More events than before: look at the tracker for a second sender, and at what drives the demand.",
        advice_fall="Events are missing: look at the tracker and at the import before the model learns from them.",
    ),
    "events_per_user": Statistic(
        "events a user",
        0.05,
        log=True,
        side=0,
        advice="Users have more events than they used to: look at the tracker for events sent twice or by bots.",
        advice_fall="Users have fewer events than they used to: look at the tracker, which may lose events.",
    ),
    "busiest_users": Statistic(
        "share of the busiest 2 % of the users",
        0.015,
        advice="Few users make many events: look for bots or a shared id, and leave them out before the next refit.",
    ),
    "exact_duplicates": Statistic(
        "exact duplicates",
        0.004,
        seasonal=False,
        advice="Events are written twice: look at the tracker, and remove the copies before the next refit.",
    ),
    "missing_values": Statistic(
        "events without user, item or a price above 0",
        0.004,
        seasonal=False,
        advice="Events lack a value: look at the tracker.",
    ),
    "unknown_items": Statistic(
        "events of unknown items",
        0.01,
        advice="Many events are of items that were not there before: update the model, or refit it, if they are new "
        "products; look at the tracker if they are not.",
    ),
    "new_users": Statistic(
        "new users",
        0.03,
        advice="More users than usual have no history: look at the tracker's ids if no campaign explains it; new users "
        "get answers close to popularity until they have events.",
    ),
    "new_id_formats": Statistic(
        "ids of a new format",
        0.002,
        seasonal=False,
        advice="Ids are written in a form or type that was not there before: look at the tracker and the import.",
    ),
    "head_share": Statistic(
        "share of the best sellers",
        0.015,
        side=0,
        advice="Events concentrate on the best sellers: refit, and look at what is promoted.",
        advice_fall="The best sellers of the last periods sell less: refit the model, popularity has moved.",
    ),
    "users_off_head": Statistic(
        "users without a best seller",
        0.02,
        advice="More users than usual take none of the best sellers: refit the model, tastes have moved.",
    ),
    "surging_items": Statistic(
        "share of surging items",
        0.015,
        advice="Some items are wanted several times as much as before: update or refit the model.",
    ),
    "price_ratio": Statistic(
        "price of the same item",
        0.01,
        log=True,
        side=0,
        advice="The same items cost more than before: look at the prices (currency, tax, unit), and refit what learns "
        "from prices.",
        advice_fall="The same items cost less than before: look at the prices (currency, tax, unit), and refit what "
        "learns from prices.",
    ),
    "repriced_items": Statistic(
        "re-priced items",
        0.01,
        advice="Many items have another price than before: look at the prices.",
    ),
    "off_price_events": Statistic(
        "events far off their item's price",
        0.01,
        seasonal=False,
        advice="Many events have a price that is not their item's: look at the tracker for wrong item ids, and at the "
        "prices.",
    ),
    "fallback_share": Statistic(
        "answers by the fallback",
        0.005,
        seasonal=False,
        advice="More answers than usual come from the fallback: look at deadlines and errors of the service.",
    ),
    "known_items": Statistic(
        "known items in requests",
        0.01,
        side=-1,
        advice_fall="The model knows fewer of the items in requests: update or refit it, or look at the ids sent.",
    ),
    "score_shift": Statistic(
        "distance of the score distribution",
        0.02,
        advice="Scores of the model are distributed differently than before: look at the input of requests and at the "
        "last model swap.",
    ),
    "online_hit_rate": Statistic(
        "online hit rate",
        0.005,
        side=-1,
        advice_fall="Fewer recommendations are taken than before: compare the model with a refit (staleness), and roll "
        "back if a new model went live.",
    ),
}
for _role, _name in (("category", "category"), ("country", "country"), ("event", "kind of event")):
    STATISTICS[f"{_role}_shares"] = Statistic(
        f"largest move of a {_name}, in users",
        0.5,
        advice=f"The users of a {_name} moved: look at what was opened, closed or promoted, and at the tracker.",
    )
    STATISTICS[f"{_role}_lost"] = Statistic(
        f"users of a {_name} that is gone",
        0.6,
        seasonal=False,
        advice=f"A {_name} has no events at all: look at the tracker and at the import.",
    )


def judge(table, noise, moved, *, rows, calendar, window: int, warn: float, alarm: float):
    """Judge periods of a table of statistics, each against the periods before it.

    Parameters
    ----------
    table : pandas.DataFrame of shape (n_periods, n_statistics)
        Values, indexed by the number of the period, ascending.
    noise : pandas.DataFrame of shape (n_periods, n_statistics)
        Standard errors.
    moved : dict of (number, statistic) to str
        What moved most.
    rows : sequence of int
        Positions of the periods to judge.
    calendar : Calendar
        Turns numbers into dates, and says what a year is.
    window : int
        Number of periods of the reference.
    warn, alarm : float
        Absolute z from where the verdict is "warn" and "alarm".

    Returns
    -------
    pandas.DataFrame
        A row per period and statistic, with the columns `COLUMNS`.
    """
    import pandas as pd

    numbers = table.index.to_numpy()
    lag = round(_YEAR / calendar.length) if calendar.dated else 0
    places = {int(number): place for place, number in enumerate(numbers)}
    found = []
    for name in table.columns:
        how = STATISTICS[name]
        plain = table[name].to_numpy(dtype=np.float64)
        values = np.log(np.maximum(plain, 0.5 / calendar.length)) if how.log else plain  # a rate of 0: half an event
        there = ~np.isnan(plain) & ~(how.log & (plain == 0))  # silent periods are judged, and are no reference
        past = _Past(values, there, window)
        medians, moves = past.medians, past.moves
        floors = np.fmax(how.floor, noise[name].to_numpy(dtype=np.float64))
        for row in rows:
            if np.isnan(values[row]):
                continue
            z, scale = past.robust_z(row, floors[row])
            verdict = _verdict(z, how.side, warn, alarm)
            before, year_ago, lacking = None, np.nan, _lacking(calendar, lag)
            if how.seasonal and not lacking:
                before, at = _a_year_ago(places, numbers[row] - lag, moves, moves[row])
                year_ago = np.nan if at is None else float(plain[at])
                if at is None or np.isnan(moves[at]):  # those beside it may excuse, but do not tell
                    lacking = f"the log does not reach back a year and {MIN_REFERENCE} periods"
            dead = not there[max(0, row - MIN_REFERENCE) : row + 1].any()  # no holiday is that long
            excused = before is not None and not dead and _same(moves[row], before, scale, warn)
            if verdict in ("warn", "alarm") and excused:
                verdict = "as a year ago"
            advice = _advice(how, verdict, z, lacking)
            reference = medians[row] if not how.log else np.exp(medians[row])
            found.append(
                (
                    calendar.start(numbers[row]),
                    name,
                    float(plain[row]),
                    float(reference),
                    z,
                    verdict,
                    year_ago,
                    moved.get((numbers[row], name), "") if verdict in ("warn", "alarm", "as a year ago") else "",
                    advice,
                )
            )
    scores = pd.DataFrame(found, columns=list(COLUMNS))
    return scores.sort_values("period", kind="stable", ignore_index=True)


class _Past:
    """What a statistic was before each period.

    Parameters
    ----------
    values : ndarray of shape (n_periods,)
        The statistic.
    there : ndarray of shape (n_periods,), dtype bool
        Whether a period has a value that later ones are compared with.
    window : int
        Number of values of the reference.

    Attributes
    ----------
    medians : ndarray of shape (n_periods,)
        Median of the last values before each period, NaN where there are too few.
    moves : ndarray of shape (n_periods,)
        Values less their medians.
    """

    def __init__(self, values: np.ndarray, there: np.ndarray, window: int):
        self._window = window
        self._values, self._before = values[there], np.cumsum(there) - there
        self.medians = np.full(len(values), np.nan)
        for row in range(len(values)):
            last = self._last(row)
            if len(last) >= MIN_REFERENCE:
                self.medians[row] = np.median(last)
        self.moves = values - self.medians
        moved = there & ~np.isnan(self.moves)
        self._sizes, self._moved_before = np.abs(self.moves[moved]), np.cumsum(moved) - moved

    def _last(self, row: int) -> np.ndarray:
        """Return the last values before a row, of periods that have one."""
        n = self._before[row]
        return self._values[max(0, n - self._window) : n]

    def robust_z(self, row: int, floor: float) -> tuple[float, float]:
        """Return z of a row and its scale, the root mean square of two MADs: of the window and of all earlier moves."""
        if np.isnan(self.moves[row]):
            return np.nan, np.nan
        scale = _mad(self._last(row))
        earlier = self._sizes[: self._moved_before[row]]
        if len(earlier) >= MIN_REFERENCE:
            scale = float(np.sqrt((scale**2 + (1.4826 * np.median(earlier)) ** 2) / 2))
        scale = max(scale, float(floor))
        return float(self.moves[row] / scale), scale


def _mad(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _verdict(z: float, side: int, warn: float, alarm: float) -> str:
    if np.isnan(z):
        return "unjudged"
    size = abs(z) if side == 0 else side * z
    return "alarm" if size >= alarm else "warn" if size >= warn else "ok"


def _a_year_ago(places: dict, number: int, moves: np.ndarray, move: float) -> tuple[float | None, int | None]:
    """Return the move of a year ago, within one period, that is closest to a move, and the row of a year ago."""
    near = [places.get(int(number) + step) for step in (-1, 0, 1)]
    there = [moves[at] for at in near if at is not None and not np.isnan(moves[at])]
    closest = min(there, key=lambda one: abs(one - move)) if there else None
    return closest, near[1]


def _same(move: float, before: float, scale: float, warn: float) -> bool:
    """Whether a move is that of a year ago: the same direction, at least half as large then, and no warning beyond."""
    return move * before > 0 and abs(before) >= abs(move) / 2 and abs(move - before) / scale < warn


def _lacking(calendar, lag: int) -> str:
    """Say why no period can be compared with a year ago; an empty text where it can."""
    if not calendar.dated:
        return "the times are not dates"
    return "" if lag >= MIN_REFERENCE else "the periods are too long"


def _advice(how: Statistic, verdict: str, z: float, lacking: str) -> str:
    if verdict == "unjudged":
        return f"No verdict yet: fewer than {MIN_REFERENCE} earlier periods have this statistic."
    if verdict == "ok":
        return ""
    if verdict == "as a year ago":
        return "It moved like this in the same weeks a year ago: a season; leave the model, or refit it on the season."
    text = how.advice if z > 0 else how.advice_fall
    if not how.seasonal:
        return text
    if lacking:
        return f"{text} It could not be told from a season: {lacking}."
    return f"{text} It did not move like this a year ago."
