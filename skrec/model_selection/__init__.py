"""Splitting histories into what a model may know and what it is asked, comparing models on it, experiments and logs."""

from ..utils._split import split_last, split_time, split_users
from ._compare import compare
from ._experiment import Experiment
from ._experiment_analysis import analyze_experiment
from ._experiment_plan import experiment_baseline, plan_experiment
from ._experiment_result import ExperimentResult
from ._grids import default_grid
from ._histories_at import histories_at
from ._next_purchase import split_next_purchase
from ._off_policy import off_policy_evaluation
from ._off_policy_result import OffPolicyResult
from ._same_users import SameUsers

__all__ = [
    "Experiment",
    "ExperimentResult",
    "OffPolicyResult",
    "SameUsers",
    "analyze_experiment",
    "compare",
    "default_grid",
    "experiment_baseline",
    "histories_at",
    "off_policy_evaluation",
    "plan_experiment",
    "split_last",
    "split_next_purchase",
    "split_time",
    "split_users",
]
