"""NDCG of held-out items inside a fit, against the public metric and by hand."""

import numpy as np
import pytest

from skrec.metrics import ndcg_at_k
from skrec.utils._held_out import MOST_HELD_OUT, n_held_out, ndcg, next_item_ndcg


def test_ndcg_is_that_of_the_public_metric_and_nan_where_nothing_is_relevant():
    rng = np.random.default_rng(0)
    lists = np.array([rng.permutation(9)[:5] for _ in range(40)])
    relevant = [rng.choice(9, size=rng.integers(0, 8), replace=False).tolist() for _ in lists]
    hits = np.array([np.isin(one, wanted) for one, wanted in zip(lists, relevant, strict=True)])
    reached = ndcg(hits, np.array([len(wanted) for wanted in relevant]))
    np.testing.assert_array_equal(np.isnan(reached), [not wanted for wanted in relevant])
    assert np.nanmean(reached) == pytest.approx(ndcg_at_k(relevant, lists), abs=1e-12)
    assert ndcg(np.array([[False, True, True]]), np.array([2]))[0] == pytest.approx(
        (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3))
    )


def test_the_next_item_has_the_ndcg_of_its_rank_and_seen_items_come_last():
    users, vectors = np.eye(2, dtype=np.float32), np.array([[5, 1], [4, 2], [3, 3]], dtype=np.float32)
    target = np.array([1, 0])  # ranks 2 and 3
    assert next_item_ndcg(users, vectors, target, None, 3) == pytest.approx((1 / np.log2(3) + 1 / 2) / 2)
    assert next_item_ndcg(users, vectors, target, None, 2) == pytest.approx(1 / np.log2(3) / 2)


def test_held_out_users_are_a_share_rounded_up_and_at_most_2000():
    assert [n_held_out(n, 0.1) for n in (1, 10, 11, 10**6)] == [1, 1, 2, MOST_HELD_OUT]
