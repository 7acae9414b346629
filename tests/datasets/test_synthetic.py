"""make_histories: what is planted is there."""

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.utils._histories import read_histories


def made(*args, **options):
    histories, truth = make_histories(*args, return_truth=True, random_state=0, **options)
    read = read_histories(histories)
    return read, read.ids[read.codes], truth


def test_shape_types_and_index():
    histories = make_histories(50, 30, random_state=0)
    assert histories.shape == (50, 2)
    assert histories.columns.tolist() == ["item", "time"]
    assert histories.index.tolist() == list(range(50))
    assert histories.index.name == "user"
    read = read_histories(histories)  # checks that times do not decrease
    assert read.lengths.min() >= 1
    assert read.ids.min() >= 0 and read.ids.max() < 30


def test_the_same_seed_gives_the_same_histories():
    pd.testing.assert_frame_equal(make_histories(random_state=3), make_histories(random_state=3))
    pd.testing.assert_frame_equal(
        make_histories(random_state=np.random.RandomState(3)), make_histories(random_state=np.random.RandomState(3))
    )
    assert not make_histories(random_state=3).equals(make_histories(random_state=4))


def test_length_is_the_mean_asked_for():
    for mean in (1, 2.5, 30):
        read, _, _ = made(4000, 500, mean_length=mean, repeats=True)
        assert read.lengths.mean() == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_users_pick_in_their_cluster(strength):
    read, items, truth = made(cluster_strength=strength, n_clusters=5, repeats=True)
    own = (truth.item_clusters[items] == truth.user_clusters[read.rows]).mean()
    assert own == pytest.approx(strength + (1 - strength) / 5, abs=0.02)
    assert (truth.first_clusters == truth.user_clusters).all()


def test_clusters_are_balanced():
    _, _, truth = made(103, 41, n_clusters=4)
    for clusters in (truth.user_clusters, truth.item_clusters):
        sizes = np.bincount(clusters, minlength=4)
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("order", [0.0, 0.6, 1.0])
def test_order_follows_successors(order):
    read, items, truth = made(2000, 200, order=order, repeats=True)
    follows = truth.successors[items[:-1]] == items[1:]
    within = read.rows[1:] == read.rows[:-1]
    assert follows[within].mean() == pytest.approx(order, abs=0.03)
    assert (truth.item_clusters[truth.successors] == truth.item_clusters).all()
    assert sorted(truth.successors) == list(range(200))


def test_drift_moves_tastes():
    read, items, truth = made(3000, 200, drift=0.5, cluster_strength=1.0, repeats=True)
    moves = truth.first_clusters != truth.user_clusters
    assert moves.mean() == pytest.approx(0.5, abs=0.03)
    last = read.indptr[1:] - 1
    assert (truth.item_clusters[items[last]] == truth.user_clusters)[~moves].all()
    early = truth.item_clusters[items[read.indptr[:-1]]] == truth.first_clusters
    assert early.mean() > 0.9


def test_popularity_follows_the_exponent():
    _, items, _ = made(5000, 100, n_clusters=2, popularity_exponent=1.0, repeats=True)
    counts = np.sort(np.bincount(items, minlength=100))[::-1]
    assert counts[0] / counts[18] == pytest.approx(10, rel=0.25)  # ranks 1 and 10 of each of two clusters
    _, items, _ = made(5000, 100, popularity_exponent=0, repeats=True)
    counts = np.bincount(items, minlength=100)
    assert counts.max() / counts.min() < 1.5


def test_repeats_are_left_out_by_default():
    read, items, _ = made(500, 30, mean_length=25)
    assert len(set(zip(read.rows, items, strict=True))) == len(items)
    read, items, _ = made(500, 30, mean_length=25, repeats=True)
    assert len(set(zip(read.rows, items, strict=True))) < len(items)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="n_clusters=9 is above n_items=5"):
        make_histories(10, 5, n_clusters=9)
    with pytest.raises(ValueError, match="'drift' parameter of make_histories"):
        make_histories(drift=2)
    with pytest.raises(ValueError, match="'n_users' parameter of make_histories"):
        make_histories(0)
