"""What is suspicious in the events of a log: ids, weights, times, and users who are hardly people."""

import datetime
from dataclasses import dataclass, field

import numpy as np

from ..feature_extraction import check_events
from ..utils._commands import printable
from ..utils._histories import Histories, required
from ..utils._row_blocks import number_baskets, row_blocks

_HEAVY, _LEAST = 100, 500  # times the median number of events, and events, from which a user is extreme
_RATE = 30  # events at different times within a minute, from which no person acts
_2000 = 10_957.0  # in days since 1970
_DOMINANT = 0.3  # share of the events of one item
_SINGLE = 0.5  # share of the users with one event


@dataclass
class Facts:
    """Rows of the frame that `check_log` returns."""

    rows: list[tuple] = field(default_factory=list)

    def add(self, group: str, fact: str, value, text: str, level: str = "info", action: str = "") -> None:
        """Add a row; what is not printable is escaped."""
        value = printable(value) if isinstance(value, str) else value
        self.rows.append((group, fact, value, level, printable(text), printable(action)))

    def frame(self):
        """Return the rows as a frame."""
        import pandas as pd

        names = ["group", "fact", "value", "level", "text", "action"]
        frame = pd.DataFrame(self.rows, columns=names)
        return frame.astype({"value": object})


# what to do about the findings of `check_events`, by the words with which they begin or end
_ACTIONS = (
    ("exact duplicates", "info", "drop them if one event was logged twice; two pieces of one item may be two rows"),
    (": missing value", "warning", "--drop-missing leaves these events out"),
    (": id says it is absent", "warning", "the commands leave them out; better is to give the events their ids"),
    (": list in a cell", "error", "write one event for each: events.explode(COLUMN)"),
    (": whole number written as a float", "warning", "the column once had missing values: write integers instead"),
    ("in one cell", "warning", "if these are lists, write one event for each: split the text, then explode"),
    ("weight: not a number", "warning", "correct them, or leave the weight out"),
    ("weight: negative", "warning", "cancelled orders or returns: --where keeps those above 0"),
    ("weight: zero", "info", "gifts, corrections or errors: --where leaves them out"),
    ("time: the same for all", "warning", "the order of the events is lost: find the column of times"),
)


def add_event_facts(facts: Facts, columns: dict, time_unit, time_format) -> None:
    """Add what `check_events` finds.

    Parameters
    ----------
    facts : Facts
        Where to add.
    columns : dict of str to pandas.Series
        Raw columns by role, without the names of items.
    time_unit, time_format : str or None
        How the times are written.
    """
    import pandas as pd

    frame = pd.DataFrame(columns)
    found = check_events(frame, **{role: role for role in columns}, time_unit=time_unit, time_format=time_format)
    for row in found.itertuples():
        if row.check.startswith("time: ") and "the same" not in row.check and "missing" not in row.check:
            continue  # said with the times
        level, action = next(((lv, act) for words, lv, act in _ACTIONS if words in row.check), ("warning", ""))
        if row.check == "exact duplicates" and not {"time", "weight"} & set(columns):
            action = "without times, an item that a user takes again looks like this"
        _, _, what = row.check.rpartition(": ")
        text = f"{row.check} in {row.count:,} of {len(frame):,} events{_such_as(row.example)}"
        facts.add(
            "suspicious",
            row.check if row.check == what else row.check.replace(": ", " "),
            int(row.count),
            text,
            level,
            action,
        )


def _such_as(example) -> str:
    text = str(example)
    text = text if len(text) <= 60 else text[:57] + "..."
    if text.startswith("row "):
        return f", such as {text}"
    return f", such as {text!r}" if text else ""


