"""Common checks: every recommender keeps the contract, every estimator passes scikit-learn's check_estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skrec.decomposition import ALS, BPR, PPMISVD, PureSVD
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.feature_extraction import BM25Transformer
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import (
    TIFUKNN,
    BuyAgainRecommender,
    ContentRecommender,
    ItemKNN,
    RP3beta,
    SessionKNN,
    TransitionRecommender,
)
from skrec.neural_network import GRU4Rec, MultVAE, SASRec, TwoTower
from skrec.testing import planted_features, yield_recommender_checks

# cheap constructor arguments, one row per recommender
RECOMMENDERS = [
    PopularityRecommender(),
    PopularityRecommender(count="events"),
    RandomRecommender(),
    ItemKNN(),
    ItemKNN(metric="jaccard", shrinkage=1.0),
    ItemKNN(metric="tversky", alpha=0.3, beta=0.6),
    ItemKNN(metric="asymmetric", alpha=0.4),
    RP3beta(),
    RP3beta(alpha=1.0, beta=0.0),
    SessionKNN(),
    SessionKNN(n_neighbors=20, recency=1.0, backward=0.0, idf=0.0),
    TransitionRecommender(),
    TransitionRecommender(1, backward=1.0, normalization=1.0, smoothing=0.0),
    BuyAgainRecommender(),
    BuyAgainRecommender(cooldown=0.5, recency=0.7),
    TIFUKNN(),
    TIFUKNN(20, exclude_seen=True),
    TIFUKNN(15, metric="cosine", n_groups=3, alpha=0.7, exclude_seen=True),
    EASE(l2=1.0),
    EASE(l2=1.0, method="sparse", n_neighbors=8),
    SLIM(l1=0.1, l2=1.0),
    SLIM(l1=0.1, l2=1.0, positive=False, n_neighbors=10),
    ALS(n_components=8, random_state=0),
    ALS(n_components=8, l2=0.1, l2_exponent=0, unobserved_weight=0.1, random_state=0),
    BPR(n_components=8, max_iter=200, random_state=0),
    PureSVD(n_components=2, random_state=0),  # more would split the tied singular values of the checkerboard
    PPMISVD(2, random_state=0),
    PPMISVD(8, window=2, shift=0.1, singular_exponent=1.0, recency=1.0, random_state=0),
    ContentRecommender(planted_features(), column_weights={"cluster": 0.6}),
    Reranker(EASE(l2=1.0)),
    BlendRecommender([("ease", EASE(l2=1.0)), ("next", TransitionRecommender())]),
    TwoStageRecommender([("ease", EASE(l2=1.0)), ("next", TransitionRecommender())], random_state=0),
]
MATRIX_ESTIMATORS = [
    *[
        model.__class__(**{**model.get_params(), "vectorizer": "passthrough"})
        for model in RECOMMENDERS
        # the others need order, which a matrix has not, or item ids, which its columns have not
        if "vectorizer" in model.get_params(deep=False) and "item_features" not in model.get_params(deep=False)
    ],
    ItemKNN(vectorizer="passthrough", incremental=True),
    EASE(l2=1.0, vectorizer="passthrough", incremental=True),
    BM25Transformer(),
]
QUICK = {"epochs": 40, "learning_rate": 0.02, "batch_size": 16, "early_stopping": False, "random_state": 0}
NETS = [
    SASRec(8, max_length=8, dropout=0.0, event_dropout=0.0, **QUICK),
    GRU4Rec(8, n_units=8, max_length=8, dropout=0.0, event_dropout=0.0, **QUICK),
    MultVAE(4, hidden=(16,), **QUICK),
    TwoTower(8, hidden=(), dropout=0.0, recency=1.0, **{**QUICK, "batch_size": 64, "epochs": 30}),
]
# each fit of a net takes seconds for its graph: the other checks, which fit many times, are slow
FEW_FITS = {
    "bad_input",
    "candidates_and_exclude",
    "checkerboard",
    "clone_and_storage",
    "empty_and_unknown",
    "metamorphic",
    "scores_agree",
    "seen_demoted",
}
ONE_DIMENSIONAL = "predict gives k items a user; the check wants one value a row"
EXPECTED_FAILURES = {
    "check_estimator_sparse_array": ONE_DIMENSIONAL,
    "check_estimator_sparse_matrix": ONE_DIMENSIONAL,
}


def expected_failures(estimator):
    return EXPECTED_FAILURES if hasattr(estimator, "recommend") else {}


@parametrize_with_checks(MATRIX_ESTIMATORS, expected_failed_checks=expected_failures)
def test_sklearn_check_estimator(estimator, check):
    check(estimator)


def contract(models, marks=lambda name: ()):
    """Return a test case for each check of each model."""
    return [
        pytest.param(name, check, model, id=f"{type(model).__name__}-{number}-{name}", marks=marks(name))
        for number, model in enumerate(models)
        for name, check in yield_recommender_checks(model)
    ]


@pytest.mark.parametrize(("name", "check", "model"), contract(RECOMMENDERS))
def test_recommender_contract(name, check, model):
    check()


@pytest.mark.parametrize(
    ("name", "check", "model"), contract(NETS, lambda name: () if name in FEW_FITS else pytest.mark.slow)
)
def test_contract_of_nets(name, check, model):
    pytest.importorskip("tensorflow")
    check()
