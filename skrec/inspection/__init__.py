"""Looking at recommenders: plots and reports."""

from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay
from ._report import write_report

__all__ = ["ComparisonDisplay", "MetricAtKDisplay", "PopularityBiasDisplay", "write_report"]
