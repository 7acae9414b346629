"""The Complete Journey: two years of grocery baskets."""

from sklearn.utils import Bunch

from ..feature_extraction._events import to_histories
from ._files import Files

_OWNER = "the Source Files page of dunnhumby (The Complete Journey), or the R package completejourney"
_TRANSACTIONS = ("transaction_data.csv", "transactions.csv", "transactions.parquet")
_PRODUCTS = ("product.csv", "products.csv", "products.parquet")
_HOUSEHOLDS = ("hh_demographic.csv", "demographics.csv", "demographics.parquet")
# names of the CSV files, lower case, to those of the R package
_NAMES = {
    "household_key": "household_id",
    "week_no": "week",
    "manufacturer": "manufacturer_id",
    "commodity_desc": "product_category",
    "sub_commodity_desc": "product_type",
    "curr_size_of_product": "package_size",
    "age_desc": "age",
    "marital_status_code": "marital_status",
    "income_desc": "income",
    "homeowner_desc": "home_ownership",
    "hh_comp_desc": "household_comp",
    "household_size_desc": "household_size",
    "kid_category_desc": "kids_count",
}

_DESCR = """The Complete Journey

All purchases of 2,500 households that are frequent shoppers at a grocer, over two years, with products and, for some
of the households, demographics. The R package completejourney holds one of the years, with real dates.
Published by dunnhumby, whose terms of use apply.
"""


def load_dunnhumby(path) -> Bunch:
    r"""Load a local copy of dunnhumby's The Complete Journey.

    Parameters
    ----------
    path : str or Path
        The folder or zip archive with `transaction_data.csv` and, optionally, `product.csv` and `hh_demographic.csv`;
        or with `transactions`, `products` and `demographics` of the R package as CSV or parquet.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        events : pandas.DataFrame
            One row per product in a basket: `household_id`, `basket_id`, `product_id`, `quantity`, `sales_value`,
            `time` and the other columns of the file, in order of time.
        item_features : pandas.DataFrame
            Indexed by `product_id`: department, brand, category. Only where the products are there; a few products
            of the events are not among them.
        user_features : pandas.DataFrame
            Indexed by `household_id`: age, income, household. Only where the demographics are there; many households
            have none.
        histories : pandas.DataFrame
            The events with a quantity above 0 as histories; the weight is the quantity.
        DESCR : str
            Description and source.

    Raises
    ------
    ValueError
        If the transactions are not there or a file is not in the published format.

    See Also
    --------
    load_retailrocket : Views and purchases of a web shop.

    Notes
    -----
    dunnhumby's files count days without a date, so `time` is a number there, days and parts of a day; the R package
    has datetimes. Both kinds of file come with the column names of the R package. Fuel is sold by volume, so its
    quantities run to thousands: leave it out, or do not weight by quantity, if that matters.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skrec.datasets import load_dunnhumby
    >>> temporary = tempfile.TemporaryDirectory()
    >>> folder = pathlib.Path(temporary.name)
    >>> _ = (folder / "transactions.csv").write_text(
    ...     "household_id,basket_id,product_id,quantity,sales_value,transaction_timestamp\n"
    ...     "900,31198570044,1095275,1,0.50,2017-01-01 11:53:26\n"
    ... )
    >>> load_dunnhumby(folder).histories["item"].to_dict()
    {900: [1095275]}
    >>> temporary.cleanup()
    """
    import pandas as pd

    files = Files(path, _OWNER)
    name = files.need(*_TRANSACTIONS)
    events = _table(files, name)
    needed = ["household_id", "basket_id", "product_id", "quantity", "sales_value"]
    needed += ["transaction_timestamp"] if "transaction_timestamp" in events else ["day", "trans_time"]
    _check(files, name, events, needed)
    if "day" in needed:
        clock = events.pop("trans_time").astype("int64")  # 1631 is 16:31
        events["time"] = events["day"] + (clock // 100 * 60 + clock % 100) / 1440
    else:
        stamps = pd.to_datetime(events.pop("transaction_timestamp"), format="ISO8601", utc=True)
        events["time"] = stamps.dt.tz_localize(None)
    events = events.sort_values("time", kind="stable", ignore_index=True)
    bought = events[events["quantity"] > 0]
    parts = {"events": events, "DESCR": _DESCR}
    parts["histories"] = to_histories(bought, user="household_id", item="product_id", time="time", weight="quantity")
    for part, names, key in [
        ("item_features", _PRODUCTS, "product_id"),
        ("user_features", _HOUSEHOLDS, "household_id"),
    ]:
        there = files.first(*names)
        if there:
            table = _table(files, there)
            _check(files, there, table, [key])
            parts[part] = table.set_index(key)
    return Bunch(**parts)


def _table(files: Files, name: str):
    import pandas as pd

    table = files.read(name, pd.read_parquet if name.endswith(".parquet") else pd.read_csv)
    return table.rename(columns=str.lower).rename(columns=_NAMES)


def _check(files: Files, name: str, table, needed: list[str]) -> None:
    missing = [column for column in needed if column not in table]
    if missing:
        raise ValueError(
            f"{files.path / name} is not in the published format (no column {missing[0]!r}): get it from {files.owner}"
        )
