"""The lists that a service has shown, with what came of them, as the logs of off-policy evaluation."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

logger = logging.getLogger("skrec.serving")
_NEEDED = {
    "impressions": ("rec_id", "position", "user", "item", "probability", "time"),
    "attributions": ("event_seq", "rec_id", "position"),
    "events": ("seq", "event", "value"),
}


def logged_lists(impressions, attributions, events=None, *, event=None, by_value=False) -> pd.DataFrame:
    """Join the exported tables of a service to the logs that `off_policy_evaluation` takes.

    Parameters
    ----------
    impressions, attributions : path, pandas DataFrame or pyarrow Table
        The tables of these names, as ``GET /v1/export`` and `Client.export_table` give them.
    events : path, pandas DataFrame or pyarrow Table, default=None
        The table of events; needed with `event` or `by_value`.
    event : str, default=None
        The kind of event that counts, such as ``"purchase"``; None counts all that are attributed to a list.
    by_value : bool, default=False
        Whether the reward is the sum of the events' values, which must be there, instead of 1 where there is any event.

    Returns
    -------
    pandas.DataFrame
        A row per shown position with the columns ``rec_id``, ``position`` (from 0), ``user``, ``item``,
        ``probability``, ``reward`` and ``time`` (dates, UTC), ordered by list and position. Lists without
        probabilities, which were not drawn by chance, are left out: ``attrs["n_left_out"]`` counts them, and the
        logger ``skrec.serving`` tells them.

    Raises
    ------
    ValueError
        If a column or a value is missing, no list has probabilities, or events are needed and not given.

    See Also
    --------
    skrec.model_selection.off_policy_evaluation : What another policy would have earned.
    skrec.model_selection.histories_at : Histories as of the time of each list.

    Notes
    -----
    The lists newest in the export may still earn: leave out those younger than a purchase takes.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.serving import logged_lists
    >>> shown = {"rec_id": ["a", "a"], "position": [0, 1], "user": [7, 7], "item": ["tea", "milk"]}
    >>> impressions = pd.DataFrame({**shown, "probability": [0.5, 0.25], "time": [0, 0]})
    >>> attributions = pd.DataFrame({"event_seq": [3], "rec_id": ["a"], "position": [1]})
    >>> logged_lists(impressions, attributions)["reward"].tolist()
    [0.0, 1.0]
    """
    if (event is not None or by_value) and events is None:
        raise ValueError("event= and by_value= need the table of events: pass events=")
    shown, taken = _read(impressions, "impressions"), _read(attributions, "attributions")
    chance = shown["probability"].notna()
    whole = chance.groupby(shown["rec_id"]).transform("all")
    n_left_out = int(shown.loc[~whole, "rec_id"].nunique())
    if not whole.any():
        raise ValueError(
            f"none of the {n_left_out:,} lists has probabilities: let a scenario draw lists, by temperature or explore"
        )
    if n_left_out:
        logger.info("%s lists without probabilities were left out", f"{n_left_out:,}")
    if events is not None:
        taken = _with_events(taken, _read(events, "events"), event, by_value)
    else:
        taken = taken.assign(gain=1.0)
    gains = taken.groupby(["rec_id", "position"], sort=False)["gain"].sum().rename("reward").reset_index()
    if not by_value:
        gains["reward"] = np.minimum(gains["reward"], 1.0)
    logs = shown.loc[whole].merge(gains, on=["rec_id", "position"], how="left")
    logs["reward"] = logs["reward"].fillna(0.0)
    moments = pd.to_datetime(logs["time"], unit="us" if is_numeric_dtype(logs["time"]) else None, utc=True)
    logs["time"] = moments.dt.tz_localize(None)
    columns = ["rec_id", "position", "user", "item", "probability", "reward", "time"]
    logs = logs.sort_values(["rec_id", "position"], kind="stable", ignore_index=True)[columns]
    logs.attrs["n_left_out"] = n_left_out
    return logs


def _read(table, name: str) -> pd.DataFrame:
    """Return a table as a frame with the columns that are needed."""
    if isinstance(table, str | Path):
        table = pd.read_parquet(table)
    elif hasattr(table, "to_pandas"):
        table = table.to_pandas()
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a path, a frame or an Arrow table, got {type(table).__name__}")
    if missing := [column for column in _NEEDED[name] if column not in table.columns]:
        raise ValueError(f"{name} lacks the columns {missing}: pass the table {name} as the service exports it")
    return table[list(_NEEDED[name])]


def _with_events(taken: pd.DataFrame, events: pd.DataFrame, event, by_value: bool) -> pd.DataFrame:
    """Return the attributions of the events that count, with what each gained."""
    joined = taken.merge(events, left_on="event_seq", right_on="seq", how="left", validate="many_to_one")
    if unknown := int(joined["seq"].isna().sum()):
        raise ValueError(f"{unknown:,} attributed events are not in events: export the tables at one time")
    if event is not None:
        joined = joined[joined["event"] == event]
    if by_value and (unvalued := int(joined["value"].isna().sum())):
        raise ValueError(
            f"{unvalued:,} attributed events have no value, which by_value= sums: pass event=, or fill them"
        )
    return joined.assign(gain=joined["value"].astype("float64") if by_value else 1.0)
