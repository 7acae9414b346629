"""Looking at recommenders: plots and reports."""

from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay
from ._drift import DriftMonitor
from ._drift_display import DriftDisplay
from ._drift_service import drift_gauges, hit_rate_interval, score_requests
from ._experiments import ExperimentDisplay
from ._explain import explain
from ._profile import profile_log
from ._report import write_report
from ._staleness import staleness
from ._training import TrainingDisplay

__all__ = [
    "ComparisonDisplay",
    "DriftDisplay",
    "DriftMonitor",
    "ExperimentDisplay",
    "MetricAtKDisplay",
    "PopularityBiasDisplay",
    "TrainingDisplay",
    "drift_gauges",
    "explain",
    "hit_rate_interval",
    "profile_log",
    "score_requests",
    "staleness",
    "write_report",
]
