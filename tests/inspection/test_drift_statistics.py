"""The panel of drift against plain loops over sets, and medians against pandas."""

import numpy as np
import pandas as pd
import pytest

from skrec.inspection import DriftMonitor
from skrec.inspection._drift_statistics import _formats, group_median

WINDOW = 4


@pytest.fixture(scope="module")
def events():
    """Twelve weeks of a small shop with prices, countries, missing users and duplicates."""
    rng = np.random.default_rng(0)
    n = 3000
    days = rng.integers(0, 84, n)
    days[:2] = 0, 83
    frame = pd.DataFrame(
        {
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"),
            "who": rng.zipf(1.5, n).clip(max=200),
            "what": [f"P{one:03d}" for one in np.minimum(rng.zipf(1.3, n) + days // 20, 90)],
            "paid": np.round(np.exp(rng.normal(1, 0.3, n)), 1),
            "land": rng.choice(["DE", "FR", "UK"], n, p=[0.2, 0.1, 0.7]),
        }
    )
    frame["who"] = frame["who"].astype(object).where(rng.random(n) > 0.02)
    frame.loc[rng.random(n) < 0.01, "paid"] = np.nan
    return pd.concat([frame, frame.sample(40, random_state=0)], ignore_index=True)


COLUMNS = {"user": "who", "item": "what", "time": "when", "price": "paid", "country": "land"}


@pytest.fixture(scope="module")
def panel(events):
    return DriftMonitor(**COLUMNS, window=WINDOW).fit(events).statistics_


def weeks_of(events, week):
    number = (events["when"] - pd.Timestamp("2024-01-01")).dt.days // 7
    valid = events["who"].notna()
    past = events[(number < week) & (number >= week - WINDOW) & valid]
    return events[number == week], events[(number == week) & valid], past


@pytest.mark.parametrize("week", [1, 3, 7, 11])
def test_shares_equal_plain_loops(events, panel, week):
    every, now, past = weeks_of(events, week)
    row = panel.loc[pd.Timestamp("2024-01-01") + pd.Timedelta(days=7 * week)]
    assert row["events_per_day"] == pytest.approx(len(now) / 7)
    assert row["exact_duplicates"] == pytest.approx(every.duplicated().mean())
    assert row["missing_values"] == pytest.approx((every["who"].isna() | every["paid"].isna()).mean())
    known = set(past["what"])
    assert row["unknown_items"] == pytest.approx(np.mean([item not in known for item in now["what"]]))
    old = set(past["who"])
    assert row["new_users"] == pytest.approx(np.mean([user not in old for user in set(now["who"])]))
    per_user = now.groupby("who").size().sort_values(ascending=False)
    top = max(1, int(np.ceil(0.02 * len(per_user))))
    assert row["busiest_users"] == pytest.approx(per_user.iloc[:top].sum() / len(now))


@pytest.mark.parametrize("week", [2, 9])
def test_events_per_user_takes_half_of_the_own_past_off(events, panel, week):
    _, now, past = weeks_of(events, week)
    number = (past["when"] - pd.Timestamp("2024-01-01")).dt.days // 7
    logs = np.log(past.groupby([past["who"], number]).size())
    usual, own = logs.mean(), logs.groupby("who").mean()
    found = [
        np.log(n) - (0.5 * (own[user] - usual) if user in own.index else 0)
        for user, n in now.groupby("who").size().items()
    ]
    row = panel.loc[pd.Timestamp("2024-01-01") + pd.Timedelta(days=7 * week)]
    assert row["events_per_user"] == pytest.approx(np.exp(np.mean(found)))


@pytest.mark.parametrize("week", [4, 11])
def test_prices_and_countries_equal_pandas(events, panel, week):
    _, now, past = weeks_of(events, week)
    row = panel.loc[pd.Timestamp("2024-01-01") + pd.Timedelta(days=7 * week)]
    number = (past["when"] - pd.Timestamp("2024-01-01")).dt.days // 7
    before = np.log(past["paid"]).groupby([past["what"], number]).median().groupby("what").median()
    enough = past.groupby("what")["paid"].count() >= 3
    before = before[enough[enough].index]
    move = (np.log(now["paid"]).groupby(now["what"]).median() - before).dropna()
    assert row["repriced_items"] == pytest.approx((move.abs() > np.log(1.1)).mean())
    drop = int(0.1 * len(move))
    assert row["price_ratio"] == pytest.approx(np.exp(move.sort_values()[drop : len(move) - drop].mean()))
    far = (np.log(now["paid"]) - now["what"].map(before)).abs().dropna()
    assert row["off_price_events"] == pytest.approx((far > np.log(1.5)).mean())
    mean = past.groupby(["land", number.rename("week")])["who"].nunique().groupby("land").sum() / WINDOW
    users = now.groupby("land")["who"].nunique()
    move = 2 * (np.sqrt(users) - np.sqrt(mean * users.sum() / mean.sum())).abs()
    assert row["country_shares"] == pytest.approx(move.max())


def test_a_popular_item_is_of_the_head(panel, events):
    _, now, past = weeks_of(events, 6)
    week = (past["when"] - pd.Timestamp("2024-01-01")).dt.days // 7
    users = past.assign(week=week).drop_duplicates(["who", "what", "week"]).groupby("what").size()
    n_head = max(1, int(0.1 * len(users)))
    head = set(users.index[users >= users.sort_values(ascending=False).iloc[n_head - 1]])
    row = panel.loc["2024-02-12"]
    assert row["head_share"] == pytest.approx(now["what"].isin(head).mean())
    with_head = set(now.loc[now["what"].isin(head), "who"])
    assert row["users_off_head"] == pytest.approx(1 - len(with_head) / now["who"].nunique())


def test_group_median_equals_pandas():
    rng = np.random.default_rng(1)
    groups, values = rng.integers(0, 30, 500), rng.normal(size=500)
    distinct, medians, counts = group_median(groups, values)
    expected = pd.Series(values).groupby(groups).agg(["median", "size"])
    assert distinct.tolist() == expected.index.tolist()
    assert medians == pytest.approx(expected["median"].to_numpy())
    assert counts.tolist() == expected["size"].tolist()


def test_formats_tell_case_length_signs_and_type():
    ids = np.array(["85123A", "71053X", "85123a", "851234", " 85123", 85123, 7, 85123.0], dtype=object)
    assert _formats(ids).tolist() == [0, 0, 1, 2, 3, 4, 4, 4]
    numbers = np.empty(6, dtype=object)
    numbers[:] = [np.int64(7), 10**400, np.float32(7), True, 7.5, np.nan]
    assert _formats(numbers).tolist() == [0, 0, 0, 1, 2, 2]  # a new item read as a float is no new format
