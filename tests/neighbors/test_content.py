"""ContentRecommender: its formula, new items, and what a frame of features may lack."""

import pickle

import numpy as np
import pandas as pd
import protocols
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skrec
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.inspection import explain
from skrec.neighbors import ContentRecommender
from skrec.testing import check_recommender, planted_features

NAMES = ["green", "black", "white", "hammer", "nails"]
TITLES = ["green tea", "black tea", "white tea", "steel hammer", "steel nails"]
CATALOGUE = pd.DataFrame({"title": TITLES, "price": [3.0, 4.0, 3.5, 20.0, 8.0]}, index=NAMES)
HISTORIES = [["green", "black"], ["hammer", "green"], ["black"], ["hammer"]]
SAW = pd.DataFrame({"title": ["steel saw"], "price": [15.0]}, index=["saw"])


def formula(model, histories, power, recency):
    """Compute the scores from the rows of the items."""
    rows = model.item_factors_.toarray() if hasattr(model.item_factors_, "toarray") else model.item_factors_
    place = {item: number for number, item in enumerate(model.items_)}
    profile = np.zeros((len(histories), rows.shape[1]))
    for user, history in enumerate(histories):
        for age, item in enumerate(reversed(history)):
            profile[user] += recency**age * rows[place[item]]
    users = model.popularity_.astype(float)
    mean = users[users > 0].mean()
    boost = ((1 + np.where(users > 0, users, mean)) / (1 + mean)) ** power
    return profile @ rows.T * boost


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("power", "vectorizer", "recency"), [(0.2, None, 0.6), (0.0, HistoryVectorizer(), 1.0)])
def test_scores_equal_their_formula(dense, power, vectorizer, recency):
    own = make_column_transformer((StandardScaler(), ["price"]), sparse_threshold=0) if dense else None
    model = ContentRecommender(CATALOGUE, own, vectorizer=vectorizer, popularity_power=power).fit(HISTORIES)
    assert isinstance(model.item_factors_, np.ndarray) == dense
    expected = formula(model, HISTORIES, power, recency)
    np.testing.assert_allclose(model.decision_function(HISTORIES), expected, rtol=1e-5, atol=1e-6)


def test_items_without_events_are_recommended():
    model = ContentRecommender(CATALOGUE[["title"]], k=2).fit(HISTORIES)
    assert set(model.items_) == set(NAMES)
    assert model.predict([["hammer"], ["green"]]).tolist() == [["nails", "black"], ["black", "white"]]


def test_items_that_came_after_fit():
    model = ContentRecommender(CATALOGUE, k=2).fit(HISTORIES)
    answer = model.recommend([["hammer"], ["saw"]], item_features=SAW)
    assert "saw" in answer[0]
    assert set(answer[1]) == {"nails", "hammer"}  # a history may hold the new item as well
    assert len(model.items_) == 5  # the model is as it was
    assert model.recommend([["nails"]], 1, candidates=["saw"], item_features=SAW).tolist() == [["saw"]]
    both = pd.concat([SAW, CATALOGUE])
    np.testing.assert_array_equal(
        model.recommend(HISTORIES, item_features=both), model.recommend(HISTORIES, item_features=SAW)
    )
    np.testing.assert_array_equal(model.recommend(HISTORIES, item_features=CATALOGUE), model.predict(HISTORIES))
    with pytest.raises(ValueError, match="item_features lacks the column 'price'"):
        model.recommend(HISTORIES, item_features=SAW[["title"]])
    with pytest.raises(TypeError, match="item_features has item ids such as 7"):
        model.recommend(HISTORIES, item_features=SAW.set_axis([7]))


def test_new_items_behind_a_pipeline():
    """The other steps know the items of fit only: histories count those, and the new ones are candidates."""
    weighted = make_pipeline(HistoryVectorizer(), BM25Transformer())
    model = ContentRecommender(CATALOGUE, vectorizer=weighted, k=6).fit(HISTORIES)
    answer = model.recommend([["hammer", "saw"]], item_features=SAW)
    assert answer.shape == (1, 6)
    assert set(answer[0]) == {*NAMES, "saw"}


