"""`skrec recommend` says what the model knows of a log, and gives what the model gives in Python."""

import re

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


# ---- the options of one request --------------------------------------------------------------------------------


@pytest.fixture
def kinds(folder, events):
    """Write a table of items with their kind, and a log that has it as a column."""
    table = pd.DataFrame({"item": range(40), "kind": [f"k{item % 4}" for item in range(40)], "title": "Title"})
    table["title"] += table["item"].astype(str)
    table.to_csv("items.csv", index=False)
    events.assign(kind="k" + (events["item"] % 4).astype(str)).to_csv("kinds.csv", index=False)
    return table.set_index("item")["kind"]


def test_candidates_and_exclude_are_those_of_python(model, run, folder, events):
    (folder / "stock.txt").write_text("3\n5\n007\n 9.0 \n3\n\n")
    rows, out = rows_of(run, model, "log.csv", "--candidates", "stock.txt", "--exclude", "5, 11")
    assert "--candidates: 1 of 4 ids are unknown to the model, such as '007', and passed over" in out
    assert "2 of the 40 items of the model may be recommended." in out
    assert "The options leave 2 items, so a list has 2 rather than 10." in out
    histories = to_histories(events, user="user", item="item", time="time")
    expected = load(model).recommend(histories, candidates=[3, 5, 9], exclude=[5, 11])
    assert rows["item"].to_numpy().reshape(80, 2).tolist() == expected.tolist() and set(rows["item"]) == {3, 9}
    many = ",".join(map(str, [3, *range(40, 5000)]))  # longer than a path may be
    assert set(rows_of(run, model, "log.csv", "--candidates", many)[0]["item"]) == {3}
    one = rows_of(run, model, "log.csv", "--candidates", "9", "--users", "3", "-k", "500")[0]
    assert one[["user", "rank", "item", "name"]].to_numpy().tolist() == [[3, 1, 9, "Thing [red] <b>9</b>"]]


WRONG = [
    (["--candidates", "none.txt"], "--candidates 'none.txt' is neither a file nor an item that the model knows"),
    (["--candidates", "empty.txt"], "--candidates empty.txt is empty: write one id a line"),
    (["--candidates", " , "], "--candidates names no item"),
    (["--candidates", "a,b"], "names 2 items such as 'a', none of them among the 40 items of the model"),
    (["--exclude", "a,b"], "--exclude names 2 items such as 'a', none of them.* or add --force"),
    (["--exclude", "all.txt"], "--exclude leaves no item to recommend"),
    (["--candidates", "3", "--exclude", "3"], "--candidates and --exclude leave no item"),
    (["--max-per", "brand"], "--max-per 'brand' is not a column of log.csv"),
    (["--max-per", "kind=0"], "--max-per takes a column, or a column and a number of at least 1"),
    (["--items", "items.csv"], "--items has the columns that --max-per and --name name"),
    (["--items", "no.csv", "--max-per", "kind"], "--items 'no.csv' does not exist"),
    (["--items", "items.csv", "--max-per", "brand"], "--max-per 'brand' is not a column of items.csv"),
    (["--items", "twice.csv", "--max-per", "kind"], "has more than one 'kind' for 1 items, such as 3"),
    (["--items", "other.csv", "--max-per", "kind"], "has a value for none of the items of the model"),
    (["--items", "log.csv", "--name", "brand"], "--name 'brand' is not a column of log.csv"),
    (["--at", "2001-01-01"], "--at 2001-01-01 00:00:00 must be after the first event of the log, 2024-"),
    (["--at", "7"], "--at 7 is a number, but the times of the log are dates"),
    (["--at", "soon"], "--at must be a date in ISO 8601"),
]


def test_wrong_options_are_one_sentence(model, run, folder, kinds):
    (folder / "empty.txt").write_text("\n\n")
    (folder / "all.txt").write_text("\n".join(map(str, range(40))))
    (folder / "twice.csv").write_text("item,kind\n3,a\n3,b\n4,a\n4,a\n")
    (folder / "other.csv").write_text("item,kind\nx,a\n")
    for options, message in WRONG:
        code, out, err = run("recommend", model, "log.csv", "--users", "3", *options)
        assert code == 2 and re.search(message, err) and err.count("\n") == 1 and "rank" not in out, (options, err)


def test_excluding_what_nobody_knows_goes_on_with_force(model, run):
    rows, _ = rows_of(run, model, "log.csv", "--users", "3", "--exclude", "a,b", "--force")
    assert rows["item"].tolist() == rows_of(run, model, "log.csv", "--users", "3")[0]["item"].tolist()


