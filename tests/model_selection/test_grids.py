"""Every recommender has a grid, made of its own parameters, with the default in it."""

import inspect

import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import skrec
from skrec.base import BaseRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import default_grid
from skrec.neighbors import ContentRecommender

PACKAGES = ["decomposition", "dummy", "linear_model", "neighbors"]
CLASSES = [
    value
    for package in PACKAGES
    for value in vars(getattr(skrec, package)).values()
    if inspect.isclass(value) and issubclass(value, BaseRecommender) and value is not BaseRecommender
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_grids_surround_the_defaults(kind):
    model = kind(None) if kind is ContentRecommender else kind()
    parameters = model.get_params()
    for name, values in default_grid(model).items():
        assert parameters[name] in values
        assert len(values) > 1


def test_pipelines_and_strangers():
    pipeline = make_pipeline(HistoryVectorizer(), EASE(vectorizer="passthrough"))
    assert list(default_grid(pipeline)) == ["ease__l2"]
    with pytest.raises(TypeError, match="there is no grid for Ridge: pass a GridSearchCV"):
        default_grid(Ridge())
