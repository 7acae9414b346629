"""How the command reads a log: the check in one line, and the options that mend what is wrong."""

import io
import sys

import pandas as pd
import pytest

from skrec import load
from skrec.cli._options import Log

COLUMNS = ["--user", "user", "--item", "item"]
TIMED = [*COLUMNS, "--time", "time"]


@pytest.fixture
def dirty(folder, events):
    """Write a log with one fault of each kind, and return its number of events."""
    frame = events.astype({"item": str, "user": str, "amount": float})
    frame.loc[3, "item"] = None
    frame.loc[5, "user"] = None
    frame.loc[7, "item"] = "NA"
    frame.loc[9, "item"] = "12,13"
    frame.loc[11, "amount"] = -2
    frame.loc[13, "time"] = pd.Timestamp("2199-01-01")
    frame = pd.concat([frame, frame.iloc[20:22]])
    frame.to_csv("dirty.csv", index=False)
    return len(frame)


@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_the_check_is_one_line(dirty, run, command):
    options = ["-o", "m.skrec"] if command == "fit" else ["--model", "popularity", "--model", "random"]
    words = [command, "dirty.csv", *TIMED, "--weight", "amount", "--drop-missing", "--where", "amount > 0", *options]
    code, out, _ = run(*words)
    line = out.splitlines()[0]
    assert code == 0 and line.startswith("Check of the log: exact duplicates 2 (0.12 %")
    for text in ("item: missing value 1", "user: missing value 1", "such as NA", "such as 12,13", "such as 2199-01-01"):
        assert text in line
    assert "negative" not in line
    assert f"Left out 2 of {dirty - 1:,} events: 1 without 'user', 1 without 'item'." in out


def test_a_clean_log_is_told(folder, run, events):
    code, out, _ = run("fit", "log.csv", *TIMED, "-o", "m.skrec")
    assert code == 0 and out.startswith(f"Check of the log: nothing suspicious in {len(events):,} events.\n")
    assert run("fit", "log.csv", *TIMED, "-o", "m.skrec", "-q")[1] == ""


def test_the_check_stands_before_the_error_that_it_explains(dirty, run):
    code, out, err = run("fit", "dirty.csv", *TIMED, "-o", "m.skrec")
    assert code == 2 and "Check of the log" in out
    assert f"2 of {dirty:,} events have a missing value, 1 without 'user' and 1 without 'item'" in err
    assert "--drop-missing" in err
    words = ["fit", "dirty.csv", *TIMED, "--drop-missing", "--weight", "amount", "-o", "m.skrec"]
    code, out, err = run(*words)
    assert code == 2 and "weight: negative 1" in out and '--where "`amount` > 0" leaves them out' in err
    assert run(*words, "--where", "`amount` > 0")[0] == 0


def test_nothing_left_is_an_error(folder, run):
    (folder / "none.csv").write_text("user,item\n1,\n,2\n")
    code, _, err = run("fit", "none.csv", *COLUMNS, "--drop-missing", "-o", "m.skrec")
    assert code == 2 and "none is left" in err


def test_conditions_on_columns_that_no_option_names(folder, run, events):
    assert run("fit", "log.csv", *COLUMNS, "--where", "amount > 1 and user != 3", "-o", "m.skrec")[0] == 0
    kept = events[(events["amount"] > 1) & (events["user"] != 3)]
    _, header = load("m.skrec", return_metadata=True)
    assert header["metadata"]["data"]["events"] == f"{len(kept):,}"
    for where, text in [("amuont > 1", "did you mean 'amount'"), ("amount >", "--where 'amount >' cannot be read")]:
        code, _, err = run("fit", "log.csv", *COLUMNS, "--where", where, "-o", "m.skrec")
        assert code == 2 and text in err


def test_dates_written_in_another_way(folder, run, events):
    events.assign(time=events["time"].dt.strftime("%d.%m.%Y %H:%M")).to_csv("german.csv", index=False)
    code, _, err = run("fit", "german.csv", *TIMED, "-o", "m.skrec")
    assert code == 2 and "--time-format" in err
    words = ["german.csv", *TIMED, "--time-format", "%d.%m.%Y %H:%M"]
    code, out, _ = run("fit", *words, "--since", "01.03.2024 00:00", "-o", "m.skrec")
    assert code == 0 and "Read --since as 1 March 2024, 00:00." in out
    kept = events[events["time"].dt.floor("min") >= pd.Timestamp("2024-03-01")]
    assert f"{len(kept):,} events of" in out
    code, out, _ = run("recommend", "m.skrec", "german.csv", "--users", "3")
    assert code == 0 and "Read the log as in fit, with --time-format '%d.%m.%Y %H:%M'" in out


