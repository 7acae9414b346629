"""Reranker by expected value: probabilities against a known truth, lists against a slow way."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.datasets import make_histories
from skrec.decomposition import PureSVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, Reranker
from skrec.ensemble._value import PurchaseCalibration, expected_value
from skrec.linear_model import EASE
from skrec.metrics import value_at_k
from skrec.model_selection import SameUsers, split_last
from skrec.neighbors import BuyAgainRecommender, ContentRecommender
from skrec.testing import yield_recommender_checks
from skrec.utils._histories import read_histories

HISTORIES = make_histories(300, 40, mean_length=8, n_clusters=4, random_state=0)
PRICE = pd.Series(np.random.RandomState(0).lognormal(1, 1, 40).round(2))
EASY = EASE(5.0).fit(HISTORIES)
MODEL = Reranker(EASY, prefit=True, value=PRICE, random_state=0).fit(HISTORIES)
LEARNED = MODEL.calibration_


def lists(**parameters):
    return Reranker(EASY, prefit=True, **{"value": PRICE, "calibration": LEARNED} | parameters).fit(HISTORIES)


# ---- probabilities -----------------------------------------------------------------------------------------------


def simulated(n_users=3000, n_candidates=30, seed=0):
    """Return scores, best first, and purchases whose probability is a known function of them."""
    rng = np.random.RandomState(seed)
    scores = -np.sort(-rng.normal(size=(n_users, n_candidates)), axis=1)
    truth = expit(1.5 * scores - 3)
    return scores, rng.random_sample(scores.shape) < truth, truth


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
def test_probabilities_are_those_of_the_simulation(method):
    scores, is_bought, _ = simulated()
    learned = PurchaseCalibration(method).fit(scores, is_bought)
    assert (learned.n_users, learned.n_candidates, learned.n_purchases) == (3000, 90_000, is_bought.sum())
    later, _, truth = simulated(seed=1)
    found = learned.probability(later)
    assert np.abs(found - truth).mean() < 0.01
    assert found.mean() == pytest.approx(truth.mean(), rel=0.02)
    if method == "sigmoid":
        assert learned.slope == pytest.approx(1.5, abs=0.05)
        assert learned.intercept == pytest.approx(-3, abs=0.05)


def test_isotonic_regression_by_hand():
    """Adjacent violators are pooled: scores 2 and 3 with one purchase of two, 4 with two of two."""
    scores = np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]])
    is_bought = np.array([[True, False, True, False], [True, False, False, False]])
    learned = PurchaseCalibration("isotonic").fit(scores, is_bought)
    np.testing.assert_allclose(learned.probability(scores[:1]), [[1, 0.25, 0.25, 0]])
    np.testing.assert_allclose(learned.probability(np.array([[9.0, 3.5, 1.5, -9.0]])), [[1, 0.625, 0.125, 0]])
    np.testing.assert_allclose(learned.by_place, [1, 0.25, 0.25, 0])


def test_scores_that_say_nothing_leave_the_place():
    learned = PurchaseCalibration("isotonic").fit(*simulated()[:2])
    flat = learned.probability(np.array([[0.0, 0.0, 0.0], [99.0, 98.0, 97.0], [-9.0, -10.0, -np.inf]]))
    np.testing.assert_allclose(flat[:2], np.repeat(learned.by_place[None, :3], 2, axis=0))
    np.testing.assert_allclose(flat[2], [*learned.by_place[:2], 0])
    assert (np.diff(learned.by_place) <= 0).all()
    assert learned.by_place[0] > 3 * learned.by_place[-1]
    one = learned.probability(np.array([[0.3]]))  # of a single candidate the score counts
    assert one[0, 0] == learned.probability(np.array([[0.3, -1.0]]))[0, 0]
    wide = learned.probability(np.zeros((1, 50)))
    assert (wide[0, 30:] == learned.by_place[-1]).all()


def test_what_comes_last_is_no_candidate():
    scores, is_bought, _ = simulated(200)
    padded = np.concatenate([scores, np.full((200, 3), -np.inf)], axis=1)
    other = PurchaseCalibration("sigmoid").fit(padded, np.concatenate([is_bought, np.ones((200, 3), bool)], axis=1))
    assert other.slope == PurchaseCalibration("sigmoid").fit(scores, is_bought).slope
    assert (other.probability(padded)[:, -3:] == 0).all()


def test_calibrations_that_cannot_be_learned_are_refused():
    with pytest.raises(ValueError, match="holdout leaves 0 purchases among 6 candidates of 2 users"):
        PurchaseCalibration("isotonic").fit(np.ones((2, 3)), np.zeros((2, 3), dtype=bool))
    scores, is_bought, _ = simulated(200)
    with pytest.raises(ValueError, match="scores that rise with the probability of a purchase"):
        PurchaseCalibration("sigmoid").fit(-scores, is_bought)
    with pytest.raises(ValueError, match="calibration is not fitted"):
        lists(calibration=PurchaseCalibration("isotonic"))


class Spy(PopularityRecommender):
    """Notes the histories that each copy of it is fitted on."""

    seen = []

    def fit(self, X, y=None):
        Spy.seen.append(lengths(X))
        return super().fit(X, y)


def lengths(X):
    return read_histories(X).lengths.tolist()


def test_the_calibration_sees_nothing_of_what_is_held_out():
    whole = lengths(HISTORIES)
    known = [max(1, n - 1) if n else 0 for n in whole]  # a single event is kept
    Spy.seen.clear()
    Reranker(Spy(), value=PRICE).fit(HISTORIES)
    assert Spy.seen == [whole, known]
    Spy.seen.clear()
    fitted = PopularityRecommender().fit(HISTORIES)
    fitted.__class__ = Spy
    Reranker(fitted, prefit=True, value=PRICE).fit(HISTORIES)
    assert Spy.seen == [known]
    Spy.seen.clear()
    Reranker(fitted, prefit=True, value=PRICE, calibration=LEARNED).fit(HISTORIES)
    Reranker(fitted, prefit=True).fit(HISTORIES)
    assert Spy.seen == []


def test_the_calibration_is_that_of_the_held_out_items():
    X, y = split_last(HISTORIES)
    kept = y.list.len() > 0
    items, scores = EASE(5.0).fit(X).recommend(X[kept], 40, return_scores=True)
    is_bought = np.array([np.isin(row, list(held)) for row, held in zip(items, y[kept], strict=True)])
    expected = PurchaseCalibration("isotonic").fit(scores, is_bought)
    np.testing.assert_allclose(LEARNED.scores, expected.scores)
    np.testing.assert_allclose(LEARNED.probabilities, expected.probabilities)
    assert LEARNED.n_purchases == expected.n_purchases > 200


def test_days_to_hold_out():
    log = make_histories(200, 30, mean_length=8, random_state=1)
    times = [pd.date_range("2024-01-01", periods=len(row), freq="9D") for row in log["item"]]
    log = pd.DataFrame({"item": [list(row) for row in log["item"]], "time": times})
    price = pd.Series(np.arange(1.0, 31))
    model = Reranker(EASE(5.0), value=price, holdout="30D").fit(log)
    later = sum(len(row) - sum(row < row_cut(times)) for row in times)
    assert 0 < model.calibration_.n_purchases <= later
    with pytest.raises(ValueError, match="needs histories with the column 'time'"):
        Reranker(EASE(5.0), value=PRICE, holdout="30D").fit(HISTORIES[["item"]])


def row_cut(times):
    return max(row[-1] for row in times) - pd.Timedelta("30D")


# ---- lists -------------------------------------------------------------------------------------------------------


def test_exponent_0_keeps_the_order():
    np.testing.assert_array_equal(lists(value_exponent=0).predict(HISTORIES), EASY.predict(HISTORIES))
    np.testing.assert_array_equal(
        lists(value=pd.Series(3.0, index=range(40))).predict(HISTORIES), EASY.predict(HISTORIES)
    )


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2])
def test_lists_equal_the_slow_way(exponent):
    found, scores = EASY.recommend(HISTORIES, 20, return_scores=True)
    for user, row in enumerate(lists(value_exponent=exponent, n_candidates=20, k=6).predict(HISTORIES)):
        if not len(HISTORIES["item"].iloc[user]):
            continue
        chance = np.interp(scores[user], LEARNED.scores, LEARNED.probabilities)
        worth = [p * PRICE[item] ** exponent for p, item in zip(chance, found[user], strict=True)]
        order = sorted(range(20), key=lambda place: (-worth[place], place))
        assert row.tolist() == found[user][order[:6]].tolist()


def test_expected_value_is_best_at_exponent_1():
    """With purchases drawn from the probabilities, no exponent earns more than 1 but by chance."""
    scores, is_bought, _ = simulated()
    learned = PurchaseCalibration("isotonic").fit(scores, is_bought)
    later, _, truth = simulated(seed=2)
    price = np.random.RandomState(3).lognormal(0, 1, later.shape)
    earned = {}
    for exponent in (0, 0.5, 1, 1.5, 3):
        top = np.argsort(-expected_value(learned.probability(later), price**exponent), axis=1)[:, :5]
        earned[exponent] = np.take_along_axis(truth * price, top, axis=1).sum(axis=1).mean()
    best = np.sort(truth * price, axis=1)[:, -5:].sum(axis=1).mean()
    assert max(earned, key=earned.get) == 1
    assert earned[1] > 0.99 * best > 1.2 * earned[0]


def test_value_is_earned_and_costs_hits():
    X, y = split_last(HISTORIES)
    fitted = Reranker(EASE(5.0), value=PRICE, k=3).fit(X)
    plain, valued = fitted.recommender_.recommend(X, 3), fitted.predict(X)
    assert value_at_k(y, valued, value=PRICE) > 1.1 * value_at_k(y, plain, value=PRICE)
    assert fitted.score(X, y) <= fitted.recommender_.set_params(k=3).score(X, y)


def test_the_unit_of_value_does_not_matter():
    np.testing.assert_array_equal(lists(value=PRICE * 117).predict(HISTORIES), MODEL.predict(HISTORIES))


def test_functions_are_called_at_each_request():
    now = {"value": PRICE.to_numpy()}
    model = lists(value=lambda ids: now["value"][ids])
    np.testing.assert_array_equal(model.predict(HISTORIES), MODEL.predict(HISTORIES))
    now["value"] = np.where(np.arange(40) == 7, 1e6, 1e-3)
    unseen = np.array([7 not in row for row in HISTORIES["item"]])
    first = model.predict(HISTORIES)[:, 0]
    among = (EASY.recommend(HISTORIES, 40) == 7).any(axis=1)
    likely = model.purchase_probability(HISTORIES, candidates=[7], k=1)[1][:, 0] > 0
    assert (first[unseen & among & likely] == 7).all()


def test_items_without_value_get_the_median_and_are_counted():
    with pytest.warns(UserWarning, match="value names 38 of the 40 items .* such as 0, get the median value"):
        model = lists(value=PRICE.iloc[2:])
    filled = PRICE.copy()
    filled.iloc[:2] = PRICE.iloc[2:].median()
    np.testing.assert_array_equal(model.predict(HISTORIES), lists(value=filled).predict(HISTORIES))


def test_items_worth_nothing_come_last_but_before_seen_ones():
    free = PRICE.copy()
    free[:20] = 0
    answer = lists(value=free, k=40, n_candidates=40).predict(HISTORIES)
    likely = lists(value=free, k=40, n_candidates=40).purchase_probability(HISTORIES)[1] > 0
    for row, known, history in zip(answer, likely, HISTORIES["item"], strict=True):
        unseen = ~np.isin(row, history)
        assert (np.diff(unseen.astype(int)) <= 0).all()
        paid = (row >= 20) & known
        assert (np.diff(paid[unseen].astype(int)) <= 0).all()


def test_other_rules_hold():
    kind = pd.Series([f"kind {item % 4}" for item in range(40)])
    rules = {"categories": kind, "max_per_category": 2, "must_exclude": [3], "k": 8, "exclude_seen": False}
    assert (lists(must_include=[39], n_candidates=5).predict(HISTORIES) == 39).any(axis=1).all()
    for row in lists(n_candidates=40, **rules).predict(HISTORIES):
        assert kind[row].value_counts().max() <= 2
        assert 3 not in row
    boosted = lists(boost={4: 0.0}, n_candidates=40, k=5).predict(HISTORIES)
    likely = lists(boost={4: 0.0}, n_candidates=40, k=5).purchase_probability(HISTORIES)[1]
    assert not (boosted == 4)[:, 0][likely[:, 0] > 0].any()
    varied = lists(diversity="mmr", trade_off=0.5, categories=kind, k=4).predict(HISTORIES)
    assert np.mean([kind[row].nunique() for row in varied]) > np.mean(
        [kind[row].nunique() for row in lists(k=4).predict(HISTORIES)]
    )


@pytest.mark.parametrize("model", [EASY, BlendRecommender([("e", EASE(5.0)), ("p", PureSVD(4))]).fit(HISTORIES)])
def test_users_without_history_get_what_is_popular_and_dear(model):
    """All their scores are equal, or on the scale of another model: the place tells the probability."""
    reranker = Reranker(model, prefit=True, value=PRICE, n_candidates=20, k=20).fit(HISTORIES)
    popular = model.recommend([[]], 20)[0]
    worth = reranker.calibration_.by_place[:20] * PRICE[popular].to_numpy()
    expected = popular[np.argsort(-worth, kind="stable")]
    np.testing.assert_array_equal(reranker.predict([[]])[0], expected)
    assert (expected != popular).any()


def test_batch_equals_one_by_one():
    answer, chance = MODEL.purchase_probability(HISTORIES)
    for user in range(40):
        one, of_one = MODEL.purchase_probability(HISTORIES[user : user + 1])
        np.testing.assert_array_equal(one[0], answer[user])
        np.testing.assert_allclose(of_one[0], chance[user], rtol=1e-4)
        np.testing.assert_array_equal(MODEL.predict([list(HISTORIES["item"].iloc[user])])[0], answer[user])


def test_probabilities_of_lists():
    items, chance = MODEL.purchase_probability(HISTORIES, 5)
    np.testing.assert_array_equal(items, MODEL.recommend(HISTORIES, 5))
    assert ((chance >= 0) & (chance <= 1)).all()
    _, ordered = lists(value_exponent=0).purchase_probability(HISTORIES, 20)
    assert (np.diff(ordered, axis=1) <= 1e-6).all()
    assert not hasattr(Reranker(EASY, prefit=True).fit(HISTORIES), "purchase_probability")
    X, y = split_last(HISTORIES)
    items, chance = Reranker(EASE(5.0), value=PRICE).fit(X).purchase_probability(X, 40)
    bought = np.array([np.isin(row, list(held)) for row, held in zip(items, y, strict=True)])
    assert chance.mean() == pytest.approx(bought.mean(), rel=0.25)


def test_probability_of_forced_items_without_a_score_is_not_known():
    """Outside the candidates, or seen: the recommender says nothing of them; forced candidates keep theirs."""
    model = lists(must_include=[39, 2], n_candidates=5, k=5)
    items, chance = model.purchase_probability(HISTORIES)
    among = EASY.recommend(HISTORIES, 5)
    for row, known, found, history in zip(items, chance, among, HISTORIES["item"], strict=True):
        scored = np.isin(row, found) & ~np.isin(row, list(history))
        np.testing.assert_array_equal(np.isnan(known), np.isin(row, [39, 2]) & ~scored)
        assert {39, 2} <= set(row)
    assert np.isin([39, 2], among).mean() > 0.05 and not np.isnan(chance).all(axis=1).any()
    wide = lists(must_include=[39], n_candidates=40, k=40).purchase_probability(HISTORIES)
    seen = np.array([39 in list(row) for row in HISTORIES["item"]])
    np.testing.assert_array_equal(np.isnan(wide[1]).any(axis=1), seen)
    plain = lists(n_candidates=40, k=40).purchase_probability(HISTORIES)
    of_39 = [chance[items == 39][np.flatnonzero(~seen)] for items, chance in (wide, plain)]
    np.testing.assert_array_equal(*of_39)


def test_value_set_after_fit_without_it_is_refused():
    model = Reranker(EASY, prefit=True).fit(HISTORIES).set_params(value=PRICE)
    with pytest.raises(ValueError, match="fitted without value: fit it again"):
        model.purchase_probability(HISTORIES)
    model.set_params(value=constant)
    for ask in (model.purchase_probability, model.recommend, model.predict):
        with pytest.raises(ValueError, match="fitted without value: fit it again"):
            ask(HISTORIES)
    other = lists().set_params(value=lambda ids: PRICE.to_numpy())
    np.testing.assert_array_equal(other.predict(HISTORIES), MODEL.predict(HISTORIES))


# ---- the estimator -----------------------------------------------------------------------------------------------


def test_stored_files_answer_the_same(tmp_path):
    for method in ("isotonic", "sigmoid"):
        model = Reranker(EASE(5.0), value=PRICE, calibration=method, random_state=0).fit(HISTORIES)
        loaded = skrec.load(skrec.save(model, tmp_path / f"{method}.skrec"))
        for again in (loaded, pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(again.predict(HISTORIES), model.predict(HISTORIES))
            np.testing.assert_array_equal(*(m.purchase_probability(HISTORIES)[1] for m in (again, model)))
            pd.testing.assert_series_equal(again.value, PRICE)
    reused = skrec.load(skrec.save(lists(), tmp_path / "reused.skrec"))
    np.testing.assert_array_equal(reused.predict(HISTORIES), MODEL.predict(HISTORIES))


def test_same_seed_same_calibration(monkeypatch):
    monkeypatch.setattr("skrec.ensemble._value.MOST_USERS", 100)
    first, again, other = (Reranker(EASE(5.0), value=PRICE, random_state=seed).fit(HISTORIES) for seed in (0, 0, 1))
    assert first.calibration_.n_users == 100
    np.testing.assert_array_equal(first.calibration_.probabilities, again.calibration_.probabilities)
    assert not np.array_equal(first.calibration_.probabilities, other.calibration_.probabilities)


def test_clones_and_search():
    assert clone(MODEL).value is PRICE
    X, y = split_last(HISTORIES)
    fitted = Reranker(EASE(5.0), value=PRICE, k=3).fit(X)
    model = Reranker(fitted.recommender_, prefit=True, value=PRICE, calibration=fitted.calibration_, k=3)
    scoring = make_scorer(value_at_k, value=PRICE)
    grid = {"value_exponent": [0, 0.5, 1]}
    search = GridSearchCV(model, grid, scoring=scoring, cv=SameUsers(), error_score="raise").fit(X, y)
    assert search.best_params_["value_exponent"] > 0
    np.testing.assert_array_equal(search.best_estimator_.calibration_.by_place, fitted.calibration_.by_place)


def test_updates_keep_the_calibration():
    model = Reranker(BuyAgainRecommender(window=None, incremental=True), value=PRICE, exclude_seen=False)
    times = [list(range(1, len(row) + 1)) for row in HISTORIES["item"]]
    log = pd.DataFrame({"item": [list(row) for row in HISTORIES["item"]], "time": times})
    model.fit(log[:250])
    before = model.calibration_
    assert not hasattr(model, "forget")
    model.partial_fit(log[250:])
    assert model.calibration_ is before
    assert hasattr(Reranker(BuyAgainRecommender(window=None, incremental=True)).fit(log), "forget")


def test_new_items_pass_through():
    frame = pd.DataFrame({"kind": [f"kind {item % 4}" for item in range(40)]})
    price = pd.concat([PRICE, pd.Series([1e6], index=[77])])
    model = Reranker(ContentRecommender(frame, vectorizer=None), value=price).fit(HISTORIES)
    new = pd.DataFrame({"kind": ["kind 1"]}, index=[77])
    assert (model.recommend(HISTORIES, 8, item_features=new) == 77).any()


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"value": [1.0]}, TypeError, "value must be a dict or a pandas Series"),
        ({"value": {1: -1.0}}, ValueError, "value must be finite and at least 0, got -1 for 1"),
        ({"value": {1: np.nan}}, ValueError, "value must be finite and at least 0, got nan for 1"),
        ({"value": {1: "dear"}}, TypeError, "value must hold numbers"),
        ({"value": {999: 1.0}}, ValueError, "value names none of the 40 items"),
        ({"value": lambda ids: [1.0]}, ValueError, r"value must return an array of numbers of shape \(40,\)"),
        ({"value": lambda ids: ids * np.nan}, ValueError, "value must be finite and at least 0, got nan for 0"),
        ({"value_exponent": -1}, ValueError, "The 'value_exponent' parameter of Reranker"),
        ({"calibration": "rank"}, ValueError, "The 'calibration' parameter of Reranker"),
        ({"calibration": "isotonic", "holdout": "0%"}, ValueError, "holdout must be a share between 0% and 100%"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        lists(**parameters)


def constant(ids):
    return np.full(len(ids), 2.0)


def test_contract():
    """All but what stores the model: a function cannot be stored without trust."""
    for name, check in yield_recommender_checks(Reranker(EASE(1.0), value=constant)):
        if name not in {"clone_and_storage", "metamorphic", "update_after_storage", "relations_on_a_log"}:
            check()


def test_days_without_a_purchase_count_and_rows_without_a_last_event_do_not():
    """Of a user with one event nobody knows what comes next; of one who buys nothing for a month it is known."""
    times = [[1, 2, 90], [1, 2], [1, 95], [3], [92]]
    log = pd.DataFrame({"item": [["a", "b", "c"], ["a", "b"], ["b", "a"], ["a"], ["c"]], "time": times})
    price = {"a": 1.0, "b": 2.0, "c": 3.0}
    days = Reranker(PopularityRecommender(), value=price, holdout=30).fit(log).calibration_
    assert days.n_users == 4  # not the one who came later
    last = Reranker(PopularityRecommender(), value=price, holdout="last").fit(log).calibration_
    assert last.n_users == 3
