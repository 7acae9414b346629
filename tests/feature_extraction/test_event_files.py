"""Files that do not fit together are named."""

import gzip
import io

import pandas as pd
import polars as pl
import pytest

from skrec.feature_extraction import _event_files, to_histories


@pytest.mark.parametrize("duckdb", [True, False])
def test_files_whose_ids_are_of_two_types_are_named(tmp_path, monkeypatch, duckdb):
    monkeypatch.setattr(_event_files, "has_duckdb", lambda: duckdb)
    pd.DataFrame({"u": [1, 2], "i": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"u": [1, 2], "i": ["x", "y"]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(TypeError, match=r"b\.parquet has .*string in the column 'i' but .*a\.parquet has int64"):
        to_histories(str(tmp_path / "*.parquet"), user="u", item="i")


def test_json_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"u": 9007199254740993, "i": "00123", "w": 2, "t": "2020-01-02"}\n\n{"t": "2020-01-01", "u": 7, "i": "b"}\n'
    )
    histories = to_histories(path, user="u", item="i", time="t")
    assert histories["item"].to_dict() == {7: ["b"], 9007199254740993: ["00123"]}
    with gzip.open(tmp_path / "log.ndjson.gz", "wt") as file:
        file.write(path.read_text())
    assert to_histories(tmp_path / "log.ndjson.gz", user="u", item="i")["item"].tolist() == [["b"], ["00123"]]


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("[1, 2]\n", ValueError, "has list in line 1, not a JSON object"),
        ('{"u": 1, "i": 2}\n{"u": \n', ValueError, "has no JSON object in line 2"),
        ("", ValueError, "is empty: a file of events has one JSON object a line"),
        ('{"u": 1, "x": 2}\n', ValueError, "item='i' is not a column of .*log.jsonl"),
        ('{"u": 1, "i": [2, 3]}\n', TypeError, r"item column 'i' has \[2, 3\] \(list\)"),
        ('{"u": 1, "i": 2}\n{"u": 1, "i": "b"}\n', TypeError, "item column 'i' mixes ids of several types"),
        ('{"u": 1, "i": 2}\n{"u": 1}\n', ValueError, "item column 'i' has 1 missing value"),
        ('{"u": true, "i": 2}\n', TypeError, "user column 'u' has True"),
        ("[" * 100_000, ValueError, "has no JSON object in line 1"),
    ],
)
def test_json_lines_that_are_wrong(tmp_path, text, kind, match):
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(kind, match=match):
        to_histories(path, user="u", item="i")


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet", "log.csv.gz"])
def test_standard_input_is_read_once_for_all_questions(tmp_path, monkeypatch, name):
    log = pd.DataFrame({"u": [1, 1, 2], "i": ["a", "b", "a"]})
    path = tmp_path / name
    if name.endswith("jsonl"):
        log.to_json(path, orient="records", lines=True)
    elif name.endswith("parquet"):
        log.to_parquet(path)
    else:
        log.to_csv(path, index=False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    for _ in range(2):
        assert to_histories("-", user="u", item="i")["item"].tolist() == [["a", "b"], ["a"]]
    monkeypatch.setattr("sys.stdin", io.StringIO("u,i\n3,c\n"))
    assert to_histories(["-"], user="u", item="i")["item"].to_dict() == {3: ["c"]}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ValueError, match="standard input, which is empty"):
        to_histories("-", user="u", item="i")


def test_encodings(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("u;i\n1;Käse\n1;Brie\n".encode("latin-1"))
    with pytest.raises(ValueError, match="name its encoding, such as encoding='latin-1'"):
        to_histories(path, user="u", item="i")
    assert to_histories(path, user="u", item="i", encoding="latin-1")["item"].tolist() == [["Käse", "Brie"]]
    with pytest.raises(ValueError, match="encoding='nonsense' is not known"):
        to_histories(path, user="u", item="i", encoding="nonsense")
    with pytest.raises(ValueError, match="encoding='utf8' is for files, but events is a table"):
        to_histories(pd.DataFrame({"u": [1], "i": [1]}), user="u", item="i", encoding="utf8")
    lines = tmp_path / "log.jsonl"
    lines.write_bytes('{"u": 1, "i": "Käse"}'.encode("latin-1"))
    assert to_histories(lines, user="u", item="i", encoding="latin-1")["item"].tolist() == [["Käse"]]
    with pytest.raises(ValueError, match="cannot be read as UTF-8 text"):
        to_histories(lines, user="u", item="i")


@pytest.mark.parametrize("form", ["pandas", "polars", "csv", "parquet"])
def test_events_without_a_value_are_dropped_on_request(tmp_path, form):
    log = pd.DataFrame({"u": ["x", None, "y", "x"], "i": ["a", "b", None, "c"], "t": [1.0, 2.0, 3.0, None]})
    events = tmp_path / f"log.{form}"
    if form == "csv":
        log.to_csv(events, index=False)
    elif form == "parquet":
        log.to_parquet(events)
    else:
        events = log if form == "pandas" else pl.DataFrame(log)
    with pytest.raises(ValueError, match="user column 'u' has 1 missing value"):
        to_histories(events, user="u", item="i", time="t")
    histories = to_histories(events, user="u", item="i", time="t", drop_missing=True)
    if form == "polars":
        assert histories["item"].to_list() == [["a"]]
        return
    assert histories["item"].to_dict() == {"x": ["a"]}
    assert [note.split(":")[0] for note in histories.attrs["notes"]] == [
        "user column 'u'",
        "item column 'i'",
        "time column 't'",
    ]
