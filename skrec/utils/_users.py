"""Users: the rows that every model fits on and scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from ._histories import Histories


@dataclass(frozen=True)
class Users:
    """Users as a model sees them, sliced by rows like a matrix; nothing in them may be written to.

    Attributes
    ----------
    matrix : CSR array of shape (n_users, n_items)
        The users as the vectorizer gives them; the stored entries are what they have seen.
    histories : Histories or None
        The known events, oldest first, coded by position in the model's `items_`; only for models whose tag
        `needs_order` is set.
    features : array or pandas frame of shape (n_users, n_features), or None
        Features of the users, for models that know any.
    extra : dict
        What else a model has worked out of its users when encoding them; each value is sliced by rows.
    """

    matrix: sp.csr_array
    histories: Histories | None = None
    features: object = None
    extra: Mapping = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of items."""
        return self.matrix.shape

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def __getitem__(self, rows: slice) -> "Users":
        histories = None if self.histories is None else self.histories[rows]
        extra = {name: None if value is None else value[rows] for name, value in self.extra.items()}
        return Users(self.matrix[rows], histories, _rows_of(self.features, rows), extra)

    def with_extra(self, **extra) -> "Users":
        """Return the same users with further values, sliced by rows."""
        return replace(self, extra={**self.extra, **extra})


def _rows_of(features, rows: slice):
    if features is None:
        return None
    return features.iloc[rows] if hasattr(features, "iloc") else features[rows]


def read_only(*arrays: np.ndarray | None) -> None:
    """Let nobody write into arrays that several objects share."""
    for array in arrays:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