def test_numbers_as_times(folder, run, events):
    seconds = events["time"].astype("datetime64[s]").astype("int64")
    events.assign(time=seconds).to_csv("seconds.csv", index=False)
    code, out, _ = run("fit", "seconds.csv", *TIMED, "--model", "popularity-30d", "-o", "m.skrec")
    assert code == 0 and "numbers read as seconds since 1970 (2024-01-01 to 2024-12-30)" in out
    events.assign(time=seconds // 86_400).to_csv("days.csv", index=False)
    code, _, err = run("fit", "days.csv", *TIMED, "--model", "popularity-30d", "-o", "m.skrec")
    assert code == 2 and "--time-unit" in err
    words = ["fit", "days.csv", *TIMED, "--model", "popularity-30d", "--time-unit", "D", "-o", "m.skrec"]
    code, out, _ = run(*words, "--until", "2024-06-01")
    assert code == 0 and "2024-01-01 to 2024-05-31" in out
    assert load("m.skrec", return_metadata=True)[1]["metadata"]["reading"] == {"time_unit": "D"}
    code, _, err = run(*words[:-4], "--time-unit", "days", "-o", "m.skrec")
    assert code == 2 and "--time-unit takes one of s, ms, us, ns, D, but got 'days'" in err


@pytest.mark.parametrize("option", [["--time-unit", "s"], ["--time-format", "%Y"]])
def test_options_of_times_need_times(folder, run, option):
    code, _, err = run("fit", "log.csv", *COLUMNS, *option, "-o", "m.skrec")
    assert code == 2 and f"{option[0]} needs the times of the events" in err
    code, _, err = run("fit", "log.csv", *TIMED, "--time-unit", "s", "--time-format", "%Y", "-o", "m.skrec")
    assert code == 2 and "give one of them" in err


def test_encodings(folder, run, events):
    events.assign(name="Café").to_csv("latin.csv", index=False, encoding="latin-1")
    words = ["fit", "latin.csv", *COLUMNS, "--name", "name", "-o", "m.skrec"]
    code, _, err = run(*words)
    assert code == 2 and "--encoding 'latin-1'" in err
    assert run(*words, "--encoding", "latin-1")[0] == 0
    code, out, _ = run("recommend", "m.skrec", "latin.csv", "--users", "3")
    assert code == 0 and "Café" in out and "--encoding latin-1" in out


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_standard_input_is_read_once(folder, run, events, monkeypatch, kind):
    text = (
        events.to_csv(index=False) if kind == "csv" else events.to_json(orient="records", lines=True, date_format="iso")
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, _ = run("fit", "-", *COLUMNS, "--name", "name", "--where", "amount > 0", "-o", "m.skrec")
    assert code == 0 and f"{len(events):,} events of 80 users" in out
    assert load("m.skrec", return_metadata=True)[1]["metadata"]["item_names"][0].startswith("Thing")


def test_json_lines(folder, run, events):
    events.to_json("log.jsonl", orient="records", lines=True, date_format="iso")
    assert run("fit", "log.jsonl", *TIMED, "-o", "j.skrec")[0] == 0
    assert run("fit", "log.csv", *TIMED, "-o", "c.skrec")[0] == 0
    assert load("j.skrec").items_.tolist() == load("c.skrec").items_.tolist()


def test_a_file_that_is_not_there(folder, run):
    code, _, err = run("fit", "lgo.csv", *COLUMNS, "-o", "m.skrec")
    assert code == 2 and "the log 'lgo.csv' does not exist" in err and "did you mean 'log.csv'" in err


def test_how_a_log_is_read_travels_with_the_model():
    log = Log(["a b.csv"], {"user": "u", "item": "i"}, where="x > 0", drop_missing=True)
    words = ["a b.csv", "--user", "u", "--item", "i", "--where", "x > 0", "--drop-missing"]
    assert log.arguments() == words and Log(["a b.csv"], log.columns).like(log.reading()) == log
    assert Log([], where="y = 1").like(log.reading()).where == "y = 1"
