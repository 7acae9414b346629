"""Ids of a log and of a model, as text and as numbers; users by what is typed."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skrec.cli._ids import match_ids, to_model_ids
from skrec.cli._screen import UserError
from skrec.cli._users import Wanted, choose_users, find_users
from skrec.feature_extraction import to_histories


def array(values):
    if isinstance(values[0], str):
        made = np.empty(len(values), dtype=object)
        made[:] = values
        return made
    return np.array(values)


@pytest.mark.parametrize(
    ("ids", "known", "positions", "converted"),
    [
        ([3, 9], [1, 3], [1, -1], False),
        (["3", "85A"], [1, 3], [1, -1], True),
        ([3, 9], ["1", "3"], [1, -1], True),
        ([3.0, 9.5], [1, 3], [1, -1], True),
        (["3.0", "9.0"], [1, 3], [1, -1], True),
        (["3.0", "9.0"], ["1", "3"], [1, -1], True),
        (["3.0", "3"], ["1", "3"], [-1, 1], False),
        ([3, 9], [1.0, 3.0], [1, -1], True),
        (["003", "3"], [3, 4], [-1, 0], True),
        (["1e0", "+1", " 1", "1,0"], [1, 3], [-1, -1, -1, -1], False),
        ([1], ["1", "1.0"], [-1], False),  # either could be meant
        ([float(2**53)], [2**53], [-1], False),  # no longer exact
        (["9007199254740993"], [2**53, 2**53 + 1], [1], True),
        (["a", "b"], ["b", "c"], [-1, 0], False),
    ],
)
def test_ids_match_where_that_is_exact(ids, known, positions, converted):
    found, changed = match_ids(array(ids), array(known))
    assert found.tolist() == positions and changed is converted


def test_unknown_items_stay_events_of_their_own():
    events = pd.DataFrame({"user": [1, 1, 1, 2], "item": ["7", "x", "y", "8"]})
    histories = to_histories(events, user="user", item="item")
    known = np.array([0, 7, 8])
    made, ids, positions, converted = to_model_ids(histories, known)
    rows = made["item"].tolist()
    assert converted and sorted(ids) == ["7", "8", "x", "y"] and sorted(positions.tolist()) == [-1, -1, 1, 2]
    assert rows[0][0] == 7 and rows[1] == [8]
    assert len(set(rows[0])) == 3 and not set(rows[0][1:]) & set(known.tolist())


def test_ids_of_the_same_kind_are_left_alone():
    histories = to_histories(pd.DataFrame({"user": [1], "item": [5]}), user="user", item="item")
    assert to_model_ids(histories, np.array([5]))[0] is histories


@pytest.mark.parametrize("ids", [[7, 17850], [7.0, 17850.0], ["7", "17850"], ["7.0", "17850.0"]])
@pytest.mark.parametrize("typed", ["17850", "17850.0"])
def test_users_match_as_they_are_typed(ids, typed):
    assert find_users(pd.Index(ids), [typed, "8"]).tolist() == [1, -1]


def test_text_with_zeros_is_another_user():
    assert find_users(pd.Index(["007", "7"]), ["7", "007", "07"]).tolist() == [1, 0, -1]


def histories(users):
    events = pd.DataFrame({"user": users, "item": range(len(users)), "time": range(len(users))})
    return to_histories(events, user="user", item="item", time="time")


@pytest.mark.parametrize(
    ("users", "listed", "index"),
    [
        ([1, 2], ["2", "9"], [2, 9]),
        ([1, 2], ["2", "nobody"], ["2", "nobody"]),
        (["a", "b"], ["b", "9"], ["b", "9"]),
        ([1.0, 2.0], ["2", "9"], [2, 9]),
    ],
)
def test_unknown_users_of_a_file_have_an_empty_history(users, listed, index):
    chosen, sentences = choose_users(histories(users), Wanted([], listed))
    assert chosen.index.tolist() == index and chosen["item"].tolist() == [[1], []]
    assert chosen["time"].tolist() == [[1], []]
    assert sentences == [f"1 of 2 users are not in the log, such as {listed[1]!r}: they get best sellers."]
    assert pa.types.is_large_list(chosen["item"].dtype.pyarrow_dtype)


def test_a_user_is_asked_for_once():
    chosen, sentences = choose_users(histories([1, 2]), Wanted(["2"], ["1", "2", "x", "x"]))
    assert chosen.index.tolist() == ["2", "1", "x"] and "2 of the 5 ids" in sentences[0]


def test_users_on_the_command_line_must_be_known():
    with pytest.raises(UserError, match=r"--users names '17851', not among the 2 users.*did you mean '17850'"):
        choose_users(histories([17850, 9]), Wanted(["17851"], []))
    with pytest.raises(UserError, match=r"'x' and 1 more.*ids such as '9'"):
        choose_users(histories([17850, 9]), Wanted(["x", "y"], []))


def test_a_file_without_a_known_user_is_an_error_unless_forced():
    with pytest.raises(UserError, match=r"names 2 users such as 'x', none of them among the 2 users.*--force"):
        choose_users(histories([1, 2]), Wanted([], ["x", "y"]))
    chosen, _ = choose_users(histories([1, 2]), Wanted([], ["x", "y"]), force=True)
    assert chosen["item"].tolist() == [[], []]
