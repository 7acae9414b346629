"""Bootstrap intervals: their coverage, SciPy as an oracle, and the paired test."""

import numpy as np
import pytest
from scipy import stats

import skrec.metrics._bootstrap as module
from skrec.metrics import bootstrap_interval, paired_bootstrap


@pytest.mark.parametrize("draw", [lambda rng: rng.exponential(size=60), lambda rng: rng.random(60) < 0.3])
def test_interval_holds_the_true_mean_as_often_as_it_says(draw):
    rng = np.random.default_rng(0)
    truth = 1.0 if draw(rng).dtype == float else 0.3
    inside = 0
    for seed in range(400):
        low, high = bootstrap_interval(draw(rng).astype(float), confidence=0.9, n_resamples=300, random_state=seed)
        inside += low <= truth <= high
    assert 0.84 < inside / 400 < 0.94


@pytest.mark.parametrize("values", [np.random.default_rng(1).normal(size=300), np.arange(400) % 4 == 0])
def test_equals_scipy(values):
    low, high = bootstrap_interval(values, n_resamples=20_000, random_state=0)
    theirs = stats.bootstrap(
        (values.astype(float),), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    )
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.03 * width)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.03 * width)


def test_both_ways_of_resampling_agree(monkeypatch):
    values = np.random.default_rng(2).integers(3, size=500) / 2
    by_counts = module._resampled_means(values, 20_000, 0)
    monkeypatch.setattr(module, "_FEW", np.inf)
    by_index = module._resampled_means(values, 20_000, 0)
    assert by_counts.mean() == pytest.approx(by_index.mean(), abs=0.001)
    assert by_counts.std() == pytest.approx(by_index.std(), rel=0.03)


def test_nan_is_left_out_and_the_seed_decides():
    values = np.array([1.0, 0.0, 1.0, 1.0])
    with_nan = np.array([np.nan, 1.0, 0.0, np.nan, 1.0, 1.0])
    assert bootstrap_interval(values, random_state=3) == bootstrap_interval(with_nan, random_state=3)
    assert all(isinstance(end, float) for end in bootstrap_interval(values, random_state=3))


def test_blocks_do_not_change_the_shape(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 100)
    assert module._resampled_means(np.random.default_rng(0).random(30), 1000, 0).shape == (1000,)


def test_paired_finds_a_difference_and_no_difference():
    rng = np.random.default_rng(0)
    a = rng.random(2000)
    better = a + 0.02 + 0.1 * rng.normal(size=2000)
    difference, low, high, p_value = paired_bootstrap(better, a, random_state=0)
    assert low < difference < high and low > 0 and p_value == pytest.approx(1 / 1001)
    assert difference == pytest.approx((better - a).mean())
    back = paired_bootstrap(a, better, random_state=0)
    assert back[0] == -difference and back[3] == p_value
    assert paired_bootstrap(a, a, random_state=0) == (0, 0, 0, 1)


def test_paired_p_value_is_uniform_without_a_difference():
    rng = np.random.default_rng(0)
    p_values = [
        paired_bootstrap(rng.random(50), rng.random(50), n_resamples=200, random_state=seed)[3] for seed in range(300)
    ]
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09
    assert 0.4 < np.mean(p_values) < 0.6


def test_paired_uses_users_with_both_values():
    a, b = np.array([1.0, np.nan, 0.5, 0.0]), np.array([0.5, 0.3, np.nan, 0.0])
    assert paired_bootstrap(a, b, random_state=0)[0] == 0.25


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: bootstrap_interval([1.0, 0.0], confidence=1.0), "confidence == 1.0, must be < 1"),
        (lambda: bootstrap_interval([1.0, 0.0], n_resamples=0), "n_resamples == 0"),
        (lambda: bootstrap_interval([1.0, np.nan]), "values has 1 users with a value"),
        (lambda: bootstrap_interval([[1.0, 0.0]]), "one value per user, got the shape"),
        (lambda: bootstrap_interval([1.0, np.inf]), "infinite"),
        (lambda: paired_bootstrap([1.0], [1.0, 2.0]), "a has 1 users but b has 2"),
        (lambda: paired_bootstrap([1.0, np.nan], [np.nan, 2.0]), "a and b has 0 users"),
    ],
)
def test_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    "name, value",
    [
        ("values", 0.5),
        ("values", "0.5"),
        ("values", [[0.1], [0.2, 0.3]]),
        ("confidence", float("nan")),
        ("confidence", True),
        ("n_resamples", np.timedelta64(3, "D")),
        ("random_state", object()),
        ("random_state", -1),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_arguments_are_named(name, value):
    arguments = {"values": [0.1, 0.4, 0.2], "n_resamples": 10} | {name: value}
    with pytest.raises((TypeError, ValueError), match=f"^{name}"):
        bootstrap_interval(**arguments)
    if name == "values":
        with pytest.raises((TypeError, ValueError), match=r"^b must"):
            paired_bootstrap([0.1, 0.2, 0.3], value)


def test_small_integer_types_are_numbers_of_resamples():
    few = bootstrap_interval([0.1, 0.5, 0.3], n_resamples=np.int8(20), random_state=0)
    assert few == bootstrap_interval([0.1, 0.5, 0.3], n_resamples=20, random_state=0)
