"""HistoryVectorizer against hand-made matrices, and what composes behind it."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrec.feature_extraction import BM25Transformer, HistoryVectorizer, to_histories
from skrec.linear_model import EASE

LOG = pd.DataFrame(
    {
        "user": ["u", "u", "u", "v", "v"],
        "item": ["a", "b", "a", "b", "c"],
        "day": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-11", "2024-01-02", "2024-01-03"]),
        "amount": [2.0, 3.0, 5.0, 1.0, 0.0],
        "kind": ["view", "buy", "buy", "view", "return"],
    }
)
FRAME = to_histories(LOG, user="user", item="item", time="day", weight="amount", event="kind")


def dense(matrix):
    return np.asarray(matrix.toarray(), dtype=float)


@given(st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=1, max_size=8).filter(any))
def test_counts_and_presence_equal_a_plain_loop(histories):
    counts = HistoryVectorizer(binary=False).fit(histories)
    expected = [[row.count(item) for item in counts.items_] for row in histories]
    np.testing.assert_array_equal(dense(counts.transform(histories)), expected)
    presence = HistoryVectorizer().fit_transform(histories)
    np.testing.assert_array_equal(dense(presence), np.array(expected) > 0)
    assert presence.has_sorted_indices
    assert list(counts.item_counts_) == list((np.array(expected) > 0).sum(axis=0))


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), min_size=1, max_size=6).filter(any), st.booleans())
def test_recency_equals_a_plain_loop(histories, binary):
    vectorizer = HistoryVectorizer(recency=0.6, binary=binary, dtype=np.float64)
    undecayed = vectorizer.fit_transform(histories)
    assert set(np.unique(undecayed.data)) <= set(range(1, 9))
    for row, history in zip(dense(vectorizer.transform(histories)), histories, strict=True):
        for item, value in zip(vectorizer.items_, row, strict=True):
            terms = [0.6**age for age, one in enumerate(reversed(history)) if one == item]
            assert value == pytest.approx((max if binary else sum)(terms, default=0) if binary else sum(terms))


def test_events_at_one_time_share_their_age():
    vectorizer = HistoryVectorizer(recency=0.5, binary=False).fit(FRAME)
    np.testing.assert_allclose(dense(vectorizer.transform(FRAME)), [[1.5, 0.5, 0], [0, 0.5, 1]])


def test_half_life_counts_back_from_the_last_event():
    for half_life in (10, "10D", pd.Timedelta(days=10)):
        vectorizer = HistoryVectorizer(half_life=half_life, binary=False).fit(FRAME)
        np.testing.assert_allclose(dense(vectorizer.transform(FRAME))[0], [1.5, 0.5, 0])
    with pytest.raises(ValueError, match="half_life needs histories with the column 'time'"):
        HistoryVectorizer(half_life=1).fit([[1]]).transform([[1]])
    with pytest.raises(ValueError, match="half_life must be above 0"):
        HistoryVectorizer(half_life=-1).fit(FRAME).transform(FRAME)


def test_weights_and_event_weights():
    amounts = HistoryVectorizer(weight="use", binary=False).fit_transform(FRAME)
    np.testing.assert_allclose(dense(amounts), [[7, 3, 0], [0, 1, 0]])
    assert amounts.nnz == 4  # an amount of 0 is still something the user has
    largest = HistoryVectorizer(weight="use").fit_transform(FRAME)
    np.testing.assert_allclose(dense(largest), [[5, 3, 0], [0, 1, 0]])
    events = HistoryVectorizer(event_weights={"view": 1, "buy": 10}, binary=False).fit(FRAME)
    np.testing.assert_allclose(dense(events.transform(FRAME)), [[11, 10], [0, 1]])  # c was only returned
    with pytest.raises(ValueError, match="weight='use' needs histories with the column 'weight'"):
        HistoryVectorizer(weight="use").fit([[1]])
    with pytest.raises(ValueError, match="event_weights needs histories with the column 'event'"):
        HistoryVectorizer(event_weights={"view": 1}).fit([[1]])
    with pytest.raises(ValueError, match=r"event_weights names \['click'\] but the events are"):
        HistoryVectorizer(event_weights={"click": 1}).fit(FRAME)


def test_an_old_item_stays_a_stored_entry():
    history = [list(range(3000))]
    vectorizer = HistoryVectorizer(recency=0.5).fit(history)
    assert vectorizer.transform(history).nnz == 3000


def test_item_selection():
    histories = [["a", "b"], ["a", "b", "c"], ["a"], ["d"]]
    assert list(HistoryVectorizer(min_df=2).fit(histories).items_) == ["a", "b"]
    assert list(HistoryVectorizer(min_df=0.6).fit(histories).items_) == ["a"]
    assert list(HistoryVectorizer(max_items=2).fit(histories).items_) == ["a", "b"]
    assert HistoryVectorizer(min_df=2).fit_transform(histories).shape == (4, 2)
    with pytest.raises(ValueError, match=r"no item is left.*min_df=5"):
        HistoryVectorizer(min_df=5).fit(histories)
    with pytest.raises(ValueError, match="no item is left"):
        HistoryVectorizer().fit([[], []])


def test_names_and_unknown_items():
    vectorizer = HistoryVectorizer().fit([[3, 1], [2]])
    assert list(vectorizer.get_feature_names_out()) == ["1", "2", "3"]
    assert vectorizer.items_.dtype == np.int64
    assert vectorizer.transform([[9, 1], []]).toarray().tolist() == [[1, 0, 0], [0, 0, 0]]


def test_clone_and_scikit_learn_behind_it(shop):
    vectorizer = HistoryVectorizer(min_df=2, recency=0.6)
    assert repr(clone(vectorizer)) == "HistoryVectorizer(min_df=2, recency=0.6)"
    for step in (TruncatedSVD(2), NMF(2, init="random", random_state=0, max_iter=500)):
        assert make_pipeline(HistoryVectorizer(), step).fit_transform(shop).shape == (4, 2)
    for step in (TfidfTransformer(), BM25Transformer()):
        model = EASE(l2=1, vectorizer=make_pipeline(HistoryVectorizer(), step), k=1).fit(shop)
        assert model.predict([["saw"]]) == [["hammer"]] or model.predict([["saw"]]) == [["nails"]]


def test_a_step_that_changes_columns_is_refused(shop):
    with pytest.raises(ValueError, match="vectorizer gives 2 columns for 6 items"):
        EASE(vectorizer=make_pipeline(HistoryVectorizer(), TruncatedSVD(2))).fit(shop)
    with pytest.raises(TypeError, match="vectorizer must be a HistoryVectorizer or a pipeline that begins with one"):
        EASE(vectorizer=FunctionTransformer(lambda X: sp.csr_array(np.eye(len(X))))).fit(shop)


def test_bm25_equals_its_formula():
    X = np.array([[1.0, 2, 0], [0, 1, 4], [3, 0, 0]])
    k1, b = 1.5, 0.6
    length, users = X.sum(axis=1), (X > 0).sum(axis=0)
    idf = np.log(1 + (3 - users + 0.5) / (users + 0.5))
    below = X + k1 * (1 - b + b * length / length.mean())[:, None]
    expected = idf * X * (k1 + 1) / below
    np.testing.assert_allclose(BM25Transformer(k1=k1, b=b).fit_transform(X).toarray(), expected)
    plain = BM25Transformer(k1=k1, b=b, use_idf=False).fit_transform(sp.csr_array(X))
    np.testing.assert_allclose(plain.toarray(), X * (k1 + 1) / below)


def test_bm25_keeps_the_pattern():
    X = sp.csr_array((np.array([0.0, 1.0]), np.array([0, 2]), np.array([0, 1, 2])), shape=(2, 3))
    weighted = BM25Transformer().fit_transform(X)
    np.testing.assert_array_equal(weighted.indices, X.indices)
    assert weighted.nnz == 2


@pytest.mark.parametrize("steps", [[HistoryVectorizer()], [HistoryVectorizer(min_df=2), BM25Transformer()]])
def test_a_recommender_behind_it_answers_with_item_ids(steps):
    X = [["x", "y"], ["y", "z"], ["x", "y", "z"], ["x", "z", "w"]]
    pipe = make_pipeline(*steps, EASE(vectorizer="passthrough", k=2)).fit(X)
    model = EASE(vectorizer=make_pipeline(*steps), k=2).fit(X)
    np.testing.assert_array_equal(pipe.predict([["x"], []]), model.predict([["x"], []]))
    assert pipe.score([["x"]], [["z"]]) == model.score([["x"]], [["z"]]) > 0


@pytest.mark.parametrize("steps", [[HistoryVectorizer()], [HistoryVectorizer(), TfidfTransformer()]])
def test_a_recommender_that_reads_histories_says_where_the_vectorizer_goes(steps):
    with pytest.raises(TypeError, match="give its vectorizer to the recommender as vectorizer=") as caught:
        make_pipeline(*steps, EASE()).fit([["x", "y"], ["y", "z"]])
    assert len(steps) > 1 or "passthrough" not in str(caught.value)


@pytest.mark.parametrize("dtype", [None, "words", 0.5, object, complex, np.float16, "datetime64[s]", [1]], ids=str)
def test_dtype_is_a_type_of_numbers(dtype):
    with pytest.raises(TypeError, match=r"^dtype must be a type of numbers"):
        HistoryVectorizer(dtype=dtype).fit([["a"]])


def test_no_event_at_all_names_x():
    for X in ([], [[]], [[], None]):
        with pytest.raises(ValueError, match=r"^X holds no event"):
            HistoryVectorizer().fit(X)
