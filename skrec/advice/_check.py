"""Check of a log: its columns, what is suspicious, its character, and the commands to go on with."""

from collections.abc import Hashable

from ..feature_extraction._time_units import check_time_unit
from ..utils._arguments import check_whole
from ._check_read import open_source
from ._check_steps import Check


def check_log(
    events,
    *,
    user: Hashable | None = None,
    item: Hashable | None = None,
    time: Hashable | None = None,
    weight: Hashable | None = None,
    event: Hashable | None = None,
    name: Hashable | None = None,
    where: str | None = None,
    time_format: str | None = None,
    time_unit: str | None = None,
    encoding: str | None = None,
    max_rows: int = 1_000_000,
):
    """Check a log of events: guess its columns, count what is suspicious, and describe it.

    Parameters
    ----------
    events : pandas or polars DataFrame, polars LazyFrame, pyarrow Table, path, or list of paths
        One row per event, as :func:`~skrec.feature_extraction.to_histories` takes them; ``"-"`` is standard input.
    user, item, time, weight, event, name : str, default=None
        The columns that say who, what, when, how much and what kind, and the column with the name of the item. None
        guesses the column by its name, in several languages, and by its content.
    where, time_format, time_unit, encoding : str, default=None
        As in :func:`~skrec.feature_extraction.to_histories`. None guesses the format or the unit of the times and the
        encoding of text files.
    max_rows : int, default=1000000
        Number of rows that are read, the first ones; a larger log is checked by these.

    Returns
    -------
    pandas.DataFrame of shape (n_facts, 6)
        One row for each fact, with the columns

        - ``group``: "file", "columns", "time", "ids", "suspicious", "log", "character" or "commands";
        - ``fact``: what it is, such as "user" or "exact duplicates";
        - ``value``: a number or a text;
        - ``level``: "info", "warning" (look at it) or "error" (no model can be fitted before it is put right);
        - ``text``: the fact in words; ``action``: what to do, empty where nothing is.

        ``attrs`` holds "columns" (dict of the columns by role), "reading" (dict of the options with which the log is
        to be read), "sessions" (whether a user of the log is one visit) and "commands" (dict of the ready commands by
        name, empty for tables in memory and where a level is "error").

    Raises
    ------
    TypeError
        If `events` is none of the forms, or an option is no text.
    ValueError
        If a file does not exist, is empty or cannot be read, or a column that was named is not there.

    See Also
    --------
    skrec.feature_extraction.check_events : Counts what is suspicious in columns that are known.
    log_character : The numbers behind the group "character".
    suggest : Recipes that suit the log.

    Notes
    -----
    Every guess is said in a row of its own, in ``action`` with what else was possible. Names count more than content.
    An amount is not used as a weight of events by the commands, since the models of the recipes ignore it; negative
    amounts are left out, as cancelled orders.

    Cost: linear in the rows that are read, which are held in memory: seven columns at most.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.advice import check_log
    >>> events = pd.DataFrame({
    ...     "CustomerID": [7, 3, 7, 3], "StockCode": ["mug", "lamp", "bowl", "mug"],
    ...     "InvoiceDate": pd.to_datetime(["2011-01-05", "2011-01-05", "2011-01-06", "2011-01-07"]),
    ... })
    >>> facts = check_log(events)
    >>> facts.attrs["columns"]
    {'user': 'CustomerID', 'item': 'StockCode', 'time': 'InvoiceDate'}
    >>> facts.loc[facts["group"] == "log", "text"].tolist()[:3]
    ['4 events', '2 users', '3 items']
    """
    check_time_unit(time_unit)
    max_rows = check_whole(max_rows, "max_rows")
    if time_unit is not None and time_format is not None:
        raise ValueError("time_unit is for times that are numbers and time_format for text: give one of them")
    given = {"user": user, "item": item, "time": time, "weight": weight, "event": event, "name": name}
    check = Check(
        open_source(events, encoding),
        {role: column for role, column in given.items() if column is not None},
        {"where": where, "time_format": time_format, "time_unit": time_unit, "encoding": encoding},
        max_rows,
    )
    check.run()
    frame = check.facts.frame()
    frame.attrs |= {
        "columns": {role: column.name for role, column in check.used.items()},
        "reading": {name: value for name, value in check.reading.items() if value},
        "sessions": check.sessions,
        "commands": check.commands,
    }
    return frame
