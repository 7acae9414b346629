"""Looking at recommenders: plots and reports."""

from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay
from ._explain import explain
from ._report import write_report
from ._training import TrainingDisplay

__all__ = [
    "ComparisonDisplay",
    "MetricAtKDisplay",
    "PopularityBiasDisplay",
    "TrainingDisplay",
    "explain",
    "write_report",
]
