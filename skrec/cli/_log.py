"""Reading a log once: its events, the names of its items, and one line that says what is wrong with it."""

import numpy as np

from ._options import Log
from ._screen import UserError


def read_log(log: Log, *, check: bool = False):
    """Read histories, and the names of the items where the log has a column of them.

    Parameters
    ----------
    log : Log
        The files, their columns, and how to read them.
    check : bool, default=False
        Whether to look for what is suspicious.

    Returns
    -------
    histories : pandas.DataFrame
        As `to_histories` returns them.
    names : pandas.Series or None
        The most frequent name of each item.
    sentences : list of str
        What was found in the log, and what was left out.
    """
    from ..feature_extraction import to_histories

    events = read_events(log)
    names = item_names(events["item"], events["name"]) if "name" in log.columns else None
    sentences = [check_line(events, log)] if check else []
    events, left_out = complete_events(events, log)
    roles = {role: role for role in log.columns if role != "name"}
    unit = {} if log.time_unit is None else {"time_unit": log.time_unit}
    return to_histories(events, **roles, **unit), names, sentences + left_out


def check_line(events, log: Log) -> str:
    """Say in one line what is suspicious about a log."""
    from ..feature_extraction._check_events import check_events

    roles = {role: role for role in log.columns if role not in ("name", "event")}
    found = check_events(events, **roles)
    found = found[found["count"] > 0]
    if not len(found):
        return f"Check of the log: nothing suspicious in {len(events):,} events."
    return f"Check of the log: {'; '.join(_in_words(row) for row in found.itertuples())}."


def _in_words(row) -> str:
    share = f" ({100 * row.share:.2g} %)" if row.share == row.share else ""
    example = "" if row.example is None or row.example != row.example else f", such as {row.example}"
    return f"{row.count:,} {row.check}{share}{example}"


def complete_events(events, log: Log):
    """Leave out the events that lack a value where `--drop-missing` says so; else they are an error.

    Parameters
    ----------
    events : pyarrow.Table
        A column for each role.
    log : Log
        How the log is read.

    Returns
    -------
    events : pyarrow.Table
        Events with a value in every column but the name.
    sentences : list of str
        What was left out.
    """
    lacking = {role: _missing(events[role]) for role in log.columns if role != "name"}
    counts = {role: int(missing.sum()) for role, missing in lacking.items()}
    described = [f"{count:,} without {log.columns[role]!r}" for role, count in counts.items() if count]
    if not described:
        return events, []
    n_events, gone = len(events), np.logical_or.reduce(list(lacking.values()))
    if not log.drop_missing:
        raise UserError(
            f"{int(gone.sum()):,} of {n_events:,} events have a missing value, {' and '.join(described)}: add "
            "--drop-missing to leave them out, or fill them"
        )
    if gone.all():
        raise UserError(f"every event of the log has a missing value, {' and '.join(described)}: check the columns")
    return events.filter(~gone), [f"Left out {int(gone.sum()):,} of {n_events:,} events: {', '.join(described)}."]


def _missing(column) -> np.ndarray:
    """Tell where an Arrow column has no value or NaN."""
    return column.is_null(nan_is_null=True).to_numpy()


def item_names(items, names):
    """Return the most frequent name of each item, a Series indexed by item id.

    Parameters
    ----------
    items, names : pyarrow.Array of shape (n_events,)
        The columns of a log.
    """
    import pandas as pd

    frame = pd.DataFrame({"item": items.to_pandas(), "name": names.to_pandas()}).dropna()
    counts = frame.value_counts(["item", "name"]).reset_index()
    best = counts.sort_values(["count", "name"], ascending=[False, True]).drop_duplicates("item")
    return pd.Series([" ".join(str(text).split()) for text in best["name"]], index=best["item"].to_numpy())


def read_events(log: Log):
    from ..feature_extraction import _event_files as files

    paths = files._find(list(log.paths))
    if paths[0].lower().endswith(files._CSV):
        delimiter = None
        for path in paths:
            header, delimiter = files._csv_header(path)
            files.check_columns(log.columns, header, path)
        columns = files._read_csv(paths, log.columns, delimiter)
    else:
        import pyarrow.parquet as pq

        for path in paths:
            files.check_columns(log.columns, pq.read_schema(path).names, path)
        columns = files._read_parquet(paths, log.columns)
    import pyarrow as pa

    return pa.table({r: files.plain(c) for r, c in columns.items()})
