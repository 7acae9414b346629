"""The lists of a service as the logs of off-policy evaluation: joined by hand, and from a running service."""

import logging
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from service_process import serving, shop, with_model

from skrec.model_selection import off_policy_evaluation
from skrec.serving import Client, logged_lists


def tables():
    impressions = pd.DataFrame(
        {
            "rec_id": ["b", "a", "a", "b", "c"],
            "position": [0, 1, 0, 1, 0],
            "user": [2, 1, 1, 2, 3],
            "item": [10, 11, 12, 13, 14],
            "scenario": "x",
            "probability": [0.5, 0.2, 0.4, 0.1, np.nan],
            "time": [5, 4, 4, 5, 6],
        }
    )
    attributions = pd.DataFrame({"event_seq": [1, 2, 3], "rec_id": ["a", "a", "b"], "position": [1, 1, 0]})
    events = pd.DataFrame({"seq": [1, 2, 3], "event": ["view", "purchase", "purchase"], "value": [np.nan, 3.0, 2.5]})
    return impressions, attributions, events


def test_rows_rewards_and_what_is_left_out(caplog):
    with caplog.at_level(logging.INFO, "skrec.serving"):
        logs = logged_lists(*tables()[:2])
    assert logs["item"].tolist() == [12, 11, 10, 13]
    assert logs["reward"].tolist() == [0, 1, 1, 0]
    assert logs.attrs["n_left_out"] == 1 and "1 lists without" in caplog.text
    assert str(logs["time"].iloc[0]) == "1970-01-01 00:00:00.000004"


def test_purchases_and_their_values():
    assert logged_lists(*tables(), event="view")["reward"].tolist() == [0, 1, 0, 0]
    assert logged_lists(*tables(), event="purchase", by_value=True)["reward"].tolist() == [0, 3.0, 2.5, 0]
    with pytest.raises(ValueError, match="1 attributed events have no value"):
        logged_lists(*tables(), by_value=True)
    with pytest.raises(ValueError, match="need the table of events"):
        logged_lists(*tables()[:2], event="view")


def test_order_and_form_do_not_matter(tmp_path):
    expected = logged_lists(*tables(), event="purchase")
    shuffled = [table.sample(frac=1, random_state=3) for table in tables()]
    pd.testing.assert_frame_equal(logged_lists(*shuffled, event="purchase"), expected)
    arrow = [pa.Table.from_pandas(table) for table in tables()]
    pd.testing.assert_frame_equal(logged_lists(*arrow, event="purchase"), expected)
    paths = []
    for number, table in enumerate(tables()):
        paths.append(tmp_path / f"{number}.parquet")
        table.to_parquet(paths[-1])
    pd.testing.assert_frame_equal(logged_lists(*paths, event="purchase"), expected)


def test_what_cannot_be_joined_is_an_error():
    impressions, attributions, events = tables()
    with pytest.raises(ValueError, match="lacks the columns"):
        logged_lists(impressions.drop(columns="probability"), attributions)
    with pytest.raises(ValueError, match="none of the 3 lists has probabilities"):
        logged_lists(impressions.assign(probability=np.nan), attributions)
    with pytest.raises(ValueError, match="1 attributed events are not in events"):
        logged_lists(impressions, attributions, events.iloc[1:], event="view")
    with pytest.raises(TypeError, match="must be a path"):
        logged_lists([1], attributions)


def test_from_a_running_service_to_an_estimate(tmp_path):
    """Even items are bought: a policy of even items earns more than the service, and both are estimated."""
    rng = random.Random(0)
    with serving(with_model(tmp_path, shop())) as app, Client(f"http://127.0.0.1:{app.port}") as client:
        client.put_rules("drawn", {"temperature": 1.5})
        for _ in range(500):
            user = rng.randrange(20)
            answer = client.recommend(user, k=3, scenario="drawn", repeats=True)
            bought = [item for item in answer.items if item % 2 == 0 and rng.random() < 0.4]
            events = [{"user": user, "item": item, "event": "purchase", "rec_id": answer.rec_id} for item in bought]
            assert not events or client.events(events)["accepted"] == len(events)
        names = ("impressions", "attributions", "events")
        paths = [client.export_table(name, tmp_path / f"{name}.parquet") for name in names]
    logs = logged_lists(*paths, event="purchase")
    assert len(logs) == 1500 and logs["rec_id"].nunique() == 500
    even = logs["item"] % 2 == 0
    assert logs.loc[even, "reward"].mean() == pytest.approx(0.4, abs=0.1)
    assert logs.loc[~even, "reward"].sum() == 0
    own = off_policy_evaluation(logs, "probability", estimators="snips", cluster="rec_id")
    assert own.table["value"].tolist() == pytest.approx([logs["reward"].sum() / 500] * 2, rel=1e-9)
    assert own.table.loc["snips", "ess"] == pytest.approx(500)
