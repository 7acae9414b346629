"""BehaviorFeatures against a plain loop, numbers by hand and pandas groupby; no event after the moment counts."""

import math
import pickle
import statistics
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils import estimator_checks

import skrec
from skrec.datasets import load_online_retail, make_histories
from skrec.feature_extraction import BehaviorFeatures, to_histories
from skrec.model_selection import split_next_purchase, split_time

LOG = pd.DataFrame(
    {
        "user": ["u", "u", "u", "u", "u", "v"],
        "item": ["a", "b", "a", "a", "c", "b"],
        "day": pd.to_datetime([f"2024-01-{day}" for day in ("01T06", "01T18", "11T06", "11T06", "15T00", "08T00")]),
        "spend": [2.0, 3.0, 5.0, 1.0, 9.0, 4.0],
        "kind": ["view", "buy", "buy", "buy", "view", "buy"],
    }
)
COLUMNS = {"user": "user", "item": "item", "time": "day", "weight": "spend", "event": "kind"}
FRAME = to_histories(LOG, **COLUMNS)
EMPTY = {name: [[]] for name in ("item", "time", "weight", "event")}


def table(X, fitted=None, **parameters):
    features = fitted or BehaviorFeatures(**parameters).fit(X)
    return pd.DataFrame(features.transform(X), columns=features.get_feature_names_out())


# what each group gives for user u from 2024-01-16 06:00, by hand: visits on the 1st, the 11th and the 15th
BY_HAND = {
    "recency": {"last": 1.25, "first": 15},
    "frequency": {
        "events": 5, "visits": 3, "rate": 3 / 15, "events_5d": 3, "visits_5d": 2, "events_10d": 3, "visits_10d": 2,
    },
    "spend": {
        "sum": 20, "mean": 4, "per_visit": 20 / 3, "largest_visit": 9, "last_visit": 9,
        "5d": 15, "share_5d": 0.75, "10d": 15, "share_10d": 0.75,
    },
    "basket": {"mean": 5 / 3, "largest": 2, "last": 1},
    "interval": {
        "mean": (10 + 3.75) / 2, "std": 3.125, "median": 6.875, "last": 3.75, "overdue": 1.25 / 6.875,
        "clumpiness": 1 + sum(x / 15 * math.log(x / 15) for x in (10, 3.75, 1.25)) / math.log(3),
    },
    "diversity": {
        "items": 3, "entropy": -0.6 * math.log(0.6) - 0.4 * math.log(0.2), "top_share": 0.6,
    },
    "repeats": {"items": 1, "share": 2 / 5, "last_visit_share": 0},
    "trend": {"5d": math.log(3 / 1), "10d": math.log(3 / 2)},
    "calendar": {
        "monday": 2 / 3, "tuesday": 0, "wednesday": 0, "thursday": 1 / 3, "friday": 0, "saturday": 0, "sunday": 0,
        "hour_sin": 2 / 3, "hour_cos": 1 / 3,
    },
    "event": {
        "buy_count": 3, "buy_share": 0.6, "buy_last": 5, "view_count": 2, "view_share": 0.4, "view_last": 1.25,
    },
}  # fmt: skip


@pytest.mark.parametrize("group", BY_HAND)
def test_each_group_by_hand(group):
    got = table(FRAME, at="2024-01-16 06:00", windows=[5, "10D"], groups=[group])
    expected = {f"{group}_{name}": value for name, value in BY_HAND[group].items()}
    assert got.iloc[0].to_dict() == pytest.approx(expected, abs=1e-9)
    assert list(got.columns) == list(expected)


def test_all_groups_in_order_and_visits_by_time_stamp():
    features = BehaviorFeatures(at="2024-01-16 06:00").fit(FRAME)
    assert features.groups_ == list(BY_HAND)
    names = features.get_feature_names_out()
    assert len(names) == len(set(names)) == features.transform(FRAME).shape[1]
    stamps = table(FRAME, at="2024-01-16 06:00", visit="time")
    assert stamps["frequency_visits"].tolist() == [4, 1]
    assert stamps["interval_median"][0] == pytest.approx(3.75)
    assert stamps["repeats_last_visit_share"].tolist() == [0, 0]
    again = table([["a"], ["a"]], groups=["repeats", "frequency"])
    assert list(again.columns) == ["repeats_items", "repeats_share", "frequency_events"]


