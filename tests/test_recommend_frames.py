"""`recommend(as_frame=True)` gives the arrays as a tidy frame, with names that are checked."""

import logging

import numpy as np
import pandas as pd
import pytest

from skrec.ensemble import BlendRecommender, Reranker
from skrec.feature_extraction import to_histories
from skrec.linear_model import EASE
from skrec.neighbors import ContentRecommender, ItemKNN, TransitionRecommender

HISTORIES = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
NAMES = {"tea": "Tea", "milk": "Milk", "sugar": "Sugar", "nails": "Nails", "hammer": "Hammer", "saw": "Saw"}


@pytest.fixture(scope="module")
def model():
    return ItemKNN(k=3).fit(HISTORIES)


def test_one_row_per_user_and_rank(model):
    frame = model.recommend(HISTORIES, as_frame=True, names=NAMES)
    items, scores = model.recommend(HISTORIES, return_scores=True)
    assert list(frame.columns) == ["user", "rank", "item", "score", "name", "seen"]
    assert frame["user"].tolist() == np.repeat(range(4), 3).tolist() and frame["rank"].tolist() == [1, 2, 3] * 4
    assert frame["item"].tolist() == items.ravel().tolist() and frame["score"].tolist() == scores.ravel().tolist()
    assert frame["name"].tolist() == [NAMES[item] for item in frame["item"]] and not frame["seen"].any()
    again = model.recommend(HISTORIES, as_frame=True, return_scores=True)  # the scores are there in any case
    pd.testing.assert_frame_equal(again, frame.drop(columns="name"))


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["b", "a", "c", "a"], name="customer"),  # a user twice stays twice
        pd.Index([10**15, 7, 8, 9], dtype="uint64"),
        pd.CategoricalIndex(["b", "a", "c", "d"]),
        pd.date_range("2024-01-01", periods=4, tz="UTC"),
        pd.Index(["b", "a", "c", "d"], dtype=pd.ArrowDtype(__import__("pyarrow").string())),
    ],
    ids=["strings", "integers", "categories", "dates", "arrow"],
)
def test_users_are_the_index_with_its_type(model, index):
    for X in (pd.Series(HISTORIES, index=index), pd.DataFrame({"item": HISTORIES}, index=index)):
        frame = model.recommend(X, as_frame=True)
        assert frame["user"].dtype == index.dtype and frame["user"].tolist() == index.repeat(3).tolist()
        assert frame.index.equals(pd.RangeIndex(12))


def test_batch_is_one_by_one_in_any_order(model):
    X = pd.DataFrame({"item": [*HISTORIES, [], ["unknown"]]}, index=list("fedcba"))
    options = {"as_frame": True, "names": NAMES, "return_source": True, "k": 6}
    frame = model.recommend(X, **options)
    alone = pd.concat([model.recommend(X.iloc[[row]], **options) for row in (3, 0, 5, 1, 4, 2)])
    moved = frame.set_index("user").loc[list("cfaebd")].reset_index()
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), moved)


def test_seen_items_are_marked(model):
    frame = model.recommend(HISTORIES, 50, as_frame=True)  # k beyond the catalogue
    assert len(frame) == 4 * 6
    own = [item in HISTORIES[user] for user, item in zip(frame["user"], frame["item"], strict=True)]
    assert frame["seen"].tolist() == own and (frame["score"].eq(-np.inf) == frame["seen"]).all()
    frame = model.recommend(HISTORIES, 50, as_frame=True, exclude_seen=False)
    assert frame["seen"].sum() == sum(own) and np.isfinite(frame["score"]).all()
    one = model.recommend([["tea"], ["saw"]], as_frame=True, candidates=["tea", "nowhere"])
    assert one["item"].tolist() == ["tea", "tea"] and one["seen"].tolist() == [True, False]
    with pytest.raises(ValueError, match="exclude leaves no item to recommend"):
        model.recommend(HISTORIES, as_frame=True, exclude=list(NAMES))
    empty = model.recommend([], as_frame=True, names=NAMES, return_source=True)
    assert list(empty.columns) == ["user", "rank", "item", "score", "name", "source", "seen"] and not len(empty)


def test_missing_names_are_empty_and_counted_once(model, caplog):
    names = pd.Series({"tea": "Tea", "milk": None, "elsewhere": "Elsewhere", "saw": np.nan})
    with caplog.at_level(logging.WARNING, "skrec"):
        frame = model.recommend([["sugar"]], 6, as_frame=True, names=names)
    assert frame.loc[frame["name"].notna(), "item"].tolist() == ["tea"]
    assert [record.getMessage() for record in caplog.records] == [
        "5 of 6 recommended items have no name, such as 'hammer': the column name is empty there"
    ]
    caplog.clear()
    model.recommend(HISTORIES, as_frame=True, names=NAMES)
    assert not caplog.records


@pytest.mark.parametrize(
    ("names", "error", "match"),
    [
        (pd.Series(["a", "b"], index=["tea", "tea"]), ValueError, "names has 1 ids more than once, such as 'tea'"),
        (pd.Series(["a", "b"], index=["tea", None]), ValueError, "the index of names has a missing id"),
        (pd.Series(["a", "b"]), TypeError, "names has item ids such as 0 .integer. but the model learned ids such as"),
        ({"Tea": "a"}, ValueError, "names must name items of the model.*'hammer', but names none of them.*'Tea'"),
        ({}, ValueError, "names none of them, it is empty"),
        ({"tea": 5}, TypeError, "names must hold texts, got 5"),
        (["Tea"], TypeError, "names must be a pandas Series indexed by item id, or a dict"),
        (pd.DataFrame({"name": ["Tea"]}, index=["tea"]), TypeError, "a column of a frame indexed by item id"),
        (pd.Series(["a"], index=pd.MultiIndex.from_tuples([("tea", 1)])), TypeError, "an index of several levels"),
    ],
)
def test_wrong_names_are_refused(model, names, error, match):
    with pytest.raises(error, match=match):
        model.recommend(HISTORIES, as_frame=True, names=names)


