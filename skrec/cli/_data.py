"""Logs in, tables out."""

import os
from pathlib import Path

import numpy as np

from ..utils._files import replacing
from ..utils._histories import Histories, read_histories
from ..utils._time import as_moment
from ._screen import UserError

TABLES = (".csv", ".parquet")


def read_log(logs: list[str], columns: dict):
    """Read histories; `columns` by role, as `to_histories` takes them."""
    import pyarrow as pa

    from ..feature_extraction import to_histories

    try:
        return to_histories(list(logs), **{role: name for role, name in columns.items() if role != "name"})
    except pa.ArrowException as error:  # integers in one file, text in another
        raise UserError(f"the files of the log do not fit together ({error}): give each column one type") from error


def cut_log(histories, since: str | None, until: str | None):
    """Keep the events from `since` on and before `until`, and the users who have any."""
    if since is None and until is None:
        return histories
    from ..model_selection._containers import keep_events

    read = read_histories(histories)
    if read.time is None:
        raise UserError("--since and --until need the times of the events: name their column with --time")
    low = -np.inf if since is None else as_moment(since, "--since")
    high = np.inf if until is None else as_moment(until, "--until")
    keep = (read.time >= low) & (read.time < high)
    if not keep.any():
        first, last = span(histories, read)
        raise UserError(f"no event lies between --since and --until: the log goes from {first} to {last}")
    return keep_events(histories, read, keep)[read.take_events(keep).lengths > 0]


def item_names(logs: list[str], item: str, name: str):
    """Return the most frequent name of each item, a Series indexed by item id."""
    import pandas as pd

    from ..feature_extraction._event_columns import plain
    from ..feature_extraction._event_files import read_columns_of_files

    columns = read_columns_of_files(list(logs), {"item": item, "name": name})
    frame = pd.DataFrame({role: plain(column).to_pandas() for role, column in columns.items()}).dropna()
    counts = frame.value_counts(["item", "name"]).reset_index()
    best = counts.sort_values(["count", "name"], ascending=[False, True]).drop_duplicates("item")
    return pd.Series([" ".join(str(text).split()) for text in best["name"]], index=best["item"].to_numpy())


def facts(histories) -> dict[str, str]:
    """Describe a log."""
    read = read_histories(histories)
    described = {
        "users": f"{len(read):,}",
        "items": f"{len(read.ids):,}",
        "events": f"{len(read.codes):,}",
        "repeats": f"{100 * repeat_share(read):.0f} % of the events are of an item that the user already had",
    }
    if read.time is not None:
        described["time"] = " to ".join(span(histories, read))
    return described


def repeat_share(read: Histories) -> float:
    """Return the share of events whose item stands earlier in the same history."""
    pairs = read.rows * max(len(read.ids), 1) + read.codes
    return 1 - len(np.unique(pairs)) / max(len(pairs), 1)


def span(histories, read: Histories) -> tuple[str, str]:
    """Return the first and the last time as text."""
    return moment_text(histories, read.time.min()), moment_text(histories, read.time.max())


def moment_text(histories, moment: float) -> str:
    """Write a moment as a date where the log has dates, else as a number."""
    if not has_dates(histories):
        return f"{moment:g}"
    stamp = str(np.datetime64(round(moment * 86_400), "s")).replace("T", " ")
    return stamp.removesuffix(" 00:00:00").removesuffix(":00")


def has_dates(histories) -> bool:
    """Tell whether the times are dates rather than numbers."""
    import pyarrow as pa

    return pa.types.is_temporal(histories["time"].dtype.pyarrow_dtype.value_type)


def last_part(histories, share: float = 0.1) -> float:
    """Return the moment from which the last share of the events lies; the start of the day where that works."""
    times = read_histories(histories).time
    moment = float(np.quantile(times, 1 - share, method="higher"))
    start = float(np.floor(moment))
    return start if has_dates(histories) and start > times.min() else moment


def check_output(path: Path | None, option: str, suffixes: tuple[str, ...] = ()) -> None:
    """Raise before the work where its result could not be written."""
    if path is None:
        return
    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path} must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise UserError(f"{option} {path} is a directory: name a file in it")
    if not path.parent.is_dir():
        raise UserError(f"{option} {path} cannot be written: there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{option} {path} cannot be written: no permission for {path.parent}")


def write_table(frame, path: Path) -> None:
    """Write a frame as CSV or parquet; the file appears when it is complete."""
    with replacing(path) as partial:
        if path.suffix.lower() == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)


def choose_users(index, wanted: list[str]) -> np.ndarray:
    """Return the positions of users by their ids as text; integer and float ids match as well."""
    import pandas as pd

    known = pd.Index([_plain(user) for user in index.tolist()])
    positions = known.get_indexer([text.strip() for text in wanted])
    unknown = [text for text, position in zip(wanted, positions, strict=True) if position < 0]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise UserError(
            f"--users names {unknown[0]!r}{more}, not among the {len(known):,} users of the log, "
            f"who have ids such as {known[0]!r}"
        )
    return positions


def _plain(user) -> str:
    return str(int(user)) if isinstance(user, float) and user.is_integer() else str(user)