def add_time_facts(facts: Facts, read: Histories, n_shown: int) -> None:
    """Add what is odd about dates: far ones, and days without hours."""
    times = read.time
    if times is None or not len(times):
        return
    if not read.dated:
        return
    now = datetime.datetime.now(datetime.UTC).timestamp() / 86_400
    epoch, early, late = (times >= 0) & (times < 1), times < _2000, times > now + 1
    for what, mask, action in (
        (
            "before 2000",
            early,
            "1970-01-01 and 1900-01-01 stand for a missing date: leave them out with --where"
            if epoch.any()
            else "check the unit and the format of the times",
        ),
        ("in the future", late, "check the format of the times; days and months may be swapped"),
    ):
        if mask.any():
            example = np.datetime64(round(float(times[mask][0]) * 86_400), "s")
            facts.add(
                "time",
                f"time {what}",
                int(mask.sum()),
                f"{int(mask.sum()):,} of {n_shown:,} events are {what}, such as {str(example)[:10]}",
                "warning",
                action,
            )
    if (times == np.floor(times)).all():
        facts.add(
            "time",
            "days without hours",
            len(times),
            "all times are whole days: the order within a day is that "
            "of the rows, and a user's events of a day are one basket",
        )


def add_user_facts(facts: Facts, read: Histories, users: list, name: str) -> None:
    """Add users who are hardly people, one-event users, and an item that dominates."""
    lengths = read.lengths
    n_events, n_users = len(read.codes), len(lengths)
    single = int((lengths == 1).sum())
    level = "warning" if single > _SINGLE * n_users else "info"
    facts.add(
        "suspicious",
        "one-event users",
        single,
        f"{single:,} of {n_users:,} users ({100 * single / n_users:.0f} %) have one event: nothing can be held out for "
        "them"
        if single
        else "no user has one event alone",
        level,
        f"check that {name!r} names people, not visits or orders" if level == "warning" else "",
    )
    limit = max(_LEAST, _HEAVY * float(np.median(lengths)))
    heavy = np.flatnonzero(lengths > limit)
    if len(heavy):
        share = lengths[heavy].sum() / n_events
        top = heavy[np.argmax(lengths[heavy])]
        facts.add(
            "suspicious",
            "users with extremely many events",
            len(heavy),
            f"{len(heavy):,} users have more than {limit:,.0f} events each, {100 * share:.1f} % of all; {users[top]!r} "
            f"has {lengths[top]:,}",
            "warning",
            "bots, resellers, staff or one account of many: leave them out if they are no customers",
        )
    fast = fast_users(read)
    if len(fast):
        facts.add(
            "suspicious",
            "users with an inhuman rate",
            len(fast),
            f"{len(fast):,} users have more than {_RATE} events at different times within a minute, such as "
            f"{users[fast[0]]!r}",
            "warning",
            "bots: leave them out",
        )
    counts = np.bincount(read.codes, minlength=len(read.ids))
    top = int(np.argmax(counts))
    if len(read.ids) > 1 and counts[top] >= _DOMINANT * n_events:
        facts.add(
            "suspicious",
            "one item has most events",
            int(counts[top]),
            f"{str(read.ids[top])!r} has {100 * counts[top] / n_events:.0f} % of the events",
            "warning",
            "shipping, a gift or a placeholder: leave it out if nobody needs it recommended",
        )


def fast_users(read: Histories) -> np.ndarray:
    """Return the rows of users with more than 30 events at different times within a minute."""
    if read.time is None or not read.dated:
        return np.zeros(0, dtype=np.int64)
    found = []
    for rows in row_blocks(read.indptr):
        block = read[rows]
        moments = required(block.time, "time")
        basket, first = number_baskets(block.indptr, moments)
        begins = np.flatnonzero(np.diff(basket, prepend=-1))
        times, user = moments[begins], np.repeat(np.arange(len(block)), np.diff(first))
        if len(times) > _RATE:
            near = (times[_RATE:] - times[:-_RATE] <= 1 / 1440) & (user[_RATE:] == user[:-_RATE])
            found.append(np.unique(user[_RATE:][near]) + rows.start)
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
