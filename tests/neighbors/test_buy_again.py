"""BuyAgainRecommender against its formula, purchase by purchase, and on what a shop expects of it."""

from itertools import pairwise

import numpy as np
import pandas as pd
import protocols
import pytest
from sklearn.base import clone

from skrec.neighbors import BuyAgainRecommender, _baskets
from skrec.utils._histories import Histories

FRAME = pd.DataFrame(
    {
        "item": [[1, 1, 2, 1, 3], [2, 3, 2, 2], [4, 1], [], [3, 4, 4]],
        "time": [[0, 0, 0, 10, 25], [5, 5, 30, 60], [50, 80], [], [90, 95, 100]],
    }
)


def baskets_of(history):
    """Return the distinct times of each item of a frame row."""
    times = {}
    for item, time in zip(history.item, history.time, strict=True):
        times.setdefault(item, set()).add(time)
    return {item: sorted(seen) for item, seen in times.items()}


def by_hand(model, frame, asked):
    """Return the scores by the docstring's formula, in plain loops."""
    users = [baskets_of(row) for row in FRAME.itertuples()]
    items, s = model.items_, model.shrinkage
    buyers = {i: sum(i in u for u in users) for i in items}
    again = {i: sum(len(u.get(i, ())) > 1 for u in users) for i in items}
    recent = {i: sum(bool(u.get(i)) and 100 - u[i][-1] < model.window for u in users) for i in items}
    gaps = {i: [b - a for u in users for a, b in pairwise(u.get(i, []))] for i in items}
    all_gaps = [gap for one in gaps.values() for gap in one]

    def relative(part):
        overall = sum(part.values()) / sum(buyers.values())
        return {i: (part[i] + s * overall) / (buyers[i] + s) / overall for i in items}

    rho, tau = relative(again), relative(recent)
    interval = {i: (sum(gaps[i]) + s * np.mean(all_gaps)) / (len(gaps[i]) + s) for i in items}
    scores = np.zeros((len(frame), len(items)))
    for row, history in enumerate(frame.itertuples()):
        own = baskets_of(history)
        for column, i in enumerate(items):
            scores[row, column] = model.prior_weight * recent[i] / 4
            if i in own:
                count = sum(2 ** (-(asked - time) / model.half_life) for time in own[i])
                rest = 1
                if model.cooldown is not None:
                    rest = 1 - np.exp(-(asked - own[i][-1]) / interval[i] / model.cooldown)
                scores[row, column] += rho[i] ** model.repeat_power * tau[i] ** model.trend_power * rest * count
    return scores


@pytest.mark.parametrize(
    "parameters", [{}, {"cooldown": 0.4}, {"shrinkage": 2.0, "repeat_power": 1.0, "trend_power": 0.0}]
)
def test_scores_equal_the_formula(parameters):
    model = BuyAgainRecommender(half_life=40.0, window=45.0, **parameters).fit(FRAME)
    np.testing.assert_allclose(model.decision_function(FRAME), by_hand(model, FRAME, 100), rtol=1e-5)
    asked = by_hand(model, FRAME, 120)
    scores = model.recommend(FRAME, k=4, at=120, return_scores=True)[1]
    np.testing.assert_allclose(scores, -np.sort(-asked, axis=1), rtol=1e-5)


def test_learned_attributes():
    model = BuyAgainRecommender(shrinkage=0, window=45).fit(FRAME)
    np.testing.assert_allclose(model.repeat_share_, [1 / 2, 1 / 2, 0, 1 / 2])
    np.testing.assert_allclose(model.interval_, [10, (25 + 30) / 2, 70 / 4, 5])  # nobody bought item 3 twice: the mean
    np.testing.assert_allclose(model.prior_, [1 / 4, 1 / 4, 1 / 4, 1 / 4])
    assert model.latest_ == 100


def test_without_times_age_counts_events():
    model = BuyAgainRecommender(recency=0.5, repeat_power=0, prior_weight=0).fit([["a", "b", "a"], ["c"]])
    np.testing.assert_allclose(model.decision_function([["a", "b", "a"]])[0], [1.25, 0.5, 0])
    assert model.latest_ is None


def test_an_item_counts_once_a_basket():
    model = BuyAgainRecommender().fit(FRAME)
    once = pd.DataFrame({"item": [[1, 2]], "time": [[90, 90]]})
    twice = pd.DataFrame({"item": [[1, 1, 2]], "time": [[90, 90, 90]]})
    np.testing.assert_array_equal(model.decision_function(once), model.decision_function(twice))


def test_what_was_just_bought_rests_until_its_interval():
    weekly, monthly = [0, 7, 14, 21, 28], [-62, -32, -2, 28]
    training = pd.DataFrame({"item": [["milk"] * 5, ["soap"] * 4] * 20, "time": [weekly, monthly] * 20})
    model = BuyAgainRecommender(cooldown=1.0, half_life=365, window=60).fit(training)
    user = pd.DataFrame({"item": [["soap", "milk", "soap", "milk"]], "time": [[0, 55, 60, 62]]})
    near = dict(zip(*(one[0] for one in model.recommend(user, at=62.1, return_scores=True)), strict=True))
    later = dict(zip(*(one[0] for one in model.recommend(user, at=70, return_scores=True)), strict=True))
    assert later["milk"] > near["milk"]  # rested a week, which is its interval
    assert later["milk"] > later["soap"]
    np.testing.assert_allclose(model.interval_, [7, 30], rtol=0.7)


