"""LSTMEncoder: what users did or wrote, read in order, with and without labels."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skrec

pytest.importorskip("tensorflow", reason="the nets need the extra `deep`")

from skrec.datasets import make_histories
from skrec.decomposition import ALS
from skrec.feature_extraction import BehaviorFeatures
from skrec.neural_network import LSTMEncoder
from skrec.neural_network._batches import by_length, length_batches
from skrec.neural_network._neighbours import neighbour_vectors

SMALL = {"hidden": (8, 4), "embedding_dim": 6, "epochs": 2, "batch_size": 32, "learning_rate": 0.02, "random_state": 0}
TEXTS = ["Lovely dress, fits well", "too small and itchy", "lovely colour", "itchy", "", "fits, lovely!"] * 8
LIKED = np.array(["yes", "no", "yes", "no", "no", "yes"] * 8)
CHECKED = [  # the defaults need more rows and epochs than the checks' few
    LSTMEncoder((8,), kind="series", cell="gru", pooling="mean", epochs=8, batch_size=16, learning_rate=0.05),
]
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "minibatches: a weight is not a repetition",
}


@pytest.mark.slow  # 68 checks make some hundred nets, and TensorFlow takes two seconds for the graph of each
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # of scikit-learn, for NaN in y
@parametrize_with_checks(CHECKED, expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_sklearn_check_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def ordered():
    """Histories whose label is their order: "a" comes before "b", or after it; counts say nothing."""
    rng = np.random.default_rng(0)
    X, y = [], rng.integers(0, 2, 240)
    for label in y:
        row = list(rng.choice(["c", "d", "e"], rng.integers(2, 9)))
        first, second = sorted(rng.choice(len(row) + 1, 2, replace=False))
        row.insert(second, "a" if label else "b")
        row.insert(first, "b" if label else "a")
        X.append(row)
    return X, y


@pytest.fixture(scope="module")
def taught(ordered):
    return LSTMEncoder(**SMALL).fit(*ordered)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"cell": "gru", "bidirectional": True, "pooling": ("mean", "max", "attention", "last")},
    ],
    ids=["lstm", "gru both ways"],
)
def test_it_reads_order(ordered, how):
    X, y = ordered
    parameters = {**SMALL, "hidden": (12,), "epochs": 12, "dropout": 0.0, **how}
    model = LSTMEncoder(**parameters).fit(X[:180], y[:180])
    assert model.score(X[180:], y[180:]) > 0.9
    width = 12 * (8 if how else 1)
    assert model.transform(X).shape == (240, width)
    assert len(model.get_feature_names_out()) == width


def test_a_row_has_one_answer_whatever_is_beside_it(ordered):
    X, y = ordered
    model = LSTMEncoder(**{**SMALL, "pooling": ("last", "mean", "max", "attention"), "bidirectional": True}).fit(X, y)
    features, chance = model.transform(X), model.predict_proba(X)
    rows = [0, 17, 101]
    for row in rows:
        np.testing.assert_allclose(model.transform([X[row]])[0], features[row], atol=1e-6)
        np.testing.assert_allclose(model.predict_proba([X[row], ["c"] * 60])[0], chance[row], atol=1e-6)
    back = np.argsort(rows)[::-1]
    np.testing.assert_allclose(model.transform([X[rows[row]] for row in back]), features[rows][back], atol=1e-6)
    assert not model.transform([[]]).any()


def test_only_the_most_recent_tokens_count(ordered):
    X, y = ordered
    model = LSTMEncoder(**{**SMALL, "max_length": 3}).fit(X, y)
    np.testing.assert_array_equal(model.transform([["a", "b", "c", "d", "e"]]), model.transform([["c", "d", "e"]]))


def test_stored_bit_for_bit_and_goes_on(ordered, taught, tmp_path):
    X, y = ordered
    chance, features = taught.predict_proba(X), taught.transform(X)
    again = clone(taught).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), chance)
    copies = [pickle.loads(pickle.dumps(again)), skrec.load(skrec.save(again, tmp_path / "net.skrec"))]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict_proba(X), chance)
        np.testing.assert_array_equal(copy.transform(X), features)
    after = again.partial_fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(copies[0].partial_fit(X, y).predict_proba(X), after)
    assert not np.array_equal(after, chance)
    assert again.n_iter_ == 3


@pytest.mark.parametrize("form", ["arrays", "pandas", "polars"])
def test_forms_of_histories(ordered, taught, form):
    X, _ = ordered
    given = {
        "arrays": lambda: [np.array(row) for row in X],
        "pandas": lambda: pd.DataFrame({"item": X, "age": 3}),
        "polars": lambda: pl.DataFrame({"item": X}),
    }[form]()
    np.testing.assert_array_equal(taught.transform(given), taught.transform(X))


def test_what_was_never_seen_is_unknown(taught):
    model = pickle.loads(pickle.dumps(taught))
    assert np.array_equal(model.transform([["zebra"]]), model.transform([["yak"]]))
    model.partial_fit([["zebra", "a"], ["yak"]], [0, 1])
    assert len(model.tokens_.vocabulary_) == 5
    assert model.predict([[], ["zebra"]]).shape == (2,)
    assert LSTMEncoder(**SMALL).fit([["a"], ["a", "a"]], [0, 1]).predict_proba([["a"]]).shape == (1, 2)


def test_texts():
    model = LSTMEncoder(kind="text", **{**SMALL, "epochs": 15}).fit(TEXTS, LIKED)
    assert model.score(TEXTS, LIKED) > 0.9
    assert list(model.classes_) == ["no", "yes"]
    np.testing.assert_array_equal(model.predict_proba(["LOVELY"]), model.predict_proba(pd.Series(["lovely"])))
    assert model.transform(["", "never seen"]).shape == (2, 4)


@pytest.mark.parametrize("given", ["dict", "pair"])
def test_word_vectors_are_taken_over(given):
    words, matrix = ["lovely", "itchy", "elsewhere"], np.arange(9.0).reshape(3, 3)
    vectors = dict(zip(words, matrix, strict=True)) if given == "dict" else (words, matrix)
    model = LSTMEncoder(kind="text", embeddings=vectors, **{**SMALL, "learning_rate": 1e-9, "epochs": 1})
    table = model.fit(TEXTS, LIKED).encoder_.get_layer("embedding").get_weights()[0]
    np.testing.assert_allclose(table[2:][model.tokens_.vocabulary_ == "itchy"], matrix[1:2], atol=1e-6)
    assert table.shape == (model.tokens_.size, 3)


def test_vectors_by_neighbours_bring_words_of_one_kind_together():
    rng = np.random.default_rng(0)
    codes = np.where(rng.random((400, 1)) < 0.5, rng.integers(2, 7, (400, 8)), rng.integers(7, 12, (400, 8)))
    vectors = neighbour_vectors(codes.astype(np.int32), 12, 4, seed=0, first=2, spread=0.3)[2:]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[:5, :5].mean() > likeness[:5, 5:].mean() + 0.5
    LSTMEncoder(**SMALL, embeddings="neighbours").fit([["a"], ["b"]], [0, 1])  # fewer words than components


@pytest.mark.parametrize("n_negatives", [0, 5])
def test_without_labels_it_learns_what_comes_next(n_negatives):
    X = [list("abcdefgh" * 3)[start : start + 9] for start in range(8)] * 12
    model = LSTMEncoder(**{**SMALL, "epochs": 30, "n_negatives": n_negatives, "dropout": 0.0}).fit(X)
    assert model.history_["loss"][-1] < 0.5 * model.history_["loss"][0]
    features = model.transform(X[:8])
    assert np.linalg.norm(features[0] - features[1]) > 10 * np.linalg.norm(model.transform(X[8:16]) - features)
    with pytest.raises(NotFittedError, match="learned without labels"):
        model.predict(X)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.transform(X), model.transform(X))
    np.testing.assert_array_equal(copy.partial_fit(X).transform(X), model.partial_fit(X).transform(X))


def test_labels_after_what_comes_next(ordered):
    X, y = ordered
    model = LSTMEncoder(**SMALL, warm_start=True, early_stopping=True).fit(X)
    vocabulary = model.tokens_.vocabulary_
    model.fit(X[:40], y[:40])
    assert model.predict_proba(X).shape == (240, 2)
    assert model.tokens_.vocabulary_ is vocabulary
    with pytest.raises(ValueError, match="has learned with labels, and y is None"):
        model.fit(X)
    model = LSTMEncoder(**SMALL, pretrain=1).fit(X, y)
    assert model.n_iter_ == 2
    alone = LSTMEncoder(**SMALL, objective="next")
    np.testing.assert_array_equal(alone.fit(X, y).transform(X), clone(alone).fit(X).transform(X))


def test_series():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6, 2)) * [1, 100]
    y = (X[:, -1, 1] > 0).astype(int)
    model = LSTMEncoder(kind="series", **{**SMALL, "epochs": 15}).fit(X, y)
    assert model.score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"shape \(120, 6, 1\), and kind='series' expects \(n, \*\(6, 2\)\)"):
        model.predict(X[:, :, :1])
    alone = LSTMEncoder(kind="series", **SMALL).fit(X)
    assert alone.transform(X).shape == (120, 4)


def test_set_output_and_search_and_jobs(ordered):
    X, y = ordered
    frame = LSTMEncoder(**SMALL).set_output(transform="pandas").fit_transform(pd.DataFrame({"item": X}), y)
    assert list(frame) == [f"lstmencoder{number}" for number in range(4)]
    grid = {"hidden": [(4,), (4, 3)], "cell": ["lstm", "gru"]}
    search = GridSearchCV(LSTMEncoder(**{**SMALL, "epochs": 1}), grid, cv=2, n_jobs=2, error_score="raise")
    search.fit(X[:60], y[:60])
    assert len(search.cv_results_["params"]) == 4


def test_beside_other_features_in_a_pipeline():
    histories = make_histories(150, 30, mean_length=8, random_state=0)
    y = np.array([len(row) > 6 for row in histories["item"]]).astype(int)
    features = FeatureUnion(
        [
            ("als", ALS(4, random_state=0)),
            ("lstm", LSTMEncoder(**{**SMALL, "epochs": 1}, objective="next")),
            ("behaviour", BehaviorFeatures(at="2025-01-01")),
        ]
    )
    model = make_pipeline(features, StandardScaler(), LogisticRegression())
    assert cross_val_score(model, histories, y, cv=2, scoring="roc_auc").min() > 0.8


def test_batches_hold_rows_of_similar_length_and_each_row_once():
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 50, 1000)
    rows = np.where(np.arange(50) >= 50 - lengths[:, None], 2, 0).astype(np.int32)
    data = length_batches(rows, 64, lambda part, codes, rng: (codes, part), seed=lambda: 0)
    first, second = ([(codes.numpy(), part.numpy()) for codes, part in data] for _ in range(2))
    assert len(first) == 16
    assert sorted(np.concatenate([part for _, part in first])) == list(range(1000))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    read = sum(codes.size for codes, _ in first)
    assert read < 1.15 * lengths.sum()
    assert max(codes.shape[1] for _, codes in by_length(rows[:0], 8)) == 1


@pytest.mark.parametrize(
    ("how", "X", "y", "error", "match"),
    [
        ({}, ["a text", "another"], [0, 1], TypeError, "kind='history' expects one list of item ids per user: set"),
        ({"kind": "text"}, [["a"], ["b"]], [0, 1], TypeError, "a text is expected"),
        ({"kind": "text"}, "one text", [0], ValueError, "X is a single text: pass a list"),
        ({"kind": "text"}, ["", "!"], [0, 1], ValueError, "2 texts without a single word"),
        ({}, [[], []], [0, 1], ValueError, "histories without a single item"),
        ({}, pd.DataFrame({"thing": [["a"], ["b"]]}), [0, 1], ValueError, "without the list column 'item'"),
        ({}, [["a"], ["b"]], [1, 1], ValueError, "y has one class only"),
        ({"pretrain": 1}, [["a"], ["b"]], [1, 1], ValueError, "y has one class only"),
        ({}, [["a"], ["b"]], [0, 1, 0], ValueError, "inconsistent numbers of samples"),
        ({"hidden": ()}, [["a"], ["b"]], [0, 1], ValueError, "hidden must hold one positive size"),
        ({"hidden": (8, 0)}, [["a"], ["b"]], [0, 1], ValueError, "hidden must hold one positive size"),
        ({"pooling": ("last", "sum")}, [["a"], ["b"]], [0, 1], ValueError, "pooling must be one or more of"),
        ({"bidirectional": True}, [["a"], ["b"]], None, ValueError, "which bidirectional=True has read"),
        ({"bidirectional": True, "pretrain": 1}, [["a"], ["b"]], [0, 1], ValueError, "pretrain=1 learns what comes"),
        ({"kind": "series", "embeddings": {"a": [1]}}, np.eye(4), [0, 1, 0, 1], ValueError, "embeddings are vectors"),
        ({"kind": "series"}, np.eye(4)[:, :1], None, ValueError, "what comes next needs two"),
        ({"kind": "series"}, np.zeros((4, 2, 2, 2)), [0, 1, 0, 1], ValueError, "kind='series' expects"),
        ({"embeddings": {"z": [1.0]}}, [["a"], ["b"]], [0, 1], ValueError, "none of the 2 words of X"),
        ({"embeddings": (["a"], [[1.0], [2.0]])}, [["a"], ["b"]], [0, 1], ValueError, "one finite vector per word"),
    ],
)
def test_errors_say_what_to_do(how, X, y, error, match):
    with pytest.raises(error, match=match):
        LSTMEncoder(**{**SMALL, **how}).fit(X, y)


@pytest.mark.slow
def test_reviews_reach_their_floor():
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    import bench_lstm
    import protocols

    if not protocols.available("womens_clothing_reviews"):
        pytest.skip(f"womens_clothing_reviews not in {protocols.DATA.name}: set SKREC_DATA")
    texts, y = bench_lstm.reviews()
    model = bench_lstm.small()
    assert bench_lstm.auc_of(model.fit(texts[:6000], y[:6000]), texts[6000:9000], y[6000:9000]) > 0.9
