"""The checks that all functions share: each error names the argument, the requirement and what came."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skrec.utils._arguments import (
    as_floats,
    as_list,
    check_choice,
    check_path,
    check_seed,
    check_share,
    check_text,
    check_verbose,
    check_whole,
    shown,
)

NO_WHOLE = [True, np.True_, 2.0, "3", None, [1], np.timedelta64(3, "D"), np.array(3.0)]


def test_whole_numbers_become_python_integers():
    assert check_whole(np.uint8(255), "n") + 1 == 256
    assert check_whole(0, "n", low=0) == 0
    assert type(check_whole(np.int16(3), "n")) is int


@pytest.mark.parametrize("value", NO_WHOLE, ids=repr)
def test_what_is_no_whole_number(value):
    with pytest.raises(TypeError, match=r"^n must be an in"):
        check_whole(value, "n")


@pytest.mark.parametrize("value", [0, -1, 2**63, 10**400, -(2**64)])
def test_whole_numbers_out_of_range(value):
    with pytest.raises(ValueError, match=r"^n (==|must be)"):
        check_whole(value, "n")


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, float("nan"), float("inf"), np.float32("nan"), 10**400])
def test_a_share_lies_inside(value):
    with pytest.raises(ValueError, match=r"^share (==|must be)"):
        check_share(value, "share")


@pytest.mark.parametrize("value", [True, "0.5", None, [0.5], 1j])
def test_a_share_is_a_number(value):
    with pytest.raises(TypeError, match=r"^share must be"):
        check_share(value, "share")
    assert check_share(np.float16(0.5), "share") == 0.5


@pytest.mark.parametrize(
    "value", ["x", [], {}, 1.5, object(), True, -1, 2**63, np.array([[1.0]])], ids=lambda value: type(value).__name__
)
def test_a_seed_is_named(value):
    with pytest.raises((TypeError, ValueError), match=r"^random_state must be an int"):
        check_seed(value)


def test_seeds():
    assert check_seed(3).randint(100) == np.random.RandomState(3).randint(100)
    given = np.random.RandomState(0)
    assert check_seed(given) is given


def test_words():
    assert check_choice("last", "order", ("last", "random")) == "last"
    with pytest.raises(ValueError, match=r"^order must be 'last' or 'random', got 'first' \(str\)"):
        check_choice("first", "order", ("last", "random"))
    with pytest.raises(TypeError, match=r"^order must be 'last' or 'random', got array"):
        check_choice(np.array(["last"]), "order", ("last", "random"))
    with pytest.raises(TypeError, match=r"^title must be text, got 3"):
        check_text(3, "title")


def test_verbose():
    for value in (True, False, 0, 2, np.True_):
        check_verbose(value)
    for value in ("yes", None, np.array([1, 2]), -1):
        with pytest.raises((TypeError, ValueError), match=r"^verbose"):
            check_verbose(value)


@pytest.mark.parametrize("value", [0, 1, True, None, b"model", [], "", "a\0b", "\ud800"], ids=repr)
def test_the_number_of_an_open_file_is_no_path(value):
    with pytest.raises((TypeError, ValueError), match=r"^path "):
        check_path(value)


def test_lists():
    assert as_list((one for one in "ab"), "metrics", "names") == ["a", "b"]
    assert as_list(np.array([1, 2]), "k", "integers") == [1, 2]
    tables = [pd.DataFrame({"a": [1]}), pa.table({"a": [1]}), np.array(3), np.ones((2, 2))]
    for value in (3, None, "ndcg", {"a": 1}, {"a"}, *tables):
        with pytest.raises(TypeError, match=r"^metrics must be (a|one) list of names, got"):
            as_list(value, "metrics", "names")


def test_numbers():
    assert as_floats([1, None], "values")[0] == 1
    assert as_floats((x for x in (1, 2)), "values").tolist() == [1, 2]
    assert as_floats(pd.Series([1, None], dtype="Int64"), "values").shape == (2,)
    for value in (3, "12", ["a"], [[1], [1, 2]], {"a": 1}, [10**400], np.array(["2024"], dtype="datetime64[Y]")):
        with pytest.raises(TypeError, match=r"^values must hold numbers, got"):
            as_floats(value, "values")


def test_what_is_shown_is_short():
    class Silent:
        def __repr__(self):
            raise RuntimeError("no")

    assert shown(3) == "3 (int)"
    assert len(shown(list(range(1000)))) < 100
    assert "\n" not in shown(pd.DataFrame({"a": [1, 2]}))
    assert "Silent" in shown(Silent())
