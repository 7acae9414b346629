"""Explanations add up to the score, name the items that were planted, and agree between methods where they must."""

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skrec.datasets import make_histories
from skrec.decomposition import ALS, PPMISVD, PureSVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.inspection import explain
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender

HISTORIES = make_histories(200, 40, mean_length=8, repeats=True, random_state=0)
MODELS = [
    EASE(l2=5, vectorizer=HistoryVectorizer(recency=0.8)),
    ItemKNN(),
    RP3beta(),
    TransitionRecommender(),
    SLIM(l1=0.1, l2=1),
    PureSVD(6, random_state=0),
    PPMISVD(6, random_state=0),
    ALS(8, random_state=0),
    ALS(8, l2=0.3, l2_exponent=0, unobserved_weight=0.2, alpha=2, random_state=0),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_contributions_add_up_to_the_score(model):
    model.fit(HISTORIES)
    some = HISTORIES.iloc[:15]
    scores = model.decision_function(some)
    frame = explain(model, some, k=4, n_reasons=1000)
    sums = frame.groupby(["user", "item"], sort=False)["contribution"].sum()
    for (user, item), total in sums.items():
        expected = scores[some.index.get_loc(user), np.flatnonzero(model.items_ == item)[0]]
        assert total == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert (frame["share"] <= 1 + 1e-6).all()
    shares = frame[frame["contribution"] > 0].groupby(["user", "item"])["share"].sum()
    np.testing.assert_allclose(shares, 1, rtol=1e-4)


def test_reasons_come_from_the_history_strongest_first(shop):
    frame = explain(EASE(l2=1).fit(shop), [["nails", "tea", "milk"]], items=["sugar", "saw"], n_reasons=2)
    assert frame["user"].tolist() == [0] * 4
    assert frame["item"].tolist() == ["sugar", "sugar", "saw", "saw"]
    assert set(frame["reason"][:2]) == {"tea", "milk"}
    assert frame["reason"][2] == "nails"
    assert (frame.groupby("item")["contribution"].diff().dropna() <= 0).all()


def test_lists_per_user_and_the_index(shop):
    X = pd.DataFrame({"item": [["tea"], ["saw"]]}, index=["ann", "bob"])
    frame = explain(ItemKNN(shrinkage=0).fit(shop), X, items=[["milk"], ["hammer"]])
    assert frame[["user", "item", "reason"]].to_numpy().tolist() == [["ann", "milk", "tea"], ["bob", "hammer", "saw"]]
    assert explain(ItemKNN().fit(shop), [], k=1).empty


@pytest.mark.parametrize("model", [EASE(l2=2), ItemKNN(), SLIM(l1=0.1, l2=1), RP3beta()], ids=str)
def test_leaving_out_agrees_with_the_exact_contributions_of_linear_models(model):
    model.fit(HISTORIES)  # with repeats, which a binary vectorizer counts once
    some = HISTORIES.iloc[:12]
    exact, without = (explain(model, some, n_reasons=100, method=name) for name in ("exact", "leave-one-out"))
    assert set(exact["method"]) == {"exact"} and set(without["method"]) == {"leave-one-out"}
    keys = ["user", "item", "reason"]
    both = exact.merge(without, on=keys, suffixes=("", "_without"))
    assert len(both) == len(exact) == len(without)
    np.testing.assert_allclose(both["score"], both["score_without"], rtol=1e-4)
    np.testing.assert_allclose(both["contribution"], both["contribution_without"], rtol=1e-3, atol=2e-5)
    np.testing.assert_allclose(both["share"], both["share_without"], rtol=1e-3, atol=1e-3)


def test_leaving_out_is_the_difference_of_two_scores():
    model = BlendRecommender([("ease", EASE(l2=2)), ("session", SessionKNN())]).fit(HISTORIES)
    histories = [list(one) for one in HISTORIES["item"].iloc[:4]]
    frame = explain(model, histories, n_reasons=100)
    assert set(frame["method"]) == {"leave-one-out"}
    whole = model.decision_function(histories)
    for row in frame.itertuples():
        rest = model.decision_function([[item for item in histories[row.user] if item != row.reason]])[0, row.item]
        assert row.score == pytest.approx(whole[row.user, row.item], rel=1e-4)
        assert row.contribution == pytest.approx(whole[row.user, row.item] - rest, rel=1e-3, abs=1e-4)
    known = frame.groupby("user")["reason"].agg(set)
    assert known.tolist() == [set(history) for history in histories]
    assert (frame.groupby(["user", "item"])["contribution"].diff().dropna() <= 0).all()


def test_the_order_of_events_counts_where_the_model_reads_it():
    model = SessionKNN(recency=0.5).fit(HISTORIES)
    history = (
        HISTORIES["item"].map(lambda items: list(dict.fromkeys(items))[:4]).loc[lambda one: one.map(len) == 4].iloc[0]
    )
    frames = [
        explain(model, [order], items=[7, 21], n_reasons=4).set_index(["item", "reason"])["contribution"]
        for order in (history, history[::-1])
    ]
    assert not np.allclose(frames[0].sort_index(), frames[1].sort_index())
    model = EASE(l2=2).fit(HISTORIES)
    frames = [explain(model, [order], items=[7, 21], method="leave-one-out") for order in (history, history[::-1])]
    pd.testing.assert_frame_equal(*frames, rtol=1e-4)


def test_all_events_of_a_repeated_item_are_left_out():
    model = EASE(l2=2).fit(HISTORIES)
    once, often = (
        explain(model, [[1, 2]], method="leave-one-out"),
        explain(model, [[1, 2, 1, 1]], method="leave-one-out"),
    )
    pd.testing.assert_frame_equal(once, often, rtol=1e-4)
    own = explain(BuyAgainRecommender().fit(HISTORIES), [[3, 5, 3]], items=[3], n_reasons=5)
    assert own["reason"].iloc[0] == 3 and own["share"].iloc[0] == 1


@pytest.mark.parametrize(
    "model",
    [
        BlendRecommender([("ease", EASE(l2=2)), ("next", TransitionRecommender())]),
        BlendRecommender([("pop", PopularityRecommender()), ("ease", EASE(l2=2))], weights=[0.1, 0.9]),
        TwoStageRecommender(
            [("ease", EASE(l2=2)), ("next", TransitionRecommender())], ranker=LogisticRegression(), random_state=0
        ),
        TIFUKNN(20, exclude_seen=True),
        SessionKNN(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_only_event_of_a_history_is_the_reason(model):
    model.fit(HISTORIES)
    frame = explain(model, [[3], [17]], k=1)
    assert frame["reason"].tolist() == [3, 17]
    assert (frame["contribution"] > 0).all() and (frame["share"] == 1).all()


@pytest.mark.parametrize(
    "model",
    [
        PopularityRecommender(),
        BlendRecommender([("pop", PopularityRecommender())]),
        Reranker(PopularityRecommender()),
        BlendRecommender([("pop", PopularityRecommender())], fallback=PopularityRecommender(count="events")),
    ],
    ids=["popularity", "blend", "reranker", "fallback"],
)
def test_no_reason_is_invented_for_popular_items(model):
    frame = explain(model.fit(HISTORIES), [[1, 2, 3], [4], [], [9999]], k=2)
    assert len(frame) == 8 and set(frame["method"]) == {"popular"}
    assert frame["reason"].isna().all() and (frame[["contribution", "share"]] == 0).all(axis=None)
    expected = model.decision_function([[1, 2, 3], [4], [], [9999]])
    np.testing.assert_allclose(frame["score"], [expected[row.user, row.item] for row in frame.itertuples()], rtol=1e-5)


def test_unknown_histories_have_no_reason_beside_others(shop):
    frame = explain(EASE(l2=1).fit(shop), [["tea"], ["beer"]], items=["milk"])
    assert frame["method"].tolist() == ["exact", "popular"]
    assert frame["reason"].tolist() == ["tea", None]
    frame = explain(BlendRecommender([("ease", EASE(l2=1))]).fit(shop), [["beer", "tea"], ["beer"]], items=["milk"])
    assert frame["reason"].tolist() == ["tea", None]
    assert frame["method"].tolist() == ["leave-one-out", "popular"]


def test_a_reranker_is_explained_as_its_recommender():
    inner = PureSVD(6, random_state=0).fit(HISTORIES)
    model = Reranker(PureSVD(6, random_state=0), diversity="mmr", trade_off=0.5).fit(HISTORIES)
    some = HISTORIES.iloc[:3]
    lists = model.recommend(some, k=2).tolist()
    pd.testing.assert_frame_equal(explain(model, some, k=2), explain(inner, some, items=lists))


def test_long_histories_are_cut_to_the_newest_items(caplog):
    model = SessionKNN().fit(HISTORIES)
    history = [5, 1, 2, 3, 4, 1]
    with caplog.at_level(logging.INFO, logger="skrec"):
        frame = explain(model, [history, [1]], items=[8], n_reasons=10, max_length=3)
    assert set(frame.loc[frame["user"] == 0, "reason"]) <= {1, 4, 3}
    assert frame.attrs["n_cut"] == 1
    assert "1 of 2 histories have more than max_length=3 items" in caplog.text
    whole = explain(model, [history, [1]], items=[8], n_reasons=10)
    assert whole.attrs["n_cut"] == 0
    kept = whole.merge(frame, on=["user", "item", "reason"])
    np.testing.assert_allclose(kept["contribution_x"], kept["contribution_y"])


def test_matrices_and_forms_of_histories(df_module):
    rng = np.random.default_rng(0)
    matrix = pd.DataFrame((rng.random((40, 6)) < 0.4).astype(float), columns=list("abcdef"))
    model = EASE(l2=1, vectorizer="passthrough").fit(matrix)
    some = matrix.iloc[:5]
    exact, without = (explain(model, some, k=2, n_reasons=9, method=name) for name in ("exact", "leave-one-out"))
    columns = ["user", "item", "reason", "score", "contribution"]
    by = ["user", "item", "reason"]
    pd.testing.assert_frame_equal(
        exact[columns].sort_values(by, ignore_index=True),
        without[columns].sort_values(by, ignore_index=True),
        rtol=1e-3,
        atol=1e-5,
    )

    histories = [["a", "b"], ["b", "c"], ["a", "c", "b"], ["a", "b"]]
    model = SessionKNN().fit(histories)
    plain = explain(model, histories, k=1)
    frame = df_module.DataFrame({"item": histories, "age": [1, 2, 3, 4]})
    pd.testing.assert_frame_equal(plain, explain(model, frame, k=1))
    pd.testing.assert_frame_equal(plain, explain(model, pd.Series(histories), k=1))


def test_the_moment_of_asking_counts():
    days = pd.date_range("2024-01-01", periods=4)
    X = pd.DataFrame({"item": [["a", "b"], ["b", "c"]], "time": [days[:2].to_list(), days[2:].to_list()]})
    model = BuyAgainRecommender(half_life="2D").fit(X)
    early, late = (explain(model, X.iloc[:1], items=["a"], n_reasons=1, at=at) for at in ("2024-01-04", "2024-01-10"))
    assert early["reason"][0] == late["reason"][0] == "a"
    assert early["contribution"][0] > late["contribution"][0] > 0


def test_errors(shop):
    popular = PopularityRecommender().fit(shop)
    with pytest.raises(TypeError, match="PopularityRecommender has scores that are no sum over the history"):
        explain(popular, [["tea"]], method="exact")
    with pytest.raises(ValueError, match="method must be 'auto', 'exact' or 'leave-one-out', got 'shap'"):
        explain(popular, [["tea"]], method="shap")
    with pytest.raises(ValueError, match="max_length must be at least 1, got 0"):
        explain(popular, [["tea"]], max_length=0)
    with pytest.raises(TypeError, match="model must be a fitted recommender, got"):
        explain(EASE, [["tea"]])
    model = EASE(l2=1).fit(shop)
    with pytest.raises(ValueError, match="items holds 'beer', which the model does not know"):
        explain(model, [["tea"]], items=["beer"])
    with pytest.raises(ValueError, match="items has 1 lists for 2 users"):
        explain(model, [["tea"], ["milk"]], items=[["tea"]])
    with pytest.raises(ValueError, match="n_reasons must be at least 1, got 0"):
        explain(model, [["tea"]], n_reasons=0)


def test_a_subclass_with_scores_of_its_own_is_not_split_by_those_of_its_parent():
    class Louder(EASE):
        def _score(self, users):
            return super()._score(users) ** 2

    model = Louder(l2=2).fit(HISTORIES)
    assert set(explain(model, HISTORIES.iloc[:2])["method"]) == {"leave-one-out"}


def test_histories_that_were_read_before_are_explained_alike():
    from skrec.utils._histories import read_histories

    X = [["tea", "milk", "tea"], ["nails", "saw"], []]
    model = PopularityRecommender(exclude_seen=False).fit(X)
    for method in ("auto", "leave-one-out"):
        one = explain(model, X, method=method)
        other = explain(model, read_histories(X), method=method)
        assert one.reset_index(drop=True).equals(other.reset_index(drop=True))