def test_arguments_are_checked(model):
    with pytest.raises(ValueError, match="names needs as_frame=True"):
        model.recommend(HISTORIES, names=NAMES)
    with pytest.raises(TypeError, match="as_frame must be True or False, got 'yes'"):
        model.recommend(HISTORIES, as_frame="yes")
    X = pd.DataFrame({"item": HISTORIES}, index=pd.MultiIndex.from_product([["a"], range(4)]))
    with pytest.raises(TypeError, match="as_frame=True needs one id per user"):
        model.recommend(X, as_frame=True)


def test_polars_in_polars_out(model):
    pl = pytest.importorskip("polars")
    expected = model.recommend(HISTORIES, 6, as_frame=True, names={"tea": "Tea"}, return_source=True)
    for X in (pl.DataFrame({"customer": list("abcd"), "item": HISTORIES}), pl.Series(HISTORIES)):
        frame = model.recommend(X, 6, as_frame=True, names={"tea": "Tea"}, return_source=True)
        assert isinstance(frame, pl.DataFrame) and frame.columns == list(expected.columns)
        assert frame.drop("name").rows() == list(expected.drop(columns="name").itertuples(index=False, name=None))
        if isinstance(X, pl.DataFrame):
            joined = frame.join(X.with_row_index("user"), on="user").sort("user", "rank")
            assert joined["customer"].to_list() == [user for user in "abcd" for _ in range(6)]
        assert frame["name"].null_count() == 20 and frame.schema["name"] == pl.String
    unnamed = model.recommend(X, 1, as_frame=True, names={"tea": None})
    assert unnamed.schema["name"] == pl.String and unnamed["name"].null_count() == 4


def test_matrices_and_integer_ids():
    matrix = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]], dtype=np.float32)
    frame = pd.DataFrame(matrix, columns=["tea", "milk", "sugar", "saw"], index=["ann", "bob", "eve"])
    found = ItemKNN(k=4, vectorizer="passthrough").fit(frame).recommend(frame, as_frame=True, names=NAMES)
    assert found["user"].tolist() == ["ann"] * 4 + ["bob"] * 4 + ["eve"] * 4
    assert (found["seen"].to_numpy() == (found["score"] == -np.inf)).all() and found["seen"].sum() == 6
    by_number = ItemKNN(k=4, vectorizer="passthrough").fit(matrix).recommend(matrix, as_frame=True)
    assert by_number["item"].map(dict(enumerate(frame.columns))).tolist() == found["item"].tolist()
    small = ItemKNN(k=2).fit([np.array([1, 2], dtype=np.int16), np.array([2, 3], dtype=np.int16)])
    named = small.recommend([[1]], as_frame=True, names={2: "two", 3: "three"})
    assert named["item"].dtype == np.int16 and named["name"].tolist() == ["two", "three"]


def test_stored_histories(tmp_path, model, monkeypatch):
    events = pd.DataFrame({"user": [f"u{row}" for row, one in enumerate(HISTORIES) for _ in one]})
    events["item"] = [item for one in HISTORIES for item in one]
    stored = to_histories(events, user="user", item="item", store=tmp_path / "log")
    expected = model.recommend(stored.to_frame(), 6, as_frame=True, names=NAMES)
    pd.testing.assert_frame_equal(model.recommend(stored, 6, as_frame=True, names=NAMES), expected)
    for module in ("skrec.base", "skrec.utils._answer_frame"):
        monkeypatch.setattr(f"{module}.BLOCK", 3)
    monkeypatch.setattr(type(stored).blocks, "__defaults__", (3,))
    pd.testing.assert_frame_equal(model.recommend(stored, 6, as_frame=True, names=NAMES), expected)


def test_ensembles_rules_and_new_items():
    blend = BlendRecommender([("ease", EASE(l2=1.0)), ("next", TransitionRecommender())], k=3).fit(HISTORIES * 5)
    frame = blend.recommend(HISTORIES, as_frame=True, return_source=True)
    items, sources = blend.recommend(HISTORIES, return_source=True)
    assert frame["item"].tolist() == items.ravel().tolist() and frame["source"].tolist() == sources.ravel().tolist()
    rules = Reranker(ItemKNN(), must_include=["tea"], k=2).fit(HISTORIES)
    frame = rules.recommend(HISTORIES, as_frame=True, names=NAMES)
    assert frame["item"].tolist() == rules.recommend(HISTORIES).ravel().tolist()
    assert frame.loc[frame["item"] == "tea", "seen"].tolist() == [True, True, False, False]
    features = pd.DataFrame({"kind": ["drink", "drink", "drink", "tool", "tool", "tool"]}, index=list(NAMES))
    content = ContentRecommender(features, k=2).fit(HISTORIES)
    new = pd.DataFrame({"kind": ["drink"]}, index=["cocoa"])
    frame = content.recommend([["tea"]], 6, item_features=new, as_frame=True, names={"cocoa": "Cocoa"})
    assert frame.loc[frame["item"] == "cocoa", "name"].tolist() == ["Cocoa"]
    assert frame["item"].tolist() == content.recommend([["tea"]], 6, item_features=new)[0].tolist()
