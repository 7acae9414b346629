"""Off-policy evaluation of recommenders: histories as of each list, forms of a policy, and the leaderboard."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import Reranker
from skrec.feature_extraction import to_histories
from skrec.linear_model import EASE
from skrec.model_selection import compare, histories_at, off_policy_evaluation, split_time
from skrec.utils._plackett_luce import position_probabilities, sample, utilities

N_LISTS, K, TEMPERATURE = 500, 3, 0.05


@pytest.fixture(scope="module")
def task():
    """Histories before September, and lists of EASE shown then, with clicks on what the user did later."""
    histories = make_histories(200, 40, random_state=0)
    X, y = split_time(histories, "2024-09-01", verbose=0)
    rng = np.random.default_rng(0)
    model = EASE(l2=20).fit(X)
    rows = []
    items, scores = model.recommend(X, 20, return_scores=True)
    for rec in range(N_LISTS):
        user = int(rng.integers(len(X)))
        order, chances = sample(scores[user].astype(float), K, TEMPERATURE, rng)
        for place, (one, chance) in enumerate(zip(order, chances, strict=True)):
            clicked = rng.random() < (0.6 if items[user, one] in set(y.iloc[user]) else 0.1)
            rows.append((f"list {rec}", X.index[user], place, items[user, one], chance, float(clicked)))
    logs = pd.DataFrame(rows, columns=["rec_id", "user", "position", "item", "probability", "reward"])
    logs["time"] = pd.Timestamp("2024-09-02")
    return X, y, logs, histories_at(X, logs, verbose=0)


def test_the_logging_recommender_has_the_logged_probabilities(task):
    X, _, logs, histories = task
    model = EASE(l2=20).fit(X)
    options = {"histories": histories, "temperature": TEMPERATURE, "n_candidates": 20}
    table = off_policy_evaluation(logs, model, estimators=["ips", "snips"], **options).table
    assert table.loc["snips", "value"] == pytest.approx(table.loc["logged", "value"], rel=1e-6)
    assert table.loc["ips", "value"] == pytest.approx(table.loc["logged", "value"], rel=1e-6)
    with_all = off_policy_evaluation(logs, model, estimators=["snips", "dm", "dr"], **options)
    assert with_all.table.loc["snips", "value"] == pytest.approx(table.loc["snips", "value"], rel=1e-9)
    for name in ("dm", "dr"):
        low, high = with_all.table.loc[name, ["low", "high"]]
        assert low < table.loc["logged", "value"] < high
    assert with_all.cluster == "user" and with_all.n_lists == N_LISTS and not with_all.notes


def test_forms_of_a_policy_agree(task):
    X, _, logs, histories = task
    model = PopularityRecommender().fit(X)
    lenient = {"on_mismatch": "ignore", "min_ess": 0, "min_rewards": 0}
    expected = off_policy_evaluation(logs, model, histories=histories, **lenient)
    best = model.recommend(histories, K)
    columns = {"rec_id": np.repeat(histories.index, K), "position": np.tile(range(K), N_LISTS), "item": best.ravel()}
    table = pd.DataFrame(columns | {"probability": 1.0})
    place = {(row.rec_id, row.position): row.item for row in table.itertuples()}
    chosen = [float(place[row.rec_id, row.position] == row.item) for row in logs.itertuples()]
    shuffled = table.sample(frac=1, random_state=0)
    rows = histories.sample(frac=1, random_state=0)
    pipeline = make_pipeline(FunctionTransformer(), PopularityRecommender(k=K)).fit(X)
    for policy, options in [(shuffled, {}), (model, {"histories": rows}), (pipeline, {"histories": histories})]:
        found = off_policy_evaluation(logs, policy, **options, **lenient)
        pd.testing.assert_frame_equal(found.table, expected.table)
    for policy, options in [(np.array(chosen), {}), (model, {"histories": histories["item"].tolist()})]:
        found = off_policy_evaluation(logs, policy, estimators="snips", **options, **lenient)
        pd.testing.assert_series_equal(found.table.loc["snips"], expected.table.loc["snips"])


def test_a_temperature_gives_plackett_luce_probabilities(task):
    X, _, logs, histories = task
    model = EASE(l2=500).fit(X)
    items, scores = model.recommend(histories, 10, return_scores=True)
    chance = []
    for row in logs.itertuples():
        rec = histories.index.get_loc(row.rec_id)
        place = np.flatnonzero(items[rec] == row.item)
        exact = position_probabilities(scores[rec], K, 0.1)
        chance.append(exact[place[0], row.position] if len(place) else 0.0)
    lenient = {"estimators": ["ips", "snips"], "on_mismatch": "ignore", "min_ess": 0, "min_rewards": 0}
    expected = off_policy_evaluation(logs, np.array(chance), **lenient).table
    found = off_policy_evaluation(logs, model, histories=histories, temperature=0.1, n_candidates=10, **lenient).table
    pd.testing.assert_frame_equal(found, expected, rtol=1e-7)


def test_a_low_temperature_shows_what_a_reranker_shows(task):
    X, _, logs, histories = task
    model = EASE(l2=20).fit(X)
    rare = model.recommend(X, 40)[:, -1]
    model = Reranker(model, boost=dict.fromkeys(rare[:5].tolist(), 50.0), prefit=True).fit([])
    _, scores = model.recommend(histories, 20, return_scores=True)
    assert (np.diff(scores, axis=1) > 0).any()  # the order is that of the rules
    lenient = {"estimators": ["ips", "dm"], "on_mismatch": "ignore", "min_ess": 0, "min_rewards": 0}
    greedy = off_policy_evaluation(logs, model, histories=histories, **lenient).table
    found = off_policy_evaluation(logs, model, histories=histories, temperature=1e-9, **lenient).table
    pd.testing.assert_series_equal(found["value"], greedy["value"], rtol=1e-3)


def test_standardized_scores_are_those_of_the_service(task):
    X, _, logs, histories = task
    model = EASE(l2=500).fit(X)
    items, scores = model.recommend(histories, 10, return_scores=True)
    chance = np.zeros(len(logs))
    for row in logs.itertuples():
        rec = histories.index.get_loc(row.rec_id)
        place = np.flatnonzero(items[rec] == row.item)
        if len(place):
            exact = position_probabilities(utilities(scores[rec]), K, 0.7)
            chance[row.Index] = exact[place[0], row.position]
    lenient = {"on_mismatch": "ignore", "min_ess": 0, "min_rewards": 0}
    options = {"histories": histories, "temperature": 0.7, "n_candidates": 10, "standardize": True}
    expected = off_policy_evaluation(logs, chance, estimators="snips", **lenient).table
    for estimators in ("snips", ["snips", "dm"]):
        found = off_policy_evaluation(logs, model, estimators=estimators, **options, **lenient).table
        pd.testing.assert_series_equal(found.loc["snips"], expected.loc["snips"], rtol=1e-7)
    with pytest.raises(TypeError, match="standardize must be True or False"):
        off_policy_evaluation(logs, model, **options | {"standardize": "yes"})


def test_histories_at_stops_before_the_list():
    events = pd.DataFrame(
        {"user": list("aaabb"), "item": [1, 2, 3, 4, 5], "time": [1, 5, 9, 2, 3], "weight": [1.0, 2, 3, 4, 5]}
    )
    histories = to_histories(events, user="user", item="item", time="time", weight="weight")
    logs = pd.DataFrame({"rec_id": [7, 7, 8, 9, 10], "user": ["a", "a", "b", "z", "a"], "time": [6, 5, 9, 9, 1]})
    found = histories_at(histories, logs, verbose=0)
    assert [list(row) for row in found["item"]] == [[1], [4, 5], [], []]
    assert [list(row) for row in found["weight"]] == [[1.0], [4.0, 5.0], [], []]
    assert found.index.tolist() == [7, 8, 9, 10]


def test_histories_at_says_what_is_empty(capsys):
    histories = make_histories(5, 10, random_state=0)
    logs = pd.DataFrame({"rec_id": [1, 2], "user": [histories.index[0], "nobody"], "time": pd.Timestamp("2030-01-01")})
    assert len(histories_at(histories, logs)["item"].iloc[0]) == len(histories["item"].iloc[0])
    assert capsys.readouterr().out == "1 of 2 lists have no history before them, 1 by unknown users.\n"
    with pytest.raises(ValueError, match="one user per list"):
        histories_at(histories, logs.assign(rec_id=1))
    with pytest.raises(TypeError, match="dates in both or numbers in both"):
        histories_at(histories, logs.assign(time=5))
    with pytest.raises(TypeError, match="pandas DataFrame with the column 'time'"):
        histories_at(histories["item"], logs)
    with pytest.raises(ValueError, match="each user once"):
        histories_at(pd.concat([histories, histories]), logs)


def test_the_leaderboard_has_the_estimate(task):
    X, y, logs, histories = task
    models = {"EASE": EASE(l2=20), "popular": PopularityRecommender(), "random": RandomRecommender(random_state=0)}
    options = {"temperature": TEMPERATURE, "n_candidates": 20, "min_ess": 20}
    board = compare(models, X, y, logs=(logs, histories), off_policy=options)
    own = off_policy_evaluation(logs, EASE(l2=20).fit(X), histories=histories, estimators="snips", **options)
    row = board.loc["EASE"]
    assert row["off_policy"] == own.table.loc["snips", "value"]
    assert row["off_policy_low"] < row["off_policy"] < row["off_policy_high"] and row["off_policy_ess"] > 400
    assert row["off_policy_verdict"] == "undecided"
    assert board.loc[["popular", "random"], "off_policy_verdict"].str.startswith("refused").all()
    assert board.loc[["popular", "random"], "off_policy"].isna().all() and (board["error"] == "").all()
    assert board.columns[-1] == "error"
    assert "off_policy" not in compare(models, X, y)


def test_models_must_not_know_what_came_of_the_lists(task):
    X, y, logs, histories = task
    with pytest.raises(ValueError, match="logs must begin after the events of X"):
        compare([EASE()], X, y, logs=(logs.assign(time=pd.Timestamp("2024-06-01")), histories))
    with pytest.raises(TypeError, match="dates in both or numbers in both, but 'time' of logs and X differ"):
        compare([EASE()], X, y, logs=(logs.assign(time=1e6), histories))


def test_logs_of_pyarrow_are_checked_as_those_of_pandas(task):
    pa = pytest.importorskip("pyarrow")
    X, y, logs, histories = task
    early = pa.Table.from_pandas(logs.assign(time=pd.Timestamp("2024-06-01")))
    with pytest.raises(ValueError, match="logs must begin after the events of X"):
        compare([EASE()], X, y, logs=(early, histories))
    found = off_policy_evaluation(pa.Table.from_pandas(logs), EASE(l2=20).fit(X), histories=histories, temperature=0.05)
    assert found.cluster == "user"


def test_a_model_that_cannot_be_judged_keeps_its_row(task):
    X, y, logs, histories = task
    pipeline = make_pipeline(FunctionTransformer(), EASE(l2=20))
    models = {"EASE": EASE(l2=20), "pipeline": pipeline}
    options = {"temperature": TEMPERATURE, "n_candidates": 20, "min_ess": 20}
    board = compare(models, X, y, logs=(logs, histories), off_policy=options)
    assert (board["error"] == "").all() and board.loc["EASE", "ndcg@10"] == board.loc["pipeline", "ndcg@10"]
    assert board.loc["pipeline", "off_policy_verdict"].startswith("refused: temperature needs a recommender with")
    assert np.isnan(board.loc["pipeline", "off_policy"]) and board.loc["EASE", "off_policy"] > 0
    with pytest.raises(TypeError, match="temperature needs a recommender with recommend, got"):
        off_policy_evaluation(logs, pipeline.fit(X), histories=histories, temperature=0.1)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"logs": 3}, TypeError, "logs must be a pair"),
        ({"off_policy": {}}, ValueError, "off_policy needs logs"),
        ({"off_policy": 3, "logs": ()}, TypeError, "logs must be a pair"),
    ],
)
def test_wrong_arguments_of_compare(task, options, error, text):
    X, y, _, _ = task
    with pytest.raises(error, match=text):
        compare([EASE()], X, y, **options)


def test_wrong_logs_stop_a_comparison_at_once(task):
    X, y, logs, histories = task
    with pytest.raises(ValueError, match="probability must be above 0"):
        compare([EASE()], X, y, logs=(logs.assign(probability=0.0), histories))
    with pytest.raises(TypeError, match="off_policy must be a dict"):
        compare([EASE()], X, y, logs=(logs, histories), off_policy=3)
    with pytest.raises(TypeError, match="needs one of the estimators"):
        compare([EASE()], X, y, logs=(logs, histories), off_policy={"estimators": ["ips", "snips"]})


def test_wrong_histories(task):
    X, _, logs, histories = task
    model = EASE().fit(X)
    with pytest.raises(ValueError, match="histories is needed"):
        off_policy_evaluation(logs, model)
    with pytest.raises(ValueError, match="pass one per list"):
        off_policy_evaluation(logs, model, histories=histories.iloc[:5])
    numbers = logs.assign(rec_id=logs["rec_id"].str[5:].astype(int)).sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match="in another order: set its index"):
        off_policy_evaluation(numbers, model, histories=histories.reset_index(drop=True))
    with pytest.raises(ValueError, match="n_candidates must be at least"):
        off_policy_evaluation(logs, model, histories=histories, temperature=0.1, n_candidates=2)
    with pytest.raises(ValueError, match="temperature must be"):
        off_policy_evaluation(logs, model, histories=histories, temperature=-1)


@pytest.mark.parametrize("numbers", [False, True])
def test_an_index_that_names_the_lists_otherwise_is_refused(task, numbers):
    X, _, logs, histories = task
    model = PopularityRecommender().fit(X)
    if numbers:
        logs = logs.assign(rec_id=1000 - logs["rec_id"].str.removeprefix("list ").astype(int))
        histories = histories.set_axis((1000 - np.arange(N_LISTS)).astype(str))
        match = "names the lists as .*, not int64"
    else:
        histories = histories.rename(index={"list 3": "list three"})
        match = "names 99.8 % of the lists"
    lenient = {"estimators": "snips", "on_mismatch": "ignore", "min_ess": 0, "min_rewards": 0}
    shuffled = histories.sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match=match):
        off_policy_evaluation(logs, model, histories=shuffled, **lenient)
    found = off_policy_evaluation(
        logs, model, histories=histories.set_axis([f"u{i}" for i in range(N_LISTS)]), **lenient
    )
    same = off_policy_evaluation(logs, model, histories=histories["item"].tolist(), **lenient)
    pd.testing.assert_frame_equal(found.table, same.table)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"temprature": 0.3}, "off_policy has .'temprature'."),
        ({"histories": []}, "off_policy has .'histories'."),
        ({"temperature": -1}, "temperature must be"),
        ({"n_candidates": 0}, "n_candidates"),
        ({"estimators": "mrr"}, "estimators must be"),
        ({"features": "colour"}, "colour"),
    ],
)
def test_wrong_options_are_said_before_a_model_is_fitted(task, options, match):
    X, y, logs, histories = task

    class Never(PopularityRecommender):
        def fit(self, X, y=None):
            raise AssertionError("fitted")

    with pytest.raises((TypeError, ValueError), match=match):
        compare({"never": Never()}, X, y, logs=(logs, histories), off_policy=options)
