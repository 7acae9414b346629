"""Private names of scikit-learn and implicit: this is the only module that imports them.

`tests/utils/test_sklearn.py` checks what the library relies on and names the versions that were tried.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _check_sample_weight, _get_feature_names

from ._validation import LARGEST_WEIGHT

__all__ = [
    "DocumentationLinkMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_BaseComposition",
    "_check_sample_weight",
    "_fit_context",
    "_get_feature_names",
    "gram_descent",
    "is_search",
    "least_squares_rows",
    "least_squares_steps",
    "tree_dtype",
    "tree_predictor",
    "tree_values",
    "validate_params",
]


class Interval(_Interval):
    """An interval of numbers that arrays can hold: True and False are none, and an open end stops at a large number."""

    _LARGEST = 2**62  # as a bound of integers; of reals 1e15, as for weights

    def __init__(self, type, left, right, *, closed):
        if right is None:
            right = self._LARGEST if type is Integral else LARGEST_WEIGHT
        super().__init__(type, left, right, closed=closed)

    def is_satisfied_by(self, val) -> bool:
        return not isinstance(val, (bool, np.bool_, np.timedelta64)) and super().is_satisfied_by(val)


class DocumentationLinkMixin:
    """Links from an estimator's HTML to its page in the documentation of this project, where its address is known."""

    _doc_link_module = "skrec"

    @property
    def _doc_link_template(self) -> str:
        place = documentation_address().replace("{", "{{").replace("}", "}}")
        return place and place + "/api/generated/{estimator_module}.{estimator_name}.html"

    def _get_doc_link(self) -> str:
        return super()._get_doc_link() if self._doc_link_template else ""  # type: ignore[misc]


def documentation_address() -> str:
    """Return where the documentation is, without a slash at the end, "" where nothing says.

    It is the environment variable `SKREC_DOCS`, else the address of the documentation in the package's metadata.
    """
    place = os.environ.get("SKREC_DOCS")
    place = _published_documentation() if place is None else place
    return place.rstrip("/") if re.fullmatch(r"(https?|file)://[^\s\"'<>]+", place) else ""


@cache
def _published_documentation() -> str:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        named = metadata("skrec-hybrid").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    by_name = dict(entry.split(", ", 1) for entry in named if ", " in entry)
    return by_name.get("Documentation", "")


def gram_descent() -> Callable:
    """Return scikit-learn's coordinate descent for an elastic net, given the products of its columns.

    Returns
    -------
    callable
        ``descend(weights, l1, l2, gram, products, target, max_iter, tol, rng, positive)``, which returns the weights
        and whether the descent converged. Only the squared norm of `target` counts.
    """
    from sklearn.linear_model._cd_fast import enet_coordinate_descent_gram

    def descend(weights, l1, l2, gram, products, target, max_iter, tol, rng, positive):
        arguments = weights, float(l1), float(l2), gram, products, target, max_iter, float(tol), rng, False, positive
        weights, gap, scaled_tol, _ = enet_coordinate_descent_gram(*arguments)
        return weights, gap <= scaled_tol

    return descend


def is_search(model) -> bool:
    """Tell whether a model is one of scikit-learn's searches for hyperparameters."""
    from sklearn.model_selection._search import BaseSearchCV

    return isinstance(model, BaseSearchCV)


def tree_dtype() -> np.dtype:
    """Return the dtype of the nodes of a tree of `HistGradientBoostingRegressor`."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    return PREDICTOR_RECORD_DTYPE


def tree_predictor(nodes: np.ndarray):
    """Return a tree of `HistGradientBoostingRegressor` without categorical splits, given its nodes."""
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    none = np.zeros((0, 8), dtype=np.uint32)
    return TreePredictor(np.ascontiguousarray(nodes), none, none.copy())


def tree_values(tree, X: np.ndarray) -> np.ndarray:
    """Return what a tree of `tree_predictor` gives each row of a float64 array, shape (n_rows,)."""
    return tree.predict(X, np.zeros((0, 8), dtype=np.uint32), np.zeros(0, dtype=np.uint32), 1)


def least_squares_rows(gram, indptr, indices, data, solved, other, penalty: float) -> None:
    """Overwrite `solved` with the exact least-squares factors of some rows of a CSR matrix, with one thread.

    Parameters
    ----------
    gram : ndarray of shape (n_components, n_components)
        ``other.T @ other``.
    indptr : ndarray of shape (n_rows + 1,)
        Where the rows begin in `indices` and `data`.
    indices : ndarray
        Columns of the entries.
    data : ndarray
        Confidences of the entries.
    solved : ndarray of shape (n_rows, n_components)
        Result.
    other : ndarray of shape (n_columns, n_components)
        Factors of the columns.
    penalty : float
        Penalty on the squared norm of each row's factors.
    """
    from implicit.cpu import _als

    _als._least_squares(gram, indptr, indices, data, solved, other, penalty, num_threads=1)


def least_squares_steps(entries, factors, other, penalty: float, *, n_threads: int, n_steps: int) -> None:
    """Improve `factors` by steps of conjugate gradients towards the least-squares factors of a CSR matrix.

    Parameters
    ----------
    entries : csr_matrix of shape (n_rows, n_columns)
        Confidences.
    factors : ndarray of shape (n_rows, n_components)
        Start and result.
    other : ndarray of shape (n_columns, n_components)
        Factors of the columns.
    penalty : float
        Penalty on the squared norm of each row's factors.
    n_threads : int
        Number of threads.
    n_steps : int
        Number of steps.
    """
    from implicit.cpu import _als

    _als.least_squares_cg(entries, factors, other, penalty, num_threads=n_threads, cg_steps=n_steps)
