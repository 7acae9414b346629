"""Reading a log once: its events, the names of its items, and a line that says what is wrong with it."""

from ._options import Log
from ._screen import Screen

# checks whose events `to_histories` refuses, and what helps
_FATAL = {"missing user": "--drop-missing", "missing item": "--drop-missing", "missing time": "--drop-missing"}


def read_log(log: Log, screen: Screen | None = None):
    """Read histories, and the names of the items where the log has a column of them.

    Parameters
    ----------
    log : Log
        The files, their columns, and how to read them.
    screen : Screen, default=None
        Where to print the check of the log; None prints nothing.

    Returns
    -------
    histories : pandas.DataFrame
        As `to_histories` returns them.
    names : pandas.Series or None
        The most frequent name of each item.
    """
    from ..feature_extraction import to_histories

    events = read_events(log)
    names = item_names(events["item"], events["name"]) if "name" in log.columns else None
    roles = {role: role for role in log.columns if role != "name"}
    return to_histories(events, **roles), names


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
