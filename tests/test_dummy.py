"""Popularity against counts by hand, at any moment; random against itself."""

import numpy as np
import pandas as pd
import pytest

from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import HistoryVectorizer, to_histories

LOG = pd.DataFrame(
    [
        ("u", "old", 1.0),
        ("v", "old", 2.0),
        ("w", "old", 3.0),
        ("u", "new", 50.0),
        ("u", "new", 51.0),
        ("v", "mid", 20.0),
        ("w", "mid", 49.0),
        ("w", "late", 60.0),
    ],
    columns=["user", "item", "day"],
)
HISTORIES = to_histories(LOG, user="user", item="item", time="day")


def scores(model):
    return dict(zip(model.items_, model.scores_.tolist(), strict=True))


def test_users_and_events_are_counted():
    assert scores(PopularityRecommender().fit(HISTORIES)) == {"late": 1, "mid": 2, "new": 1, "old": 3}
    counts = PopularityRecommender(count="events", vectorizer=HistoryVectorizer(binary=False)).fit(HISTORIES)
    assert scores(counts) == {"late": 1, "mid": 2, "new": 2, "old": 3}


def test_window_counts_back_from_the_moment_of_asking():
    model = PopularityRecommender(window=15, k=4, exclude_seen=False).fit(HISTORIES)
    assert scores(model) == {"late": 1, "mid": 1, "new": 1, "old": 0}
    events = PopularityRecommender(window=15, count="events").fit(HISTORIES)
    assert scores(events) == {"late": 1, "mid": 1, "new": 2, "old": 0}
    ids, values = model.recommend([[]], at=21, return_scores=True)
    assert dict(zip(ids[0], values[0], strict=True)) == {"mid": 1, "old": 0, "new": 0, "late": 0}
    assert model.recommend([[]], at=5)[0, 0] == "old"
    assert model.predict([[]])[0, -1] == "old"
    np.testing.assert_array_equal(model.recommend([[]], at=60), model.predict([[]]))


def test_window_of_dates():
    dates = LOG.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(LOG["day"], unit="D"))
    histories = to_histories(dates, user="user", item="item", time="day")
    model = PopularityRecommender(window="15D").fit(histories)
    assert scores(model) == {"late": 1, "mid": 1, "new": 1, "old": 0}
    assert model.recommend([[]], k=1, at="2024-01-06")[0, 0] == "old"


def test_half_life_halves():
    model = PopularityRecommender(half_life=10, count="events").fit(HISTORIES)
    expected = {
        "late": 1,
        "mid": 2**-4.0 + 2**-1.1,
        "new": 2**-1.0 + 2**-0.9,
        "old": 2**-5.9 + 2**-5.8 + 2**-5.7,
    }
    assert scores(model) == pytest.approx(expected, rel=1e-5)
    by_user = PopularityRecommender(half_life=10).fit(HISTORIES)
    assert scores(by_user)["new"] == pytest.approx(2**-0.9, rel=1e-5)  # the latest event of the user


def test_time_is_asked_for():
    for parameters in ({"window": 3}, {"half_life": 3}):
        with pytest.raises(ValueError, match="window and half_life need histories with the column 'time'"):
            PopularityRecommender(**parameters).fit([[1]])
    with pytest.raises(ValueError, match="window must be above 0"):
        PopularityRecommender(window=-1).fit(HISTORIES)


def test_random_lists_spread_over_the_catalogue_and_follow_the_seed():
    X = [[user % 50, (user * 7 + 1) % 50] for user in range(400)]
    model = RandomRecommender(random_state=0).fit(X)
    shown = np.bincount(model.predict(X).ravel(), minlength=50)
    assert shown.min() > 0.2 * shown.mean()
    assert (RandomRecommender(random_state=1).fit(X).predict(X) != model.predict(X)).mean() > 0.8
