"""Weights of a history's events by recency, of models that read the order of events when recommending."""

import numpy as np
import scipy.sparse as sp

from .feature_extraction._vectorizer import event_ages
from .utils._single import SingleUser
from .utils._users import Users


class RecencyMixin:
    """Weigh an event by ``recency ** age``: its age counts the later events, or with times the later moments."""

    recency: float
    n_items_: int

    def _weigh(self, users: Users) -> sp.csr_array:
        assert users.histories is not None
        return users.histories.to_matrix(float(self.recency) ** event_ages(users.histories), self.n_items_)

    def _weigh_single(self, user: SingleUser) -> tuple[np.ndarray, np.ndarray]:
        codes = np.array(user.codes, dtype=np.int64)
        ages = event_ages(user.histories) if user.timed else np.arange(len(codes) - 1, -1, -1)
        values = (float(self.recency) ** ages).astype(np.float32)
        if len(user.columns) < len(codes):  # items that come back are summed as in a matrix
            row = user.histories.to_matrix(values, self.n_items_)
            return row.indices, row.data
        order = np.argsort(codes)
        return codes[order], values[order]
