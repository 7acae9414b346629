"""The bundled data set: the numbers in its docstring are those of the file."""

import pandas as pd
import pytest

from skrec.datasets import load_online_retail
from skrec.utils._histories import read_histories


@pytest.fixture(scope="module")
def data():
    return load_online_retail()


def test_counts_of_the_docstring(data):
    raw = load_online_retail(clean=False).events
    cancelled = raw["InvoiceNo"].str.startswith("C")
    nobody = raw["CustomerID"].isna()
    other = ~raw["StockCode"].str.match(r"\d{5}")
    counts = [len(raw), cancelled.sum(), (nobody & ~cancelled).sum(), (other & ~nobody & ~cancelled).sum()]
    assert counts == [541_909, 9_288, 134_697, 1_554]
    assert len(data.events) == 396_370 == 541_909 - 9_288 - 134_697 - 1_554
    for number in ("541,909", "9,288", "134,697", "1,554", "396,370"):
        assert number in data.DESCR and number in load_online_retail.__doc__
    assert data.events["CustomerID"].nunique() == 4_335
    assert data.events["StockCode"].nunique() == 3_659
    assert data.events["Quantity"].min() == 1
    assert data.events["CustomerID"].dtype == "int32"
    assert data.events["InvoiceDate"].is_monotonic_increasing


def test_histories_hold_every_line(data):
    assert data.histories.columns.tolist() == ["item", "time", "weight"]
    assert data.histories.index.name == "CustomerID"
    histories = read_histories(data.histories)
    assert len(histories) == 4_335
    assert histories.lengths.sum() == 396_370
    one = data.events[data.events["CustomerID"] == 12347]
    assert list(data.histories.loc[12347, "item"]) == one["StockCode"].tolist()
    assert list(data.histories.loc[12347, "weight"]) == one["Quantity"].tolist()


def test_item_features(data):
    items = data.item_features
    assert items.shape == (3_659, 2)
    assert items.index.is_unique and items.index.name == "StockCode"
    assert set(items.index) == set(data.events["StockCode"])
    assert items.loc["85123A", "description"] == "WHITE HANGING HEART T-LIGHT HOLDER"
    assert items.loc["85123A", "price"] == data.events.query("StockCode == '85123A'")["UnitPrice"].median()
    assert not items.isna().any().any()
    assert not items["description"].str.contains(r"^\s|\s$|\s\s").any()


def test_the_source_is_named(data):
    assert "https://doi.org/10.24432/C5BW33" in data.DESCR
    assert "CC BY 4.0" in data.DESCR


def test_raw_comes_as_published():
    raw = load_online_retail(clean=False)
    assert set(raw) == {"events", "DESCR"}
    assert raw.events["CustomerID"].isna().sum() == 135_080
    assert isinstance(raw.events, pd.DataFrame)