def oracle(row, at, windows, longest, by_day):
    """One row by plain Python: a list of (item, time, weight, event) in, features out."""
    row = [one for one in row if one[1] < at]
    visits = {}
    for item, time, weight, _ in row:
        visits.setdefault(math.floor(time) if by_day else time, []).append((item, time, weight))
    visits = list(visits.values())
    starts = [visit[0][1] for visit in visits]
    sums = [sum(weight for *_, weight in visit) for visit in visits]
    gaps = [after - before for before, after in pairwise(starts)]
    items = Counter(item for item, *_ in row)
    n, v, total = len(row), len(visits), sum(sums)
    last = at - row[-1][1] if row else longest
    first = at - row[0][1] if row else longest
    out = {"recency_last": last, "recency_first": first, "frequency_events": n, "frequency_visits": v}
    out["frequency_rate"] = v / max(first, 1)
    out |= {"spend_sum": total, "spend_mean": total / n if n else 0, "spend_per_visit": total / v if v else 0}
    out |= {"spend_largest_visit": max(sums, default=0), "spend_last_visit": sums[-1] if sums else 0}
    for w in windows:
        recent = [one for one in row if at - one[1] <= w]
        now = sum(at - start <= w for start in starts)
        before = sum(w < at - start <= 2 * w for start in starts)
        out |= {f"frequency_events_{w}d": len(recent), f"frequency_visits_{w}d": now}
        out[f"spend_{w}d"] = sum(one[2] for one in recent)
        out[f"spend_share_{w}d"] = out[f"spend_{w}d"] / total if total else 0
        out[f"trend_{w}d"] = math.log((now + 1) / (before + 1))
    sizes = [len(visit) for visit in visits]
    out |= {"basket_mean": n / v if v else 0, "basket_largest": max(sizes, default=0)}
    out["basket_last"] = sizes[-1] if sizes else 0
    for name, function in {"mean": statistics.fmean, "median": statistics.median, "last": lambda x: x[-1]}.items():
        out[f"interval_{name}"] = function(gaps) if gaps else last
    out["interval_std"] = statistics.pstdev(gaps) if gaps else 0
    out["interval_overdue"] = last / statistics.fmean(gaps) if gaps else 1
    parts = [gap / (at - starts[0]) for gap in [*gaps, at - starts[-1]]] if gaps else []
    out["interval_clumpiness"] = 1 + sum(x * math.log(x) for x in parts if x > 0) / math.log(v) if gaps else 0
    out["diversity_items"] = len(items)
    out["diversity_entropy"] = -sum(c / n * math.log(c / n) for c in items.values())
    out["diversity_top_share"] = max(items.values(), default=0) / n if n else 0
    out["repeats_items"] = sum(c > 1 for c in items.values())
    out["repeats_share"] = (n - len(items)) / n if n else 0
    earlier = {item for visit in visits[:-1] for item, *_ in visit}
    latest = {item for item, *_ in visits[-1]} if visits else set()
    out["repeats_last_visit_share"] = len(latest & earlier) / len(latest) if latest else 0
    for number, day in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]):
        of_day = [start for start in starts if (pd.Timestamp(0) + pd.Timedelta(days=start)).weekday() == number]
        out[f"calendar_{day}"] = len(of_day) / v if v else 0
    for name, function in {"sin": math.sin, "cos": math.cos}.items():
        out[f"calendar_hour_{name}"] = statistics.fmean(function(2 * math.pi * s) for s in starts) if v else 0
    for kind in ("buy", "view"):
        times = [time for _, time, _, event in row if event == kind]
        out |= {f"event_{kind}_count": len(times), f"event_{kind}_share": len(times) / n if n else 0}
        out[f"event_{kind}_last"] = at - times[-1] if times else longest
    return out


EVENT = st.tuples(
    st.integers(0, 4), st.integers(0, 160).map(lambda n: n / 4), st.integers(0, 5), st.sampled_from(["buy", "view"])
)
ROWS = st.lists(st.lists(EVENT, max_size=9).map(lambda row: sorted(row, key=lambda one: one[1])), max_size=6)


@given(ROWS, st.integers(1, 45), st.booleans())
def test_all_features_equal_a_plain_loop(rows, at, by_day):
    rows = [[(0, 0.5, 1, "buy"), (1, 0.75, 2, "view")], *rows]  # both types are known
    X = pd.DataFrame({name: [[one[p] for one in row] for row in rows] for p, name in enumerate(EMPTY)}, dtype=object)
    features = BehaviorFeatures(at=at, windows=[3, 10], visit="day" if by_day else "time").fit(X)
    names = list(features.get_feature_names_out())
    assert features.longest_ == at - 0.5 if all(not r or r[0][1] >= 0.5 for r in rows) else features.longest_ >= 0
    got = features.transform(X)
    for values, row in zip(got, rows, strict=True):
        expected = oracle(row, at, [3, 10], features.longest_, by_day)
        assert set(names) == set(expected)
        np.testing.assert_allclose(values, [expected[name] for name in names], atol=1e-9, err_msg=str(names))


