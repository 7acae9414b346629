"""The character of a log: values by hand, planted structure, and what must not matter."""

import numpy as np
import pandas as pd
import pytest

from skrec.advice import _character, log_character
from skrec.datasets import make_histories
from skrec.feature_extraction import to_histories
from skrec.utils._histories import read_histories

DAY = np.datetime64("2024-01-01")


def histories_of(events):
    """Make histories of (user, item, day)."""
    frame = pd.DataFrame(events, columns=["user", "item", "day"])
    frame["time"] = DAY + frame["day"].to_numpy().astype("timedelta64[D]")
    return to_histories(frame, user="user", item="item", time="time")


def same(one, other):
    assert one.keys() == other.keys()
    np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-12)


@pytest.fixture(scope="module")
def made():
    return make_histories(200, 60, repeats=True, order=0.3, random_state=0)


def test_values_by_hand():
    events = [("a", 1, 0), ("a", 2, 0), ("a", 1, 10), ("a", 3, 10), ("b", 1, 5), ("b", 2, 7), ("c", 4, 100)]
    found = log_character(histories_of(events))
    assert (found["n_events"], found["n_users"], found["n_items"]) == (7, 3, 4)
    assert found["events_per_user_mean"] == pytest.approx(7 / 3)
    assert found["events_per_user_rms"] == pytest.approx(np.sqrt((16 + 4 + 1) / 3))
    assert found["single_user_share"] == pytest.approx(1 / 3)
    assert found["single_item_share"] == 0.5
    assert (found["repeat_share"], found["repeat_user_share"]) == (pytest.approx(1 / 7), pytest.approx(1 / 3))
    assert found["next_pair_share"] == pytest.approx(2 / 4)  # (1, 2) of a and b; (2, 1) and (1, 3) of a alone
    assert found["basket_size"] == pytest.approx(7 / 5)
    assert found["baskets_per_user"] == 2
    assert found["new_item_share"] == found["new_user_share"] == 1  # the last tenth is the event of c
    assert found["median_gap_days"] == 6  # 10 and 2
    assert found["span_days"] == 100
    assert found["session_user_share"] == 0
    assert found["new_items_a_week"] == pytest.approx(2 / (0.9 * 100 / 7))  # item 3 on day 10, item 4
    assert np.isnan(found["month_variation"])
    assert found["gini"] == pytest.approx((-3 * 1 - 1 * 1 + 1 * 2 + 3 * 3) / (4 * 7))


def test_without_times_only_times_are_unknown(made):
    with_times, without = log_character(made), log_character(made[["item"]])
    unknown = {name for name, value in without.items() if np.isnan(value)}
    assert {"basket_size", "new_item_share", "popularity_shift", "span_days", "weekday_variation"} <= unknown
    assert (without["has_times"], without["has_dates"]) == (0, 0)
    for name in set(without) - unknown - {"has_times", "has_dates"}:
        assert without[name] == with_times[name], name


def test_numbers_as_times_are_no_dates():
    histories = pd.DataFrame({"item": [[1, 2], [2]], "time": [[1, 2], [1]]})
    found = log_character(histories)
    assert (found["has_times"], found["has_dates"], found["basket_size"]) == (1, 0, 1)
    assert np.isnan(found["span_days"])


def test_order_of_users_and_ids_do_not_matter(made):
    expected = log_character(made)
    same(log_character(made.iloc[np.random.default_rng(0).permutation(len(made))]), expected)
    events = made.explode(["item", "time"]).reset_index()
    events["item"] = "item " + ((events["item"].astype(int) * 7919) % 10007).astype(str)
    events["user"] = [f"<b>{user}</b>" for user in events["user"]]
    same(log_character(to_histories(events, user="user", item="item", time="time")), expected)


def test_users_without_an_event_do_not_count(made):
    empty = made.copy()
    empty["item"], empty["time"] = [[]] * len(made), [[]] * len(made)
    read = read_histories(made)
    with_empty = type(read)(read.ids, read.codes, np.append(read.indptr, read.indptr[-1]), read.time, dated=True)
    same(log_character(with_empty), log_character(made))


def test_in_blocks_as_at_once(made, monkeypatch):
    expected = log_character(made)
    monkeypatch.setattr(_character, "row_blocks", lambda indptr: _character_blocks(indptr))
    same(log_character(made), expected)


def _character_blocks(indptr):
    for start in range(0, len(indptr) - 1, 7):
        yield slice(start, min(start + 7, len(indptr) - 1))


def test_a_sample_of_the_pairs_is_near(made, monkeypatch):
    exact = log_character(made)
    monkeypatch.setattr(_character, "BLOCK", 2000)
    found = log_character(made)
    assert found["repeat_share"] == exact["repeat_share"]
    assert found["new_item_share"] == pytest.approx(exact["new_item_share"], abs=0.05)
    assert 0 < found["next_pair_share"] <= exact["next_pair_share"]


def test_planted_character_is_found():
    order = {strength: log_character(make_histories(400, 80, order=strength, random_state=0)) for strength in (0, 0.8)}
    assert order[0.8]["order_gain"] > 1.4
    assert order[0]["order_gain"] == pytest.approx(1, abs=0.1)
    rng = np.random.default_rng(0)
    users, days = rng.integers(0, 200, 4000), rng.integers(0, 200, 4000)
    stays = log_character(histories_of(list(zip(users, rng.integers(0, 50, 4000), days, strict=True))))
    moves = log_character(histories_of(list(zip(users, days // 4 + rng.integers(0, 3, 4000), days, strict=True))))
    assert stays["popularity_shift"] < 0.1 < 0.8 < moves["popularity_shift"]
    assert stays["new_item_share"] == 0 < moves["new_item_share"]
    visits = log_character(histories_of([(user, item, user % 30) for user in range(50) for item in range(3)]))
    assert visits["session_user_share"] == 1
    mondays = log_character(histories_of([(user, user % 5, 7 * (user % 20)) for user in range(60)]))
    assert mondays["weekday_variation"] == pytest.approx(np.sqrt(6))


@pytest.mark.parametrize("log", [[["a"]], [["a", "a"]], [["a"], ["b"]], [["a", "b", "c"]]])
def test_tiny_logs(log):
    found = log_character(log)
    assert found["n_users"] == len(log)
    assert all(isinstance(value, float) for value in found.values())


@pytest.mark.parametrize("log", [[], [[]]])
def test_no_event(log):
    with pytest.raises(ValueError, match="histories needs at least one event"):
        log_character(log)
