"""Commands on logs that are larger than the memory they may take."""

import numpy as np
import pandas as pd
import pytest

from skrec import persistence
from skrec.cli import _large_log, main
from skrec.datasets import make_histories
from skrec.feature_extraction import _event_files, to_histories

pytest.importorskip("duckdb", reason="DuckDB is not installed")
COLUMNS = ["--user", "user", "--item", "item", "--time", "time"]


@pytest.fixture
def log(tmp_path):
    events = make_histories(400, 50, mean_length=15, random_state=0).explode(["item", "time"]).reset_index()
    events["user"] = [f"u{user:04d}" for user in events["user"]]
    events["item"] = [f"i{item}" for item in events["item"]]
    events["title"] = "the " + events["item"]
    events.loc[::9, "title"] = None
    events.sample(frac=1, random_state=0).to_parquet(tmp_path / "log.parquet")
    events.sample(frac=1, random_state=0).to_csv(tmp_path / "log.csv", index=False)
    return tmp_path


@pytest.fixture
def tiny_logs_are_large(monkeypatch):
    monkeypatch.setattr(_large_log, "_BYTES", {"parquet": 10**6, "csv": 10**6})


def run(*arguments) -> int:
    return main([str(one) for one in arguments])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_large_log_gives_the_same_model_and_lists(log, capsys, tiny_logs_are_large, suffix):
    path = log / f"log.{suffix}"
    fit = ["fit", path, *COLUMNS, "--name", "title", "--model", "item-knn"]
    assert run(*fit, "--memory", 1000, "-o", log / "whole.skrec") == 0
    assert "sorted on disk" not in capsys.readouterr().out
    assert run(*fit, "--memory", 1, "-o", log / "stored.skrec") == 0
    said = capsys.readouterr().out
    assert "more than --memory 1.0: it is sorted on disk" in said and "is not checked" in said
    whole, stored = (persistence.load(log / f"{name}.skrec") for name in ("whole", "stored"))
    assert (whole.similarity_ != stored.similarity_).nnz == 0 and (whole.items_ == stored.items_).all()
    ask = ["recommend", log / "whole.skrec", path, "-k", 3]
    for output in ("lists.parquet", "lists.csv"):
        assert run(*ask, "--memory", 1000, "--users", "all", "-o", log / f"a_{output}") == 0
        assert run(*ask, "--memory", 1, "--users", "all", "-o", log / f"b_{output}") == 0
        read = pd.read_parquet if output.endswith("parquet") else pd.read_csv
        pd.testing.assert_frame_equal(
            read(log / f"a_{output}"),
            read(log / f"b_{output}"),
            check_dtype=False,
        )
    capsys.readouterr()
    shown = []
    for memory in (1000, 1):
        assert run(*ask, "--memory", memory, "--users", "u0007", "--users", "u0003", "-q") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and "u0007" in shown[0]


def test_options_of_a_request_work_on_large_logs(log, capsys, tiny_logs_are_large):
    assert run("fit", log / "log.csv", *COLUMNS, "--model", "item-knn", "-o", log / "m.skrec") == 0
    pd.DataFrame({"item": [f"i{n}" for n in range(50)], "kind": list("abcde") * 10}).to_csv(log / "items.csv")
    ask = ["recommend", log / "m.skrec", log / "log.csv", "-k", 4, "--exclude", "i1,i2", "--name", "title"]
    for options in (
        ["--max-per", "kind", "--items", log / "items.csv"],
        ["--max-per", "title=2", "--at", "2030-01-01"],
    ):
        options = options if "--items" not in options else [*options, "--name", "kind"]
        tables = []
        for memory in (1000, 1):
            assert run(*ask, *options, "--memory", memory, "-o", log / "lists.parquet") == 0
            tables.append(pd.read_parquet(log / "lists.parquet"))
        pd.testing.assert_frame_equal(*tables, check_dtype=False)
        assert not tables[0]["item"].isin(["i1", "i2"]).any() and tables[0]["name"].notna().any()
    assert (tables[0].groupby("user").size() == 4).all()
    assert run(*ask, "--at", "2024-06-01", "--memory", 1, "-o", log / "lists.parquet") == 2
    assert "--at lies before the last event" in capsys.readouterr().err
    shown = []
    for memory in (1000, 1):
        assert run(*ask, "--at", "2024-06-01", "--memory", memory, "--users", "u0007", "-q") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and "the i" in shown[0]
    to_histories(log / "log.parquet", user="user", item="item", time="time", store=log / "store")
    assert run("recommend", log / "m.skrec", log / "store", "--users", "u0007", "--max-per", "title") == 2
    assert "--max-per needs --items FILE: stored histories have no other columns" in capsys.readouterr().err


