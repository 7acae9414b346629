"""Common checks: every recommender keeps the contract, every estimator passes scikit-learn's check_estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import BM25Transformer
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.utils.estimator_checks import yield_recommender_checks

# cheap constructor arguments, one row per recommender
RECOMMENDERS = [
    PopularityRecommender(),
    RandomRecommender(),
    ItemKNN(),
    ItemKNN(metric="jaccard", shrinkage=1.0),
    ItemKNN(metric="tversky", alpha=0.3, beta=0.6),
    ItemKNN(metric="asymmetric", alpha=0.4),
    EASE(l2=1.0),
    ALS(n_components=8, random_state=0),
    ALS(n_components=8, l2=0.1, l2_exponent=0, unobserved_weight=0.1, random_state=0),
]
MATRIX_ESTIMATORS = [
    *[model.__class__(**{**model.get_params(), "vectorizer": "passthrough"}) for model in RECOMMENDERS],
    BM25Transformer(),
]
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


@pytest.mark.parametrize(
    ("name", "check", "model"),
    [
        pytest.param(name, check, model, id=f"{model}-{name}")
        for model in RECOMMENDERS
        for name, check in yield_recommender_checks(model)
    ],
)
def test_recommender_contract(name, check, model):
    check()
