"""Online Retail: two million pounds of real invoices, bundled with the library."""

from pathlib import Path

from sklearn.utils import Bunch

from ..feature_extraction._events import to_histories

_FILE = Path(__file__).parent / "data" / "online_retail.parquet"

_DESCR = """Online Retail

Invoices of a United Kingdom web shop for gifts, 2010-12-01 to 2011-12-09; many customers are wholesalers.
541,909 invoice lines with InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice (pounds), CustomerID
and Country.

Cleaning removes, in this order:

   9,288 lines of cancelled invoices (InvoiceNo begins with C)
 134,697 lines without a customer
   1,554 lines whose code is not a product (it does not begin with five digits: POST, DOT, M, C2, BANK CHARGES, ...)
       0 lines with a quantity of zero or less that remain

and leaves 396,370 lines of 4,335 customers and 3,659 products. A cancellation does not remove the purchase that it
cancels: the orders of 80,995 and 74,215 pieces, both taken back within minutes, are still there.

Chen, D. (2015). Online Retail. UCI Machine Learning Repository, data set 352. https://doi.org/10.24432/C5BW33
Licence: Creative Commons Attribution 4.0 International (CC BY 4.0).
"""


def load_online_retail(*, clean: bool = True) -> Bunch:
    """Load the Online Retail data set: a year of invoices of a real web shop.

    The data come with the library; nothing is downloaded.

    Parameters
    ----------
    clean : bool, default=True
        Remove what is not a customer's purchase of a product: 9,288 lines of cancelled invoices, then 134,697 lines
        without a customer, then 1,554 lines that are not products (postage, fees, vouchers, samples). None of the
        rest has a quantity below 1. With False, the 541,909 lines come as published.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        events : pandas.DataFrame
            One row per invoice line, oldest first: 396,370 lines of 4,335 customers.
        item_features : pandas.DataFrame of shape (3659, 2)
            Indexed by `StockCode`: `description`, the most frequent one with its spaces tidied, and `price`, the
            median unit price in pounds. Only with ``clean=True``.
        histories : pandas.DataFrame of shape (4335, 3)
            The events as histories of `StockCode` with `InvoiceDate` as time and `Quantity` as weight, indexed by
            `CustomerID`. Only with ``clean=True``.
        DESCR : str
            Description, source and licence.

    See Also
    --------
    make_histories : Synthetic histories of any size.
    skrec.feature_extraction.to_histories : What made the histories.

    References
    ----------
    Chen, D. (2015). Online Retail. UCI Machine Learning Repository, data set 352.
    https://doi.org/10.24432/C5BW33. CC BY 4.0.

    Examples
    --------
    >>> from skrec.datasets import load_online_retail
    >>> data = load_online_retail()
    >>> data.histories.shape
    (4335, 3)
    >>> data.item_features.loc["85123A", "description"]
    'WHITE HANGING HEART T-LIGHT HOLDER'
    """
    import pandas as pd

    events = pd.read_parquet(_FILE)
    if not clean:
        return Bunch(events=events, DESCR=_DESCR)
    keep = (
        ~events["InvoiceNo"].str.startswith("C")
        & events["CustomerID"].notna()
        & events["StockCode"].str.match(r"\d{5}")
        & (events["Quantity"] > 0)
    )
    events = events[keep].astype({"CustomerID": "int32"}).reset_index(drop=True)
    histories = to_histories(events, user="CustomerID", item="StockCode", time="InvoiceDate", weight="Quantity")
    return Bunch(events=events, item_features=_items(events), histories=histories, DESCR=_DESCR)


def _items(events):
    counts = events.groupby(["StockCode", "Description"], as_index=False).size()
    best = counts.sort_values(["StockCode", "size", "Description"], ascending=[True, False, True])
    description = best.drop_duplicates("StockCode").set_index("StockCode")["Description"]
    items = description.str.replace(r"\s+", " ", regex=True).str.strip().to_frame("description")
    items["price"] = events.groupby("StockCode")["UnitPrice"].median()
    return items