def test_the_moment_of_asking_is_never_before_the_own_history():
    model = BuyAgainRecommender(half_life=10, prior_weight=0, trend_power=0, repeat_power=0).fit(FRAME)
    later = pd.DataFrame({"item": [[1, 2]], "time": [[190, 200]]})
    np.testing.assert_allclose(model.decision_function(later)[0], [0.5, 1, 0, 0], rtol=1e-6)
    scores = model.recommend(later, k=4, at=195, candidates=[2], return_scores=True)[1]
    np.testing.assert_allclose(scores, [[1]])  # a purchase after the moment has age 0


def test_without_a_window_only_the_own_clock_counts():
    numbered = pd.DataFrame({"item": [["a", "b", "b", "c"], ["c", "a"]], "time": [[1, 1, 2, 3], [1, 2]]})
    shifted = numbered.assign(time=[[1, 1, 2, 3], [101, 102]])
    model = BuyAgainRecommender(2.0, window=None, k=3)
    first = model.fit(numbered)
    assert first.latest_ is None and first.prior_.tolist() == [1, 0.5, 1]
    scores = first.decision_function(numbered)
    np.testing.assert_allclose(scores, clone(model).fit(shifted).decision_function(shifted), rtol=1e-6)
    own = scores - 5.0 * first.prior_
    half = 2**-0.5
    np.testing.assert_allclose(
        own / first.item_weight_, [[half**2, half**2 + half, 1], [1, 0, half]], rtol=1e-5, atol=1e-6
    )
    later = first.decision_function(numbered.iloc[:1].assign(time=[[1, 1, 2, 3]]))
    np.testing.assert_allclose(scores[:1], later)


def test_items_never_had_follow_by_the_prior():
    model = BuyAgainRecommender(window=45, k=4, prior_weight=1e-3).fit(
        pd.DataFrame({"item": [[1], [2], [2], [3]], "time": [[1], [99], [100], [100]]})
    )
    asked = pd.DataFrame({"item": [[1]], "time": [[1]]})
    np.testing.assert_array_equal(model.predict(asked), [[1, 2, 3]])
    np.testing.assert_array_equal(model.recommend(asked, exclude_seen=True), [[2, 3, 1]])


def test_nobody_bought_twice():
    model = BuyAgainRecommender(cooldown=1.0).fit([[1, 2], [2, 3]])
    assert np.isinf(model.interval_).all()
    assert np.isfinite(model.decision_function([[1], []])).all()


def test_online_retail_floor():
    task = protocols.online_retail()
    assert BuyAgainRecommender().fit(task.X_train).score(task.X_test, task.y_test) > 0.37  # own counts: 0.343


@pytest.mark.slow
@pytest.mark.skipif(not protocols.available("dunnhumby_cj_transactions"), reason="no dunnhumby files: set SKREC_DATA")
def test_dunnhumby_floor():
    task = protocols.dunnhumby()
    assert BuyAgainRecommender().fit(task.X_train).score(task.X_test, task.y_test) > 0.432  # own counts: 0.412


@pytest.mark.parametrize(
    "parameters",
    [{"recency": 0}, {"cooldown": 0}, {"prior_weight": -1}, {"shrinkage": -1}, {"repeat_power": -1}, {"k": 0}],
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of BuyAgainRecommender"):
        BuyAgainRecommender(**parameters).fit(FRAME)


@pytest.mark.parametrize("parameter", ["half_life", "window"])
def test_bad_durations_are_named(parameter):
    with pytest.raises(ValueError, match=f"{parameter} must be above 0"):
        BuyAgainRecommender(**{parameter: 0}).fit(FRAME)
    with pytest.raises(TypeError, match=f"{parameter} must be a number of days"):
        BuyAgainRecommender(**{parameter: "soon"}).fit([[1, 2]])


@pytest.mark.parametrize("timed", [True, False])
def test_one_sort_of_numbers_orders_purchases_as_a_sort_by_three_keys(monkeypatch, timed):
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, 50)
    time = np.concatenate([np.sort(rng.integers(0, 9, n)).astype(float) for n in lengths]) if timed else None
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    histories = Histories(np.arange(8), rng.integers(0, 8, lengths.sum()).astype(np.int32), indptr, time=time)
    found = []
    for few in (0, 10**6):
        monkeypatch.setattr(_baskets, "_FEW", few)
        found.append(_baskets.read_baskets(histories))
    for name in ("rows", "codes", "ages", "time", "starts"):
        np.testing.assert_array_equal(*(getattr(one, name) for one in found))
