"""Conditions on events: what they keep, and that they are no code."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skrec.feature_extraction import to_histories
from skrec.feature_extraction._where import Where

LOG = pd.DataFrame(
    {
        "u": [1, 1, 1, 2, 2],
        "i": ["a", "b", "c", "d", "e"],
        "q": [1.0, -1.0, np.nan, 0.0, 25.0],
        "Pay by": ["card", "cash", None, "card", "it's"],
        "t": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2020-01-05"]),
    }
)
KEPT = [
    ("q > 0", "ae"),
    ("q >= 0 and u = 2", "de"),
    ("q > 0 OR `Pay by` = 'cash'", "abe"),
    ("NOT q > 0", "bcd"),
    ("q <> 25", "abd"),
    ("q == -1", "b"),
    ("`Pay by` in ('card', 'cash')", "abd"),
    ("`Pay by` not in ['card']", "bce"),
    ('`Pay by` = "it\'s"', "e"),
    ("(u = 1 or u = 2) and not (q < 0 or q = 0)", "ace"),
    ("q > u", "e"),
    ("q < 2.5e1 and q > -.5", "ad"),
    ("`Pay by` != 'card'", "be"),  # a missing value fulfils no comparison
]


@pytest.mark.parametrize(("where", "items"), KEPT)
@pytest.mark.parametrize("form", ["pandas", "polars", "lazy", "pyarrow", "csv", "parquet", "jsonl"])
def test_events_that_stay(tmp_path, form, where, items):
    if form in ("csv", "parquet", "jsonl"):
        events = tmp_path / f"log.{form}"
        plain = LOG.drop(columns="t")
        {"csv": lambda: plain.to_csv(events, index=False), "parquet": lambda: plain.to_parquet(events)}.get(
            form, lambda: plain.to_json(events, orient="records", lines=True)
        )()
    else:
        make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame, "pyarrow": pa.table}
        events = make[form](LOG)
    found = to_histories(events, user="u", item="i", where=where)["item"]
    assert "".join(item for row in (found.to_list() if form in ("polars", "lazy") else found) for item in row) == items


def test_times_are_compared_as_dates():
    kept = to_histories(LOG, user="u", item="i", where="t >= '2020-01-03' and t < '2020-01-05'")["item"]
    assert kept.tolist() == [["c"], ["d"]]
    with pytest.raises(ValueError, match="where must be a date in ISO 8601"):
        to_histories(LOG, user="u", item="i", where="t > '3.1.2020'")


@pytest.mark.parametrize(
    "where",
    [
        "__import__('os').system('true')",
        "q.values > 0",
        "q > 0; import os",
        "print(q)",
        "q",
        "q > len('a')",
        "[q for q in q]",
        "lambda: q",
        "q if q else q",
        "q @ q > 0",
        "0 < q < 3",
        "1 > 0",
        "q in u",
        "q in (1, u)",
        "q > -'a'",
        "q >",
        "",
        "(" * 500 + "q > 0" + ")" * 500,
        "f'{q}' = 'a'",
        "q := 3",
        "not " * 5000 + "q > 0",
    ],
)
def test_nothing_else_is_read(where):
    with pytest.raises(ValueError, match="where="):
        to_histories(LOG, user="u", item="i", where=where)


def test_conditions_that_do_not_fit():
    for where, kind, match in [
        (3, TypeError, "where must be a str"),
        ("Q > 0", ValueError, "where='Q' is not a column of events.*did you mean 'q'"),
        ("i > 3", ValueError, "compares the column 'i' with a number, but it holds other values"),
        ("q > 1000", ValueError, "where='q > 1000' fits none of the 5 events"),
    ]:
        with pytest.raises(kind, match=match):
            to_histories(LOG, user="u", item="i", where=where)
    assert Where("a = 1 and `b c` = a").columns == ["a", "b c"]
