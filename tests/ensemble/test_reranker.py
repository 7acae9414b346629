"""Reranker: each rule against a slow and plain way to keep it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.datasets import make_histories
from skrec.decomposition import PureSVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, Reranker
from skrec.linear_model import EASE
from skrec.metrics import intra_list_diversity_at_k
from skrec.model_selection import SameUsers, split_last
from skrec.neighbors import ContentRecommender
from skrec.testing import check_recommender, yield_recommender_checks

HISTORIES, TRUTH = make_histories(120, 40, mean_length=8, n_clusters=4, return_truth=True, random_state=0)
KIND = pd.Series([f"kind {cluster}" for cluster in TRUTH.item_clusters])
SEVERAL = {item: [KIND[item], "even" if item % 2 == 0 else "odd"] for item in range(40) if item != 7}
EASY = EASE(5.0).fit(HISTORIES)


def lists(model=EASY, **parameters):
    """Return a fitted reranker around a fitted model, and its lists."""
    reranker = Reranker(model, prefit=True, **parameters).fit(HISTORIES)
    return reranker, reranker.predict(HISTORIES)


def relevance(n_candidates):
    found, scores = EASY.recommend(HISTORIES, n_candidates, return_scores=True)
    scores = scores.astype(np.float64)
    return found, (scores - scores.min(axis=1, keepdims=True)) / np.ptp(scores, axis=1, keepdims=True)


def greedy(worth, n_candidates=20, k=5):
    """Build the lists one user and one place at a time; worth(user, candidate, list so far)."""
    found, relevant = relevance(n_candidates)
    answer = []
    for user in range(len(HISTORIES)):
        chosen = []
        for _ in range(k):
            left = [place for place in range(n_candidates) if found[user, place] not in chosen]
            values = [worth(user, relevant[user, place], found[user, place], chosen) for place in left]
            chosen.append(found[user, left[int(np.argmax(values))]])
        answer.append(chosen)
    return np.array(answer)


def vectors():
    table = np.zeros((40, 6))
    names = sorted({*KIND, "even", "odd"})
    for item, labels in SEVERAL.items():
        table[item, [names.index(label) for label in labels]] = 1
    return table


def test_without_rules_the_answer_is_the_recommenders():
    model, answer = lists(k=7)
    np.testing.assert_array_equal(answer, EASY.recommend(HISTORIES, 7))
    np.testing.assert_array_equal(model.decision_function(HISTORIES), EASY.decision_function(HISTORIES))
    np.testing.assert_array_equal(model.similar_items([3], 5), EASY.similar_items([3], 5))
    _, scores = model.recommend(HISTORIES, return_scores=True)
    np.testing.assert_array_equal(scores, EASY.recommend(HISTORIES, 7, return_scores=True)[1])


@pytest.mark.parametrize("diversity", ["mmr", "mean"])
def test_dissimilar_lists_equal_the_slow_way(diversity):
    table = vectors()
    unit = table / np.maximum(1e-9, np.linalg.norm(table, axis=1, keepdims=True))
    join = np.max if diversity == "mmr" else np.mean

    def worth(user, relevant, item, chosen):
        return 0.6 * relevant - 0.4 * (join(unit[chosen] @ unit[item]) if chosen else 0)

    _, answer = lists(diversity=diversity, trade_off=0.4, categories=SEVERAL, n_candidates=20, k=5)
    np.testing.assert_array_equal(answer, greedy(worth))


def test_calibrated_lists_equal_the_slow_way():
    share = vectors() / np.maximum(1, vectors().sum(axis=1, keepdims=True))

    def worth(user, relevant, item, chosen):
        mix = share[list(HISTORIES["item"].iloc[user])].sum(axis=0)
        mix = mix / max(1e-9, mix.sum())
        of_list = 0.99 * share[[*chosen, item]].mean(axis=0) + 0.01 * mix
        there = mix > 0
        return 0.5 * relevant - 0.5 * (mix[there] * np.log(mix[there] / of_list[there])).sum()

    _, answer = lists(diversity="calibrated", trade_off=0.5, categories=SEVERAL, n_candidates=20, k=5)
    np.testing.assert_array_equal(answer, greedy(worth))


def test_diversity_grows_with_the_trade_off():
    table = pd.DataFrame(vectors())
    measured = []
    for trade_off in (0.0, 0.3, 0.6, 1.0):
        _, answer = lists(diversity="mean", trade_off=trade_off, categories=SEVERAL, n_candidates=30)
        measured.append(intra_list_diversity_at_k(None, answer, item_features=table))
    assert measured == sorted(measured)
    assert measured[-1] > 1.1 * measured[0]
    np.testing.assert_array_equal(lists(diversity="mmr", trade_off=0.0, categories=SEVERAL)[1], EASY.predict(HISTORIES))


def test_vectors_of_the_recommender_serve_where_categories_are_missing():
    model = PureSVD(4, random_state=0).fit(HISTORIES)
    _, plain = lists(model)
    _, varied = lists(model, diversity="mmr", trade_off=0.7)
    features = (model.items_, np.abs(model.item_factors_))
    before, after = (intra_list_diversity_at_k(None, one, item_features=features) for one in (plain, varied))
    assert after > before
    with pytest.raises(ValueError, match="diversity='mmr' needs categories, since EASE has no item_factors_"):
        lists(diversity="mmr")


def test_no_more_than_allowed_of_one_category():
    _, answer = lists(max_per_category=2, categories=KIND, k=8, n_candidates=40, exclude_seen=False)
    for row in answer:
        assert KIND[row].value_counts().max() <= 2
    _, answer = lists(max_per_category=1, categories=KIND, k=8, exclude_seen=False)  # four kinds: others fill
    for row in answer:
        assert KIND[row[:4]].nunique() == 4
        assert len(set(row)) == 8


def test_what_must_be_there_is_and_what_must_not_is_not():
    seen = HISTORIES["item"].iloc[0][0]
    model, answer = lists(must_include=[seen, 39, 1], must_exclude=[2, 3, 999], k=6, n_candidates=10)
    for row in answer:
        assert {seen, 39, 1} <= set(row)
        assert not {2, 3} & set(row)
        assert len(set(row)) == 6
    plain = Reranker(EASY, prefit=True, must_exclude=[2, 3], n_candidates=10).fit(HISTORIES)
    for row, free in zip(answer, plain.recommend(HISTORIES, 10), strict=True):
        others = [item for item in row if item not in (seen, 39, 1)]
        assert others == [item for item in free if item not in (seen, 39, 1)][:3]
    assert model.recommend(HISTORIES, 3).shape == (120, 3)
    with pytest.raises(ValueError, match="must_include has 3 items for lists of k=2"):
        model.recommend(HISTORIES, 2)
    _, scores = model.recommend(HISTORIES, return_scores=True)
    assert (np.isneginf(scores).sum(axis=1) <= 3).all()


def test_a_request_wins_over_what_must_be_there():
    model, _ = lists(must_include=[39, 1], k=4)
    assert not np.isin(model.recommend(HISTORIES, exclude=[39]), [39]).any()
    each = [[39] if user % 2 else [1, 5] for user in range(len(HISTORIES))]
    for row, out in zip(model.recommend(HISTORIES, exclude=each), each, strict=True):
        assert not set(row) & set(out)
        assert ({39, 1} - set(out)) <= set(row)
    assert set(model.recommend(HISTORIES, candidates=[1, 2, 3]).ravel()) <= {1, 2, 3}


def test_boost_multiplies_the_relevance():
    factor = {3: 0.0, 4: 5.0}
    found, relevant = relevance(20)
    relevant = relevant * np.select([found == 3, found == 4], [0.0, 5.0], 1.0)
    expected = np.take_along_axis(found, np.argsort(-relevant, axis=1, kind="stable"), axis=1)[:, :6]
    np.testing.assert_array_equal(lists(boost=factor, n_candidates=20, k=6)[1], expected)
    np.testing.assert_array_equal(lists(boost=pd.Series(factor), n_candidates=20, k=6)[1], expected)


def test_stock_as_a_table_and_as_a_function():
    expected = EASY.recommend(HISTORIES, 5, candidates=np.arange(0, 40, 2))
    table = pd.Series(np.arange(40) % 2 == 0)
    np.testing.assert_array_equal(lists(in_stock=table, k=5)[1], expected)
    np.testing.assert_array_equal(lists(in_stock=dict.fromkeys(range(1, 40, 2), False), k=5)[1], expected)
    sold_out = {1}
    model = Reranker(EASY, prefit=True, in_stock=lambda ids: ~np.isin(ids, list(sold_out))).fit(HISTORIES)
    assert not (model.predict(HISTORIES) == 1).any()
    sold_out.add(2)  # asked at each request
    assert not np.isin(model.predict(HISTORIES), [1, 2]).any()
    sold_out.update(range(40))
    with pytest.raises(ValueError, match="leave no item to recommend"):
        model.predict(HISTORIES)


def test_exploration_is_reproducible_and_names_its_items():
    model, answer = lists(explore=0.3, n_candidates=30, random_state=1)
    plain = EASY.predict(HISTORIES)
    items, sources = model.recommend(HISTORIES, return_source=True)
    np.testing.assert_array_equal(items, answer)
    assert ((sources == "explore").sum(axis=1) == 3).all()
    for row, source, top in zip(items, sources, plain, strict=True):
        assert not set(row[source == "explore"]) & set(top)
        assert row[source != "explore"].tolist() == top[:7].tolist()
        assert len(set(row)) == 10
    alone = np.concatenate([model.predict(HISTORIES[user : user + 1]) for user in range(20)])
    np.testing.assert_array_equal(alone, answer[:20])
    _, other = lists(explore=0.3, n_candidates=30, random_state=2)
    assert (other != answer).any(axis=1).mean() > 0.9
    drawn = items[sources == "explore"]
    assert len(np.unique(drawn)) > 30  # spread over the catalogue
    first = np.argmax(sources == "explore", axis=1)
    assert len(np.unique(first)) > 4  # and over the places


def test_sources_of_what_was_put_in():
    model, _ = lists(must_include=[39], n_candidates=10, k=3)
    items, sources = model.recommend(HISTORIES, return_source=True)
    outside = (items == 39) & ~(EASY.recommend(HISTORIES, 10) == 39).any(axis=1)[:, None]
    assert outside.any()
    assert (sources[outside] == "must_include").all()
    assert (sources[~outside] == "EASE").all()


def test_seen_items_come_last_whatever_the_rules():
    for rules in ({"diversity": "mmr"}, {"diversity": "calibrated"}, {"max_per_category": 1}, {"explore": 0.5}):
        _, answer = lists(categories=KIND, k=40, n_candidates=40, **rules)
        for row, history in zip(answer, HISTORIES["item"], strict=True):
            seen = np.isin(row, history)
            assert not seen[: 40 - len(set(history))].any()


def test_users_without_history_get_what_is_popular():
    _, answer = lists(diversity="calibrated", categories=KIND)
    model = Reranker(EASY, prefit=True, diversity="calibrated", categories=KIND).fit(HISTORIES)
    np.testing.assert_array_equal(model.predict([[]]), PopularityRecommender().fit(HISTORIES).predict([[]]))
    assert model.predict([]).shape == (0, 10)
    assert answer.shape == (120, 10)


def test_new_items_pass_through():
    frame = pd.DataFrame({"kind": KIND.to_numpy(), "name": [f"number {item}" for item in range(40)]})
    content = ContentRecommender(frame, vectorizer=None)
    model = Reranker(content, diversity="mmr", trade_off=0.1, must_include=[3]).fit(HISTORIES)
    new = pd.DataFrame({"kind": ["kind 1"], "name": ["number 1"]}, index=[77])
    answer = model.recommend(HISTORIES, 8, item_features=new)
    assert (answer == 77).any()
    assert (answer == 3).any(axis=1).all()
    assert not (model.predict(HISTORIES) == 77).any()


def test_new_items_pass_by_a_part_that_takes_none():
    frame = pd.DataFrame({"kind": KIND.to_numpy()})
    parts = [("content", ContentRecommender(frame)), ("ruled", Reranker(EASE(5.0), must_exclude=[0]))]
    model = BlendRecommender(parts).fit(HISTORIES)
    new = pd.DataFrame({"kind": ["kind 1"]}, index=[77])
    assert (model.recommend(HISTORIES, 40, item_features=new) == 77).any()
    with pytest.raises(TypeError, match="item_features cannot be passed to EASE"):
        model.recommenders_[1].recommend(HISTORIES, 8, item_features=new)


def test_prefit_and_clones():
    model = Reranker(EASY, prefit=True)
    assert clone(model).recommender is EASY
    assert clone(Reranker(EASY)).recommender is not EASY
    fitted = Reranker(EASE(5.0)).fit(HISTORIES)
    np.testing.assert_array_equal(fitted.predict(HISTORIES), EASY.predict(HISTORIES))
    with pytest.raises(ValueError, match="recommender is not fitted: fit it, or leave prefit=True out"):
        Reranker(EASE(), prefit=True).fit(HISTORIES)
    assert clone(Reranker(EASE(), categories=KIND)).categories is KIND
    assert "<40 items>" in repr(Reranker(EASE(), categories=KIND))


def test_search_over_the_rules_and_the_recommender():
    X, y = split_last(HISTORIES)
    fitted = EASE(5.0).fit(X)
    grid = {"trade_off": [0.0, 0.9]}
    model = Reranker(fitted, prefit=True, diversity="mmr", categories=KIND)
    search = GridSearchCV(model, grid, cv=SameUsers(), n_jobs=2, error_score="raise").fit(X, y)
    assert search.best_estimator_.recommender_ is not None
    model = Reranker(EASE(), diversity="mmr", categories=KIND)
    assert "recommender__l2" in model.get_params()
    GridSearchCV(model, {"recommender__l2": [1, 10]}, cv=3, error_score="raise").fit(X, y)


def test_stored_files_answer_the_same(tmp_path):
    rules = {"diversity": "calibrated", "categories": KIND, "boost": {3: 2.0}, "explore": 0.2, "must_include": [5]}
    model = Reranker(EASE(5.0), **rules, random_state=0).fit(HISTORIES)
    loaded = skrec.load(skrec.save(model, tmp_path / "lists.skrec"))
    for again in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(HISTORIES), model.predict(HISTORIES))
        pd.testing.assert_series_equal(again.categories, KIND)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"diversity": "calibrated"}, ValueError, "diversity='calibrated' needs categories"),
        ({"max_per_category": 2}, ValueError, "max_per_category needs categories"),
        ({"categories": ["a"]}, TypeError, "categories must be a dict or a pandas Series"),
        ({"categories": {999: "a"}}, ValueError, "categories names none of the 40 items, its ids are such as 999"),
        ({"categories": {1: None}}, ValueError, "categories has no label"),
        ({"categories": pd.Series(["a", "b"], index=[1, 1])}, ValueError, "categories has 1 ids more than once"),
        ({"categories": {"x": "a"}}, TypeError, "categories is indexed by ids such as 'x'"),
        ({"boost": {1: -1.0}}, ValueError, "boost must be finite and at least 0, got -1 for 1"),
        ({"boost": {1: "much"}}, TypeError, "boost must hold numbers"),
        ({"in_stock": {1: 3}}, TypeError, "in_stock must hold booleans, got 3"),
        ({"in_stock": lambda ids: [True]}, ValueError, r"in_stock must return a boolean array of shape \(40,\)"),
        ({"must_include": [999]}, ValueError, "must_include has 999, which the recommender does not know"),
        ({"must_include": [1], "must_exclude": [1]}, ValueError, "must_include and must_exclude both have 1"),
        ({"diversity": "xquad"}, ValueError, "The 'diversity' parameter of Reranker"),
        ({"trade_off": 1.5}, ValueError, "The 'trade_off' parameter of Reranker"),
        ({"explore": -0.1}, ValueError, "The 'explore' parameter of Reranker"),
        ({"n_candidates": 0}, ValueError, "The 'n_candidates' parameter of Reranker"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        Reranker(EASY, prefit=True, **parameters).fit(HISTORIES).predict(HISTORIES)


def test_contract():
    check_recommender(Reranker(EASE(1.0)))
    check_recommender(Reranker(PopularityRecommender()))


def test_contract_of_reordered_lists():
    """All but the check that lists follow the scores, and those with other ids than the categories have."""
    model = Reranker(EASE(1.0), diversity="mean", trade_off=0.01, categories={i: f"kind {i % 3}" for i in range(60)})
    apart = {"scores_agree", "id_types", "clone_and_storage"}
    for name, check in yield_recommender_checks(model):
        if name not in apart:
            check()
