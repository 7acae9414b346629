"""Searches by Optuna go into `compare` as those of scikit-learn do."""

import pytest

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.linear_model import EASE
from skrec.model_selection import SameUsers, compare, split_last

optuna = pytest.importorskip("optuna", reason="optuna is not installed")
integration = pytest.importorskip("optuna_integration", reason="optuna-integration is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore:.optuna.terminator. module:FutureWarning"),  # optuna-integration calls it
    pytest.mark.filterwarnings("ignore:Failed to report cross validation scores:UserWarning"),  # SameUsers is one split
]


@pytest.fixture
def task():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return split_last(make_histories(150, 40, random_state=0), verbose=0)


def search(**options):
    space = {"l2": optuna.distributions.FloatDistribution(1.0, 1000.0, log=True)}
    return integration.OptunaSearchCV(EASE(), space, cv=SameUsers(), random_state=0, **options)


def test_a_search_is_compared(task):
    board, details = compare(
        {"search": search(n_trials=4), "popular": PopularityRecommender()}, *task, k=5, return_estimator=True
    )
    assert (board["error"] == "").all() and board.loc["search", "ndcg@5"] > board.loc["popular", "ndcg@5"]
    chosen = search(n_trials=4).set_params(estimator=EASE(k=5)).fit(*split_last(task[0], verbose=0)).best_params_["l2"]
    assert details["search"].estimator.l2 == chosen and details["search"].estimator.k == 5


@pytest.mark.parametrize("budget", [{"n_trials": 0}, {"timeout": 0.0}, {"n_trials": -3}], ids=str)
def test_no_budget_is_an_error(task, budget):
    ((name, value),) = budget.items()
    with pytest.raises(ValueError, match=rf"models\['search'\] has {name}={value}: give the search at least one try"):
        compare({"search": search(**budget)}, *task)