@given(ROWS, st.integers(1, 40))
def test_cutting_the_histories_changes_nothing(rows, at):
    rows = [[(0, 0.5, 1, "buy"), (1, 0.75, 2, "view"), (1, 41.0, 2, "later")], *rows]
    X = pd.DataFrame({name: [[one[p] for one in row] for row in rows] for p, name in enumerate(EMPTY)}, dtype=object)
    cut, _ = split_time(X, at=at)
    for features in (BehaviorFeatures(at=at), BehaviorFeatures(at=at, missing="nan")):
        # sums over items may be taken in another order, which changes their last digit
        np.testing.assert_allclose(features.fit_transform(X), clone(features).fit_transform(cut), rtol=1e-12)
        np.testing.assert_allclose(features.fit(X).transform(cut), features.transform(X), rtol=1e-12)
        assert list(features.event_types_) == ["buy", "view"]


def test_equals_groupby_on_online_retail():
    data = load_online_retail()
    events = data.events[data.events["InvoiceDate"] < "2011-09-01"]
    spend = events.assign(spend=events["Quantity"] * events["UnitPrice"])
    X = to_histories(spend, user="CustomerID", item="StockCode", time="InvoiceDate", weight="spend")
    got = table(X, at="2011-09-01", windows=["30D"]).set_index(X.index)
    group = spend.assign(day=spend["InvoiceDate"].dt.normalize()).groupby("CustomerID")
    at, day = pd.Timestamp("2011-09-01"), pd.Timedelta(days=1)
    recent = spend[spend["InvoiceDate"] >= at - 30 * day].groupby("CustomerID")
    daily = spend.assign(day=spend["InvoiceDate"].dt.normalize()).groupby(["CustomerID", "day"])
    starts = daily["InvoiceDate"].min()
    per_item = spend.groupby(["CustomerID", "StockCode"]).size()
    for name, expected in {
        "recency_last": (at - group["InvoiceDate"].max()) / day,
        "recency_first": (at - group["InvoiceDate"].min()) / day,
        "frequency_events": group.size(),
        "frequency_visits": group["day"].nunique(),
        "frequency_events_30d": recent.size().reindex(X.index, fill_value=0),
        "spend_sum": group["spend"].sum(),
        "spend_30d": recent["spend"].sum().reindex(X.index, fill_value=0),
        "spend_largest_visit": daily["spend"].sum().groupby("CustomerID").max(),
        "basket_largest": daily.size().groupby("CustomerID").max(),
        "basket_last": daily.size().groupby("CustomerID").last(),
        "diversity_items": group["StockCode"].nunique(),
        "diversity_top_share": per_item.groupby("CustomerID").max() / group.size(),
    }.items():
        np.testing.assert_allclose(got[name], expected, rtol=1e-5, err_msg=name)
    gaps = (starts.groupby("CustomerID").diff() / day).groupby("CustomerID").median()
    some = gaps.notna().to_numpy()
    np.testing.assert_allclose(got["interval_median"][some], gaps[some], rtol=1e-9)
    np.testing.assert_array_equal(got["interval_median"][~some], got["recency_last"][~some])


def test_forms_give_the_same(df_module):
    frame = df_module.DataFrame({name: LOG[name].to_numpy() for name in LOG})
    X = to_histories(frame, **COLUMNS)
    moment = pd.Timestamp("2024-01-12").to_pydatetime()
    own = X.assign(at=moment) if df_module.__name__ == "pandas" else X.with_columns(df_module.lit(moment).alias("at"))
    expected = BehaviorFeatures(at="2024-01-12").fit_transform(FRAME)
    np.testing.assert_array_equal(BehaviorFeatures(at="2024-01-12").fit_transform(X), expected)
    np.testing.assert_array_equal(BehaviorFeatures().fit_transform(own), expected)
    output = BehaviorFeatures().set_output(transform=df_module.__name__).fit_transform(own)
    assert list(output.columns) == list(BehaviorFeatures().fit(own).get_feature_names_out())
    if df_module.__name__ == "pandas":
        assert list(output.index) == ["u", "v"]
    python = pd.DataFrame({name: X[name].to_list() for name in ("item", "time", "weight", "event")}, dtype=object)
    np.testing.assert_array_equal(BehaviorFeatures(at="2024-01-12").fit_transform(python), expected)
    items = X["item"].to_list()
    bare = BehaviorFeatures().fit(items)
    assert bare.groups_ == ["frequency", "diversity", "repeats"]
    assert bare.at_ is None
    np.testing.assert_array_equal(bare.transform(items), bare.transform(X))


