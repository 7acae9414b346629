"""Facts of a log, counted by hand."""

import pandas as pd
import pytest

from skrec.inspection import profile_log


def test_facts_without_times():
    facts = profile_log([["a", "b", "a", "c"], ["a"], [], ["b", "b"]])
    assert (facts.n_events, facts.n_users, facts.n_items) == (7, 4, 3)
    assert facts.events_per_user == 2 and facts.items_per_user == 1  # 4, 1, 2 events; 3, 1, 1 items
    assert facts.n_single_users == 1 and facts.n_single_items == 1
    assert facts.repeat_share == pytest.approx(2 / 7)
    assert facts.head_share == pytest.approx(3 / 7)
    assert facts.density == pytest.approx(5 / 12)
    assert facts.n_baskets is facts.basket_size is facts.baskets_per_user is facts.first is facts.last is None


def test_baskets_are_the_events_of_one_user_at_one_time():
    frame = pd.DataFrame({
        "item": [["a", "b", "b", "c"], [], ["d"], ["a", "b"]],
        "time": [[1, 1, 1, 2], [], [2], [2, 2]],
    })  # fmt: skip
    facts = profile_log(frame)
    assert facts.n_baskets == 4  # the last of one user and the first of the next are two
    assert facts.basket_size == pytest.approx((2 + 1 + 1 + 2) / 4)
    assert facts.baskets_per_user == 1 and (facts.first, facts.last) == (1, 2)


def test_dates_are_days():
    times = pd.to_datetime(["2024-01-01 00:00", "2024-01-02 12:00"])
    facts = profile_log(pd.DataFrame({"item": [["a", "b"]], "time": [list(times)]}))
    assert facts.last - facts.first == 1.5


@pytest.mark.parametrize("X", [[], [[], []]])
def test_a_log_without_events_is_an_error(X):
    with pytest.raises(ValueError, match="X has no event"):
        profile_log(X)
