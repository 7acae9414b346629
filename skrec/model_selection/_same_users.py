"""Cross-validation on rows that were already split into history and question."""

from collections.abc import Iterator

import numpy as np

from ..utils._containers import count_rows


class SameUsers:
    """Cross-validator with one split whose training and test rows are both all rows.

    For histories that were already split into X and y: fitting never sees y, because a recommender's ``fit`` ignores
    it, so training and testing on the same rows is honest and asks the question of a shop, what do known users do
    next. Pass it as `cv` to ``GridSearchCV``, ``cross_validate`` or ``cross_val_score``.

    See Also
    --------
    split_time : Makes such an X and y.
    sklearn.model_selection.KFold : With it, the users of a test fold are unknown to the model.

    Notes
    -----
    An estimator that does learn from y, as any classifier does, is scored on its own training data here.

    Examples
    --------
    >>> from skrec.model_selection import SameUsers
    >>> for train, test in SameUsers().split([["a"], ["b", "c"]]):
    ...     print(train, test)
    [0 1] [0 1]
    """

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the one split.

        Parameters
        ----------
        X : sequence of histories or frame
            One row per user.
        y : ignored
            Present for compatibility.
        groups : ignored
            Present for compatibility.

        Yields
        ------
        train : ndarray of shape (n_users,)
            All row numbers.
        test : ndarray of shape (n_users,)
            All row numbers.
        """
        rows = np.arange(count_rows(X))
        yield rows, rows.copy()

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : ignored
            Present for compatibility.
        y : ignored
            Present for compatibility.
        groups : ignored
            Present for compatibility.

        Returns
        -------
        int
            1.
        """
        return 1

    def __repr__(self) -> str:
        return "SameUsers()"