def test_what_is_added_ranks_as_if_it_had_been_there():
    own = make_column_transformer((StandardScaler(), ["price"]))
    small = ContentRecommender(CATALOGUE, own).fit(HISTORIES)
    wider = small._with_new_items(SAW)
    np.testing.assert_array_equal(wider.items_, [*small.items_, "saw"])
    np.testing.assert_allclose(wider.decision_function(HISTORIES), formula(wider, HISTORIES, 0.2, 0.6), rtol=1e-5)
    np.testing.assert_array_equal(wider.decision_function(HISTORIES)[:, :5], small.decision_function(HISTORIES))


def test_similar_items_also_of_those_without_events():
    model = ContentRecommender(CATALOGUE[["title"]]).fit(HISTORIES)
    assert model.similar_items(["nails"], 1).tolist() == [["hammer"]]
    assert set(model.similar_items(["white"], 2)[0]) == {"green", "black"}
    assert model._with_new_items(SAW).similar_items(["saw"], 2)[0][0] in ("hammer", "nails")


def test_items_without_features():
    histories = [*HISTORIES, ["green", "unheard of"], ["also unheard of"]]
    with pytest.raises(ValueError, match="no row for 2 of 7 items, such as 'also unheard of', 'unheard of'"):
        ContentRecommender(CATALOGUE).fit(histories)
    model = ContentRecommender(CATALOGUE, missing_features="ignore", k=7).fit(histories)
    scores = model.decision_function(histories)
    missing = [list(model.items_).index(item) for item in ("unheard of", "also unheard of")]
    assert (scores[:, missing] == 0).all()
    _, sources = model.recommend(histories, 1, return_source=True)
    assert sources[:, 0].tolist() == [*["ContentRecommender"] * 5, "popularity"]


def test_recency_is_the_default_and_min_df_leaves_the_catalogue():
    model = ContentRecommender(CATALOGUE).fit(HISTORIES)
    assert model.vectorizer_.recency == 0.6
    rare = ContentRecommender(CATALOGUE, vectorizer=HistoryVectorizer(min_df=2)).fit(HISTORIES)
    assert set(rare.items_) == set(NAMES)


def test_ids_leave_as_the_histories_have_them():
    frame = CATALOGUE.set_axis(np.arange(5))
    model = ContentRecommender(frame).fit([np.array([0, 1], dtype=np.int16), np.array([3], dtype=np.int16)])
    assert model.predict([[0]]).dtype == np.int16
    assert model.recommend([[0]], item_features=SAW.set_axis([9])).dtype == np.int16
    assert model._with_new_items(SAW.set_axis([2**40])).items_[-1] == 2**40


def test_explanations_add_up():
    model = ContentRecommender(CATALOGUE, k=2).fit(HISTORIES)
    columns = np.arange(5)
    places, parts = model._contributions(model._encode(HISTORIES[:1]), columns)
    assert set(model.items_[places]) == {"green", "black"}
    np.testing.assert_allclose(parts.sum(axis=0), model.decision_function(HISTORIES[:1])[0], rtol=1e-5)
    reasons = explain(model, HISTORIES[1:2], items=["nails"])
    assert reasons["reason"].tolist() == ["hammer", "green"]


def test_stored_files_answer_the_same(tmp_path):
    model = ContentRecommender(CATALOGUE).fit(HISTORIES)
    loaded = skrec.load(skrec.save(model, tmp_path / "content.skrec"))
    for again in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.decision_function(HISTORIES), model.decision_function(HISTORIES))
        np.testing.assert_array_equal(
            again.recommend(HISTORIES, item_features=SAW), model.recommend(HISTORIES, item_features=SAW)
        )
        pd.testing.assert_frame_equal(again.item_features, CATALOGUE)
        assert again.fit(HISTORIES).predict(HISTORIES).tolist() == model.predict(HISTORIES).tolist()


def test_clone_and_repr_of_a_large_frame():
    model = ContentRecommender(CATALOGUE, k=3)
    assert clone(model).item_features is CATALOGUE
    assert repr(model) == "ContentRecommender(item_features=<5 items, 2 columns>, k=3)"
    wide = ContentRecommender(pd.DataFrame({f"column {n}": range(10_000) for n in range(50)}))
    assert len(repr(wide)) < 100
    assert len(repr(make_pipeline(wide))) < 1000  # scikit-learn writes the steps of a pipeline itself


