"""A model file and a log into the store of the service."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..utils._histories import read_histories
from ._screen import Screen, UserError

_DAY = 86_400_000_000  # microseconds


def add_model(screen: Screen, settings, store, path: Path) -> None:
    """Make a model file a version, and put it to use, where it is not known yet."""
    from ..serving._models import Models, NotPromoted, RefusedModel

    digest = f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    if any(digest in (row["note"] or "") for row in store.versions()):
        return screen.say(f"{path} is known already; the version in use stays.")
    models = Models(settings, store)
    try:
        with screen.working("Adding the model"):
            version = models.add_file(path, note=f"{path.name}, {digest}")
            models.promote(version, force=store.current() is None)
    except (RefusedModel, NotPromoted) as error:
        raise UserError(str(error)) from error
    screen.say(f"{path} is version {version} of the model, and in use.")


def add_histories(screen: Screen, store, histories, names=None, item_rows: list[dict] | None = None) -> None:
    """Write histories into an empty store, and the names of the items into its catalogue."""
    with screen.working("Writing the log into the database"):
        events = _events_of(histories)
        added, _ = store.add_log(events)
        rows = item_rows
        if rows is None and names is not None:
            texts = {item: name for item, name in names.items() if isinstance(name, str) and name}
            rows = [{"item": plain_id(item), "name": name} for item, name in texts.items()]
        oldest = events.group_by("item").aggregate([("time", "min")])
        first = dict(zip(oldest["item"].to_pylist(), oldest["time_min"].to_pylist(), strict=True))
        rows = [row | ({"added": first[row["item"]]} if row["item"] in first else {}) for row in rows or []]
        for start in range(0, len(rows), 5000):
            store.put_items(rows[start : start + 5000], partial=True)
    screen.say(f"Wrote {added:,} events of {len(histories):,} users into the database.")


def plain_id(item):
    """Return an id as a Python object."""
    return item.item() if isinstance(item, np.generic) else item


def _events_of(histories):
    """Return histories as a table of events."""
    import pyarrow as pa

    read = read_histories(histories)
    if read.time is None or not read.dated:
        raise UserError("the times of a log for the service must be dates: pass --time, and --time-unit for numbers")
    users = histories.index.to_numpy()
    columns: dict[str, Any] = {
        "user": pa.array(np.repeat(users, read.lengths)),
        "item": pa.array(read.ids[read.codes]),
        "time": pa.array(np.rint(read.time * _DAY).astype(np.int64)),
    }
    if read.weight is not None:
        columns["value"] = pa.array(read.weight.astype(np.float64))
    if read.event_ids is not None:
        columns["event"] = pa.array(read.event_ids[read.event_codes])
    return pa.table(columns)
