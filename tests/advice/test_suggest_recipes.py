"""Suggestions: limits, needs and notes; the estimate from nearest logs; the shipped measurements and their page."""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skrec.advice import log_character, suggest
from skrec.advice._suggest_data import COSTS, NAMED, Measurements, measurements
from skrec.advice._suggest_neighbours import NearestLogs
from skrec.datasets import make_histories
from skrec.recipes import NEED_DATES, make_recommender, recipe_names

ROOT = Path(__file__).parents[2]
LIMITS = {"budget_seconds": "fit_seconds", "memory": "memory_gib", "latency_ms": "latency_ms"}


@pytest.fixture(scope="module")
def histories():
    return make_histories(300, 80, order=0.3, random_state=0)


@pytest.fixture(scope="module")
def repeats():
    return make_histories(300, 40, repeats=True, mean_length=30, random_state=0)


@pytest.fixture(scope="module")
def advice(histories):
    return suggest(histories, need="new", memory=1000.0, n=30)


def test_the_frame(advice):
    assert advice.index.name == "recipe"
    assert set(advice.index) <= set(recipe_names())
    assert "random" not in advice.index
    assert list(advice.columns) == ["expected", *LIMITS.values(), "reason", "changes"]
    assert advice["expected"].iloc[0] == 1
    assert advice["expected"].is_monotonic_decreasing
    assert (advice[list(LIMITS.values())] > 0).all(axis=None)
    assert advice[["reason", "changes"]].map(len).gt(0).all(axis=None)
    assert set(advice.attrs) == {"facts", "neighbours", "notes", "exclude_seen", "rows"}
    assert json.dumps({name: value for name, value in advice.attrs.items() if name != "facts"})
    for name in advice.index:
        make_recommender(name, exclude_seen=advice.attrs["exclude_seen"], rows=advice.attrs["rows"], time="date")


def test_order_of_users_and_ids_do_not_matter(histories, advice):
    shuffled = histories.iloc[np.random.default_rng(0).permutation(len(histories))]
    lists = [[f"<i>{item * 7919 % 10007}" for item in items] for items in shuffled["item"]]
    renamed = pd.DataFrame({"item": lists, "time": shuffled["time"].tolist()})
    found = suggest(renamed, need="new", memory=1000.0, n=30)
    pd.testing.assert_frame_equal(found, advice)


def test_without_dates_nothing_counts_days(histories):
    assert not set(NEED_DATES) & set(suggest(histories[["item"]], n=30).index)
    assert set(NEED_DATES) <= set(suggest(histories, n=30).index)


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_are_kept(histories, advice, limit):
    column = LIMITS[limit]
    bound = float(advice[column].median())
    found = suggest(histories, need="new", n=30, **{"memory": 1000.0, limit: bound})
    assert 0 < len(found) < len(advice)
    assert (found[column] <= bound).all()
    assert found["expected"].tolist() == advice.loc[found.index, "expected"].tolist()


def test_limits_that_nothing_keeps(histories, advice):
    found = suggest(histories, need="new", budget_seconds=1e-9, memory=1000.0)
    assert list(found.index) == [advice["fit_seconds"].idxmin()]
    assert any("No recipe keeps the limits" in note for note in found.attrs["notes"])


def test_the_need_is_taken_from_the_log(histories, repeats):
    for log, exclude_seen in ((histories, True), (repeats, False)):
        found = suggest(log)
        assert found.attrs["exclude_seen"] is exclude_seen
        assert any("the need was not given" in note for note in found.attrs["notes"])
    assert suggest([["a"], ["b"]], rows="sessions").attrs["exclude_seen"] is False
    assert suggest(histories, need="session").attrs["rows"] == "sessions"


def notes_of(log, **options):
    return " ".join(suggest(log, **options).attrs["notes"])


def test_contradictions_are_said(histories, repeats):
    assert "need='repeats' contradicts the log: 0 %" in notes_of(histories, need="repeats")
    assert "Items that a user already has are left out" in notes_of(repeats, need="new")
    assert "make each session a user of its own" in notes_of(repeats, need="session")
    assert "contradicts" not in notes_of(repeats, need="repeats") + notes_of(histories, need="new")
    assert "median row has 30 events" in notes_of([list(range(30))] * 4, need="session")
    cold = notes_of(histories, need="cold")
    assert "need='cold' contradicts the log" in cold
    assert "ContentRecommender" in cold
    assert "no times" in notes_of(histories[["item"]], need="cold", item_names=True)


def test_extrapolation_is_said(histories):
    assert "Beyond the measured logs" in notes_of([["a"]])
    measured = measurements().characters
    assert "1 users (fewest measured" in notes_of([["a"]])
    assert max(one["n_items"] for one in measured) < 5e6


def test_an_ensemble_costs_what_its_parts_cost():
    wide = suggest([[f"item {user * 30 + place}" for place in range(30)] for user in range(3000)], n=30, memory=1e9)
    assert wide.loc["ease", "memory_gib"] > 20  # 90,000 items
    assert wide.loc["blend", "memory_gib"] >= wide.loc["ease", "memory_gib"]
    assert wide.loc["blend", "fit_seconds"] >= wide.loc["ease", "fit_seconds"]


