"""The catalogue in memory: after any changes its filters are those of a catalogue read anew."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrec.serving._catalogue import Catalogue, UnknownColumn

ITEMS = list(range(8))
FILTERS = [
    {"category": "a"},
    {"category": ["a", "b"]},
    {"price": {"min": 2.0}},
    {"price": {"max": 3.0, "min": None}},
    {"in_stock": True},
    {"in_stock": False, "category": "b"},
    {"colour": "red"},
    {"size": {"min": 1}},
]


def row_of(draw, item):
    properties = {}
    if draw(st.booleans()):
        properties["colour"] = draw(st.sampled_from(["red", "blue", None, ["red", "green"]]))
    if draw(st.booleans()):
        properties["size"] = draw(st.integers(0, 2))
    return {
        "item": item,
        "name": None,
        "category": draw(st.sampled_from(["a", "b", None])),
        "price": draw(st.sampled_from([1.0, 2.0, 4.0, None])),
        "stock": draw(st.sampled_from([0, 3, None])),
        "hidden": draw(st.booleans()),
        "image": None,
        "added": None,
        "properties": properties,
    }


def answer(catalogue, conditions):
    try:
        return catalogue.allowed(conditions).tolist()
    except UnknownColumn as error:
        return str(error)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_changes_one_after_the_other_are_a_catalogue_read_anew(data):
    draw = data.draw
    catalogue = Catalogue()
    for version in range(1, draw(st.integers(2, 7))):
        written = [row_of(draw, item) for item in draw(st.lists(st.sampled_from(ITEMS), max_size=4))]
        deleted = draw(st.lists(st.sampled_from(ITEMS), max_size=1)) if draw(st.booleans()) else []
        catalogue = catalogue.updated(version, written, deleted)
        fresh = Catalogue(version, dict(catalogue.rows))
        for conditions in draw(st.lists(st.sampled_from([None, *FILTERS]), min_size=1, max_size=5)):
            assert answer(catalogue, conditions) == answer(fresh, conditions), conditions


def test_what_was_taken_over_leaves_the_former_catalogue_as_it_is():
    rows = [{"item": item, "name": None, "category": "a", "price": 1.0, "stock": 1, "hidden": False, "image": None,
             "added": None, "properties": {}} for item in range(5)]  # fmt: skip
    before = Catalogue().updated(1, rows, [])
    mask = before.allowed({"in_stock": True})
    assert before.position == {item: item for item in range(5)}
    after = before.updated(2, [rows[3] | {"stock": 0, "category": "b"}], [])
    assert mask.tolist() == before.allowed({"in_stock": True}).tolist() == [True] * 5
    assert after.allowed({"in_stock": True}).tolist() == [True, True, True, False, True]
    assert not after.allowed({"in_stock": True}).flags.writeable
    assert after.allowed({"category": "b"}).tolist() == [False, False, False, True, False]


@pytest.mark.slow
def test_a_change_of_stock_costs_little():
    row = {"name": None, "image": None, "added": None, "properties": {"colour": "red"}, "hidden": False, "price": 1.0}
    rows = [row | {"item": item, "category": f"c{item % 50}", "stock": item % 7} for item in range(100_000)]
    catalogue = Catalogue().updated(1, rows, [])
    conditions = [{"in_stock": True}, {"category": "c3"}, {"price": {"max": 2}}, {"colour": "red"}]
    for one in conditions:
        catalogue.allowed(one)
    assert catalogue.position
    times = []
    for version in range(2, 12):
        started = time.process_time()
        catalogue = catalogue.updated(version, [rows[5] | {"stock": version % 2}], [])
        for one in conditions:
            catalogue.allowed(one)
        times.append(time.process_time() - started)
    print(f"a change of one item among 100,000, with four filters: {1000 * np.median(times):.1f} ms")
    assert np.median(times) < 0.02