def test_models_are_compared_alike(log, capsys, tiny_logs_are_large):
    boards = []
    for memory in (1000, 1):
        options = ["--model", "popularity", "--model", "item-knn", "--memory", memory, "-o", log / f"{memory}.csv"]
        assert run("evaluate", log / "log.parquet", *COLUMNS, *options) == 0
        boards.append(pd.read_csv(log / f"{memory}.csv").set_index("model")["ndcg@10"])
    pd.testing.assert_series_equal(*boards)


def test_stored_histories_are_a_log(log, capsys):
    to_histories(log / "log.parquet", user="user", item="item", time="time", store=log / "store")
    assert run("fit", log / "store", *COLUMNS, "--model", "item-knn", "-o", log / "a.skrec") == 0
    assert "Opened stored histories" in capsys.readouterr().out
    assert run("fit", log / "log.parquet", *COLUMNS, "--model", "item-knn", "-o", log / "b.skrec") == 0
    one, other = (persistence.load(log / f"{name}.skrec") for name in "ab")
    assert (one.similarity_ != other.similarity_).nnz == 0


def test_what_is_read_as_a_whole_is_said(log, capsys, tiny_logs_are_large):
    options = ["--where", "item != 'i1'", "--memory", 1, "--model", "popularity", "-o", log / "a.skrec"]
    assert run("fit", log / "log.parquet", *COLUMNS, *options) == 0
    assert "--where is applied in memory: it is read as a whole" in capsys.readouterr().out


@pytest.mark.parametrize("memory", ["0", "-1", "nan"])
def test_bad_memory(log, capsys, memory):
    assert run("fit", log / "log.csv", *COLUMNS, "-o", log / "a.skrec", "--memory", memory) == 2
    assert "--memory must be a number of GiB above 0" in capsys.readouterr().err


def test_usable_memory_follows_the_limit_of_the_process(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2 * 2**30, resource.RLIM_INFINITY))
    assert _large_log.usable_memory(None) <= 1.0 and _large_log.usable_memory(3) == 3
    assert np.isfinite(_large_log.usable_memory(None))


def test_options_that_stored_histories_cannot_follow(log, capsys):
    to_histories(log / "log.parquet", user="user", item="item", store=log / "store")
    fit = ["fit", log / "store", "--user", "user", "--item", "item", "-o", log / "a.skrec"]
    for option, value in (("--where", "item = 'i1'"), ("--name", "title"), ("--time", "time")):
        assert run(*fit, option, value) == 2
        assert f"{option} " in capsys.readouterr().err
    assert not (log / "a.skrec").exists()


def test_unknown_users_of_a_file(log, capsys, tiny_logs_are_large):
    assert run("fit", log / "log.parquet", *COLUMNS, "--model", "item-knn", "-o", log / "a.skrec") == 0
    (log / "users.txt").write_text("nobody\nu0003\n")
    ask = ["recommend", log / "a.skrec", log / "log.parquet", "--memory", 1]
    assert run(*ask, "--users-file", log / "users.txt", "-q") == 0
    (log / "users.txt").write_text("nobody\n")
    capsys.readouterr()
    assert run(*ask, "--users-file", log / "users.txt", "--force", "-q") == 0
    assert "nobody" in capsys.readouterr().out
    assert run(*ask, "--users", "all", "-k", 50, "-o", log / "all.parquet") == 0
    assert "with the score -inf" in capsys.readouterr().out


def test_without_duckdb_a_large_log_is_read_as_a_whole(log, capsys, tiny_logs_are_large, monkeypatch):
    monkeypatch.setattr(_event_files, "has_duckdb", lambda: False)
    options = ["--model", "popularity", "--name", "title", "--memory", 1, "-o", log / "a.skrec"]
    assert run("fit", log / "log.csv", *COLUMNS, *options) == 0
    assert "needs DuckDB" in capsys.readouterr().out
