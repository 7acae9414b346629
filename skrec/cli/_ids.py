"""Ids of a log matched with those of a model, also where one has text and the other numbers."""

import itertools
import re

import numpy as np

from ..utils._histories import read_histories
from ..utils._validation import id_kind, lookup, plain

_NUMBER = re.compile(r"(0|-?[1-9][0-9]*)(\.0+)?")
_EXACT = 2**53  # whole floats below this are exact


def written(value) -> str:
    """Return an id as text, whole numbers as integers: 13509, "13509" and 13509.0 are alike, "0013509" is not."""
    value = plain(value)
    if isinstance(value, str):
        number = _NUMBER.fullmatch(value)
        return number[1] if number else value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return str(value)


def match_ids(ids: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, bool]:
    """Find ids among known ones of the same or of another kind.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        Distinct ids.
    known : ndarray of shape (n_known,)
        Distinct ids.

    Returns
    -------
    positions : ndarray of shape (n,)
        Position of each id in `known`; -1 where it is not there.
    converted : bool
        Whether ids were matched that are not equal as they stand.
    """
    kind = id_kind(ids)
    if kind == id_kind(known):
        positions = lookup(ids, known)
        as_floats = kind == "string" and all(str(one).partition(".")[2].strip("0") == "" for one in ids)
        if not as_floats or (positions >= 0).any():
            return positions, False
    by_text: dict[str, int] = {}
    for position, one in enumerate(known.tolist()):
        text = written(one)
        by_text[text] = -1 if text in by_text else position  # what two ids are written as is not exact
    positions = np.array([by_text.get(written(one), -1) for one in ids.tolist()], dtype=np.int64)
    return positions, bool((positions >= 0).any())


def to_model_ids(histories, known: np.ndarray):
    """Bring the items of histories to the ids of a model.

    Parameters
    ----------
    histories : pandas.DataFrame
        As `to_histories` returns them.
    known : ndarray of shape (n_items,)
        The ids of the model.

    Returns
    -------
    histories : pandas.DataFrame
        The same events. Where ids were converted, each unknown item has an id that the model lacks.
    ids : ndarray of shape (n,)
        The distinct items of the log as they stand there.
    positions : ndarray of shape (n,)
        Their positions in the model, -1 where it lacks them.
    converted : bool
        Whether ids were converted.
    """
    read = read_histories(histories)
    positions, converted = match_ids(read.ids, known)
    if not converted and id_kind(read.ids) == id_kind(known):
        return histories, read.ids, positions, False
    made = np.empty(len(positions), dtype=known.dtype)
    found = positions >= 0
    made[found] = known[positions[found]]
    taken = set(known.tolist())
    fresh = itertools.count() if id_kind(known) != "string" else (f"unknown item {n}" for n in itertools.count())
    made[~found] = list(itertools.islice((one for one in fresh if one not in taken), int((~found).sum())))
    if hasattr(histories, "to_frame"):  # StoredHistories
        return histories._with_items(made), read.ids, positions, converted
    return histories.assign(item=list_column(made[read.codes], read.indptr)), read.ids, positions, converted


def list_column(values, indptr: np.ndarray):
    """Return a list column of a frame from flat values and row boundaries."""
    import pandas as pd
    import pyarrow as pa

    lists = pa.LargeListArray.from_arrays(pa.array(indptr), pa.array(values))
    return pd.array(lists, dtype=pd.ArrowDtype(lists.type))
