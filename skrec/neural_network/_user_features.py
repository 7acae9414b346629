"""Features of users: columns of the frame of histories, carried beside them and turned into numbers."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.compose import ColumnTransformer

from skrec.feature_extraction._item_encoders import NumberEncoder, TagEncoder
from skrec.utils._histories import Histories, is_frame


@dataclass(frozen=True)
class DescribedHistories(Histories):
    """Histories and a pandas frame with a row of features per user."""

    features: object = None

    def __getitem__(self, rows: slice) -> "DescribedHistories":
        return replace(super().__getitem__(rows), features=self.features.iloc[rows])


def described(histories: Histories, X, columns) -> DescribedHistories:
    """Return histories with the features that X holds in some columns.

    Parameters
    ----------
    histories : Histories
        What was read from X.
    X : pandas or polars DataFrame
        One row per user.
    columns : list of str
        Names of the columns.
    """
    if not is_frame(X):
        raise TypeError(f"user_features={columns!r} needs X to be a frame with these columns: see to_histories")
    absent = [name for name in columns if name not in X.columns]
    if absent:
        raise ValueError(
            f"X lacks the column {absent[0]!r} of user_features, it has {list(X.columns)[:8]}: join the users' table"
        )
    features = X[list(columns)]
    features = features if hasattr(features, "iloc") else features.to_pandas()
    return DescribedHistories(**vars(histories), features=features)


def user_encoder(frame) -> ColumnTransformer:
    """Return an encoder, not fitted: numbers and times by their nearest quantiles, all else a column per label."""
    kinds = {name: NumberEncoder() if frame[name].dtype.kind in "iufmM" else TagEncoder() for name in frame}
    return ColumnTransformer([(name, kind, name) for name, kind in kinds.items()], sparse_threshold=0)


def user_numbers(encoder, frame) -> np.ndarray:
    """Return the features as a net reads them: float32 (n_users, n_features)."""
    return np.asarray(encoder.transform(frame), dtype=np.float32)
