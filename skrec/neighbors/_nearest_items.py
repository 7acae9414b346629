"""Models whose similarities are the largest entries of a product of the users' matrices, once divided."""

from abc import abstractmethod

import scipy.sparse as sp

from ..utils._frame_parameter import shallow
from ..utils._nearest import Below
from ..utils._nearest_update import NearestRows
from ..utils._statistics import Statistics


class NearestItemsMixin:
    """Solve by the largest entries of each row, and again after an update at the cost of what has changed."""

    _nearest: NearestRows | None = None  # kept beside the statistics, not saved

    @abstractmethod
    def _divided(self, statistics: Statistics) -> tuple[str, Below]:
        """Return the name of the product, whose rows are candidates, and what its entries are divided by."""

    def _solve(self, statistics):
        name, below = self._divided(statistics)
        product = statistics[name]
        self._nearest = None
        if self.incremental and not below.slope:
            self._nearest, nearest = NearestRows.build(product, self.n_neighbors, below, self._id_rank())
            self.similarity_ = sp.csr_array(nearest.T)
        else:
            self.similarity_ = product.nearest(self.n_neighbors, below, self._id_rank(), transpose=True)

    def _resolve(self, statistics, after, before, changes):
        name, below = self._divided(statistics)
        found = None
        if self._nearest is not None and self._nearest.n == self.n_neighbors:
            found = self._nearest.update(statistics[name], changes[name].exact(), below, self._id_rank())
        if found is None:
            return self._solve(statistics)
        self._nearest, nearest = found
        self.similarity_ = sp.csr_array(nearest.T)

    def __copy__(self):
        return shallow(self)

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_nearest", None)
        return state