def test_search_in_two_processes():
    y = [["white"], ["nails"], ["green"], ["nails"]]
    grid = {"popularity_power": [0, 0.5], "column_weights": [None, {"price": 0}]}
    search = GridSearchCV(ContentRecommender(CATALOGUE), grid, cv=2, n_jobs=2, error_score="raise").fit(HISTORIES, y)
    assert search.best_score_ > 0.5


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"item_features": [1]}, TypeError, "item_features must be a pandas frame"),
        ({"item_features": CATALOGUE.set_axis(range(5))}, TypeError, "convert them to the type"),
        ({"item_encoder": "tfidf"}, ValueError, "The 'item_encoder' parameter of ContentRecommender"),
        ({"column_weights": 2}, ValueError, "The 'column_weights' parameter of ContentRecommender"),
        ({"popularity_power": -1}, ValueError, "The 'popularity_power' parameter of ContentRecommender"),
        ({"missing_features": "drop"}, ValueError, "The 'missing_features' parameter of ContentRecommender"),
        ({"vectorizer": BM25Transformer()}, TypeError, "vectorizer must be a HistoryVectorizer"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        ContentRecommender(**{"item_features": CATALOGUE, **parameters}).fit(HISTORIES)


def test_contract():
    check_recommender(ContentRecommender(planted_features(), column_weights={"cluster": 0.6}))


@pytest.mark.skipif(
    not protocols.available("s3rec_beauty_sequences", "s3rec_beauty_items"),
    reason=f"s3rec_beauty is not in {protocols.DATA.name}: set SKREC_DATA",
)
def test_beauty():
    task = protocols.s3rec("beauty", validation=True)
    model = ContentRecommender(protocols.s3rec_items("beauty")[["title", "attributes"]]).fit(task.X_train)
    some = np.random.default_rng(0).choice(len(task.X_test), 2000, replace=False)
    assert model.score(task.X_test.iloc[some], task.y_test.iloc[some]) > 0.047


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_an_update_learns_new_rows_of_the_frame(stored, dense):
    own = make_column_transformer((StandardScaler(), ["price"]), sparse_threshold=0) if dense else None
    model = ContentRecommender(CATALOGUE, own, k=3).fit(HISTORIES[:2])
    grown = pd.concat([CATALOGUE, SAW, SAW.set_axis(["axe"]) * 2])
    model.set_params(item_features=grown)
    if stored:
        model = pickle.loads(pickle.dumps(model))
    model.partial_fit([*HISTORIES[2:], ["saw", "green"]])
    whole = ContentRecommender(grown, own, k=3).fit([*HISTORIES, ["saw", "green"]])
    assert model.items_.tolist() == [*sorted(NAMES), "saw", "axe"]
    place = [model.items_.tolist().index(item) for item in whole.items_]
    X = [["saw"], ["axe", "green"], []]
    np.testing.assert_allclose(model.decision_function(X)[:, place], whole.decision_function(X), rtol=1e-5, atol=1e-6)
    model.forget([["saw", "green"]])
    assert "saw" in model.items_  # the frame names it
    assert model.popularity_[-2] == 0


def test_an_update_without_a_row_of_features():
    model = ContentRecommender(CATALOGUE).fit(HISTORIES)
    with pytest.raises(ValueError, match="item_features has no row for 1 of 1 items, such as 'saw'"):
        model.partial_fit([["saw", "green"]])
    assert model.n_items_ == 5 and model.popularity_.sum() == 6
    model = ContentRecommender(CATALOGUE, missing_features="ignore").fit(HISTORIES).partial_fit([["saw", "green"]])
    whole = ContentRecommender(CATALOGUE, missing_features="ignore").fit([*HISTORIES, ["saw", "green"]])
    assert model.items_[-1] == "saw"
    np.testing.assert_allclose(
        model.decision_function([["green"]])[:, np.argsort(model.items_)], whole.decision_function([["green"]])
    )
    assert model.forget([["saw", "green"]]).items_.tolist() == sorted(NAMES)
