"""Users without a history, and items that came after `fit`."""

import numpy as np
import pandas as pd
import pytest

import skrec
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, TwoStageRecommender
from skrec.linear_model import EASE
from skrec.neighbors import ContentRecommender, TransitionRecommender
from skrec.testing import check_recommender

PARTS = [("ease", EASE(l2=1.0)), ("next", TransitionRecommender())]


@pytest.fixture
def users():
    """Old people drink tea, young ones coffee; a third group is too small to say anything."""
    items = [["tea", "jam"]] * 40 + [["coffee", "mug"]] * 30 + [["rum", "tea"]]
    return pd.DataFrame({"item": items, "age": [60] * 40 + [20.0] * 30 + [99], "town": ["A", "B"] * 35 + [None]})


def newcomers(**columns):
    return pd.DataFrame({"item": [[]] * len(next(iter(columns.values()))), **columns})


# ---- popularity by segment -----------------------------------------------------------------------------------


def test_segments_have_their_own_lists(users):
    model = PopularityRecommender(by="age", shrinkage=1.0, k=2).fit(users)
    assert list(model.segments_) == ["20", "60", "99"]
    np.testing.assert_array_equal(model.segment_users_, [30, 40, 1])
    answer = model.predict(newcomers(age=[60, 20]))
    assert set(answer[0]) == {"tea", "jam"}
    assert set(answer[1]) == {"coffee", "mug"}
    everybody = PopularityRecommender(k=3).fit(users).predict([[]])
    unknown = newcomers(age=[5, np.nan])
    np.testing.assert_array_equal(model.recommend(unknown, k=3), np.repeat(everybody, 2, axis=0))


def test_small_segments_are_drawn_to_everybody(users):
    asked = newcomers(age=[99])
    strict, drawn = (PopularityRecommender(by="age", shrinkage=m, k=5).fit(users) for m in (0, 50))
    assert set(strict.predict(asked)[0, :2]) == {"rum", "tea"}
    assert drawn.predict(asked)[0, 1] == "jam"
    scores = dict(zip(drawn.items_, drawn.decision_function(asked)[0], strict=True))
    assert scores["rum"] == pytest.approx((1 + 50 * 1 / 71) / 51, rel=1e-5)
    assert scores["mug"] == pytest.approx((0 + 50 * 30 / 71) / 51, rel=1e-5)


def test_several_columns_cross(users, df_module):
    model = PopularityRecommender(by=["age", "town"], shrinkage=1.0, k=1).fit(users)
    assert "60, A" in model.segments_
    assert len(model.segments_) == 4  # the row without a town has no segment
    frame = df_module.DataFrame({"item": [["rum"]], "age": [20], "town": ["B"]})
    assert model.predict(frame)[0, 0] in ("coffee", "mug")


def test_segments_with_windows(users):
    times = users.assign(time=[[0.0, 90.0]] * len(users))
    model = PopularityRecommender(by="age", window=30, shrinkage=1.0, k=1).fit(times)
    assert model.predict(newcomers(age=[60]))[0, 0] == "jam"
    assert model.recommend(newcomers(age=[60]), at=5)[0, 0] == "tea"
    halved = PopularityRecommender(by="age", half_life=30, shrinkage=1.0, k=2).fit(times)
    np.testing.assert_array_equal(halved.predict(newcomers(age=[60])), [["jam", "tea"]])
    counted = PopularityRecommender(by="age", count="events", shrinkage=0, k=1).fit(users)
    assert counted.predict(newcomers(age=[20]))[0, 0] in ("coffee", "mug")


def test_segments_are_stored(users, tmp_path):
    model = PopularityRecommender(by=["age", "town"]).fit(users)
    asked = newcomers(age=[60, 20], town=["A", "B"])
    again = skrec.load(skrec.save(model, tmp_path / "model.skrec"))
    np.testing.assert_array_equal(again.decision_function(asked), model.decision_function(asked))


