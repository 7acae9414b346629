"""`skrec recommend` says what the model knows of a log, and gives what the model gives in Python."""

import numpy as np
import pandas as pd
import pytest

from skrec import load
from skrec.feature_extraction import to_histories

COLUMNS = ["--user", "user", "--item", "item"]


def rows_of(run, *words):
    code, out, err = run("recommend", *words, "-o", "recs.csv")
    assert code == 0, err
    return pd.read_csv("recs.csv"), out


@pytest.mark.parametrize("option", ["--exclude-seen", "--include-seen", None])
@pytest.mark.parametrize("k", [3, 40])
def test_lists_are_those_of_python(model, run, events, option, k):
    rows, out = rows_of(run, model, "log.csv", "-k", k, *([option] if option else []))
    histories = to_histories(events, user="user", item="item", time="time")
    expected, scores = load(model).recommend(
        histories, k, exclude_seen=option != "--include-seen", return_scores=True
    )  # fmt: skip
    assert rows["item"].to_numpy().reshape(80, k).tolist() == expected.tolist()
    np.testing.assert_allclose(rows["score"].to_numpy().reshape(80, k), scores, rtol=1e-5)
    assert ("come last, as the model was fitted" in out) == (option is None)


def test_short_lists_and_lists_that_end_with_seen_items_are_explained(model, run, events):
    rows, out = rows_of(run, model, "log.csv", "-k", "50")
    assert rows.groupby("user").size().eq(40).all()
    assert "The model knows 40 items, so a list has 40 rather than 50." in out
    seen = rows.merge(events[["user", "item"]].drop_duplicates(), on=["user", "item"])
    assert len(seen) == np.isinf(rows["score"]).sum() > 0
    assert "80 of 80 users have fewer than 40 items left that they do not have" in out
    rows, out = rows_of(run, model, "log.csv", "-k", "2")
    assert "rather than" not in out and "fewer than" not in out


def test_what_the_model_knows_is_said(model, run, events):
    assert "The model knows all 40 items of the log." in rows_of(run, model, "log.csv")[1]
    more = events[:10].assign(item=range(100, 110), user=range(500, 510))
    pd.concat([events, more]).to_csv("more.csv", index=False)
    rows, out = rows_of(run, model, "more.csv")
    assert "The model knows 40 of the 50 items of the log (80 %)." in out
    assert "10 of 90 users have no item that the model knows: best sellers alone." in out
    assert len(rows[rows["user"] >= 500].groupby("user")["item"].agg(tuple).unique()) == 1


@pytest.mark.parametrize(("n_new", "code"), [(39, 0), (40, 0), (41, 2)])
def test_a_log_of_mostly_unknown_items_is_an_error(model, run, events, n_new, code):
    more = events[:n_new].assign(item=range(1000, 1000 + n_new))
    pd.concat([events, more]).to_csv("more.csv", index=False)
    got, _, err = run("recommend", model, "more.csv", "--users", "3")
    assert got == code
    if code:
        assert "knows 40 of the 81 items of the log" in err and "--force" in err
        assert run("recommend", model, "more.csv", "--users", "3", "--force")[0] == 0


