"""Off-policy estimates against worlds whose truth is known, and by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.model_selection import off_policy_evaluation
from skrec.utils._plackett_luce import position_probabilities

DATA = Path(__file__).parents[3] / "shared" / "data" / "open_bandit_women.parquet"


class World:
    """A few kinds of users with Plackett-Luce lists, clicked by the position-based or the cascade model."""

    def __init__(self, seed, *, kinds=4, items=12, k=4, temperature=0.6, heat=None, noise=0.5, model="position"):
        self.rng = rng = np.random.default_rng(seed)
        z = rng.normal(size=(kinds, items))
        self.attraction, self.k, self.model = 0.5 / (1 + np.exp(-z)), k, model
        self.seen = 1 / np.arange(1, k + 1)
        self.scores = (z + noise * rng.normal(size=z.shape)) / np.sqrt(1 + noise**2)
        self.judged = (z + noise * rng.normal(size=z.shape)) / np.sqrt(1 + noise**2)
        self.temperature, self.heat = temperature, temperature if heat is None else heat
        self.prepare()

    def prepare(self):
        k, temperature = self.k, self.temperature
        self.b = np.array([position_probabilities(row, k, temperature) for row in self.scores])
        self.e = np.array([position_probabilities(row, k, self.heat) for row in self.judged])
        self.truth = float((self.e * self.attraction[:, :, None] * self.seen).sum(axis=(1, 2)).mean())

    def draw(self, n, judged=False):
        scores, heat = (self.judged, self.heat) if judged else (self.scores, self.temperature)
        kind = self.rng.integers(0, len(scores), n)
        noisy = scores[kind] + heat * self.rng.gumbel(size=(n, scores.shape[1]))
        lists = np.argsort(-noisy, axis=1)[:, : self.k]
        drawn = self.rng.random(lists.shape) < self.attraction[kind[:, None], lists]
        if self.model == "cascade":
            return kind, lists, drawn & (np.cumsum(drawn, axis=1) == 1)
        return kind, lists, drawn & (self.rng.random(lists.shape) < self.seen)

    def logs(self, n):
        kind, lists, clicks = self.draw(n)
        rec, place, item = np.repeat(np.arange(n), self.k), np.tile(np.arange(self.k), n), lists.ravel()
        kinds = np.repeat(kind, self.k)
        columns = {"rec_id": rec, "position": place, "item": item, "kind": kinds, "reward": clicks.ravel() * 1.0}
        chances = {"probability": self.b[kinds, item, place], "policy": self.e[kinds, item, place]}
        return pd.DataFrame(columns | chances)

    def table(self, logs):
        kind = logs.groupby("rec_id")["kind"].first()
        rec, item, place = np.indices((len(kind), self.e.shape[1], self.k)).reshape(3, -1)
        chance = np.minimum(self.e[kind.to_numpy()[rec], item, place], 1)
        return pd.DataFrame({"rec_id": kind.index[rec], "item": item, "position": place, "probability": chance})


@pytest.fixture(scope="module")
def world():
    return World(0)


@pytest.fixture(scope="module")
def logs(world):
    return world.logs(3000)


ALL = ["ips", "snips", "dm", "dr"]
LENIENT = {"min_ess": 0, "min_rewards": 0, "on_mismatch": "ignore"}


def test_estimates_are_the_formulas(logs):
    n = logs["rec_id"].nunique()
    weight = logs["policy"] / logs["probability"]
    result = off_policy_evaluation(logs, "policy", estimators=["ips", "snips"])
    assert result.table.loc["ips", "value"] == pytest.approx((weight * logs["reward"]).sum() / n)
    parts = (weight * logs["reward"]).groupby(logs["position"]).sum() / weight.groupby(logs["position"]).sum()
    assert result.table.loc["snips", "value"] == pytest.approx(parts.sum())
    assert result.table.loc["logged", "value"] == pytest.approx(logs["reward"].sum() / n)
    assert result.by_position["value"].to_numpy() == pytest.approx(parts.to_numpy())
    sizes = weight.groupby(logs["position"]).sum() ** 2 / (weight**2).groupby(logs["position"]).sum()
    assert result.by_position["ess"].to_numpy() == pytest.approx(sizes.to_numpy())
    assert result.table.loc["snips", "ess"] == pytest.approx(len(sizes) / (1 / sizes).sum())
    by_list = (weight * logs["reward"]).groupby(logs["rec_id"]).sum()
    assert result.table.loc["ips", "standard_error"] == pytest.approx(by_list.std() / n**0.5)
    difference = by_list - logs["reward"].groupby(logs["rec_id"]).sum()
    assert result.table.loc["ips", "difference"] == pytest.approx(difference.mean())
    low = difference.mean() - 1.959964 * difference.std() / n**0.5
    assert result.table.loc["ips", "difference_low"] == pytest.approx(low)


@pytest.mark.parametrize("seed", range(4))
def test_error_of_snips_at_temperature_point_three(seed):
    world = World(seed, kinds=20, items=50, k=10, temperature=0.3, noise=0.3)
    result = off_policy_evaluation(world.logs(20_000), "policy", estimators="snips")
    assert result.table.loc["snips", "value"] == pytest.approx(world.truth, rel=0.06)


def test_intervals_cover_the_truth():
    """Shares of 300 runs whose 95 % interval holds the truth; the error of a share is .013."""
    world = World(1)
    inside = {"ips": [], "snips": []}
    for _ in range(300):
        table = off_policy_evaluation(world.logs(500), "policy", estimators=list(inside), **LENIENT).table
        for name, found in inside.items():
            found.append(table.loc[name, "low"] <= world.truth <= table.loc[name, "high"])
    for name, found in inside.items():
        assert 0.91 <= np.mean(found) <= 0.985, name


def test_direct_method_covers_where_its_model_is_right():
    """One kind of users: the table of positions and items is the position-based model itself."""
    world = World(2, kinds=1, temperature=1.0)
    found = []
    for _ in range(100):
        logs = world.logs(600)
        policy = world.table(logs)[lambda frame: frame["rec_id"] == 0].drop(columns="rec_id")
        row = off_policy_evaluation(logs, policy, estimators="dm", **LENIENT).table.loc["dm"]
        found.append([row["value"], row["standard_error"], row["low"] <= world.truth <= row["high"]])
    value, error, inside = np.array(found, dtype=float).T
    assert np.mean(error) == pytest.approx(np.std(value), rel=0.2)
    assert 0.88 <= inside.mean() <= 0.99


def test_doubly_robust_mends_a_wrong_model():
    """The logs show each kind of users what it likes, so that the table, which knows no kinds, takes all to like it."""
    world = World(4, kinds=6, noise=0.2, temperature=1.0)
    world.judged = 0 * world.judged
    world.prepare()
    rows = []
    for _ in range(30):
        logs = world.logs(1000)
        rows.append(off_policy_evaluation(logs, world.table(logs), estimators=ALL).table)
    value = {name: np.mean([table.loc[name, "value"] for table in rows]) for name in ALL}
    spread = {name: np.std([table.loc[name, "value"] for table in rows]) for name in ALL}
    for name in ("ips", "snips", "dr"):
        assert abs(value[name] - world.truth) < 4 * spread[name] / 30**0.5, name
        inside = [table.loc[name, "low"] <= world.truth <= table.loc[name, "high"] for table in rows]
        assert sum(inside) >= 25, name
    assert value["dm"] - world.truth > 8 * spread["dm"] / 30**0.5


def test_the_cascade_breaks_item_position():
    """A greedy policy with better items on top takes clicks from the positions below, which the weights cannot know."""
    world = World(5, kinds=1, items=8, k=4, temperature=2.0, heat=0.05, noise=0.1, model="cascade")
    world.attraction = world.attraction * 1.6
    truth = world.draw(400_000, judged=True)[2].sum() / 400_000
    found = off_policy_evaluation(world.logs(20_000), "policy", estimators="snips").table.loc["snips"]
    assert found["value"] > 1.05 * truth and found["low"] > truth


def test_judging_the_logging_policy_gives_what_it_earned(logs):
    table = off_policy_evaluation(logs, "probability", estimators=["ips", "snips"]).table
    for name in ("ips", "snips"):
        assert table.loc[name, "value"] == pytest.approx(table.loc["logged", "value"])
        assert table.loc[name, "difference"] == pytest.approx(0, abs=1e-12)
        assert table.loc[name, "standard_error"] == pytest.approx(table.loc["logged", "standard_error"])
        assert table.loc[name, "ess"] == pytest.approx(3000)


def uniform_logs(n=4000, items=8, k=2, seed=0):
    rng = np.random.default_rng(seed)
    lists = np.argsort(rng.random((n, items)), axis=1)[:, :k]
    frame = pd.DataFrame({"rec_id": np.repeat(np.arange(n), k), "position": np.tile(np.arange(1, k + 1), n)})
    frame["item"], frame["probability"] = lists.ravel(), 1 / items
    chance = np.linspace(0.05, 0.4, items)[frame["item"]] / frame["position"]
    frame["reward"] = rng.binomial(1, chance).astype(float)
    return frame


BEST = pd.DataFrame({"position": [1, 2], "item": [7, 6], "probability": [1.0, 1.0]})


def test_replay_is_snips_where_it_applies():
    frame = uniform_logs()
    table = off_policy_evaluation(frame, BEST).table
    matches = [frame[(frame["position"] == p) & (frame["item"] == i)]["reward"].mean() for p, i in [(1, 7), (2, 6)]]
    columns = ["value", "low", "high", "ess", "difference"]
    assert table.loc["replay", "value"] == pytest.approx(sum(matches))
    np.testing.assert_allclose(table.loc["replay", columns].astype(float), table.loc["snips", columns].astype(float))
    assert table.loc["replay", "low"] < 0.4 + 0.35 / 2 < table.loc["replay", "high"]
    assert set(table["verdict"]) == {"observed", "higher"}


def test_replay_says_where_it_does_not_apply(logs):
    frame = uniform_logs()
    random = off_policy_evaluation(frame, frame["probability"], estimators="replay").table.loc["replay"]
    assert np.isnan(random["value"]) and "not applicable: the policy is random" in random["verdict"]
    best = (logs["policy"] > 2).to_numpy() * 1.0
    uneven = off_policy_evaluation(logs, best, estimators="replay", on_mismatch="ignore").table.loc["replay"]
    assert "the logs are not uniform" in uneven["verdict"]
    partial = off_policy_evaluation(logs, "policy").table
    assert partial.loc[["dm", "dr"], "verdict"].str.startswith("not applicable: only the probabilities of logged").all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda p, frame: p * 0.8, "mean weight at position 0 is 1.2"),
        (lambda p, frame: np.minimum(p * 1.3, 1), "mean weight at position 0 is 0.7"),
        (lambda p, frame: pd.Series(1 / 12, index=p.index), "contradict the logs"),
        (lambda p, frame: pd.Series(1.0, index=p.index), "contradict the logs"),
        (lambda p, frame: p.groupby(frame["rec_id"]).shift(fill_value=0.5), "contradict the logs"),
    ],
    ids=["20 % low", "30 % high", "uniform", "none", "of another position"],
)
def test_a_wrong_column_of_probabilities_is_found(logs, change, text):
    frame = logs.assign(probability=change(logs["probability"], logs))
    with pytest.raises(ValueError, match=text):
        off_policy_evaluation(frame, "policy")
    with pytest.warns(UserWarning, match="contradict the logs"):
        result = off_policy_evaluation(frame, "policy", on_mismatch="warn", min_ess=0)
    assert any("contradict" in note for note in result.notes)


def test_probabilities_of_whole_lists_are_refused(logs):
    product = logs["probability"].groupby(logs["rec_id"]).transform("prod")
    table = off_policy_evaluation(logs.assign(probability=product), "policy", on_mismatch="ignore").table
    assert table.loc[["ips", "snips"], "verdict"].str.startswith("refused: effective sample size").all()


def test_right_probabilities_raise_no_alarm():
    for seed in range(20):
        world = World(100 + seed, kinds=2, items=20, k=5)
        off_policy_evaluation(world.logs(1000), "policy")


def test_items_that_could_not_be_shown_are_found():
    frame = uniform_logs()
    elsewhere = pd.DataFrame({"position": [1, 1, 2], "item": [7, 99, 6], "probability": [0.5, 0.5, 1.0]})
    with pytest.raises(ValueError, match="shows items that the logs could not show"):
        off_policy_evaluation(frame, elsewhere)
    result = off_policy_evaluation(frame, elsewhere, estimators="dm")
    assert any("25.0 % of the policy's places have items that were never shown" in note for note in result.notes)


def test_refusals():
    frame = uniform_logs(n=400)
    table = off_policy_evaluation(frame, BEST, min_ess=100).table
    for name in ("replay", "ips", "snips", "dr"):
        assert np.isnan(table.loc[name, "value"]) and np.isnan(table.loc[name, "low"])
        assert "refused: effective sample size" in table.loc[name, "verdict"]
    assert table.loc["dm", "value"] > 0
    few = off_policy_evaluation(frame.assign(reward=frame["reward"] * (frame["rec_id"] < 20)), BEST, min_ess=10).table
    assert few.loc["snips", "verdict"].startswith("refused: effective number of rewards")
    one = off_policy_evaluation(frame.assign(user=frame["rec_id"] % 9), BEST, min_ess=10, on_mismatch="ignore").table
    assert one.loc["snips", "verdict"].startswith("refused: 9 independent clusters")
    never = off_policy_evaluation(frame, np.zeros(len(frame)), estimators="snips", on_mismatch="ignore", min_ess=1)
    assert "effective sample size 0.0" in never.table.loc["snips", "verdict"]
    assert "refused" in repr(never) and "nan" not in repr(never)


def test_lists_of_a_user_depend_on_each_other(logs):
    twice = pd.concat(
        [logs.assign(user=logs["rec_id"]), logs.assign(rec_id=logs["rec_id"] + 10_000, user=logs["rec_id"])]
    )
    once = off_policy_evaluation(logs, "policy", estimators=["ips", "snips"])
    again = off_policy_evaluation(twice, "policy", estimators=["ips", "snips"])
    alone = off_policy_evaluation(twice, "policy", estimators=["ips", "snips"], cluster="rec_id")
    columns = ["value", "low", "high", "standard_error"]
    np.testing.assert_allclose(again.table[columns].astype(float), once.table[columns].astype(float))
    assert (again.n_lists, again.n_clusters, again.cluster) == (6000, 3000, "user")
    ratio = again.table["standard_error"] / alone.table["standard_error"]
    np.testing.assert_allclose(ratio, 2**0.5, rtol=1e-3)
    anonymous = logs.assign(user=None)
    assert off_policy_evaluation(anonymous, "policy", estimators="ips").n_clusters == 3000


def test_clipping_is_told(logs):
    weight = logs["policy"] / logs["probability"]
    limit = float(weight.quantile(0.95))
    result = off_policy_evaluation(logs, "policy", estimators=["ips", "snips"], clip=limit)
    n = logs["rec_id"].nunique()
    assert result.table.loc["ips", "value"] == pytest.approx((weight.clip(upper=limit) * logs["reward"]).sum() / n)
    assert result.clipping["rows"] == (weight > limit).sum() == result.by_position["clipped"].sum()
    free = off_policy_evaluation(logs, "policy", estimators="ips")
    assert free.clipping is None
    lost = free.table.loc["ips", "value"] - result.table.loc["ips", "value"]
    assert 0 < lost == pytest.approx(result.clipping["observed"]) and lost <= result.clipping["bias"]
    assert any("weights are clipped to" in note for note in result.notes)


def test_kinds_of_tables_and_of_positions_agree(logs):
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    frame = logs.rename(columns={"rec_id": "list", "reward": "click"}).assign(position=logs["position"] + 1)
    names = {"rec_id": "list", "reward": "click", "estimators": "snips"}
    expected = off_policy_evaluation(logs, "policy", estimators="snips")
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        found = off_policy_evaluation(table, "policy", **names)
        pd.testing.assert_frame_equal(found.table, expected.table)
        assert found.by_position.index.tolist() == [1, 2, 3, 4]
    mixed = off_policy_evaluation(logs.sample(frac=1, random_state=0), "policy", estimators="snips")
    pd.testing.assert_frame_equal(mixed.table, expected.table)


def test_a_reward_model_of_ones_own():
    world = World(7, kinds=3)
    logs = world.logs(3000)

    def columns(frame):
        assert list(frame.columns) == ["kind", "item", "position"]
        return np.column_stack([np.eye(4)[frame["position"]], np.eye(3)[frame["kind"]]])

    model = make_pipeline(FunctionTransformer(columns), LinearRegression())
    result = off_policy_evaluation(
        logs, world.table(logs), estimators=["dm", "dr"], reward_model=model, features="kind"
    )
    assert result.table.loc["dm", "verdict"] == "no interval" and np.isnan(result.table.loc["dm", "low"])
    assert result.table.loc["dr", "low"] < world.truth < result.table.loc["dr", "high"]
    n_fits = []
    counted = make_pipeline(FunctionTransformer(lambda frame: n_fits.append(len(frame)) or columns(frame)), *model[1:])
    options = {"reward_model": counted, "features": "kind"}
    for one in ("dm", "dr"):  # each alone is what both are together
        alone = off_policy_evaluation(logs, world.table(logs), estimators=one, **options)
        pd.testing.assert_series_equal(alone.table.loc[one], result.table.loc[one])
    asked = len(n_fits) // 2
    off_policy_evaluation(logs, world.table(logs), estimators=["dm", "dr"], **options)
    assert len(n_fits) == 3 * asked  # with the models of one
    losses = logs.assign(reward=logs["reward"] - 1)
    with pytest.raises(ValueError, match="reward must be at least 0 for dm and dr"):
        off_policy_evaluation(losses, world.table(logs))
    shifted = off_policy_evaluation(losses, "policy", estimators="snips").table.loc["snips", "value"]
    expected = off_policy_evaluation(logs, "policy", estimators="snips").table.loc["snips", "value"]
    assert shifted == pytest.approx(expected - 4)


def test_result_as_json(logs):
    import json

    found = json.loads(json.dumps(off_policy_evaluation(logs, "policy").to_dict()))
    assert [row["estimator"] for row in found["table"]] == ["logged", "replay", *ALL]
    assert found["table"][1]["value"] is None and len(found["by_position"]) == 4


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"probability": 0.0}, ValueError, "probability must be above 0 and at most 1"),
        ({"probability": 1.1}, ValueError, "probability must be above 0 and at most 1"),
        ({"probability": np.nan}, ValueError, "missing or infinite values in 'probability'"),
        ({"reward": np.nan}, ValueError, "fill them with 0"),
        ({"reward": "much"}, TypeError, "needs numbers in 'reward'"),
        ({"position": 0}, ValueError, "each position once a list"),
        ({"position": 0.5}, ValueError, "whole numbers"),
        ({"item": 3}, ValueError, "each item once a list"),
        ({"rec_id": None}, ValueError, "needs a rec_id in each row"),
    ],
)
def test_wrong_logs(logs, change, error, text):
    with pytest.raises(error, match=text):
        off_policy_evaluation(logs.assign(**change), "policy")


def test_a_table_of_other_positions_or_lists_is_refused(world, logs):
    table = world.table(logs)
    for change, text in [
        ({"position": table["position"] + 1}, "no item at position 0"),
        ({"rec_id": table["rec_id"].astype(str)}, "no item at position 0"),
        ({"rec_id": table["rec_id"] + 5}, "no item for 5 of 3,000 lists"),
    ]:
        with pytest.raises(ValueError, match=text):
            off_policy_evaluation(logs, table.assign(**change), estimators="dm")


def test_logs_of_clicks_alone_are_said(logs):
    clicks = logs[logs["reward"] > 0]
    result = off_policy_evaluation(clicks, "probability", estimators="snips", on_mismatch="ignore")
    assert any("every row has a reward" in note for note in result.notes)


@pytest.mark.parametrize(
    ("policy", "options", "error", "text"),
    [
        ("policy", {"estimators": "magic"}, ValueError, "estimators must be"),
        ("policy", {"clip": 0}, ValueError, "clip must be a number above 0"),
        ("policy", {"min_ess": -1}, ValueError, "min_ess must be a number of at least 0"),
        ("policy", {"confidence": 1}, ValueError, "confidence"),
        ("policy", {"on_mismatch": "cry"}, ValueError, "on_mismatch must be"),
        ("policy", {"cluster": "kin"}, ValueError, "did you mean 'kind'"),
        ("reward2", {}, ValueError, "not a column"),
        (np.ones(3), {}, ValueError, "pass one each"),
        (np.full(12_000, 1.5), {}, ValueError, "probabilities from 0 to 1"),
        (pd.DataFrame({"position": [0, 0], "item": [1, 2], "probability": 0.7}), {}, ValueError, "sum to at most 1"),
        (pd.DataFrame({"position": [0], "item": ["a"], "probability": [0.7]}), {}, TypeError, "convert them"),
    ],
)  # fmt: skip
def test_wrong_policies(logs, policy, options, error, text):
    with pytest.raises(error, match=text):
        off_policy_evaluation(logs, policy, **options)


@pytest.mark.skipif(not DATA.exists(), reason="Open Bandit is not in the shared data beside the repository")
def test_open_bandit():
    """A uniform policy's logs tell what Thompson sampling earned in its own; the reverse is refused."""
    frame = pd.read_parquet(DATA).rename(
        columns={"item_id": "item", "propensity_score": "probability", "click": "reward"}
    )
    frame["rec_id"] = np.arange(len(frame))
    parts = dict(iter(frame.groupby("policy")))
    shares = parts["bts"].groupby("position")["item"].value_counts(normalize=True).rename("probability").reset_index()
    table = off_policy_evaluation(parts["random"], shares, estimators=ALL).table
    earned = parts["bts"]["reward"].mean()
    for name in ALL:
        assert table.loc[name, "low"] < earned < table.loc[name, "high"]
        assert table.loc[name, "verdict"] == "undecided"
    uniform = np.full(len(parts["bts"]), 1 / 46)
    reverse = off_policy_evaluation(parts["bts"], uniform, estimators="snips").table.loc["snips"]
    assert reverse["verdict"].startswith("refused: effective sample size")
    single = parts["random"].groupby("position")["item"].max().rename("item").reset_index().assign(probability=1.0)
    greedy = off_policy_evaluation(parts["random"], single, estimators=["replay", "snips"]).table
    assert greedy.loc[["replay", "snips"], "verdict"].str.startswith("refused").all()


