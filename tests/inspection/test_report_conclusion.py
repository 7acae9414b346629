"""The conclusion in words: every number is that of the table, chance is said, equal is never called above."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from skrec.inspection._conclusion import amount, conclude, p_text
from skrec.inspection._report_leaderboard import leaderboard_rows, meanings

RATIO = re.compile(
    r"([\d,.]+) times (cheaper|faster|more expensive|slower)[a-z ]* "
    r"\((?:less than )?([\d.,]+) rather than (?:less than )?([\d.,]+) m?s\)"
)


def board(n_scored=900, k=10, **models):
    """Make a leaderboard of name: (ndcg, p_value, fit_seconds) or with the hit rate and request_ms as well."""
    rows = {}
    for name, (ndcg, p_value, seconds, *more) in models.items():
        hit, request = more or (2 * ndcg, np.nan)
        rows[name.replace("_", "-")] = {
            f"ndcg@{k}": ndcg, f"ndcg@{k}_low": ndcg - 0.01, f"ndcg@{k}_high": ndcg + 0.01, f"hit_rate@{k}": hit,
            "p_value": np.nan if p_value is None else p_value, f"coverage@{k}": 0.5, "fit_seconds": seconds,
            "request_ms": request, "users_per_second": 10.0, "peak_mib": 1.0, "error": "",
        }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.attrs = {"n_scored": n_scored, "confidence": 0.95, "n_items": 500, "n_users": n_scored}
    return table


def text(table, **options):
    return " ".join(conclude(table, **options).sentences)


@pytest.mark.parametrize(
    ("models", "first", "words"),
    [
        ({"ease": (0.5, None, 9.0), "slim": (0.3, 0.01, 8.0)}, "ease", "chance alone does not explain"),
        ({"ease": (0.5, None, 9.0), "slim": (0.3, 0.3, 8.0)}, "ease", "slim; chance alone may explain"),
        ({"ease": (0.5, None, 9.0), "slim": (0.3, 0.3, 1.0)}, "slim", "0.200 below ease, which is 9 times more expens"),
        ({"ease": (0.5, None, 0.9), "slim": (0.3, 0.3, 0.1)}, "ease", "0.200 above slim; chance alone may"),
        ({"ease": (0.5, None, 9.0), "popularity": (0.4, 0.3, 8.9)}, "popularity", "No model is clearly better"),
        ({"ease": (0.5, None, 9.0), "popularity": (0.4, 0.01, 8.9)}, "ease", "above popularity, the simplest model he"),
        ({"ease": (0.5, None, 9.0)}, "ease", "compare ease with popularity before you trust it"),
        ({"a": (0.5, None, 9.0), "b": (0.5, 1.0, 8.0)}, "a", "It equals b to 3 decimals (0.500)."),
        ({"a": (0.5, None, 9.0), "b": (0.4, np.nan, 8.0)}, "a", "is not known"),
        ({"PopularityRecommender": (0.2, 0.01, 0.1), "EASE": (0.3, None, 0.2)}, "EASE", "PopularityRecommender, the s"),
    ],
)
def test_the_model_and_what_is_said_of_it(models, first, words):
    found = conclude(board(**models))
    assert found.model == first == found.compared[0] and words in " ".join(found.sentences)


def test_the_sentence_of_the_issue():
    table = board(
        blend=(0.370, None, 4.5, 0.847, 3.1), buy_again=(0.361, 0.004, 0.1, 0.83, 0.31), popularity=(0.1, 0, 0.05)
    )
    assert conclude(table).sentences == [
        "Use blend: 85 of 100 customers find something they want in ten (NDCG@10 0.370, 95 % interval 0.360 to 0.380).",
        "It takes 4.5 s to fit, and a request takes 3.1 ms.",
        "It is 0.009 above buy-again, which is 45 times cheaper to fit (0.10 rather than 4.5 s) and 10 times faster "
        "per request (0.31 rather than 3.1 ms); chance alone does not explain the difference (p = 0.004).",
        "It is 0.270 above popularity, the simplest model here, which is 90 times cheaper to fit (0.05 rather than "
        "4.5 s); chance alone does not explain the difference (p < 0.001).",
    ]


@pytest.mark.parametrize("seed", range(40))
def test_numbers_are_those_of_the_table(seed):
    rng = np.random.default_rng(seed)
    scale = rng.choice([1.0, 0.05])
    names = rng.permutation(["a", "b", "c", "popularity", "random"])[: rng.integers(1, 6)]
    values = np.sort(rng.uniform(0, 1, len(names)) ** 2 * scale)[::-1]
    values = np.where(rng.random(len(names)) < 0.3, values[0] - 0.0004, values)
    values[0] = values.max()
    models = {}
    for place, (name, value) in enumerate(zip(names, np.sort(values)[::-1], strict=True)):
        p_value = None if place == 0 else rng.choice([0.0, 0.001, 0.049, 0.0496, 0.05, 0.6])
        models[name] = (value, p_value, 10 ** rng.uniform(-4, 3), rng.uniform(), 10 ** rng.uniform(-3, 3))
    table = board(**models)
    header, rows = leaderboard_rows(table)
    cells = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    found = conclude(table)
    chosen, said = cells[found.model], " ".join(found.sentences)
    assert f"NDCG@10 {chosen['NDCG@10']}" in said
    assert f"takes {chosen['fit s'].replace('< ', 'less than ')} s to fit" in said
    best = rows[0][0]
    for step, way, other in re.findall(r"It is ([\d.]+) (above|below) ([\w-]+)", said):
        difference = float(chosen["NDCG@10"]) - float(cells[other]["NDCG@10"])
        assert float(step) > 0 and round(difference * (1 if way == "above" else -1), 4) == float(step)
        sentence = next(one for one in found.sentences if f"{way} {other}" in one)
        if best in (found.model, other):
            p = cells[other if found.model == best else found.model]["p vs best"]
            small = p == "< 0.001" or float(p) < 0.05
            assert ("does not explain" in sentence) == small and f"(p {'' if p[0] == '<' else '= '}{p})" in sentence
    for other, value in re.findall(r"It equals ([\w-]+).* \((0\.\d+)\)", said):
        assert chosen["NDCG@10"] == cells[other]["NDCG@10"] == value
    for times, way, its, mine in RATIO.findall(said):
        times, its, mine = (float(number.replace(",", "")) for number in (times, its, mine))
        ratio = mine / its if way in ("cheaper", "faster") else its / mine
        assert ratio >= 1.5 and times == pytest.approx(ratio, abs=0.5 if ratio >= 9.95 else 0.05)


def test_shares_are_not_rounded_to_all_or_none():
    assert "more than 99 of 100 customers" in text(board(a=(0.5, None, 1.0, 0.997, 1.0)))
    assert "100 of 100 customers" in text(board(a=(0.5, None, 1.0, 1.0, 1.0)))
    assert "43 of 1,000 users find" in text(board(a=(0.5, None, 1.0, 0.043, 1.0)), rows="users")
    assert "fewer than 1 of 1,000" in text(board(a=(0.5, None, 1.0, 0.0002, 1.0)))
    assert "Use a: 0 of 100" in text(board(a=(0.0, None, 1.0, 0.0, 1.0)))
    assert "9 of 12 customers" in text(board(12, a=(0.5, None, 1.0, 0.75, 1.0)))
    assert "Only 12 customers have a held-out item" in text(board(12, a=(0.5, None, 1.0)))
    assert "Only one of the customers has" in text(board(1, a=(0.5, None, 1.0)))
    assert "want in 20 (NDCG@20" in text(board(k=20, a=(0.5, None, 1.0)))
    short = board(a=(0.5, None, 1.0))
    short.attrs["n_items"] = 3
    assert "they want in three (" in text(short)


def test_small_values_have_four_decimals():
    table = board(a=(0.0531, None, 1.0), b=(0.0523, 0.01, 1.0))
    assert "It is 0.0008 above b" in text(table) and leaderboard_rows(table)[1][0][1] == "0.0531"


def test_what_lacks_columns_or_attributes_still_has_a_conclusion():
    table = board(a=(0.5, None, 1.0), b=(0.4, 0.01, 1.0)).drop(columns=["request_ms", "hit_rate@10", "ndcg@10_low"])
    table.attrs = {}
    assert text(table).startswith("Use a: NDCG@10 0.500. It takes 1.0 s to fit.")
    leaderboard_rows(table), meanings(table, "customers")


def test_order_of_the_rows_and_failed_models_do_not_matter():
    table = board(a=(0.5, None, 1.0), b=(0.4, 0.01, 0.1), popularity=(0.1, 0.0, 0.1))
    expected = conclude(table).sentences
    mixed = table.iloc[[2, 0, 1]]
    mixed.attrs = table.attrs
    assert conclude(mixed).sentences == expected
    failed = pd.concat([table, pd.DataFrame({"error": ["no"]}, index=["x"])])
    failed.attrs = table.attrs
    assert conclude(failed).sentences == [*expected, "1 of 4 models failed: x."]


def test_many_that_chance_may_explain_are_cut_short():
    table = board(best=(0.5, None, 1.0), **{f"m{n}": (0.49, 0.5, 1.0) for n in range(9)})
    assert "difference to m1, m2, m3 and m4 and 4 more as well" in text(table)


def test_scores_tell_a_difference_that_the_table_lacks():
    rng = np.random.default_rng(0)
    scores = {"best": rng.random(200), "quick": rng.random(200), "popularity": np.zeros(200)}
    details = {name: Bunch(scores={"ndcg@10": values}) for name, values in scores.items()}
    table = board(best=(0.5, None, 9.0), quick=(0.49, 0.5, 1.0), popularity=(0.1, 0.001, 0.1))
    assert "is not known" in text(table) and "is not known" not in text(table, details=details)
    assert "above popularity, the simplest model here, which is 10 times cheaper to fit" in text(table, details=details)


def test_written_numbers():
    assert [amount(value) for value in (0.0, 0.004, 0.01, 0.994, 4.54, 12.4, 1234.5, np.nan)] == [
        "< 0.01", "< 0.01", "0.01", "0.99", "4.5", "12", "1,234", "",
    ]  # fmt: skip
    assert [p_text(value) for value in (0.0, 0.0004, 0.001, 0.0496, np.nan)] == [
        "< 0.001",
        "< 0.001",
        "0.001",
        "0.050",
        "",
    ]