def test_reasons_name_facts(repeats):
    found = suggest(repeats, need="repeats", n=30, memory=1000.0)
    share = 100 * log_character(repeats)["repeat_share"]
    assert f"{share:.0f} % of the events repeat" in found.loc["buy-again", "reason"]
    measured = measurements()
    same = ~measured.exclude_seen & ~measured.sessions
    for name, why in found["reason"].items():  # the order follows from more than the two logs that are named
        reached = measured.relative[same, measured.recipes.index(name)]
        mean, n_logs = np.nanmean(reached), (~np.isnan(reached)).sum()
        assert f"{100 * mean:.0f} % in the mean of {n_logs} logs with the same question" in why


def test_the_gain_of_names_is_a_reason(repeats):
    plain, named = (suggest(repeats, n=30, memory=1000.0, item_names=there) for there in (False, True))
    assert "names of the items" in named.loc["blend", "reason"]
    assert not plain["reason"].str.contains("names of the items").any()
    others = named.index.difference(["blend", "hybrid"])
    assert not named.loc[others, "reason"].str.contains("names of the items").any()


@pytest.mark.parametrize("log", [[["a"]], [["a", "a"]], [["a"], []], [["a", "b", "c", "a"]]])
def test_tiny_logs(log):
    found = suggest(log)
    assert 1 <= len(found) <= 4
    assert np.isfinite(found[["expected", *LIMITS.values()]]).all(axis=None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"need": "more"}, "need must be one of|need"),
        ({"need": "repeats", "exclude_seen": True}, "exclude_seen must be False with need='repeats'"),
        ({"need": "session", "rows": "users"}, "rows must be 'sessions' with need='session'"),
        ({"rows": "visits"}, "rows"),
        ({"budget_seconds": 0}, "budget_seconds must be a number above 0"),
        ({"latency_ms": float("nan")}, "latency_ms must be a number above 0"),
        ({"memory": True}, "memory must be a number above 0"),
        ({"n": 0}, "n == 0, must be >= 1"),
        ({"item_names": ["a"]}, "item_names must be a pandas Series"),
    ],
)
def test_wrong_arguments(histories, options, match):
    with pytest.raises((ValueError, TypeError), match=match):
        suggest(histories, **options)


def test_no_event():
    with pytest.raises(ValueError, match="histories needs at least one event"):
        suggest([])


def test_the_nearest_log_decides():
    rng = np.random.default_rng(0)
    base = log_character(make_histories(50, 20, random_state=0))
    characters = [{**base, "repeat_share": share, "gini": rng.random()} for share in np.linspace(0, 1, 12)]
    first = np.linspace(0, 1, 12) < 0.5
    ndcg = np.where(first[:, None], [0.2, 0.1], [0.1, 0.2])
    flags = np.zeros(12, dtype=bool)
    names = [str(log) for log in range(12)]
    nothing = dict.fromkeys(COSTS, np.ones((12, 2)))
    measured = Measurements(names, names, ["ease", "als"], characters, flags, flags, ndcg, ndcg, nothing, 1.0, {})
    nearest, backwards = NearestLogs(measured), NearestLogs(measured.take(np.arange(12)[::-1]))
    for log in (0, 11):
        character = characters[log]
        expected, weights = nearest.estimate(character, False, False)
        assert expected.argmax() == ndcg[log].argmax()
        assert weights.sum() == pytest.approx(1)
        np.testing.assert_allclose(backwards.estimate(character, False, False).expected, expected)


def test_another_question_is_far():
    measured = measurements()
    nearest = NearestLogs(measured)
    log = int(np.flatnonzero(~measured.exclude_seen & ~measured.sessions)[0])
    for exclude_seen in (True, False):
        weights = nearest.estimate(measured.characters[log], exclude_seen, False).weights
        assert weights[measured.exclude_seen == exclude_seen].sum() > 0.5


def test_the_shipped_measurements():
    measured = measurements()
    assert {name.removesuffix(NAMED) for name in measured.recipes} <= set(recipe_names())
    assert len(set(measured.logs)) == len(measured.logs)
    assert len(set(measured.groups)) >= 12
    known = ~np.isnan(measured.ndcg)
    assert ((measured.ndcg[known] >= 0) & (measured.ndcg[known] <= 1)).all()
    assert (np.nanmax(measured.ndcg, axis=1) > 0).all()
    for values in measured.costs.values():
        assert (np.isnan(values) == ~known).all()
    assert all(set(character) == set(measured.characters[0]) for character in measured.characters)
    assert set(measured.characters[0]) == set(log_character([["a"]]))


def test_the_page_is_that_of_the_measurements(monkeypatch):
    if not (ROOT / "docs" / "user_guide" / "which_model.md").exists():
        pytest.skip("the documentation is not beside the tests")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = importlib.import_module("advice_page")
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text, measurements()) == text, "run `python benchmarks/bench_advice.py --page`"
    assert page.PICTURE.read_text(encoding="utf-8") == page.picture(measurements())
