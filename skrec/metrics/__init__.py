"""Metrics of recommendations: accuracy and value at k, beyond accuracy, and how sure they are."""

from ._beyond_accuracy import coverage_at_k, gini_at_k, intra_list_diversity_at_k, novelty_at_k
from ._bootstrap import bootstrap_interval, paired_bootstrap
from ._ranking import auc_at_k, hit_rate_at_k, map_at_k, mrr_at_k, ndcg_at_k, precision_at_k, recall_at_k
from ._scorers import get_scorer
from ._scores import ranking_scores
from ._value import value_at_k

__all__ = [
    "auc_at_k",
    "bootstrap_interval",
    "coverage_at_k",
    "get_scorer",
    "gini_at_k",
    "hit_rate_at_k",
    "intra_list_diversity_at_k",
    "map_at_k",
    "mrr_at_k",
    "ndcg_at_k",
    "novelty_at_k",
    "paired_bootstrap",
    "precision_at_k",
    "ranking_scores",
    "recall_at_k",
    "value_at_k",
]
