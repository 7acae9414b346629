"""Frames of item features: what is refused, what each kind of column becomes, and what is stored."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from skrec.feature_extraction._item_encoders import NumberEncoder, TagEncoder, TextEncoder
from skrec.feature_extraction._item_features import (
    align,
    default_item_encoder,
    dense_features,
    encode_items,
    encode_more,
    read_item_features,
    row_numbers,
)
from skrec.utils._frame_parameter import FrameParameter

IDS = ["a", "b", "c", "d"]


def catalogue(ids=IDS):
    return pd.DataFrame(
        {
            "title": ["green tea leaves", "black tea leaves", "steel claw hammer", None],
            "kind": ["food", "food", "tool", None],
            "tags": [["hot", "leaf"], ["hot"], ["metal", "metal"], None],
            "price": [3.0, 4.0, 20.0, np.nan],
            "new": [True, False, False, True],
            "since": pd.to_datetime(["2024-01-01", "2024-01-02", "2020-01-01", None]),
        },
        index=ids,
    )


def as_polars(pl, frame):
    cells = {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}
    return pl.DataFrame({"item": list(frame.index), **cells})


def cosines(matrix):
    rows = matrix.toarray()
    return rows @ rows.T


def test_pandas_and_polars_give_the_same():
    pl = pytest.importorskip("polars")
    frame = catalogue()
    other = as_polars(pl, frame[["title", "kind", "tags"]])
    mine, theirs = read_item_features(frame[["title", "kind", "tags"]]), read_item_features(other)
    np.testing.assert_array_equal(mine.index, theirs.index)
    _, features = encode_items(other, None, np.array(IDS, dtype=object))
    expected = encode_items(frame[["title", "kind", "tags"]], None)[1]
    np.testing.assert_allclose(features.toarray(), expected.toarray(), rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1, 2], TypeError, "item_features must be a pandas frame indexed by item id"),
        (catalogue().title, TypeError, "item_features must be a pandas frame"),
        (pd.DataFrame(index=IDS), ValueError, "item_features has 4 rows and 0 columns"),
        (catalogue()[:0], ValueError, "item_features has 0 rows"),
        (catalogue(["a", "b", "a", "b"]), ValueError, "2 ids more than once, such as 'a'"),
        (catalogue(["a", "b", "c", None]), ValueError, "the index of item_features has a missing id"),
        (catalogue([1.0, 2.0, 3.0, np.nan]), ValueError, "the index of item_features has a missing id"),
        (catalogue(["a", "b", "c", 4]), TypeError, "the index of item_features mixes ids"),
        (catalogue().reset_index(names="item"), ValueError, r"pass item_features\.set_index\('item'\)"),
        (pd.DataFrame([[1], [2]], columns=[0]), TypeError, "the column name 0: make all names strings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_frame_of_features_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        read_item_features(value)


def test_polars_without_ids_is_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(ValueError, match="polars frame without the column 'item'"):
        read_item_features(pl.DataFrame({"title": ["tea"]}))


def test_rows_come_in_the_order_of_the_items():
    frame = align(catalogue(), np.array(["c", "a", "c"], dtype=object))
    assert frame["title"].tolist() == ["steel claw hammer", "green tea leaves", "steel claw hammer"]


def test_items_without_a_row_are_counted_and_named():
    items = np.array(["a", "x", "y", "z", "w"], dtype=object)
    with pytest.raises(ValueError, match="no row for 4 of 5 items, such as 'x', 'y', 'z': add a row"):
        align(catalogue(), items)
    np.testing.assert_array_equal(row_numbers(catalogue(), items, missing="ignore"), [0, -1, -1, -1, -1])
    with pytest.raises(TypeError, match=r"item_features is indexed by ids such as 'a' \(string\) but the items are"):
        align(catalogue(), np.array([1, 2]))


def test_missing_rows_can_be_empty():
    _, features = encode_items(catalogue(), None, np.array(["x", "a"], dtype=object), missing="ignore")
    assert features.shape[0] == 2
    assert features[[0]].nnz == 0
    assert features[[1]].nnz > 0


def test_each_column_gets_the_encoder_of_its_kind():
    kinds = {name: type(encoder) for name, encoder, _ in default_item_encoder(catalogue()).transformers}
    assert kinds == {
        "title": TextEncoder,
        "kind": TagEncoder,
        "tags": TagEncoder,
        "price": NumberEncoder,
        "new": TagEncoder,
        "since": NumberEncoder,
    }


def test_a_column_that_says_nothing_is_left_out():
    codes = pd.DataFrame({"code": [f"B{n:04d}" for n in range(150)], "empty": None, "kind": ["x", "y"] * 75})
    assert [name for name, _, _ in default_item_encoder(codes).transformers] == ["kind"]
    with pytest.raises(ValueError, match=r"no column of use among \['code', 'empty'\]"):
        default_item_encoder(codes[["code", "empty"]])


def test_pictures_and_mixed_columns_say_what_to_do():
    pictures = pd.DataFrame({"picture": [np.zeros((2, 2)), np.ones((2, 2))]}, index=["a", "b"])
    with pytest.raises(TypeError, match=r"item_features\['picture'\] holds arrays of numbers.*CNNEncoder"):
        default_item_encoder(pictures)
    vectors = pd.DataFrame({"vector": [[0.5, 1.0], [0.1, 0.2]]}, index=["a", "b"])
    with pytest.raises(TypeError, match="or give vectors a column each"):
        default_item_encoder(vectors)
    mixed = pd.DataFrame({"odd": ["a", 1]}, index=["a", "b"], dtype=object)
    with pytest.raises(TypeError, match=r"item_features\['odd'\] holds int and str"):
        default_item_encoder(mixed)


def test_what_is_alike_is_near():
    near = cosines(encode_items(catalogue(), None, unit_norm=True)[1])
    np.testing.assert_allclose(near.diagonal(), 1, rtol=1e-5)
    assert near[0, 1] > 0.2
    assert near[0, 1] > 3 * near[0, 2]


def test_weights_of_columns():
    only_kind = encode_items(catalogue(), None, column_weights=dict.fromkeys(catalogue().columns, 0) | {"kind": 1})[1]
    np.testing.assert_allclose(only_kind.toarray(), encode_items(catalogue()[["kind"]], None)[1].toarray())
    double = encode_items(catalogue()[["kind", "title"]], None, column_weights={"kind": 2})[1].toarray()
    plain = encode_items(catalogue()[["kind", "title"]], None)[1].toarray()
    np.testing.assert_allclose(double[:, :2], 2 * plain[:, :2])
    np.testing.assert_allclose(double[:, 2:], plain[:, 2:])
    with pytest.raises(ValueError, match="column_weights names 'colour', but the columns are"):
        encode_items(catalogue(), None, column_weights={"colour": 1})
    with pytest.raises(ValueError, match="column_weights must be finite and at least 0"):
        encode_items(catalogue(), None, column_weights={"kind": -1})
    with pytest.raises(ValueError, match="column_weights needs item_encoder=None"):
        encode_items(catalogue(), TagEncoder(), column_weights={"kind": 1})


def test_text_is_tfidf_with_pairs_at_half_weight():
    texts = ["green tea leaves", None, "black tea", "tea"]
    encoder = TextEncoder(ngram_range=(1, 2), norm=None)
    mine = encoder.fit_transform(texts)
    reference = TfidfVectorizer(ngram_range=(1, 2), norm=None)
    expected = reference.fit_transform(["green tea leaves", "", "black tea", "tea"]).toarray()
    expected[:, [" " in name for name in reference.get_feature_names_out()]] /= 2
    np.testing.assert_allclose(mine.toarray(), expected)
    np.testing.assert_allclose(encoder.transform(texts).toarray(), expected)


def test_labels_are_weighted_by_rarity_and_counted_once():
    encoder = TagEncoder().fit([["a", "b", "a"], ["a"], None, ["b", None], "c"])
    np.testing.assert_array_equal(encoder.labels_, ["a", "b", "c"])
    np.testing.assert_array_equal(encoder.counts_, [2, 2, 1])
    rare = np.log(6 / np.array([3, 3, 2])) + 1
    expected = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]) * rare
    np.testing.assert_allclose(
        encoder.transform([["a", "b", "a"], ["a"], [], ["b", "new"], "c"]).toarray(), expected, 1e-6
    )
    assert encoder.transform([]).shape == (0, 3)
    assert TagEncoder().fit(pd.Series([1, 2, None], dtype="Int64")).labels_.tolist() == ["1", "2"]


def test_numbers_share_the_two_nearest_quantiles():
    encoder = NumberEncoder(3).fit(pd.Series([0.0, 10.0, 20.0, np.nan]))
    weight = np.log(3) + 1
    shares = encoder.transform(pd.Series([5.0, 20.0, 99.0, np.nan, 2.5])).toarray() / weight
    np.testing.assert_allclose(shares, [[0.5, 0.5, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0], [0.75, 0.25, 0]], atol=1e-6)
    assert NumberEncoder().fit(pd.Series([np.nan])).transform(pd.Series([1.0])).shape == (1, 1)
    with_zone = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-05"], utc=True))
    assert NumberEncoder(2).fit(with_zone).transform(with_zone).nnz == 2


def test_your_own_encoder_and_what_is_wrong_with_it():
    own = make_column_transformer((OneHotEncoder(), ["kind"]), (TfidfVectorizer(), "kind"))
    frame = catalogue()[:3]
    encoder, features = encode_items(frame, own, np.array(["c", "a"], dtype=object))
    assert (encoder is not own) and (features.shape == (2, 4)) and (features.dtype == np.float32)
    cases = [
        (TfidfVectorizer(), r"item_encoder gives the shape \(6, \d+\) for 3 items.*ColumnTransformer"),
        (FunctionTransformer(lambda X: X[["price"]] * np.nan), "NaN or infinity for 3 of 3 items: fill"),
        (FunctionTransformer(lambda X: sp.csr_array((len(X), 0))), "item_encoder gives no column"),
    ]
    for wrong, message in cases:
        with pytest.raises(ValueError, match=message):
            encode_items(frame, wrong)
    with pytest.raises(TypeError, match="item_encoder gives values that are not numbers"):
        encode_items(frame, FunctionTransformer(lambda X: X[["title"]]))


def test_further_items_are_encoded_as_the_first():
    encoder, features = encode_items(catalogue(), None, unit_norm=True)
    np.testing.assert_allclose(
        encode_more(encoder, catalogue()[1:2], unit_norm=True).toarray(), features[[1]].toarray()
    )
    with pytest.raises(ValueError, match="item_features lacks the column 'title'"):
        encode_more(encoder, catalogue()[["kind"]])


def test_dense_features_for_nets():
    _, features = encode_items(catalogue(), None)
    reducer, dense = dense_features(features, 2, random_state=0)
    assert (dense.shape, dense.dtype) == ((4, 2), np.float32)
    np.testing.assert_allclose(dense.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(dense.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(reducer.transform(features), dense, atol=1e-4)
    np.testing.assert_array_equal(dense_features(features, 2, random_state=0)[1], dense)
    assert dense_features(features, 100)[1].shape == (4, 4)
    reducer, whole = dense_features(features, None)
    assert reducer is None
    np.testing.assert_array_equal(whole, features.toarray())


def test_a_fitted_encoder_is_stored_without_pickle():
    encoder, features = encode_items(catalogue(), None)
    data = skops.io.dumps(encoder)
    types = skops.io.get_untrusted_types(data=data)
    assert all(name.startswith(("skrec.", "scipy.", "numpy.")) for name in types)
    for again in (skops.io.loads(data, trusted=types), pickle.loads(pickle.dumps(encoder))):
        np.testing.assert_array_equal(encode_more(again, catalogue()).toarray(), features.toarray())
        np.testing.assert_array_equal(again.get_feature_names_out(), encoder.get_feature_names_out())


class Holder(FrameParameter, BaseEstimator):
    def __init__(self, item_features=None, size=1):
        self.item_features = item_features
        self.size = size


def test_a_frame_as_a_parameter(df_module):
    from sklearn.base import clone

    columns = catalogue()[["title", "kind", "tags"]]
    frame = columns if df_module.__name__ == "pandas" else as_polars(df_module, columns)
    holder = Holder(frame, size=2)
    assert repr(holder) == f"Holder(item_features=<4 items, {frame.shape[1]} columns>, size=2)"
    assert clone(holder).item_features is frame
    assert clone(holder).size == 2
    again = pickle.loads(pickle.dumps(holder))
    assert type(again.item_features) is type(frame)
    state = holder.__getstate__()["item_features"]
    assert isinstance(state, np.ndarray) and state.dtype == np.uint8
    expected, stored = encode_items(frame, None)[1], encode_items(again.item_features, None)[1]
    np.testing.assert_array_equal(stored.toarray(), expected.toarray())
    assert repr(Holder()) == "Holder()"
    assert clone(Holder()).item_features is None


def test_a_frame_of_pictures_is_pickled_as_it_is():
    pictures = pd.DataFrame({"picture": [np.zeros((2, 2)), np.ones((2, 2))]}, index=["a", "b"])
    again = pickle.loads(pickle.dumps(Holder(pictures)))
    np.testing.assert_array_equal(again.item_features.loc["b", "picture"], np.ones((2, 2)))
