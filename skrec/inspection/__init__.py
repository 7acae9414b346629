"""Looking at recommenders: plots and reports."""

from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay
from ._explain import explain
from ._report import write_report

__all__ = ["ComparisonDisplay", "MetricAtKDisplay", "PopularityBiasDisplay", "explain", "write_report"]
