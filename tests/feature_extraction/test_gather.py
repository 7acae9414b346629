"""Blocks of users give the matrix, counts and models of all users at once, bit by bit."""

import numpy as np
import pytest
import scipy.sparse as sp

from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer, _gather
from skrec.feature_extraction._gather import column_sums, gather, kept, take_columns
from skrec.neighbors import BuyAgainRecommender
from skrec.utils import _histories, _row_blocks
from skrec.utils._csr import counts_of
from skrec.utils._histories import Histories
from skrec.utils._row_blocks import kept_boundaries, row_blocks


def make(seed=0, n_users=80, n_items=30, code_type=np.int32, far=0.03):
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(0.06, n_users) * (rng.random(n_users) > 0.1)
    indptr, n = np.concatenate([[0], np.cumsum(lengths)]), int(lengths.sum())
    time = np.round(19_000 + 400 * rng.random(n)) + 40_000 * (rng.random(n) < far)
    return Histories(
        rng.permutation(np.array([f"i{number:02d}" for number in range(n_items)], dtype=object)),
        (rng.zipf(1.4, n) % n_items).astype(code_type),
        indptr,
        time=time[np.lexsort((time, np.repeat(np.arange(n_users), lengths)))],
        weight=np.round(rng.random(n) * 5, 1).astype(np.float32),
        event_ids=np.array(["view", "buy"], dtype=object),
        event_codes=rng.integers(0, 2, n),
        dated=True,
    )


@pytest.fixture(params=[1, 13, 100])
def small_blocks(request, monkeypatch):
    """Return a function that lets blocks be small from now on."""

    def shrink():
        monkeypatch.setattr(_gather, "event_blocks", None)  # the modules have it by name
        for module in ("feature_extraction._vectorizer", "dummy", "neighbors._buy_again"):
            monkeypatch.setattr(f"skrec.{module}.event_blocks", lambda indptr, n: row_blocks(indptr, request.param))
        monkeypatch.setattr(_histories, "BLOCK", request.param)
        monkeypatch.setattr(_gather, "BLOCK", request.param)
        monkeypatch.setattr(_row_blocks.row_blocks, "__defaults__", (request.param,))

    return shrink


