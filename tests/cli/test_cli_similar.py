"""`skrec similar` finds items by id or by name, and gives what the model gives in Python."""

import numpy as np
import pandas as pd
import pytest

from skrec import load, save
from skrec.cli import _similar
from skrec.datasets import make_histories
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN, SessionKNN
from skrec.recipes import make_recommender, recipe_names

COLUMNS = ["--user", "user", "--item", "item", "--time", "time"]
NAMES = [f"{size} {what} {color}" for size in ("big", "small") for what in ("cup", "pot") for color in ("red", "blue")]


@pytest.fixture
def shop(folder, run, events):
    """Fit a model to a log of eight items with names, and the others called by their number."""
    names = dict(enumerate(NAMES))
    events = events.assign(name=[names.get(item, f"no. {item}") for item in events["item"]])
    events.to_csv("shop.csv", index=False)
    assert run("fit", "shop.csv", *COLUMNS, "--name", "name", "--set", "l2=20", "-o", "m.skrec")[0] == 0
    return events


def test_rows_are_those_of_python(shop, run):
    model = load("m.skrec")
    for path, read in (("s.csv", pd.read_csv), ("s.parquet", pd.read_parquet)):
        code, out, _ = run("similar", "m.skrec", "3", "17", "3.0", "-k", "4", "-o", path)
        rows = read(path)
        assert code == 0 and list(rows.columns) == ["item", "rank", "similar", "similarity", "name"]
        assert "Wrote 8 rows for 2 items" in out
        similar, scores = model.similar_items([3, 17], 4, return_scores=True)
        assert rows["item"].tolist() == [3] * 4 + [17] * 4 and rows["rank"].tolist() == [1, 2, 3, 4] * 2
        assert rows["similar"].tolist() == similar.ravel().tolist()
        np.testing.assert_allclose(rows["similarity"], scores.ravel(), rtol=1e-5)
        known = shop.drop_duplicates("item").set_index("item")["name"]
        assert rows["name"].tolist() == known[rows["similar"]].tolist()
    for alone in ("3", "17"):  # batch is one by one
        assert run("similar", "m.skrec", alone, "-k", "4", "-o", "one.csv")[0] == 0
        one = pd.read_csv("one.csv")
        pd.testing.assert_frame_equal(one, pd.read_csv("s.csv").query(f"item == {alone}").reset_index(drop=True))
    code, out, _ = run("similar", "m.skrec", "3", "-k", "500")
    assert code == 0 and "The model knows 40 items, so a list has 39 rather than 500." in out
    assert "Similar to 3, big pot blue" in out and out.count("no. ") == 32


@pytest.mark.parametrize(
    ("text", "taken"),
    [("BIG Cup  red", 0), ("blue pot small", 7), ("no. 33", 33), ("33", 33), ("t red", None), ("nothing", None)],
)
def test_an_item_is_found_by_a_part_of_its_name(shop, run, text, taken):
    code, out, err = run("similar", "m.skrec", text, "-k", "1")
    if taken is not None:
        assert code == 0 and f"Similar to {taken}, " in out and err == ""
        assert (f"is taken for {taken}, " in out) == (text != "33")
    elif text == "t red":
        assert code == 2 and "is a part of the names of 2 items: take one by its id, skrec similar m.skrec" in err
        assert "big pot red" in out and "small pot red" in out and "cup" not in out
        first, other = shop.loc[shop["item"].isin([2, 6])].groupby("name")["user"].nunique().sort_values().index[::-1]
        assert out.index(first) < out.index(other)  # the most popular first
        assert run("similar", *err.strip().rpartition("skrec similar")[2].split(), "-q")[0] == 0
    else:
        assert code == 2 and "neither an id nor a part of a name of the 40 items" in err


def test_a_full_name_wins_over_parts_and_shared_names_are_told(folder, run, events):
    names = {0: "mug", 1: "mug large", 2: "jar", 3: "jar"}
    events.assign(name=events["item"].map(names).fillna("thing")).to_csv("shop.csv", index=False)
    assert run("fit", "shop.csv", *COLUMNS, "--name", "name", "-o", "m.skrec")[0] == 0
    assert "'mug' is taken for 0, mug." in run("similar", "m.skrec", "mug", "-k", "1")[1]
    code, out, err = run("similar", "m.skrec", "jar")
    assert code == 2 and "is a part of the names of 2 items" in err and out.count("jar") >= 2
    code, out, err = run("similar", "m.skrec", "thing")
    assert code == 2 and "36 items" in err and "16 more: say more of the name." in out


