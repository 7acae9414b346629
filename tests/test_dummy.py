"""Popularity against counts by hand, at any moment; random against itself."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer, to_histories

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


KINDS = pd.DataFrame(
    {
        "item": [["a", "b", "a"], ["a"], ["a", "c"], ["b", "c"]],
        "time": [[1, 2, 3], [2], [2, 9], [3, 4]],
        "weight": [[1.0, 5.0, 2.0], [3.0], [1.0, 7.0], [2.0, 0.5]],
        "event": [["view", "buy", "view"], ["view"], ["view", "buy"], ["buy", "view"]],
    }
)


@pytest.mark.parametrize("count", ["users", "events"])
@pytest.mark.parametrize(
    "vectorizer",
    [
        None,
        HistoryVectorizer(),
        HistoryVectorizer(binary=False),
        HistoryVectorizer(weight="use"),
        HistoryVectorizer(weight="use", binary=False, event_weights={"buy": 10, "view": 1}),
        HistoryVectorizer(event_weights={"buy": 2}),
        HistoryVectorizer(event_weights={"buy": 2}, vocabulary=["a", "z"]),
        HistoryVectorizer(min_df=3),
        HistoryVectorizer(max_items=1, binary=False),
        make_pipeline(HistoryVectorizer(binary=False), BM25Transformer()),
        make_pipeline(HistoryVectorizer(), "passthrough"),
    ],
)
def test_a_wide_window_changes_nothing(count, vectorizer):
    plain = PopularityRecommender(count=count, vectorizer=vectorizer).fit(KINDS)
    for extra in ({"window": 1e6}, {"half_life": 1e12}, {"window": 1e6, "half_life": 1e12}):
        timed = PopularityRecommender(count=count, vectorizer=vectorizer, **extra).fit(KINDS)
        np.testing.assert_array_equal(timed.items_, plain.items_)
        np.testing.assert_allclose(timed.scores_, plain.scores_, rtol=1e-5)
        np.testing.assert_array_equal(timed.popularity_, plain.popularity_)


@pytest.mark.parametrize("extra", [{"window": 100}, {"half_life": 3}, {"window": 3, "half_life": 2}])
@pytest.mark.parametrize("count", ["users", "events"])
def test_the_moment_of_asking_never_looks_ahead(extra, count):
    """A model that knows the future answers like one that was fitted before it came."""
    vectorizer = HistoryVectorizer(weight="use", binary=False, vocabulary=["a", "b", "c"])
    known = PopularityRecommender(count=count, vectorizer=vectorizer, k=3, **extra).fit(KINDS)
    past = [[time <= 2 for time in times] for times in KINDS["time"]]
    before = pd.DataFrame(
        {name: [np.array(row)[keep].tolist() for row, keep in zip(KINDS[name], past, strict=True)] for name in KINDS}
    )
    then = PopularityRecommender(count=count, vectorizer=vectorizer, k=3, **extra).fit(before)
    ask = KINDS.iloc[:1].map(lambda value: value[:0])
    items, values = known.recommend(ask, at=2, return_scores=True)
    expected = dict(zip(then.items_, then.scores_, strict=True))
    assert dict(zip(items[0], values[0], strict=True)) == pytest.approx(expected, rel=1e-6)
    assert known.recommend(ask, at=0, return_scores=True)[1].tolist() == [[0, 0, 0]]
    far = known.recommend(ask, k=1, at=1e9, return_scores=True)
    assert np.isfinite(far[1]).all()


def test_only_events_that_the_vectorizer_knows_are_latest():
    vectorizer = HistoryVectorizer(event_weights={"view": 1})
    model = PopularityRecommender(window=2, vectorizer=vectorizer).fit(KINDS)
    assert model.latest_ == 4  # the sale at 9 is left out
    with pytest.raises(ValueError, match="event_weights needs histories with the column 'event'"):
        PopularityRecommender(window=2, vectorizer=vectorizer).fit(KINDS[["item", "time"]])


class OwnVectorizer(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.items_ = np.array([1, 2])
        return self

    def transform(self, X):
        return np.ones((len(X), 2))


def test_windows_need_the_events():
    X = pd.DataFrame({"item": [[1, 2]], "time": [[1, 2]]})
    with pytest.raises(ValueError, match="window and half_life need a HistoryVectorizer, or a pipeline"):
        PopularityRecommender(window=3, vectorizer=OwnVectorizer()).fit(X)


def test_segments_are_told_apart_by_their_values():
    X = pd.DataFrame(
        {
            "item": [["a"], ["a"], ["b"], ["b"], ["c"], ["d"]],
            "city": ["York, North", "York, North", "York", "York", "", None],
            "region": ["UK", "UK", "North, UK", "North, UK", "UK", "UK"],
        }
    )
    model = PopularityRecommender(by=["city", "region"], shrinkage=0, k=1).fit(X)
    assert sorted(model.segment_users_) == [1, 2, 2] and len(model.segments_) == 3
    ask = X.assign(item=[[]] * 6)
    assert model.predict(ask)[:5, 0].tolist() == ["a", "a", "b", "b", "c"]
    stored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(stored.predict(ask), model.predict(ask))
    numbers = PopularityRecommender(by="age", shrinkage=0, k=1).fit(
        pd.DataFrame({"item": [["a"], ["b"]], "age": [1, 20]})
    )
    assert numbers.predict(pd.DataFrame({"item": [[], []], "age": [1.0, 20.0]})).ravel().tolist() == ["a", "b"]
