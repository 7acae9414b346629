"""Matrix factorisation."""

from ._als import ALS
from ._bpr import BPR
from ._ppmi_svd import PPMISVD
from ._pure_svd import PureSVD

__all__ = ["ALS", "BPR", "PPMISVD", "PureSVD"]