def bits(matrix):
    return matrix.shape, matrix.dtype, matrix.indptr.tolist(), matrix.indices.tolist(), matrix.data.tobytes()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"binary": False},
        {"binary": False, "dtype": np.int32, "min_df": 8},
        {"max_items": 5},
        {"vocabulary": ["i00", "new"], "min_df": 0.3},
        {"weight": "use"},
        {"weight": "use", "binary": False, "dtype": np.float64},
        {"event_weights": {"buy": 2.5}, "min_df": 5},
        {"recency": 0.7},
        {"half_life": 40.0, "recency": 0.9, "binary": False},
        {"half_life": "40D", "weight": "use", "event_weights": {"view": 0.3, "buy": 1}, "binary": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("code_type", [np.int32, np.int64])
def test_matrices_of_blocks_are_those_of_all_events(small_blocks, parameters, code_type):
    histories, others = make(code_type=code_type), make(1, n_items=35)
    vectorizer = HistoryVectorizer(**parameters)

    def matrices():
        fitted = vectorizer.fit_transform(histories)
        return [bits(m) for m in (fitted, vectorizer.transform(histories), vectorizer.transform(others))]

    whole, counts = matrices(), None
    counts = vectorizer.item_counts_
    small_blocks()
    assert matrices() == whole
    np.testing.assert_array_equal(vectorizer.item_counts_, counts)


@pytest.mark.parametrize("far", [0.0, 0.05, 1.0])
def test_models_of_blocks_are_those_of_all_events(small_blocks, far):
    histories = make(2, far=far)
    models = [
        PopularityRecommender(),
        PopularityRecommender(count="events"),
        PopularityRecommender(window=50.0),
        PopularityRecommender(half_life=50.0, count="events", vectorizer=HistoryVectorizer(weight="use", min_df=3)),
        BuyAgainRecommender(),
        BuyAgainRecommender(incremental=True),
        BuyAgainRecommender(window=None),
    ]

    def scores():
        return [model.fit(histories).decision_function(histories).tobytes() for model in models]

    whole = scores()
    small_blocks()
    assert scores() == whole


@pytest.mark.parametrize("window", [1.0, 30.0, 1000.0, None])
@pytest.mark.parametrize("far", [0.0, 0.05, 1.0])
def test_buy_again_keeps_only_the_last_times_that_count(window, far):
    histories = make(3, far=far)
    lean, full = (BuyAgainRecommender(window=window, incremental=kept_all).fit(histories) for kept_all in (False, True))
    assert lean.latest_ == full.latest_
    for name in ("item_weight_", "prior_", "repeat_share_", "interval_"):
        np.testing.assert_array_equal(getattr(lean, name), getattr(full, name))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("n_columns", [1, 7, 10**6])
def test_gather_equals_a_plain_loop(largest, n_columns):
    rng = np.random.default_rng(4)
    indptr = np.array([0, 0, 9, 10, 10, 60, 60])
    columns, values = rng.integers(0, min(n_columns, 7), 60), rng.integers(1, 9, 60).astype(float)
    for given in (values, None):
        expected = {}
        for row in range(6):
            for event in range(indptr[row], indptr[row + 1]):
                place, value = (row, int(columns[event])), 1.0 if given is None else given[event]
                expected[place] = max(expected.get(place, 0), value) if largest else expected.get(place, 0) + value
        blocks = [
            (None if given is None else given[s:e].copy(), columns[s:e], indptr[a : b + 1] - s)
            for a, b in ((0, 2), (2, 4), (4, 6))
            for s, e in [(indptr[a], indptr[b])]
        ]
        found = gather(blocks, (6, n_columns), 60, largest=largest)
        rows = np.repeat(np.arange(6), np.diff(found.indptr))
        entries = list(zip(zip(rows.tolist(), found.indices.tolist(), strict=True), found.data.tolist(), strict=True))
        assert entries == sorted(expected.items())


def test_gather_of_nothing():
    assert gather([], (0, 3), 0, largest=True).shape == (0, 3)
    empty = gather([(None, np.empty(0, dtype=np.int32), np.zeros(5, dtype=int))], (4, 3), 0, largest=False)
    assert empty.shape == (4, 3)
    assert empty.nnz == 0


def test_columns_are_counted_summed_and_taken_as_numpy_and_scipy_do(monkeypatch):
    monkeypatch.setattr(_gather, "BLOCK", 7)
    monkeypatch.setattr(_row_blocks.row_blocks, "__defaults__", (7,))
    matrix = sp.random_array((40, 12), density=0.3, format="csr", rng=5, dtype=np.float32)
    matrix.sort_indices()
    counts = counts_of(matrix.indices, 12)
    np.testing.assert_array_equal(counts, np.bincount(matrix.indices, minlength=12))
    assert counts.dtype == np.int64
    sums = column_sums(matrix.indices, matrix.data, 12)
    assert sums.tobytes() == np.bincount(matrix.indices, matrix.data, minlength=12).tobytes()
    for keep in ([], [3], [0, 5, 11], list(range(12))):
        expected = matrix[:, np.array(keep, dtype=int)]
        assert bits(take_columns(matrix.copy(), np.array(keep, dtype=int))) == bits(expected)


def test_row_blocks_cover_the_rows():
    for indptr in ([0], [0, 0], [0, 5, 5, 6, 20, 21], [0, 3, 6, 9]):
        for n_events in (1, 3, 6, 100):
            blocks = list(row_blocks(np.array(indptr), n_events))
            assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(len(indptr) - 1))
            for block in blocks:
                assert block.stop - block.start <= 1 or indptr[block.stop] - indptr[block.start] <= n_events


def test_events_left_out_move_the_boundaries():
    keep, indptr = np.array([True, False, True, False, False]), np.array([0, 2, 2, 4, 5])
    assert kept_boundaries(keep, indptr).tolist() == [0, 1, 1, 2, 2]
    values, columns, bounds = kept(keep, np.arange(5), indptr)
    assert values is None
    assert columns.tolist() == [0, 2]
    assert bounds.tolist() == [0, 1, 1, 2, 2]


def test_codes_are_not_copied_where_the_items_are_the_ids():
    histories = make(6)
    same = histories.on_items(histories.ids.copy())
    assert same.codes is histories.codes or np.shares_memory(same.codes, histories.codes)
    assert make(6, code_type=np.int64).on_items(histories.ids.copy()).codes.dtype == np.int32
