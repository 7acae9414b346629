"""What notebooks show: HTML with links to this project's pages, frames from transformers, and fits that say nothing."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from test_common import NETS, RECOMMENDERS

from skrec.datasets import make_histories
from skrec.decomposition import ALS, BPR, PPMISVD, PureSVD
from skrec.ensemble import BlendRecommender
from skrec.feature_extraction import BehaviorFeatures, BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE
from skrec.neural_network import CNNEncoder, LSTMEncoder, PurchaseClassifier
from skrec.testing._data import checkerboard, with_items_of
from skrec.utils import _sklearn

HISTORIES = make_histories(60, 20, random_state=0).rename(index=lambda user: f"u{user}")
OTHERS = [HistoryVectorizer(), BM25Transformer(), BehaviorFeatures(), CNNEncoder(), LSTMEncoder(), PurchaseClassifier()]
EMBEDDINGS = [ALS(3, random_state=0), BPR(3, max_iter=3), PureSVD(3), PPMISVD(3, random_state=0)]


@pytest.fixture
def docs(monkeypatch):
    """The address of the documentation, as the environment gives it."""

    def name(address):
        monkeypatch.setenv("SKREC_DOCS", address) if address is not None else monkeypatch.delenv("SKREC_DOCS", False)

    return name


@pytest.mark.parametrize("estimator", [*RECOMMENDERS, *NETS, *OTHERS], ids=lambda one: type(one).__name__)
def test_html_links_to_the_page_of_the_class(estimator, docs):
    docs("https://shop.example/docs/")
    page = (
        f"https://shop.example/docs/api/generated/{estimator.__module__.split('._')[0]}.{type(estimator).__name__}.html"
    )
    assert estimator._get_doc_link() == page
    assert page in estimator._repr_html_()
    name = page.rsplit("/", 1)[1].removesuffix(".html")
    module, name = name.rsplit(".", 1)
    assert getattr(__import__(module, fromlist=[name]), name) is type(estimator)


def test_no_address_no_link(docs, monkeypatch):
    monkeypatch.setattr(_sklearn, "_published_documentation", lambda: "")
    for address in (None, "", "javascript:alert(1)", 'https://a.example/"><script>', "docs"):
        docs(address)
        assert EASE()._get_doc_link() == ""
        assert "/api/generated" not in EASE()._repr_html_() and "<script>alert" not in EASE()._repr_html_()
    docs(None)
    monkeypatch.setattr(_sklearn, "_published_documentation", lambda: "https://published.example")
    assert EASE()._get_doc_link() == "https://published.example/api/generated/skrec.linear_model.EASE.html"


def test_classes_of_others_and_braces(docs):
    docs("https://shop.example/{x}")
    assert EASE()._get_doc_link().startswith("https://shop.example/{x}/api/generated/")

    class Own(EASE):
        """A model of another package."""

    Own.__module__ = "their_package.models"
    assert Own()._get_doc_link() == ""
    html = make_pipeline(HistoryVectorizer(), EASE(vectorizer="passthrough"))._repr_html_()
    assert "skrec.feature_extraction.HistoryVectorizer.html" in html and "skrec.linear_model.EASE.html" in html


def test_names_are_escaped_in_html():
    model = BlendRecommender([("<img src=x onerror=alert(1)>", EASE())])
    assert "<img src=x" not in model._repr_html_()
    assert "EASE" in model.fit(HISTORIES)._repr_html_()


@pytest.mark.parametrize("estimator", EMBEDDINGS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("call", ["fit_transform", "transform"])
def test_embeddings_are_frames_with_names(estimator, call, df_module):
    array = clone(estimator).set_params(random_state=0).fit(HISTORIES).transform(HISTORIES)
    model = clone(estimator).set_params(random_state=0).set_output(transform=df_module.__name__)
    frame = model.fit_transform(HISTORIES) if call == "fit_transform" else model.fit(HISTORIES).transform(HISTORIES)
    assert isinstance(frame, df_module.DataFrame)
    names = [f"{type(estimator).__name__.lower()}{number}" for number in range(3)]
    assert list(frame.columns) == names == list(model.get_feature_names_out())
    np.testing.assert_allclose(frame.to_numpy(), array, rtol=1e-4, atol=1e-5)
    if df_module.__name__ == "pandas":
        assert list(frame.index) == list(HISTORIES.index)


def test_behavior_features_are_a_frame(df_module):
    model = BehaviorFeatures(groups=["frequency"]).set_output(transform=df_module.__name__)
    frame = model.fit_transform(HISTORIES)
    assert isinstance(frame, df_module.DataFrame) and list(frame.columns) == list(model.get_feature_names_out())


def test_sparse_matrices_are_no_frames(df_module):
    counts = pd.DataFrame(np.eye(3), columns=list("abc"))
    for estimator, X in ((HistoryVectorizer(), HISTORIES), (BM25Transformer(), counts)):
        model = clone(estimator).set_output(transform=df_module.__name__)
        with pytest.raises(ValueError, match=r"sparse matrix.*set_output\(transform='default'\)"):
            model.fit_transform(X)
    with sklearn.config_context(transform_output=df_module.__name__):  # recommenders do not care
        assert EASE().fit(HISTORIES).predict(HISTORIES).shape == (60, 10)
    vectorizer = HistoryVectorizer().fit(HISTORIES)
    matrix = vectorizer.transform(HISTORIES)
    frame = pd.DataFrame.sparse.from_spmatrix(matrix, HISTORIES.index, vectorizer.get_feature_names_out())
    assert frame.shape == matrix.shape  # what the guide shows


@pytest.mark.parametrize(
    "estimator", RECOMMENDERS[:-1], ids=lambda one: type(one).__name__
)  # the last in test_progress
def test_fits_and_answers_are_silent(estimator, capfd, caplog):
    X, y = checkerboard()
    model = with_items_of(estimator, X).fit(X)
    model.recommend(X[:3]), model.score(X, y)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records  # of warnings and above


def test_the_library_prints_only_where_verbose_asks_for_it():
    root = Path(_sklearn.__file__).parents[1]
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    printing = {name for name, text in texts.items() if re.search(r"^\s*print\(", text, re.MULTILINE)}
    silent = {name for name in printing if "verbose" not in texts[name] and not name.startswith("cli/")}
    assert silent <= {"serving/_traces.py"}, "use skrec/utils/_progress.py, or log"  # a program that is run on its own
