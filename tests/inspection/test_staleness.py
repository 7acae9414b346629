"""Staleness: a shop that changes asks for a refit, one that does not is left, and the schedule in closed form."""

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import to_histories
from skrec.inspection import staleness
from skrec.inspection._staleness import _schedule
from skrec.linear_model import EASE
from skrec.model_selection import split_time
from skrec.neighbors import ItemKNN


def log(moving, n_days=120, n_users=150, seed=0):
    """Each day half of the users take two of ten items that are popular then; with `moving` they change by the week."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(n_days), n_users)
    user = np.tile(np.arange(n_users), n_days)
    item = rng.integers(0, 10, len(day)) + (day // 7 if moving else 0)
    keep = rng.random(len(day)) < 0.3
    events = pd.DataFrame(
        {"user": user, "item": item, "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D")}
    )
    return events[keep].reset_index(drop=True)


def fitted(model, events):
    X = to_histories(events, user="user", item="item", time="day")
    known, _ = split_time(X, "2024-03-04", verbose=0)
    return model.fit(known), X


OPTIONS = {"since": "2024-03-04", "n_points": 4, "n_resamples": 200}


def test_a_moving_shop_makes_a_model_stale():
    model, X = fitted(PopularityRecommender(window="7D", exclude_seen=False), log(True))
    found = staleness(model, X, **OPTIONS)
    curve = found.curve
    assert curve["age"].tolist() == [0, 2, 5, 7] and curve["start"].iloc[1] == pd.Timestamp("2024-03-18")
    assert curve["loss"].iloc[0] == 0  # the refit at age 0 is the model
    assert (curve["low"].iloc[1:] > 0).all() and (np.diff(curve["loss"]) > 0).all()
    assert curve["loss"].to_numpy() == pytest.approx((curve["refit"] - curve["model"]).to_numpy())
    assert found.low <= found.loss <= found.high and found.low > 0
    assert found.advice == "update" and found.update_loss == pytest.approx(0, abs=1e-9)
    assert model.predict([[1]]).shape == (1, 10)


def test_a_model_that_cannot_be_updated_is_to_be_refitted():
    model, X = fitted(ItemKNN(exclude_seen=False), log(True))
    found = staleness(model, X, **OPTIONS)
    assert found.advice == "refit" and found.update_loss is None and "incremental=True" in found.sentence


def test_a_steady_shop_is_left():
    model, X = fitted(PopularityRecommender(exclude_seen=False), log(False))
    found = staleness(model, X, **OPTIONS)
    assert found.advice == "leave" and found.low <= 0 <= found.high
    assert found.schedule is None and found.refit_every is None


def test_least_loss_holds_advice_back():
    model, X = fitted(PopularityRecommender(window="7D", exclude_seen=False), log(True))
    assert staleness(model, X, **OPTIONS, least_loss=0.9).advice == "leave"


def test_an_update_leaves_the_model_as_it_was():
    model, X = fitted(EASE(l2=10, exclude_seen=False, incremental=True), log(True, n_users=60))
    before, items = model.decision_function([[1, 2]]).copy(), model.items_.copy()
    found = staleness(model, X, **OPTIONS)
    assert found.update_loss == pytest.approx(0, abs=0.02) and found.advice == "update"
    assert model.items_.tolist() == items.tolist()
    assert model.decision_function([[1, 2]]) == pytest.approx(before)


def test_events_give_what_histories_give():
    events = log(True, n_users=60)
    model, X = fitted(PopularityRecommender(window="7D"), events)
    a = staleness(model, X, **OPTIONS)
    b = staleness(model, events, user="user", item="item", time="day", **OPTIONS)
    pd.testing.assert_frame_equal(a.curve, b.curve)


def test_schedule_of_a_linear_loss_is_the_closed_form():
    curve = pd.DataFrame({"age": [0, 5, 10, 20], "loss": [0.0, 0.05, 0.1, 0.2], "n_users": 100})
    schedule = _schedule(curve, 0.5)
    every = schedule.index.to_numpy()
    assert schedule.to_numpy() == pytest.approx(0.5 / every + 0.01 * (every - 1) / 2)
    assert schedule.idxmin() == 10  # the root of 2 cost / slope
    assert _schedule(curve, 0.0).idxmin() == 1
    noisy = curve.assign(loss=[0.0, 0.05, -0.3, 0.2])  # never below 0, never falling
    assert (np.diff(_schedule(noisy, 0.0) * every) >= -1e-12).all()


def test_refit_every_follows_the_cost():
    model, X = fitted(PopularityRecommender(window="7D", exclude_seen=False), log(True))
    dear, cheap = (staleness(model, X, **OPTIONS, refit_cost=cost).refit_every for cost in (10.0, 0.001))
    assert dear == 8 and cheap <= 2


def test_staleness_errors():
    model, X = fitted(PopularityRecommender(), log(False, n_users=20))
    with pytest.raises(ValueError, match="no event before since="):
        staleness(model, X, since="2023-01-01")
    with pytest.raises(ValueError, match="no whole period of '7D' follows"):
        staleness(model, X, since="2024-04-28")
    with pytest.raises(ValueError, match="time is not named"):
        staleness(model, log(False), since="2024-03-04", user="user", item="item")
    with pytest.raises(TypeError, match="frame that to_histories returns"):
        staleness(model, [["a"]], since="2024-03-04")
    with pytest.raises(ValueError, match="X has no times"):
        staleness(model, X.drop(columns="time"), since="2024-03-04")
    with pytest.raises(ValueError, match="refit_cost must be at least 0"):
        staleness(model, X, since="2024-03-04", refit_cost=-1)
    with pytest.raises(ValueError, match="fewer than k=20"):
        staleness(model, X, since="2024-03-04", k=20)


def test_a_date_in_the_future_moves_nothing():
    X = make_histories(200, 40, random_state=0)
    X_known, _ = split_time(X, "2024-08-01")
    model = EASE(l2=50).fit(X_known)
    events = X.reset_index(names="user").explode(["item", "time"])[["user", "item", "time"]]
    wrong = events.tail(1).assign(time=pd.Timestamp.now() + pd.Timedelta(days=300))
    options = {"since": "2024-08-01", "period": "30D", "n_points": 3}
    columns = {"user": "user", "item": "item", "time": "time"}
    expected = staleness(model, X, **options)
    found = staleness(model, pd.concat([events, wrong]), **columns, **options)
    pd.testing.assert_frame_equal(found.curve, expected.curve)


def test_a_least_loss_that_is_no_number_is_refused():
    X = make_histories(50, 20, random_state=0)
    with pytest.raises(ValueError, match="least_loss must be a number"):
        staleness(EASE().fit(X), X, since="2024-08-01", least_loss=np.nan)
