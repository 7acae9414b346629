"""make_histories: what is planted is there."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skrec.datasets import _synthetic, make_histories
from skrec.inspection import profile_log
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


OPTIONS = [
    {},
    {"order": 0.6},
    {"drift": 0.4, "repeats": True, "n_clusters": 3},
    {"popularity_exponent": 1.5, "cluster_strength": 0.2, "mean_length": 6},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_stored_histories_have_the_same_structure(options, tmp_path, monkeypatch):
    monkeypatch.setattr(_synthetic, "_BLOCK", 2_000)
    shape = {"n_users": 3000, "n_items": 40, "random_state": 0, "return_truth": True, **options}
    frame, wanted = make_histories(**shape)
    stored, truth = make_histories(**shape, store=tmp_path / "a")
    again, _ = make_histories(**shape, store=tmp_path / "b")
    assert stored.to_frame().equals(again.to_frame())
    assert (stored.to_frame().dtypes == frame.dtypes).all()
    assert stored.index.equals(frame.index)
    for name in ("user_clusters", "first_clusters"):
        assert_array_equal(truth[name], wanted[name])
    one, other = profile_log(stored), profile_log(frame)
    for fact in ("events_per_user", "items_per_user", "repeat_share", "head_share", "density"):
        assert one[fact] == pytest.approx(other[fact], rel=0.07, abs=0.01), fact
    shares = []
    for X, planted in ((stored, truth), (frame, wanted)):
        read = read_histories(X)
        items = read.ids[read.codes]
        within = read.rows[1:] == read.rows[:-1]
        shares.append(
            [
                (planted.item_clusters[items] == planted.user_clusters[read.rows]).mean(),
                (planted.item_clusters[items] == planted.first_clusters[read.rows]).mean(),
                (planted.successors[items[:-1]] == items[1:])[within].mean(),
                read.time.mean(),
            ]
        )
    np.testing.assert_allclose(*shares, rtol=0.05, atol=0.02)


def test_stored_items_are_those_that_occur(tmp_path):
    stored = make_histories(5, 10_000, random_state=0, store=tmp_path / "s")
    assert len(stored.items) == len(np.unique(stored.histories.codes)) < 200
    assert set(stored.items) == {item for row in stored.to_frame()["item"] for item in row}


def test_a_store_is_not_drawn_over(tmp_path):
    make_histories(5, 10, random_state=0, store=tmp_path / "s")
    with pytest.raises(FileExistsError, match="holds stored histories already"):
        make_histories(5, 10, random_state=0, store=tmp_path / "s")


def test_stored_histories_take_memory_for_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(_synthetic, "_BLOCK", 2**14)
    make_histories(10, 10, random_state=0, store=tmp_path / "imports")
    peaks = []
    for n_users in (5_000, 50_000):
        tracemalloc.start()
        make_histories(n_users, 100, random_state=0, repeats=True, store=tmp_path / str(n_users))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 45_000 * 64  # some numbers a user, none an event