def test_names_of_a_log(folder, run, shop):
    assert run("fit", "shop.csv", *COLUMNS, "-o", "bare.skrec")[0] == 0
    code, out, err = run("similar", "bare.skrec", "big cup red")
    assert code == 2 and "to find it by its name, add --log LOG --name COLUMN" in err
    code, out, _ = run("similar", "bare.skrec", "3", "-k", "2")
    assert code == 0 and "keeps no names" in out and "name" not in out.partition("rank")[2]
    shop.assign(item=shop["item"].astype(str) + ".0").to_csv("text.csv", index=False)  # ids of another kind
    for log in ("shop.csv", "text.csv"):
        code, out, _ = run("similar", "bare.skrec", "big cup red", "--log", log, "--name", "name", "-k", "2")
        assert code == 0 and "Similar to 0, big cup red" in out
    for words, message in (
        (["--name", "name"], "--name names a column of a log: give the log as well"),
        (["--log", "shop.csv"], "name their column with --name"),
        (["--log", "shop.csv", "--name", "title"], "--name 'title' is not a column of shop.csv"),
        (["--log", "no.csv", "--name", "name"], "does not exist"),
    ):
        code, _, err = run("similar", "bare.skrec", "3", *words)
        assert code == 2 and message in err and err.count("\n") == 1, err


def test_models_without_similar_items(folder, run, shop):
    assert run("fit", "shop.csv", *COLUMNS, "--model", "session-knn", "-o", "s.skrec")[0] == 0
    code, _, err = run("similar", "s.skrec", "3")
    assert code == 2 and "s.skrec holds a SessionKNN, which learns neither item vectors nor similarities" in err
    assert "ease" in err and "session-knn" not in err
    for word in ("", "41", "-k 0"):
        code, _, err = run("similar", "m.skrec", *(word.split() or [" "]), *(["3"] if "-k" in word else []))
        assert code == 2 and err.count("\n") == 1


def test_the_models_named_have_similar_items():
    histories = make_histories(30, 12, random_state=0)
    have = []
    for name in recipe_names(nets=False):
        if name in ("blend", "hybrid"):  # their parts have
            continue
        model = make_recommender(name, {"max_iter": 2} if name in ("als", "bpr") else {}, time="date").fit(histories)
        have += [name] if hasattr(model, "similar_items") else []
    assert have == [name for name in _similar.HAVE_SIMILAR if name in recipe_names(nets=False)]
    assert set(_similar.HAVE_SIMILAR) <= set(recipe_names())


def test_a_part_of_an_ensemble_answers(folder, run, shop):
    histories = make_histories(60, 20, random_state=0)
    parts = [("session", SessionKNN()), ("ease", EASE(l2=5.0)), ("knn", ItemKNN())]
    notes = {"columns": {"user": "user", "item": "item"}}
    for model in (
        BlendRecommender(parts),
        TwoStageRecommender(parts, ranker=None),
        Reranker(BlendRecommender(parts)),
    ):
        model.fit(histories)
        save(model, "e.skrec", metadata=notes)
        code, out, err = run("similar", "e.skrec", "3", "-k", "2", "-o", "s.csv")
        assert code == 0, err
        assert "has no similarities of its own: these are those of its part ease, EASE." in out
        expected = EASE(l2=5.0).fit(histories).similar_items([3], 2)[0].tolist()
        assert pd.read_csv("s.csv")["similar"].tolist() == expected


def test_items_that_nothing_links_are_left_out(folder, run):
    save(ItemKNN().fit([[1, 2], [1, 2], [3, 4], [5]]), "k.skrec", metadata={"columns": {"user": "u", "item": "i"}})
    code, out, _ = run("similar", "k.skrec", "1", "5", "-k", "3", "-o", "s.csv")
    assert code == 0 and "5 items have the similarity 0, since nothing links them: they are left out." in out
    assert pd.read_csv("s.csv")[["item", "similar"]].to_numpy().tolist() == [[1, 2]]
    assert "Nothing is similar to 5." in run("similar", "k.skrec", "5")[1]
    save(ItemKNN().fit([[-1, 2], [-1, 2]]), "n.skrec", metadata={"columns": {"user": "u", "item": "i"}})
    assert run("similar", "n.skrec", "--", "-1")[0] == 0
    assert _similar.similar_command("n.skrec", -1) == "skrec similar n.skrec -- -1"
