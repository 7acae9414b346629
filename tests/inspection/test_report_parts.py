"""Groups of users and users by name: the numbers are those of the metrics, the choice follows a fixed rule."""

import json

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import to_histories
from skrec.inspection import write_report
from skrec.inspection._conclusion import FEW
from skrec.inspection._report_customers import Names, Search, choose, spaced, user_rows
from skrec.inspection._report_question import read_questions
from skrec.inspection._report_slices import by_category, by_history
from skrec.linear_model import EASE
from skrec.model_selection import compare, split_time


@pytest.fixture(scope="module")
def parts():
    X, y = split_time(make_histories(200, 40, repeats=True, random_state=0), "2024-09-01", exclude_seen=False)
    board, details = compare({"EASE": EASE(l2=10), "popularity": PopularityRecommender()}, X, y, return_per_user=True)
    return {"leaderboard": board, "details": details, "X": X, "y": y}


@pytest.fixture(scope="module")
def question(parts):
    return read_questions(parts, "customers")[0]


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    """The plots take most of the time, and are no part of these tests."""
    monkeypatch.setattr("skrec.inspection._report.has_matplotlib", lambda: False)


def number(cell):
    return float(cell.split(" ")[0].replace(",", ""))


@pytest.mark.parametrize("which", [0, 1])
def test_groups_partition_the_users_and_average_to_the_table(parts, question, which):
    found = by_history(question, 3, "customers")[which]
    sizes = [number(row[1]) for row in found.rows]
    assert sum(sizes) == parts["leaderboard"].attrs["n_scored"] and len(sizes) > 2
    for column, name in enumerate(found.header[2:], 2):
        mean = np.average([number(row[column]) for row in found.rows], weights=sizes)
        assert mean == pytest.approx(parts["leaderboard"].loc[name, "ndcg@10"], abs=0.001)
    assert all(("(few)" in row[1]) == (number(row[1]) < FEW) for row in found.rows)
    assert found.few == any(size < FEW for size in sizes)


def test_a_group_is_what_it_is_called(parts, question):
    X, y = parts["X"], parts["y"]
    asked = np.array([len(later) > 0 for later in y])
    lengths, visits = by_history(question, 3, "customers")
    scores = parts["details"]["EASE"].scores["ndcg@10"]
    inside = asked & np.array([10 <= len(items) <= 19 for items in X["item"]])
    row = next(row for row in lengths.rows if row[0] == "10 to 19")
    assert number(row[1]) == inside.sum() and row[2].startswith(f"{scores[inside].mean():.3f} (")
    days = np.array([len({time.date() for time in times}) for times in X["time"]])
    row = next(row for row in visits.rows if row[0] == "loyal: 5 days or more")
    assert number(row[1]) == (asked & (days >= 5)).sum()


def test_visits_without_times_and_with_numbers(parts):
    bare = parts["X"].drop(columns="time")
    (question,) = read_questions({**parts, "X": bare}, "customers")
    assert by_history(question, 3, "customers")[1].rows[-1][0] == "loyal: 5 events or more"
    numbers = bare.assign(time=[list(range(len(items))) for items in bare["item"]])
    (question,) = read_questions({**parts, "X": numbers}, "customers")
    assert by_history(question, 3, "customers")[1].rows[-1][0] == "loyal: 5 baskets or more"


def test_categories_are_those_of_the_held_out_items(parts, question):
    categories = {item: "even" if item % 2 == 0 else "odd" for item in range(30)}
    found = by_category(question, categories, 3, "customers")
    rows = {row[0]: row for row in found.rows}
    assert set(rows) == {"even", "odd", "no category"}
    shares = []
    for later, listed in zip(parts["y"], parts["details"]["EASE"].recommendations, strict=True):
        inside = {item for item in later if item < 30 and item % 2 == 0}
        if inside:
            shares.append(len(inside & set(listed)) / len(inside))
    assert number(rows["even"][1]) == len(shares)
    assert rows["even"][2].startswith(f"{np.mean(shares):.3f} (")
    many = by_category(question, {item: f"c{item}" for item in range(40)}, 3, "customers")
    assert len(many.rows) == 13 and many.rows[-1][0].endswith("others")


def test_few_users_have_no_interval_and_long_categories_are_cut(parts, question):
    """A percentile bootstrap of fewer than 30 users holds the true mean far less often than it says."""
    categories = dict.fromkeys(range(2), "rare") | dict.fromkeys(range(2, 40), "long name " * 20)
    slices = [*by_history(question, 3, "customers"), by_category(question, categories, 3, "customers")]
    cells = [(number(row[1]), cell) for part in slices for row in part.rows for cell in row[2:]]
    assert {size < FEW for size, _ in cells} == {True, False}
    assert all(("(" in cell) == (size >= FEW) for size, cell in cells)
    assert max(len(row[0]) for row in slices[-1].rows) == 80


