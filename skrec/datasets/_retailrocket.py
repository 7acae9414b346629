"""Retailrocket: views, carts and purchases of a web shop."""

from sklearn.utils import Bunch

from ..feature_extraction._events import to_histories
from ._files import Files

_OWNER = "the Retailrocket recommender system dataset on Kaggle"

_DESCR = """Retailrocket recommender system dataset

Four and a half months of a real web shop: views, additions to the cart and transactions, with hashed item properties.
Published by Retailrocket on Kaggle under CC BY-NC-SA 4.0.
"""


def load_retailrocket(path) -> Bunch:
    r"""Load a local copy of the Retailrocket data set.

    Parameters
    ----------
    path : str or Path
        The folder or the zip archive with `events.csv` and, optionally, `item_properties_part1.csv` and
        `item_properties_part2.csv`.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        events : pandas.DataFrame
            `timestamp` (datetimes in UTC), `visitorid`, `event` ("view", "addtocart" or "transaction"), `itemid` and
            `transactionid` (missing unless a transaction), in order of time.
        item_features : pandas.DataFrame
            Indexed by `itemid`: `categoryid`, the latest one. Only where the properties are there.
        histories : pandas.DataFrame
            The events as histories, with the list columns `item`, `time` and `event`.
        DESCR : str
            Description and source.

    Raises
    ------
    ValueError
        If `events.csv` is not there or a file is not in the published format.

    See Also
    --------
    load_dunnhumby : Baskets of households.

    Notes
    -----
    The property files have twenty million rows; they are read in pieces and only the categories are kept.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skrec.datasets import load_retailrocket
    >>> temporary = tempfile.TemporaryDirectory()
    >>> folder = pathlib.Path(temporary.name)
    >>> text = "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
    >>> _ = (folder / "events.csv").write_text(text)
    >>> load_retailrocket(folder).histories["event"].to_dict()
    {257597: ['view']}
    >>> temporary.cleanup()
    """
    import pandas as pd

    files = Files(path, _OWNER)
    columns = ["timestamp", "visitorid", "event", "itemid", "transactionid"]
    events = files.read(files.need("events.csv"), pd.read_csv, usecols=columns, dtype={"transactionid": "Int64"})
    events = events[columns].sort_values("timestamp", kind="stable", ignore_index=True)
    events["timestamp"] = pd.to_datetime(events["timestamp"], unit="ms").astype("datetime64[ms]")
    parts = {"events": events, "DESCR": _DESCR}
    parts["histories"] = to_histories(events, user="visitorid", item="itemid", time="timestamp", event="event")
    found = [name for name in ("item_properties_part1.csv", "item_properties_part2.csv") if files.first(name)]
    if found:
        table = pd.concat([files.read(name, _categories) for name in found])
        latest = table.sort_values("timestamp", kind="stable").drop_duplicates("itemid", keep="last")
        parts["item_features"] = latest.set_index("itemid")[["value"]].rename(columns={"value": "categoryid"})
        parts["item_features"] = parts["item_features"].astype("int64").sort_index()
    return Bunch(**parts)


def _categories(file):
    import pandas as pd

    pieces = pd.read_csv(file, usecols=["timestamp", "itemid", "property", "value"], dtype=str, chunksize=1_000_000)
    kept = pd.concat([piece[piece["property"] == "categoryid"] for piece in pieces])
    return kept.drop(columns="property").astype("int64")