def test_the_moment():
    learned = BehaviorFeatures(groups=["recency"]).fit(FRAME)
    assert learned.at_ == pd.Timestamp("2024-01-15").value / 86_400e9
    np.testing.assert_allclose(learned.transform(FRAME), [[0, 13.75], [7, 7]])  # the latest event counts
    explicit = BehaviorFeatures(at="2024-01-15", groups=["recency"]).fit_transform(FRAME)
    np.testing.assert_allclose(explicit[0], [3.75, 13.75])  # as split_time: the event at the moment comes after it
    of_v = BehaviorFeatures(groups=["recency"]).fit(FRAME.iloc[1:])
    with pytest.warns(UserWarning, match="3 of 5 events of X come after the latest time that fit saw and are ignored"):
        np.testing.assert_allclose(of_v.transform(FRAME.iloc[:1]), [[6.25, 6.75]])
    both = pd.concat([FRAME.assign(at=pd.Timestamp(day)) for day in ("2024-01-02", "2024-01-16")])
    features = BehaviorFeatures(groups=["recency", "frequency"], windows=())
    got = features.fit_transform(both)
    assert features.at_ is None
    assert features.longest_ == 14.75
    np.testing.assert_allclose(got[:, :3], [[0.25, 0.75, 2], [14.75, 14.75, 0], [1, 14.75, 5], [8, 8, 1]])
    with pytest.raises(ValueError, match="X lacks the column 'at', from which fit took the moment"):
        features.transform(FRAME)
    np.testing.assert_array_equal(BehaviorFeatures(at=0, groups=["recency"]).fit(both).at_, 0)


def test_empty_histories_have_documented_values():
    X = pd.concat([FRAME, pd.DataFrame(EMPTY, index=["w"])])
    filled = table(X, at="2024-01-16 06:00").iloc[2]
    spans = {name for name in filled.index if name.startswith("recency") or name.endswith("_last")}
    spans |= {"interval_mean", "interval_median"}
    for name, value in filled.items():
        expected = 15.0 if name in spans and name != "basket_last" else float(name == "interval_overdue")
        assert value == expected, name
    holes = table(X, at="2024-01-16 06:00", missing="nan")
    assert set(holes.columns[holes.iloc[2].isna()]) >= spans | {"spend_mean", "diversity_top_share", "calendar_monday"}
    assert holes.loc[1, "interval_mean":"interval_clumpiness"].isna().all()  # one visit has no gap
    assert not holes.iloc[0].isna().any()
    counts = [
        "frequency_events",
        "frequency_visits",
        "frequency_rate",
        "spend_sum",
        "diversity_items",
        "event_buy_count",
    ]
    assert (holes.loc[2, counts] == 0).all()
    nobody = BehaviorFeatures(at=9).fit(pd.DataFrame(EMPTY, dtype=object))
    assert np.isfinite(nobody.transform(pd.DataFrame(EMPTY, dtype=object))).all()
    assert nobody.transform(pd.DataFrame(EMPTY, dtype=object).iloc[:0]).shape[0] == 0


def test_unknown_event_types_and_items_are_ignored():
    features = BehaviorFeatures(at="2024-01-20", groups=["event"]).fit(FRAME)
    other = FRAME.map(list).assign(event=[["buy", "gift", "gift", "gift", "gift"], ["gift"]])
    got = pd.DataFrame(features.transform(other), columns=features.get_feature_names_out())
    assert got["event_buy_count"].tolist() == [1, 0]
    assert got["event_buy_share"].tolist() == [0.2, 0]
    assert got["event_view_count"].tolist() == [0, 0]
    assert got["event_view_last"].tolist() == [features.longest_] * 2
    numbers = FRAME.map(list).assign(event=[[1, 2, 2, 2, 1], [2]])
    assert list(BehaviorFeatures(groups=["event"]).fit(numbers).get_feature_names_out()[:2]) == [
        "event_1_count",
        "event_1_share",
    ]


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"groups": ["money"]}, ValueError, "groups has the unknown group 'money': name each once, out of recency"),
        ({"groups": ["trend", "trend"]}, ValueError, "groups repeats 'trend'"),
        ({"groups": ["trend"], "windows": []}, ValueError, r"groups=\['trend'\] gives no feature"),
        ({"windows": ["7D", 7]}, ValueError, "windows=.* has a length twice"),
        ({"windows": [-1]}, ValueError, "windows must be above 0, got -1"),
        ({"windows": ["soon"]}, TypeError, "windows must be a number of days or a duration"),
        ({"windows": "7D"}, ValueError, "'windows' parameter of BehaviorFeatures"),
        ({"at": "someday"}, TypeError, "at must be a date or a number, got 'someday'"),
        ({"visit": "week"}, ValueError, "'visit' parameter of BehaviorFeatures"),
        ({"missing": 0}, ValueError, "'missing' parameter of BehaviorFeatures"),
    ],
)
def test_wrong_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        BehaviorFeatures(**parameters).fit(FRAME)