def test_columns_are_asked_for(users):
    with pytest.raises(ValueError, match="by='height' needs a frame of users with these columns, but X lacks 'height'"):
        PopularityRecommender(by="height").fit(users)
    with pytest.raises(ValueError, match="by='age' needs a frame of users with these columns, but X is list"):
        PopularityRecommender(by="age").fit(users).predict([[]])
    with pytest.raises(ValueError, match="shrinkage"):
        PopularityRecommender(by="age", shrinkage=-1).fit(users)


def test_contract_still_holds():
    check_recommender(PopularityRecommender(count="events"))


# ---- ensembles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [BlendRecommender, TwoStageRecommender])
def test_fallback_serves_users_without_history(users, kind):
    X = pd.concat([users] * 2, ignore_index=True)
    X["item"] = [[*row, *row[:1]] if number % 2 else row for number, row in enumerate(X["item"])]
    extra = {"random_state": 0, "exclude_seen": False} if kind is TwoStageRecommender else {}
    plain = kind(PARTS, **extra).fit(X)
    popular = PopularityRecommender().fit(X)
    answer, source = plain.recommend([[], ["never seen"]], k=3, return_source=True)
    np.testing.assert_array_equal(answer, popular.recommend([[], []], k=3))
    assert (source == "popularity").all()

    model = kind(PARTS, fallback=PopularityRecommender(by="age", shrinkage=1.0), **extra).fit(X)
    asked = pd.DataFrame({"item": [[], ["mug"], []], "age": [20, 60, 60]})
    answer, source = model.recommend(asked, k=2, return_source=True)
    assert set(answer[0]) == {"coffee", "mug"}
    assert set(answer[2]) == {"tea", "jam"}
    assert [set(row) <= {"fallback"} for row in source] == [True, False, True]
    alone = model.recommend(asked.iloc[1:2], k=2)  # mixed with others or alone: the same answer
    np.testing.assert_array_equal(alone[0], answer[1])
    with pytest.raises(ValueError, match="by='age' needs a frame of users"):
        model.recommend([[]])


@pytest.fixture
def catalogue():
    rng = np.random.default_rng(0)
    kinds = np.repeat(["red", "blue"], 10)
    frame = pd.DataFrame({"color": kinds, "price": np.linspace(1, 5, 20)}, index=np.arange(20))
    X = [list(rng.choice(np.arange(9) + 10 * (user % 2), 5, replace=False)) for user in range(80)]
    return X, frame  # items 9 and 19 were never bought


@pytest.mark.parametrize("kind", [BlendRecommender, TwoStageRecommender])
def test_items_without_events_and_new_items(catalogue, kind, tmp_path):
    X, frame = catalogue
    parts = [*PARTS, ("content", ContentRecommender(frame))]
    extra = {"ranker": None, "random_state": 0, "item_features": frame} if kind is TwoStageRecommender else {}
    model = kind(parts, **extra).fit(X)
    assert model.n_items_ == 20
    colors = ["red" if row[0] < 10 else "blue" for row in X]
    assert (
        np.mean([(9 if c == "red" else 19) in row for row, c in zip(model.recommend(X, k=5), colors, strict=True)])
        > 0.9
    )

    new = pd.DataFrame({"color": ["blue"], "price": [3.0]}, index=[77])
    answer, scores = model.recommend(X, k=21, item_features=new, return_scores=True)
    assert answer.shape == (80, 21)
    place = np.argmax(answer == 77, axis=1)
    blue = np.array(colors) == "blue"
    assert place[blue].mean() < place[~blue].mean()
    assert np.isfinite(scores[:, 0]).all()
    again = skrec.load(skrec.save(model, tmp_path / "model.skrec"))
    np.testing.assert_array_equal(again.recommend(X, k=21, item_features=new), answer)
    outer = BlendRecommender([("inner", model), ("ease", EASE())], prefit=False).fit(X)
    assert 77 in outer.recommend(X, k=21, item_features=new)

    with pytest.raises(TypeError, match=f"item_features cannot be passed to {kind.__name__}"):
        kind(PARTS).fit(X).recommend(X, item_features=new)
