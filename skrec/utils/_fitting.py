"""Attributes change all at once: fits that fail leave the estimator as it was, and readers see no half of an update."""

import functools

from ._frame_parameter import shallow
from ._prepared import drop_prepared
from ._progress import root_task
from ._sklearn import _fit_context


def fit_context(*, prefer_skip_nested_validation: bool):
    """Decorate a method that fits: parameters are validated, and attributes change all at once, at its end.

    The method works on a shallow copy. Where it returns, the estimator takes the attributes of the copy; where it
    raises, or is interrupted, the estimator stays what it was, fitted or not. Other threads see the one or the other.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        As in scikit-learn: whether parameters of inner estimators are left unvalidated.
    """

    def decorate(method):
        validated = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)(root_task(method))

        @functools.wraps(method)
        def fit(self, *args, **kwargs):
            attempt = shallow(self)
            try:
                result = validated(attempt, *args, **kwargs)
            except BaseException:
                if undo := attempt.__dict__.pop("_undo", None):  # what the attempt shares with the estimator, a net
                    undo()
                raise
            attempt.__dict__.pop("_undo", None)
            self.__dict__ = attempt.__dict__
            drop_prepared(self)
            return self if result is attempt else result

        return fit

    return decorate


def snapshot(method):
    """Decorate a method that reads a fitted estimator: it sees the attributes of one moment, whatever is updated."""

    @functools.wraps(method)
    def read(self, *args, **kwargs):
        return method(snapshot_of(self), *args, **kwargs)

    return read


def snapshot_of(estimator):
    """Return an estimator with the attributes of this moment; what it prepares is kept for the original."""
    if "_snapshot_of" in estimator.__dict__:
        return estimator
    held = shallow(estimator)
    held._snapshot_of = estimator
    return held