def test_missing_columns():
    bare = FRAME[["item"]]
    with pytest.raises(ValueError, match="groups has 'spend', which needs histories with the column 'weight'"):
        BehaviorFeatures(groups=["spend"]).fit(bare)
    with pytest.raises(ValueError, match="at=5 needs histories with the column 'time'"):
        BehaviorFeatures(at=5).fit(bare)
    with pytest.raises(ValueError, match="the column 'at' needs histories with the column 'time'"):
        BehaviorFeatures().fit(bare.assign(at=5))
    with pytest.raises(ValueError, match="X lacks the list column 'event' that fit had"):
        BehaviorFeatures().fit(FRAME).transform(FRAME.drop(columns="event"))
    with pytest.raises(ValueError, match="X has no events: pass at= or add a column 'at'"):
        BehaviorFeatures().fit(pd.DataFrame(EMPTY, dtype=object))
    with pytest.raises(ValueError, match=r"X\['at'\] lacks 1 of 2 times"):
        BehaviorFeatures().fit(FRAME.assign(at=[pd.Timestamp("2024-01-09"), pd.NaT]))
    with pytest.raises(TypeError, match="X is a matrix of shape 2x2"):
        BehaviorFeatures().fit(np.eye(2))


@pytest.mark.parametrize(
    "name", ["parameters_default_constructible", "no_attributes_set_in_init", "get_params_invariance", "set_params"]
)
def test_scikit_learn_checks_of_parameters(name):
    getattr(estimator_checks, f"check_{name}")("BehaviorFeatures", BehaviorFeatures())


def test_stored_and_cloned(tmp_path):
    features = BehaviorFeatures(at="2024-01-16", groups=("recency", "event"), windows=(7,))
    assert repr(clone(features)) == repr(features)
    expected = features.fit_transform(FRAME)
    assert expected.dtype == np.float64
    for again in (pickle.loads(pickle.dumps(features)), skrec.load(skrec.save(features, tmp_path / "f.skrec"))):
        np.testing.assert_array_equal(again.transform(FRAME), expected)
        assert list(again.get_feature_names_out()) == list(features.get_feature_names_out())


def test_searched_in_a_pipeline():
    X, y = split_next_purchase(make_histories(200, random_state=0), ["2024-10-01", "2024-11-01"])
    for classifier in (LogisticRegression(max_iter=1000), HistGradientBoostingClassifier(max_iter=5, random_state=0)):
        model = make_pipeline(BehaviorFeatures(), QuantileTransformer(n_quantiles=20), classifier)
        grid = {"behaviorfeatures__groups": [["recency"], None], "behaviorfeatures__visit": ["day", "time"]}
        search = GridSearchCV(model, grid, scoring="roc_auc", cv=3).fit(X, y)
        assert search.best_score_ > 0.6
        assert search.predict_proba(X).shape == (len(y), 2)


def test_all_features_beat_rfm_on_online_retail():
    events = load_online_retail().events
    events = events.assign(spend=events["Quantity"] * events["UnitPrice"])
    X = to_histories(events, user="CustomerID", item="StockCode", time="InvoiceDate", weight="spend")
    X_train, y_train = split_next_purchase(X, ["2011-08-11", "2011-09-10", "2011-10-10"])
    X_test, y_test = split_next_purchase(X, "2011-11-09")

    def reached(**parameters):
        scale = QuantileTransformer(output_distribution="normal", n_quantiles=200, random_state=0)
        model = make_pipeline(BehaviorFeatures(**parameters), scale, LogisticRegression(C=0.003, max_iter=1000))
        return roc_auc_score(y_test, model.fit(X_train, y_train).predict_proba(X_test)[:, 1])

    rfm = reached(groups=["recency", "frequency", "spend"], windows=[])
    everything = reached()
    assert everything > rfm > 0.73
