"""Online Shoppers: twelve thousand visits of a web shop, bundled with the library."""

from pathlib import Path

from sklearn.utils import Bunch

_FILE = Path(__file__).parent / "data" / "online_shoppers.parquet"
_CODES = ["OperatingSystems", "Browser", "Region", "TrafficType", "Month", "VisitorType", "Weekend"]

_DESCR = """Online Shoppers Purchasing Intention

12,330 visits of a web shop, each of another user within a year; 1,908 (15.5 %) end in a purchase. Ten numbers: pages
of three kinds and the seconds spent on them, Google Analytics' bounce rate, exit rate and page value, the closeness of
a special day. Seven categories: Month, OperatingSystems, Browser, Region, TrafficType, VisitorType, Weekend.

PageValues is the mean value of the pages visited, computed from transactions: what it tells about a visit is partly
known only after it.

Sakar, C. and Kastro, Y. (2018). Online Shoppers Purchasing Intention Dataset. UCI Machine Learning Repository, data
set 468. https://doi.org/10.24432/C5F88Q
Licence: Creative Commons Attribution 4.0 International (CC BY 4.0).
"""


def load_online_shoppers() -> Bunch:
    """Load the Online Shoppers data set: visits of a web shop, and whether they ended in a purchase.

    The data come with the library; nothing is downloaded.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        data : pandas.DataFrame of shape (12330, 17)
            Ten columns of numbers and seven of dtype ``category``, one row a visit.
        target : pandas.Series of shape (12330,)
            1 where the visit ended in a purchase, 1,908 times, else 0.
        DESCR : str
            Description, source and licence.

    See Also
    --------
    skrec.neural_network.PurchaseClassifier : A net that takes such a table as it is.

    References
    ----------
    Sakar, C. and Kastro, Y. (2018). Online Shoppers Purchasing Intention Dataset. UCI Machine Learning Repository,
    data set 468. https://doi.org/10.24432/C5F88Q. CC BY 4.0.

    Examples
    --------
    >>> from skrec.datasets import load_online_shoppers
    >>> visits = load_online_shoppers()
    >>> visits.data.shape, int(visits.target.sum())
    ((12330, 17), 1908)
    >>> visits.data["VisitorType"].cat.categories.tolist()
    ['New_Visitor', 'Other', 'Returning_Visitor']
    """
    import pandas as pd

    data = pd.read_parquet(_FILE)
    target = data.pop("Revenue")
    return Bunch(data=data.astype(dict.fromkeys(_CODES, "category")), target=target, DESCR=_DESCR)