def test_rounding_is_no_difference():
    for seed in range(8):
        own = uniform_logs(n=1000 + 37 * seed, items=3 + seed, seed=seed)
        own["reward"] *= np.random.default_rng(seed).random(len(own))
        single = own["probability"].to_numpy().astype(np.float32)
        for policy in ("probability", single, own["probability"].to_numpy() * (1 + 2e-16)):
            found = off_policy_evaluation(own, policy, estimators=["ips", "snips"])
            assert found.table["verdict"].tolist() == ["observed", "undecided", "undecided"]


def test_positions_of_a_table_are_whole_and_those_without_logs_are_counted():
    frame = uniform_logs()
    with pytest.raises(ValueError, match="whole numbers as positions"):
        off_policy_evaluation(frame, BEST.assign(position=[1, 2.5]))
    with pytest.raises(ValueError, match="whole numbers as positions"):
        off_policy_evaluation(frame, BEST.assign(position=[1, np.nan]))
    longer = pd.concat([BEST, pd.DataFrame({"position": [3], "item": [5], "probability": [1.0]})])
    found = off_policy_evaluation(frame, longer, estimators="snips")
    assert found.notes == ["1 rows of the policy are of lists or positions that the logs do not have"]
    for_each = pd.concat([BEST.assign(rec_id=one) for one in range(4001)])
    found = off_policy_evaluation(frame, for_each, estimators="snips")
    assert found.notes == ["2 rows of the policy are of lists or positions that the logs do not have"]


def test_what_is_too_rare_in_the_logs_is_said_to_be_so():
    rng = np.random.default_rng(0)
    chance = position_probabilities(np.linspace(2, -2, 30), 1, 0.25)[:, 0]
    judged = 0.6 * chance
    judged[-1] += 0.4  # the logs show it once in ten million lists
    item = rng.choice(30, 3000, p=chance / chance.sum())
    own = pd.DataFrame({"rec_id": range(3000), "position": 0, "item": item, "probability": chance[item]})
    own["reward"] = rng.binomial(1, 0.3, 3000)
    with pytest.raises(ValueError, match="so rarely that they did not"):
        off_policy_evaluation(own, judged[item], estimators="snips")


def test_a_policy_column_of_texts_is_refused():
    with pytest.raises(TypeError, match="policy must name a column of numbers, got 'kind'"):
        off_policy_evaluation(uniform_logs().assign(kind="greedy"), "kind")
