"""Thousands of calls with hostile arguments: each succeeds, or fails with an error that names one of our parameters."""

import pytest
from fuzzing import Suspect, Target, draw, judge, targets

SEED = 14


@pytest.fixture(scope="module")
def calls():
    return targets()


def _suspects(calls, numbers, seed=SEED) -> list[Suspect]:
    found = (judge(*draw(calls, seed, number)) for number in numbers)
    return [one for one in found if one is not None]


@pytest.mark.parametrize("part", range(4))
def test_hostile_arguments_are_told_by_name(calls, part):
    suspects = _suspects(calls, range(1000 * part, 1000 * (part + 1)))
    assert not suspects, "\n".join(map(str, suspects))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 108))
def test_hostile_arguments_are_told_by_name_in_many_calls(calls, seed):
    suspects = _suspects(calls, range(10_000), seed)
    assert not suspects, "\n".join(map(str, suspects))


def test_arguments_in_order_are_no_error(calls):
    for target in calls:
        if target.name not in ("read_header", "load", "save(path)"):  # their files are not there
            target.call(**target.good())


def test_the_same_number_is_the_same_call(calls):
    assert [draw(calls, 1, number)[0] for number in range(50)] == [draw(calls, 1, number)[0] for number in range(50)]


def _call(function):
    return judge("call", Target("call", function, dict, (), ("n_items", "at")), {})


def test_the_judge_knows_what_is_a_fault():
    def named():
        raise ValueError("the number n_items is too small")

    def common_word():
        raise ValueError("object of type int at this place")

    def unnamed():
        raise TypeError("'int' object is not iterable")

    def other():
        raise KeyError("n_items")

    assert _call(lambda: None) is None
    assert _call(named) is None
    for function in (common_word, unnamed, other):
        assert _call(function) is not None
