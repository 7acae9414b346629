"""Named recommenders: what they are built from, and what the data at hand add."""

import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.model_selection import split_last
from skrec.recipes import COUNTED, make_recommender, recipe_grid, recipe_names

PARTS = {"blend": "recommenders", "hybrid": "retrievers"}


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_built(name):
    if name not in recipe_names(nets=False):
        pytest.importorskip("tensorflow")
    model = make_recommender(name, k=3, exclude_seen=False, time="date")
    assert model.k == 3 and model.exclude_seen is False
    vectorizer = model.get_params().get("vectorizer")
    assert (vectorizer is not None and not vectorizer.binary) == (name in COUNTED)
    vectorizer = make_recommender(name, time="date").get_params().get("vectorizer")
    assert vectorizer is None or vectorizer.binary


@pytest.mark.parametrize("name", recipe_names(nets=False, time=None))
def test_every_quick_recipe_recommends(name):
    X, _ = split_last(make_histories(60, 20, random_state=0)[["item"]])
    assert make_recommender(name, k=4).fit(X).predict(X[:5]).shape == (5, 4)


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_nets_learn_to_point_back_where_repeats_are_included(name):
    pytest.importorskip("tensorflow")
    assert make_recommender(name, exclude_seen=False).returns
    assert not make_recommender(name, exclude_seen=True).returns
    assert not make_recommender(name, {"returns": False}, exclude_seen=False).returns


@pytest.mark.parametrize("name", ["blend", "hybrid"])
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("time", ["date", "number", "basket", None])
def test_an_ensemble_takes_what_the_data_have(name, exclude_seen, time):
    names = pd.Series({1: "red mug", 2: "blue mug"})
    for item_names in (None, names):
        model = make_recommender(name, exclude_seen=exclude_seen, time=time, item_names=item_names)
        parts = {part for part, _ in getattr(model, PARTS[name])}
        expected = {"ease", "next", "session"} | (set() if exclude_seen else {"again", "tifu"})
        expected |= {"popular"} if time == "date" else set()
        assert parts == expected | (set() if item_names is None else {"content"})
        assert model.holdout == {None: "last", "basket": "basket"}.get(time, "10%")


@pytest.mark.parametrize("name", ["blend", "hybrid"])
def test_ensembles_of_sessions_learn_from_whole_sessions(name):
    for time in ("date", None):
        model = make_recommender(name, exclude_seen=False, rows="sessions", time=time)
        parts = dict(getattr(model, PARTS[name]))
        assert list(parts) == ["session", "next", "knn"] and model.holdout == "sessions" and model.n_holdouts == 1
        assert parts["session"].idf == 1.5 and not parts["session"].exclude_seen
    assert make_recommender("hybrid", rows="sessions", time="basket").windows == ()
    with pytest.raises(ValueError, match="rows must be 'users' or 'sessions', got 'visits'"):
        make_recommender(name, rows="visits")


@pytest.mark.parametrize("name", ["blend", "hybrid", "buy-again"])
def test_recipes_answer_where_baskets_have_numbers(name):
    events = make_histories(80, 20, random_state=0)
    numbers = [[position // 2 + 1 for position in range(len(items))] for items in events["item"]]
    X, y = split_last(events[["item"]].assign(time=numbers), unit="basket", min_history=2)
    model = make_recommender(name, exclude_seen=False, time="basket").fit(X)
    assert model.predict(X).shape == (80, 10)
    one = X.iloc[[3]]
    later = one.assign(time=[[moment + 1000 for moment in one["time"].iloc[0]]])
    assert model.predict(one).tolist() == model.predict(later).tolist()  # no clock but the user's own
    assert model.score(X, y) > 0


def test_recipes_that_count_days_need_dates():
    assert set(recipe_names()) - set(recipe_names(time="number")) == {"popularity-30d"}
    for time in ("number", None):
        with pytest.raises(ValueError, match=r"popularity-30d.*times are dates: pass time='date'"):
            make_recommender("popularity-30d", time=time)
    with pytest.raises(ValueError, match="time must be 'date', 'number', 'basket' or None, got True"):
        recipe_names(time=True)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("EASE", "ease"), ("ItemKNN", "item-knn"), ("TwoStageRecommender", "hybrid"), ("tifu_knn", "tifu-knn"),
     ("PopularityRecommender", "popularity"), ("eese", "ease")],
)  # fmt: skip
def test_a_wrong_name_is_answered_with_the_right_one(name, meant):
    with pytest.raises(ValueError, match=f"is not a recipe; did you mean '{meant}'"):
        make_recommender(name)
    with pytest.raises(ValueError, match="is not a recipe"):
        recipe_grid(name)


def test_settings_are_parameters_of_the_model():
    model = make_recommender("ease", {"l2": 7, "vectorizer__recency": 0.5})
    assert model.l2 == 7 and model.vectorizer.recency == 0.5
    with pytest.raises(ValueError, match="unknown parameter 'n_neighbours' of ease; did you mean 'n_neighbors'"):
        make_recommender("ease", {"n_neighbours": 7})
    with pytest.raises(ValueError, match="an argument of its own: pass k=3"):
        make_recommender("ease", {"k": 3})


@pytest.mark.parametrize("name", recipe_names(nets=False))
def test_grids_hold_parameters_of_their_model(name):
    model = make_recommender(name, time="date")
    for key, values in recipe_grid(name).items():
        assert len(values) > 1
        for value in values:
            model.set_params(**{key: value})._validate_params()


def test_what_weighs_itself_has_no_grid():
    assert recipe_grid("blend") == recipe_grid("hybrid") == recipe_grid("sasrec") == {}
