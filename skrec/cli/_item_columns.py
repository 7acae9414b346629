"""Columns that say something of items, names and categories: of a log, or of a table of products."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..utils._validation import as_ids, plain
from ._ids import match_ids
from ._large_log import needed_memory, usable_memory
from ._log import as_options, item_names, item_names_of_files, read_events
from ._options import Log
from ._screen import Screen, UserError


def is_large(log: Log, memory: float | None) -> bool:
    """Tell whether the items of a log are read without reading it as a whole."""
    from ..feature_extraction._event_files import has_duckdb

    return needed_memory(log)[0] > usable_memory(memory) and has_duckdb()


def column_of_log(log: Log, column: str, option: str, memory: float | None, *, large: bool):
    """Read the most frequent value of a column for each item of a log.

    Parameters
    ----------
    log : Log
        The files, how to read them, and the columns of users and items.
    column : str
        The column.
    option : str
        The option that names it, for messages.
    memory : float or None
        GiB that the command may take.
    large : bool
        Whether the log does not fit in memory.

    Returns
    -------
    pandas.Series
        Texts, indexed by item id.
    """
    log = replace(log, columns={**log.columns, "name": column})
    try:
        if large:
            return item_names_of_files(log, memory)
        with as_options(log):
            events = read_events(log)
    except UserError as error:
        raise UserError(str(error).replace("name=", f"{option} ")) from error
    return item_names(events[log.columns["item"]], events[column])


def column_of_table(path: Path, item: str, column: str, option: str, encoding: str | None):
    """Read a column of a table with one row per item.

    Parameters
    ----------
    path : Path
        A CSV, JSON lines or parquet file.
    item : str
        Its column of item ids.
    column : str
        The column wanted.
    option : str
        The option that names it, for messages.
    encoding : str or None
        Encoding of text files.

    Returns
    -------
    pandas.Series
        Texts, indexed by item id; rows without a value are left out.
    """
    import pandas as pd

    from ..feature_extraction._event_files import file_kind, read_columns_of_files

    names = {"item": item} if column == item else {"item": item, "name": column}
    role = "item" if column == item else "name"
    try:
        encoding = None if file_kind([str(path)]) == "parquet" else encoding
        columns = read_columns_of_files([str(path)], names, encoding=encoding)
    except (ValueError, TypeError) as error:
        text = str(error).replace("events=", "--items ")
        text = text.replace("item=", "--items: the model's column of items ").replace("name=", f"{option} ")
        raise UserError(text) from error
    frame = pd.DataFrame({"item": columns["item"].to_pandas(), "value": columns[role].to_pandas()}).dropna()
    if not len(frame):
        raise UserError(f"--items {path} has no value in {column!r}: check the column")
    frame["value"] = frame["value"].map(lambda text: " ".join(str(text).split()))
    frame = frame.drop_duplicates()
    twice = frame.loc[frame["item"].duplicated(), "item"]
    if len(twice):
        raise UserError(
            f"--items {path} has more than one {column!r} for {twice.nunique():,} items, such as "
            f"{plain(twice.iloc[0])!r}: keep one row per item"
        )
    return frame.set_index("item")["value"]


def on_items(values, items: np.ndarray):
    """Bring values by item id of a log or table to the ids of a model.

    Parameters
    ----------
    values : pandas.Series
        Texts, indexed by item id.
    items : ndarray of shape (n_items,)
        The ids of the model.

    Returns
    -------
    pandas.Series of shape (n,)
        The values of the items that have one, indexed by the ids of the model.
    """
    import pandas as pd

    if not len(values):
        return pd.Series([], index=items[:0], dtype=object)
    positions, _ = match_ids(as_ids(values.index.to_numpy(), "item"), items)
    known = positions >= 0
    found = pd.Series(values.to_numpy()[known], index=items[positions[known]], dtype=object)
    return found[~found.index.duplicated()]


def saved_names(estimator, notes: dict):
    """Return the names of items that a model file keeps, a Series without missing ones; None where it keeps none."""
    import pandas as pd

    if not notes.get("item_names"):
        return None
    names = pd.Series(notes["item_names"], index=estimator.items_, dtype=object).dropna()
    return names if len(names) else None


def with_saved(names, saved):
    """Return names by item id, those of a log or table before those of the model file; None where there are none."""
    import pandas as pd

    if names is None or saved is None:
        return saved if names is None else names
    return pd.concat([names, saved[~saved.index.isin(names.index)]])


def say_lacking(screen: Screen, values, items: np.ndarray, text: str) -> None:
    """Say how many items of the model have no value, where some have none."""
    lacking = int((~np.isin(items, values.index.to_numpy())).sum())
    if lacking:
        screen.say(f"{lacking:,} of {len(items):,} items of the model {text}.")