def test_users_are_chosen_by_a_fixed_rule(parts, question):
    found, missed, sizes = choose(question, "EASE")
    hit = parts["details"]["EASE"].scores["hit_rate@10"]
    assert sizes == (int((hit == 1).sum()), int((hit == 0).sum()))
    assert set(hit[found]) == {1.0} and set(hit[missed]) == {0.0}
    assert len(found) == len(missed) == 3 and np.array_equal(found, choose(question, "EASE")[0])
    assert spaced(np.arange(10), 2).tolist() == [2, 7] and spaced(np.arange(2), 3).tolist() == [0, 1]
    names = Names({item: f"item {item}" for item in range(40)})
    for row in (*found, *missed):
        had, listed, later = (part for _, part in user_rows(question, "EASE", row, names))
        items = list(dict.fromkeys(parts["X"]["item"].iloc[row][::-1]))
        assert had == "nothing" if not items else [text for text, _ in had.texts] == [f"item {i}" for i in items[:8]]
        right = set(parts["y"].iloc[row])
        expected = [(f"item {item}", item in right) for item in parts["details"]["EASE"].recommendations[row]]
        assert listed.texts == expected and len(later.texts) + later.more == len(right)
        assert sum(marked for _, marked in later.texts) == sum(marked for _, marked in listed.texts)


def test_the_search_holds_what_was_asked(parts, question):
    search = Search(question, "EASE", Names({}), "customers", 10**6)
    data = json.loads(search.text)
    asked = [row for row, later in enumerate(parts["y"]) if len(later)]
    assert [user[0] for user in data["users"]] == [str(parts["X"].index[row]) for row in asked]
    assert search.n_users == search.of_users == len(asked) and search.n_items == search.of_items == len(data["items"])
    ids = [item[1] for item in data["items"]]
    for user, row in zip(data["users"], asked, strict=True):
        listed = parts["details"]["EASE"].recommendations[row]
        assert [ids[place] for place in user[2]] == [str(item) for item in listed]
        assert user[5:] == [len(set(parts["y"].iloc[row])), len(set(parts["y"].iloc[row]) & set(listed))]
    counts = {item[1]: item[2:] for item in data["items"]}
    listed = parts["details"]["EASE"].recommendations[asked]
    for item in (0, 7, 39):
        expected = [
            sum(item in history for history in parts["X"]["item"].iloc[asked]),  # as the other columns
            int((listed == item).sum()),
            sum(item in later for later in parts["y"]),
            sum(item in later and item in some for later, some in zip(parts["y"].iloc[asked], listed, strict=True)),
        ]
        assert counts[str(item)] == expected


@pytest.mark.parametrize("most", [100, 5_000, 20_000])
def test_the_search_is_bounded(question, most):
    search = Search(question, "EASE", Names(dict.fromkeys(range(40), "\u2028" + "<" * 500)), "customers", most)
    assert len(search.text.encode()) <= max(most, 100) and search.n_users < search.of_users
    assert not set("<>&\u2028") & set(search.text)
    json.loads(search.text)


def test_text_ids_rows_without_index_and_one_user(tmp_path):
    X = [["a", "b"], ["b", "<b>"], ["\ud800x", "a"], ["a", "b", "<b>"]]
    y = [["<b>"], [], ["b"], ["\ud800x"]]
    board, details = compare({"p": PopularityRecommender(k=2)}, X, y, k=2, return_per_user=True)
    for rows in (X, pd.Series(X, index=["u<", "v", "w", "x"])):
        whole = {"leaderboard": board, "details": details, "X": rows, "y": y}
        text = write_report(whole, tmp_path / "r.html", rows="users").read_text(encoding="utf-8")
        assert "Of 3 users with a held-out item" in text and "<b>" not in text
        assert ("User u&lt;, one" in text) == (rows is not X) and ("User 0, one" in text) == (rows is X)
    one = compare({"p": PopularityRecommender()}, X[:1], y[:1], return_per_user=True)
    whole = dict(zip(("leaderboard", "details"), one, strict=True)) | {"X": X[:1], "y": y[:1]}
    text = write_report(whole, tmp_path / "one.html").read_text(encoding="utf-8")
    assert "1 (few)" in text and "Only one of the customers has a held-out item" in text


def test_order_of_rows_and_storage_change_no_number(parts, tmp_path):
    def groups(X, y):
        models = {"EASE": EASE(l2=10), "popularity": PopularityRecommender()}
        board, details = compare(models, X, y, return_per_user=True, n_resamples=10)
        whole = {"leaderboard": board, "details": details, "X": X, "y": y}
        (question,) = read_questions(whole, "customers")
        found = [*by_history(question, 3, "customers"), by_category(question, {1: "one"}, 3, "customers")]
        write_report(whole, tmp_path / "r.html")
        return [[[cell.split(" (0.")[0] for cell in row] for row in part.rows] for part in found]

    X, y = parts["X"], parts["y"]
    expected = groups(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    assert groups(X.iloc[order], y.iloc[order]) == expected
    events = X.explode(["item", "time"]).reset_index().dropna()
    stored = to_histories(events, user="user", item="item", time="time", store=tmp_path / "log")
    there = np.flatnonzero(X["item"].map(len) > 0)
    assert groups(stored, y.iloc[there]) == groups(X.iloc[there], y.iloc[there])
