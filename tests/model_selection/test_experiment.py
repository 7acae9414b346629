"""Assignment: even, independent, sticky, and only as many users move as must."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from skrec.model_selection import Experiment

USERS = 100_000
LEAST = 1e-4  # p-value below which a fixed sample counts as uneven


@pytest.fixture(scope="module")
def assigned():
    return Experiment("even", {"a": 1, "b": 2, "c": 1}).assign_many(range(USERS))


def _counts(values):
    return dict(zip(*np.unique(values.astype(str), return_counts=True), strict=True))


def test_shares_follow_the_weights(assigned):
    counts = _counts(assigned)
    assert chisquare([counts["a"], counts["b"], counts["c"]], [USERS / 4, USERS / 2, USERS / 4]).pvalue > LEAST


def test_consecutive_and_similar_ids_are_even():
    for users in ([f"user-{i:06d}" for i in range(20_000)], [i * 1024 for i in range(20_000)]):
        counts = _counts(Experiment("even", ["a", "b"]).assign_many(users))
        assert chisquare(list(counts.values())).pvalue > LEAST


@pytest.mark.parametrize("other", ["even 2", "evem", "Even"])
def test_experiments_are_independent(assigned, other):
    second = Experiment(other, ["a", "b"]).assign_many(range(USERS))
    table = [[np.count_nonzero((assigned == x) & (second == y)) for y in "ab"] for x in "abc"]
    assert chi2_contingency(table).pvalue > LEAST


def test_share_holdout_and_layer_are_independent_of_the_variant():
    users = range(USERS)
    first = Experiment("first", ["a", "b"]).assign_many(users)
    for other in (
        Experiment("first", ["a", "b"], share=0.5),
        Experiment("second", ["a", "b"], holdout=0.5),
        Experiment("second", ["a", "b"], layer="home", slots=(0, 0.5)),
    ):
        given = np.array([one in ("a", "b") for one in other.assign_many(users)])
        assert chisquare([given.sum(), USERS - given.sum()]).pvalue > LEAST
        table = [[np.count_nonzero((first == x) & (given == y)) for y in (True, False)] for x in "ab"]
        assert chi2_contingency(table).pvalue > LEAST


def test_a_slot_used_again_is_divided_anew():
    users = range(USERS)
    first = Experiment("june", ["a", "b"], layer="home", slots=(0, 0.4)).assign_many(users)
    second = Experiment("july", ["a", "b"], layer="home", slots=(0, 0.4)).assign_many(users)
    assert [one is None for one in first] == [one is None for one in second]
    table = [[np.count_nonzero((first == x) & (second == y)) for y in "ab"] for x in "ab"]
    assert chi2_contingency(table).pvalue > LEAST


def test_same_in_every_process_and_release():
    """Literal answers: a change of the hash moves every user of every running experiment."""
    experiment = Experiment("checkout", {"control": 1, "new": 1, "newer": 2}, share=0.8, holdout=0.1)
    users = ["anna", "Béla", "", "日本", "0", 0, -7, 10**30, "\ud800"]
    expected = ["newer", "newer", "control", "newer", None, None, "control", "new", "newer"]
    assert experiment.assign_many(users).tolist() == expected
    code = (
        "from skrec.model_selection import Experiment\n"
        "e = Experiment('checkout', {'newer': 2, 'new': 1, 'control': 1}, share=0.8, holdout=0.1)\n"
        f"assert e.assign_many({users!r}).tolist() == {expected!r}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONHASHSEED": "7"})


def test_number_and_text_of_an_id_are_one_user():
    experiment = Experiment("ids", ["a", "b"])
    numbers = experiment.assign_many(range(200)).tolist()
    assert numbers == experiment.assign_many(map(str, range(200))).tolist()
    assert numbers == experiment.assign_many(np.arange(200, dtype=np.uint8)).tolist()
    assert numbers != experiment.assign_many(f"0{i}" for i in range(200)).tolist()


@pytest.mark.parametrize("user", [None, float("nan"), 1.0, True, b"anna", np.datetime64("NaT"), ["anna"]])
def test_what_is_no_id_is_refused(user):
    with pytest.raises(TypeError, match="user must be text or an integer"):
        Experiment("ids", ["a", "b"]).assign(user)


def test_raising_the_share_moves_nobody():
    small = Experiment("ramp", ["a", "b"], share=0.05, holdout=0.02)
    before = small.assign_many(range(USERS))
    for share in (0.2, 0.7, 1.0):
        after = small.ramp(share=share).assign_many(range(USERS))
        told = before != None  # noqa: E711
        assert (after[told] == before[told]).all()
        assert np.mean([one in ("a", "b") for one in after]) == pytest.approx(0.98 * share, abs=0.006)
        before = after
    with pytest.raises(ValueError, match=r"share must be at least 0\.05"):
        small.ramp(share=0.01)


def test_a_growing_weight_moves_as_few_as_it_must():
    before = Experiment("weights", {"a": 9, "b": 1}).assign_many(range(USERS))
    after = Experiment("weights", {"a": 9, "b": 1}).ramp(weights={"a": 1, "b": 1}).assign_many(range(USERS))
    moved = before != after
    assert set(after[moved]) == {"b"} and moved.mean() == pytest.approx(0.4, abs=0.01)
    same = Experiment("weights", {"a": 9, "b": 1}).ramp(weights={"a": 18, "b": 2}).assign_many(range(1000))
    assert (same == before[:1000]).all()


def test_holdout_is_the_same_in_every_experiment():
    users = range(20_000)
    held = [
        [one == "holdout" for one in Experiment(name, ["a", "b"], holdout=0.1, share=0.3).assign_many(users)]
        for name in ("one", "two")
    ]
    assert held[0] == held[1] and np.mean(held[0]) == pytest.approx(0.1, abs=0.01)
    other = Experiment("one", ["a", "b"], holdout=0.1, holdout_name="2027").assign_many(users)
    assert [one == "holdout" for one in other] != held[0]
    wider = Experiment("one", ["a", "b"], holdout=0.2).assign_many(users)
    assert all(new == "holdout" for old, new in zip(held[0], wider, strict=True) if old)


def test_layers_exclude():
    one = Experiment("one", ["a", "b"], layer="home", slots=(0, 0.3))
    two = Experiment("two", ["a", "b"], layer="home", slots=(0.3, 1))
    users = range(20_000)
    pairs = list(zip(one.assign_many(users), two.assign_many(users), strict=True))
    assert all((a is None) != (b is None) for a, b in pairs)  # never both, and everybody in one
    assert one.excludes(two) and two.excludes(one) and not one.excludes(one)
    assert not one.excludes(Experiment("two", ["a", "b"], layer="basket", slots=(0.3, 1)))
    assert not Experiment("one", ["a", "b"], slots=(0, 0.3)).excludes(Experiment("two", ["a", "b"], slots=(0.3, 1)))


def test_copies_are_the_same():
    experiment = Experiment("copy", {"a": 1, "b": 3}, share=0.5, holdout=0.1, layer="home", slots=(0.1, 0.9))
    copies = [pickle.loads(pickle.dumps(experiment)), copy.deepcopy(experiment)]
    copies += [Experiment(**json.loads(json.dumps(experiment.to_dict()))), eval(repr(experiment))]
    users = range(500)
    for other in copies:
        assert other == experiment and hash(other) == hash(experiment)
        assert (other.assign_many(users) == experiment.assign_many(users)).all()
    assert experiment != experiment.ramp(share=0.6)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"name": ""}, "name must not be empty"),
        ({"name": 3}, "name must be text"),
        ({"variants": ["a"]}, "at least two"),
        ({"variants": "ab"}, "variants must be a dict"),
        ({"variants": ["a", "a"]}, "twice"),
        ({"variants": ["a", "holdout"]}, "none of them 'holdout'"),
        ({"variants": {"a": 1, "b": 0}}, r"variants\['b'\] must be a number above 0"),
        ({"variants": {"a": 1, "b": float("nan")}}, r"variants\['b'\] must be a number above 0"),
        ({"share": 0}, "share must be a number above 0 and at most 1"),
        ({"share": True}, "share must be a number"),
        ({"holdout": 1}, "holdout must be a number at least 0 and below 1"),
        ({"slots": (0.5, 0.5)}, "low below high"),
        ({"slots": 0.5}, "slots must be a pair"),
        ({"layer": ""}, "layer must not be empty"),
    ],
)
def test_errors(options, match):
    with pytest.raises((TypeError, ValueError), match=match):
        Experiment(**{"name": "x", "variants": ["a", "b"], **options})
    with pytest.raises(ValueError, match="dict of the same variants"):
        Experiment("x", ["a", "b"]).ramp(weights={"a": 1, "c": 1})
