"""Looking at recommenders: plots and reports."""

from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay
from ._explain import explain
from ._profile import profile_log
from ._report import write_report
from ._training import TrainingDisplay

__all__ = [
    "ComparisonDisplay",
    "MetricAtKDisplay",
    "PopularityBiasDisplay",
    "TrainingDisplay",
    "explain",
    "profile_log",
    "write_report",
]