@pytest.mark.parametrize("source", ["log", "table"])
def test_lists_have_at_most_some_of_a_kind(model, run, kinds, source):
    words = ["kinds.csv", "--max-per", "kind=2"]
    words += ["--items", "items.csv"] if source == "table" else []
    rows, out = rows_of(run, model, *words, "-k", "6", "--include-seen")
    counts = rows.assign(kind=rows["item"].map(kinds)).value_counts(["user", "kind"])
    assert counts.max() == 2 and "have more than" not in out and rows.groupby("user").size().eq(6).all()
    plain, _ = rows_of(run, model, "log.csv", "-k", "6", "--include-seen")
    assert (plain.assign(kind=plain["item"].map(kinds)).value_counts(["user", "kind"]) > 2).any()
    first = plain.loc[plain["rank"] == 1, "item"].tolist()
    assert rows.loc[rows["rank"] == 1, "item"].tolist() == first
    alone, _ = rows_of(run, model, *words, "-k", "6", "--include-seen", "--users", "3")  # batch is one by one
    assert alone["item"].tolist() == rows.loc[rows["user"] == 3, "item"].tolist()
    _, out = rows_of(run, model, *words, "-k", "9", "--include-seen")
    assert "80 of 80 users have more than 2 of one 'kind', since too few others are among their best." in out


def test_items_without_a_kind_are_counted_and_not_limited(model, run, folder, kinds):
    (folder / "few.csv").write_text("item,kind\n0,a\n1,a\n2,\n77,a\n")
    rows, out = rows_of(run, model, "log.csv", "--max-per", "kind", "--items", "few.csv", "-k", "10")
    assert "38 of 40 items of the model have no 'kind': they are not limited." in out
    assert rows[rows["item"].isin([0, 1])].groupby("user").size().max() == 1


def test_names_come_from_the_model_the_log_or_a_table(model, run, folder, events, kinds):
    rows, _ = rows_of(run, model, "log.csv", "--users", "3", "--items", "items.csv", "--name", "title")
    assert rows["name"].tolist() == [f"Title{item}" for item in rows["item"]]
    assert run("fit", "log.csv", *COLUMNS, "-o", "bare.skrec")[0] == 0
    rows, _ = rows_of(run, "bare.skrec", "log.csv", "--users", "3")
    assert list(rows.columns) == ["user", "rank", "item", "score"]
    events.assign(item=events["item"].astype(float), name=events["name"].mask(events["item"] == 7)).to_csv("f.csv")
    rows, out = rows_of(run, "bare.skrec", "f.csv", "--users", "3", "--name", "name", "-k", "40")
    assert rows.loc[rows["name"].isna(), "item"].tolist() == [7] and list(rows.columns)[-1] == "name"
    assert "1 of 40 recommended items have no name, such as 7" in out


def test_the_moment_of_asking_leaves_out_what_came_later(model, run, folder, events):
    rows, out = rows_of(run, model, "log.csv", "--at", "2024-06-01")
    until = events[events["time"] < pd.Timestamp("2024-06-01")]
    assert f"{len(events) - len(until):,} of {len(events):,} events of these users lie at or after --at" in out
    assert "Read --at as 1 June 2024, 00:00." in out and "so that these recommendations are no test of it" in out
    until.to_csv("until.csv", index=False)
    known = rows["user"].isin(until["user"])
    expected, _ = rows_of(run, model, "until.csv")
    pd.testing.assert_frame_equal(rows[known].reset_index(drop=True), expected)
    _, out = rows_of(run, model, "log.csv", "--at", "2030-01-01")
    assert "left out" not in out and "no test" not in out
    assert run("fit", "log.csv", *COLUMNS, "-o", "bare.skrec")[0] == 0
    code, _, err = run("recommend", "bare.skrec", "log.csv", "--users", "3", "--at", "2024-06-01")
    assert code == 2 and "--at needs the times of the events" in err


def test_padded_text_stays_text(folder, run, events):
    padded = events.assign(item=events["item"].astype(str).str.zfill(4))
    padded.to_csv("padded.csv", index=False)
    assert run("fit", "padded.csv", *COLUMNS, "-o", "p.skrec")[0] == 0
    rows, out = rows_of(run, "p.skrec", "padded.csv", "--users", "3", "--candidates", "0003,3")
    assert rows["item"].tolist() == [3] and "1 of 2 ids are unknown to the model, such as '3'" in out
    assert "0003" in (folder / "recs.csv").read_text()


def test_names_cannot_change_the_terminal(folder, run, events):
    evil = events.assign(name="\x1b[31mred\x1b]0;title\x07 <b>\u202e" + events["item"].astype(str))
    evil.to_csv("evil.csv", index=False)
    assert run("fit", "evil.csv", *COLUMNS, "--name", "name", "-o", "e.skrec")[0] == 0
    for words in (["recommend", "e.skrec", "evil.csv", "--users", "3"], ["similar", "e.skrec", "3"]):
        code, out, _ = run(*words)
        assert code == 0 and "\\x1b[31mred" in out and not {"\x1b", "\x07", "\u202e"} & set(out)
    code, out, err = run("similar", "e.skrec", "\x1b[31mred")
    assert code == 2 and not {"\x1b", "\x07", "\u202e"} & set(out + err)


def test_the_next_command_works(model, run):
    _, out, _ = run("recommend", model, "log.csv", "--users", "3")
    command = out.strip().splitlines()[-1].partition(": ")[2].split()
    assert command[:3] == ["skrec", "similar", model] and run(*command[1:])[0] == 0
