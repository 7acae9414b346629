"""Tokens: texts and histories as rows of codes, against a plain loop."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest

from skrec.neural_network._tokens import Tokens, is_texts

TEXTS = ["Red shoes, red!", "", "Blue hat for big men", "red hat"]


def test_codes_against_a_plain_loop():
    tokens = Tokens(4)
    codes = tokens.fit_encode(TEXTS)
    words = [re.findall(r"\w+", text.lower()) for text in TEXTS]
    vocabulary = sorted({word for row in words for word in row})
    assert tokens.vocabulary_.tolist() == vocabulary
    for row, expected in zip(codes, words, strict=True):
        kept = [vocabulary.index(word) + 2 for word in expected[-4:]]
        assert row.tolist() == [0] * (4 - len(kept)) + kept
    assert codes.dtype == np.int32
    assert tokens.size == len(vocabulary) + 2


def test_unknown_words_and_both_ends():
    tokens = Tokens(2, keep="first").fit(TEXTS)
    blue, hat = (2 + tokens.vocabulary_.tolist().index(word) for word in ("blue", "hat"))
    assert tokens.encode(["Blue hat zebra", "zebra"]).tolist() == [[blue, hat], [0, 1]]
    tokens.keep = "last"
    assert tokens.encode(["Blue hat zebra"]).tolist() == [[hat, 1]]


def test_frequent_tokens_only():
    assert Tokens(2, max_features=2).fit(TEXTS).vocabulary_.tolist() == ["hat", "red"]
    assert Tokens(2, min_df=2).fit(TEXTS).vocabulary_.tolist() == ["hat", "red"]
    assert Tokens(2, min_df=0.5).fit(TEXTS).vocabulary_.tolist() == ["hat", "red"]
    with pytest.raises(ValueError, match="min_df=3 leaves no token: the most frequent one is in 2 of 4 rows"):
        Tokens(2, min_df=3).fit(TEXTS)


def test_histories():
    tokens = Tokens(2)
    assert tokens.fit_encode([[30, 10], [20, 10, 30], []]).tolist() == [[4, 2], [2, 4], [0, 0]]
    assert tokens.encode([[99, 10]]).tolist() == [[1, 2]]
    with pytest.raises(TypeError, match="X has texts, but the net has learned histories"):
        tokens.encode(["ten thirty"])


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, lambda texts: pd.DataFrame({"title": texts})])
def test_containers(container):
    tokens = Tokens(4, texts=True)
    assert np.array_equal(tokens.fit_encode(container(TEXTS)), tokens.encode(TEXTS))


def test_polars():
    pl = pytest.importorskip("polars")
    assert np.array_equal(Tokens(4).fit_encode(pl.Series(TEXTS)), Tokens(4).fit_encode(TEXTS))


def test_the_state_is_arrays():
    tokens = Tokens(4).fit(TEXTS)
    assert np.array_equal(pickle.loads(pickle.dumps(tokens)).encode(TEXTS), tokens.encode(TEXTS))
    assert {type(value) for value in vars(tokens).values()} <= {int, str, bool, np.ndarray, type(None)}


def test_which_rows_are_texts():
    assert is_texts(["a"])
    assert is_texts(np.array(["a"]))
    assert is_texts(pd.Series([None, "a"]))
    assert not any(map(is_texts, ([["a"]], np.zeros((2, 2)), "a", [], [1.0], pd.DataFrame({"a": ["b"]}))))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (["", "!"], ValueError, "X has 2 texts without a single word"),
        ([], ValueError, "X has 0 texts"),
        ("red hat", ValueError, "X is a single text: pass a list"),
        (["a", None], TypeError, "row 1 of X is missing"),
        (["a", 3.5], TypeError, "row 1 of X is 3.5, but a text is expected"),
        (np.zeros((2, 2)), TypeError, r"X must be a sequence of texts, got numpy.ndarray of shape \(2, 2\)"),
    ],
)
def test_errors(X, error, message):
    with pytest.raises(error, match=message):
        Tokens(4, texts=True).fit(X)