@pytest.mark.parametrize(
    ("convert", "as_csv", "as_parquet"),
    [
        (lambda item: item.astype(float), "'14.0' (string) for 14", "14.0 (float) for 14"),
        (lambda item: item.astype(str), None, "'14' (string) for 14"),  # a CSV file has no types
        (lambda item: item.astype(str) + ".0", "'14.0' (string) for 14", "'14.0' (string) for 14"),
        (lambda item: item.astype(str).mask(item == 7, "7A"), "'14' (string) for 14", "'14' (string) for 14"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_of_another_kind_are_converted(model, run, events, convert, as_csv, as_parquet, suffix):
    other = events.assign(item=convert(events["item"]))
    other.to_csv("other.csv", index=False)
    other.to_parquet("other.parquet", index=False)
    rows, out = rows_of(run, model, f"other.{suffix}", "--users", "3")
    plain = events.assign(item=events["item"].mask(other["item"] == "7A", 700))
    plain.to_csv("plain.csv", index=False)
    expected, _ = rows_of(run, model, "plain.csv", "--users", "3")
    pd.testing.assert_frame_equal(rows, expected)
    said = "they were converted where that is exact" in out
    example = as_csv if suffix == "csv" else as_parquet
    assert said == (example is not None) and (example or "") in out


def test_numbers_for_a_model_of_text(folder, run, events):
    events.assign(item=events["item"].astype(str)).to_parquet("text.parquet", index=False)
    assert run("fit", "text.parquet", *COLUMNS, "-o", "t.skrec")[0] == 0
    rows, out = rows_of(run, "t.skrec", "log.csv", "--users", "3")
    expected, _ = rows_of(run, "t.skrec", "text.parquet", "--users", "3")
    assert rows["item"].tolist() == expected["item"].tolist() and "converted" in out


def test_a_batch_goes_on_with_unknown_users(model, run, folder):
    (folder / "users.txt").write_text("3\nnobody\n7.0\n\n3\n")
    rows, out = rows_of(run, model, "log.csv", "--users-file", "users.txt", "-k", "2", "--explain")
    assert rows["user"].tolist() == ["3", "3", "nobody", "nobody", "7", "7"]
    assert "1 of 3 users are not in the log, such as 'nobody'" in out
    assert rows.loc[rows["user"] == "nobody", "because"].tolist() == ["popular", "popular"]
    best = load(model).recommend([[]], 2)[0].tolist()
    assert rows.loc[rows["user"] == "nobody", "item"].tolist() == best
    (folder / "users.txt").write_text("nobody\n")
    assert run("recommend", model, "log.csv", "--users-file", "users.txt")[0] == 2
    assert rows_of(run, model, "log.csv", "--users-file", "users.txt", "--force")[0]["user"].tolist() == ["nobody"] * 10


def test_all_stands_alone(model, run, folder):
    (folder / "users.txt").write_text("3\n")
    for more in (["--users", "3"], ["--users-file", "users.txt"]):
        code, _, err = run("recommend", model, "log.csv", "--users", "all", *more)
        assert code == 2 and "--users all stands alone" in err


def test_nothing_to_explain_is_no_error(model, run, folder):
    (folder / "new.csv").write_text("user,item,time\n900,900,2024-01-01\n901,901,2024-01-01\n")
    rows, out = rows_of(run, model, "new.csv", "--explain", "--force")
    assert set(rows["because"]) == {"popular"} and "2 of 2 users have no item that the model knows" in out


def test_the_column_of_items_may_be_their_name(folder, run):
    for kind in ("ease", "blend"):
        words = ["fit", "log.csv", *COLUMNS, "--name", "item", "--model", kind, "-o", "n.skrec"]
        assert run(*words)[0] == 0
    rows, _ = rows_of(run, "n.skrec", "log.csv", "--users", "3")
    assert rows["name"].tolist() == rows["item"].tolist()
    code, _, err = run("fit", "log.csv", *COLUMNS, "--name", "user", "-o", "n.skrec")
    assert code == 2 and "--user and --name both name the column 'user'" in err


def test_columns_come_from_the_model(model, run, events):
    events.rename(columns={"item": "product"}).to_csv("other.csv", index=False)
    code, _, err = run("recommend", model, "other.csv", "--users", "3")
    assert code == 2 and "'item' is not a column of other.csv" in err and "the model was fitted with these names" in err


def test_times_of_another_kind_are_an_error(model, run, events):
    days = (events["time"] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    events.assign(time=days).to_csv("days.csv", index=False)
    code, _, err = run("recommend", model, "days.csv", "--users", "3")
    assert code == 2 and "the model learned times that are dates, but the times of the log are numbers" in err
    assert run("recommend", model, "days.csv", "--users", "3", "--time-unit", "D")[0] == 0


def test_a_k_beyond_the_items_is_told_by_all_commands(folder, run):
    words = ["log.csv", *COLUMNS, "-k", "50"]
    assert "A list will have 40 items rather than 50" in run("fit", *words, "-o", "k.skrec")[1]
    out = run("evaluate", *words, "--model", "popularity")[1]
    assert "The learned part has 40 items, so a list has 40 rather than 50." in out
