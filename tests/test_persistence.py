"""Files are written whole or not at all; a file that is not ours says so and runs nothing."""

import json
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skrec
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import SameUsers
from skrec.persistence import ModelFileError


@pytest.fixture
def model(shop):
    return EASE(l2=1, vectorizer=make_pipeline(HistoryVectorizer(recency=0.6), BM25Transformer())).fit(shop)


@pytest.fixture
def path(model, tmp_path):
    return skrec.save(model, tmp_path / "model.skrec", metadata={"user": "CustomerID"})


def rewrite_header(path, **changes):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(parts["skrec.json"]) | changes
    parts["skrec.json"] = json.dumps(header).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_round_trip_with_versions_and_metadata(model, path, shop):
    loaded, header = skrec.load(path, return_metadata=True)
    np.testing.assert_array_equal(loaded.decision_function(shop), model.decision_function(shop))
    assert repr(loaded) == repr(model)
    assert header["skrec"] == skrec.__version__
    assert header["estimator"] == "EASE"
    assert header["metadata"] == {"user": "CustomerID"}


def test_a_search_is_saved_too(tmp_path, shop):
    search = GridSearchCV(EASE(), {"l2": [1, 10]}, cv=SameUsers()).fit(shop, [["milk"], ["tea"], ["saw"], ["nails"]])
    loaded = skrec.load(skrec.save(search, tmp_path / "search.skrec"))
    np.testing.assert_array_equal(loaded.predict(shop), search.predict(shop))


def test_large_integer_and_string_ids_come_back_as_they_were(tmp_path):
    for ids in ([2**60, 2**60 + 1], ["ä", "日本"]):
        loaded = skrec.load(skrec.save(EASE(k=1).fit([ids, ids]), tmp_path / "m.skrec"))
        assert loaded.predict([ids[:1]]).tolist() == [[ids[1]]]
        assert loaded.items_.dtype == EASE().fit([ids]).items_.dtype


def test_an_old_file_survives_a_failed_save(path, model):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="metadata must hold what JSON can hold"):
        skrec.save(model, path, metadata={"when": object()})
    model.note_ = (one for one in [])
    with pytest.raises(TypeError, match="EASE holds something that cannot be saved"):
        skrec.save(model, path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no model file .*nothing\.skrec"):
        skrec.load(tmp_path / "nothing.skrec")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
def test_not_a_model_file(tmp_path, content):
    path = tmp_path / "other.skrec"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"other\.skrec is not a model file, or is damaged"):
        skrec.load(path)


def test_foreign_zip(tmp_path, model):
    skops.io.dump(model, tmp_path / "plain.skops")
    with pytest.raises(ModelFileError, match=r"was not written by skrec\.save: it has no header"):
        skrec.load(tmp_path / "plain.skops")


def test_every_truncation_and_many_flipped_bytes_are_noticed(path, model, shop):
    data = path.read_bytes()
    expected = model.predict(shop)
    rng = np.random.default_rng(0)
    for length in rng.integers(0, len(data), 20):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            skrec.load(path)
    noticed = 0
    for position in rng.integers(0, len(data), 60):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        try:
            np.testing.assert_array_equal(skrec.load(path).predict(shop), expected)
        except ModelFileError:
            noticed += 1
    assert noticed > 30  # the rest hit dates and other parts of the archive that hold no model


def test_too_new(path):
    rewrite_header(path, format=99, skrec="9.9")
    with pytest.raises(ModelFileError, match=r"has format 99 of skrec 9\.9, newer than this skrec.*upgrade skrec"):
        skrec.load(path)


def test_header_without_format(path):
    rewrite_header(path, format="one")
    with pytest.raises(ModelFileError, match="its header names no format"):
        skrec.load(path)


def run_me(X):
    raise AssertionError("code from a model file was run")


class Intruder(FunctionTransformer):
    pass


def test_types_that_are_not_trusted_are_refused_and_can_be_allowed(tmp_path, shop):
    model = EASE(l2=1).fit(shop)
    model.extra_ = Intruder(run_me)
    with pytest.warns(UserWarning, match=r"EASE holds .*Intruder, .*run_me"):
        path = skrec.save(model, tmp_path / "m.skrec")
    with pytest.raises(ModelFileError, match=r"types that are not trusted: .*Intruder.*pass trusted="):
        skrec.load(path)
    name = f"{__name__}.Intruder"
    assert skrec.load(path, trusted=[name, f"{__name__}.run_me"]).predict([["tea"]]).shape == (1, 6)
