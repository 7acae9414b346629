"""What looks wrong in a log is counted, in every form of events."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skrec.feature_extraction import check_events

LOG = pd.DataFrame(
    {
        "u": ["1.0", "2.0", "NA", "2.0", None, "5"],
        "i": ["a", "a,b", "null", "a,b", "c; d", "x y"],
        "q": [1, -1, 0, -1, 2.5, 3],
        "t": ["2011-01-01", "9999-12-31", "1980-01-01", "9999-12-31", "2011-01-02", "2011-01-03"],
    }
)
EXPECTED = {
    "user: missing value": 1,
    "user: id says it is absent": 1,
    "user: whole number written as a float": 3,
    "item: id says it is absent": 1,
    "item: several items in one cell": 3,
    "exact duplicates": 1,
    "weight: negative": 2,
    "weight: zero": 1,
    "time: more than a year from now": 2,
    "time: before 1990": 1,
}


def counts(*args, **names):
    table = check_events(*args, **{"user": "u", "item": "i", **names})
    assert list(table.columns) == ["check", "count", "share", "example"]
    return dict(zip(table["check"], table["count"], strict=True))


@pytest.mark.parametrize("form", ["pandas", "polars", "lazy", "pyarrow", "csv", "parquet", "jsonl"])
def test_everything_is_counted(tmp_path, form):
    path = tmp_path / f"log.{form}"
    if form == "csv":
        LOG.to_csv(path, index=False)
    elif form == "parquet":
        LOG.to_parquet(path)
    elif form == "jsonl":
        LOG.to_json(path, orient="records", lines=True)
    else:
        path = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame, "pyarrow": pa.table}[form](LOG)
    assert counts(path, time="t", weight="q") == EXPECTED
    table = check_events(path, user="u", item="i", time="t", weight="q")
    assert table["count"].is_monotonic_decreasing
    np.testing.assert_allclose(table["share"], table["count"] / 6)
    assert table.set_index("check")["example"]["item: several items in one cell"] == "a,b"
    assert "weight: zero" not in counts(path, weight="q", where="q != 0")


def test_a_clean_log_has_nothing():
    clean = pd.DataFrame({"u": [1, 1], "i": ["a-1", "b 2"], "t": [1_600_000_000, 1_600_000_001]})
    assert counts(clean, time="t") == {}
    assert counts(clean.iloc[:0], time="t") == {}


def test_times_and_lists():
    same = pd.DataFrame({"u": [1, 2], "i": [["a", "b"], ["c"]], "t": [5, 5]})
    assert counts(same, time="t") == {
        "item: list in a cell": 2,
        "time: the same for all events": 2,
        "time: numbers of unknown unit": 2,
    }
    one_odd = pd.DataFrame({"u": [1, 2, 3], "i": [1, 2, 3], "t": [0, 1_600_000_000, 1_600_000_001]})
    assert counts(one_odd, time="t") == {"time: not within 1990 to 2100 as the others are": 1}
    assert counts(one_odd, time="t", time_unit="s") == {"time: before 1990": 1}
    text = pd.DataFrame({"u": [1, 2], "i": [1, 2], "t": ["31.12.2011", "30.12.2011"]})
    assert counts(text, time="t") == {"time: not a time": 2}
    assert counts(text, time="t", time_format="%d.%m.%Y") == {}
    assert sum(counts(text, time="t", time_format="%Y").values()) == 2
    floats = pd.DataFrame({"u": [1.0, np.nan], "i": [1, 2], "w": ["3", "three"]})
    assert counts(floats, weight="w") == {
        "user: missing value": 1,
        "user: whole number written as a float": 1,
        "weight: not a number": 1,
    }


def test_columns_must_be_there():
    for events in (LOG, pl.DataFrame(LOG), pl.LazyFrame(LOG), pa.table(LOG)):
        with pytest.raises(ValueError, match="item='x' is not a column of events"):
            check_events(events, user="u", item="x")
    with pytest.raises(TypeError, match="events must be a pandas or polars DataFrame"):
        check_events(3, user="u", item="i")
