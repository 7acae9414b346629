"""The private names of scikit-learn and implicit do what the library relies on.

Tried with scikit-learn 1.7.0 and the versions up to the second in `_TRIED`, and with implicit 0.7.3.
"""

import ast
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.utils._sklearn import (
    gram_descent,
    is_search,
    least_squares_rows,
    least_squares_steps,
    tree_dtype,
    tree_predictor,
)

_TRIED = {"scikit-learn": ("1.7.0", "1.9.1"), "implicit": ("0.7.3", "0.7.3")}


@pytest.mark.parametrize("package", _TRIED)
def test_the_installed_version_is_between_those_that_were_tried(package):
    lowest, latest = (tuple(map(int, bound.split("."))) for bound in _TRIED[package])
    installed = tuple(int(part) for part in version(package).split(".")[:3])
    assert lowest <= installed, f"{package} {version(package)} is older than the oldest version tried"
    assert installed[:2] <= latest[:2], (
        f"{package} {version(package)} is newer than the versions tried: run this file and tests/test_common.py, "
        "then raise _TRIED"
    )


@pytest.mark.parametrize("positive", [True, False])
def test_gram_descent_solves_the_elastic_net(positive):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)), rng.normal(size=40)
    l1, l2 = 2.0, 3.0
    weights, converged = gram_descent()(
        np.zeros(6), l1, l2, X.T @ X, X.T @ y, y, 1000, 1e-10, np.random.RandomState(0), positive
    )
    expected = ElasticNet(
        alpha=(l1 + l2) / 40,
        l1_ratio=l1 / (l1 + l2),
        fit_intercept=False,
        tol=1e-12,
        max_iter=10_000,
        positive=positive,
    ).fit(X, y)
    assert converged
    np.testing.assert_allclose(weights, expected.coef_, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gram_descent_says_when_it_did_not_converge():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)) + 3, rng.normal(size=40)
    _, converged = gram_descent()(np.zeros(6), 0.1, 0.0, X.T @ X, X.T @ y, y, 1, 1e-12, np.random.RandomState(0), False)
    assert not converged


def test_trees_from_their_nodes_predict_the_same():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = HistGradientBoostingRegressor(max_iter=3, random_state=0).fit(X, X[:, 0] * X[:, 1])
    expected = model.predict(X)
    nodes = [tree.nodes for (tree,) in model._predictors]
    assert all(part.dtype == tree_dtype() for part in nodes)
    assert {"left", "right", "is_leaf", "feature_idx", "is_categorical"} <= set(tree_dtype().names)
    model._predictors = [[tree_predictor(part)] for part in nodes]
    np.testing.assert_array_equal(model.predict(X), expected)


def _problem():
    rng = np.random.default_rng(0)
    entries = sp.random(12, 9, 0.4, format="csr", dtype=np.float32, random_state=0)
    return entries, rng.normal(size=(9, 4)).astype(np.float32)


def _exact(entries, other, penalty):
    """Minimise sum c (1 - x.y)^2 + sum over the unobserved (x.y)^2 + penalty |x|^2, where c = 1 + entry."""
    solved = []
    for row in entries.toarray():
        confidence = np.where(row, row, 1.0)
        left = (other.T * confidence) @ other + penalty * np.eye(other.shape[1])
        solved.append(np.linalg.solve(left, other.T @ row))
    return np.array(solved)


def test_least_squares_of_rows_is_exact():
    entries, other = _problem()
    solved = np.zeros((12, 4), dtype=np.float32)
    least_squares_rows(other.T @ other, entries.indptr, entries.indices, entries.data, solved, other, 0.5)
    np.testing.assert_allclose(solved, _exact(entries, other, 0.5), rtol=1e-3, atol=1e-4)


def test_least_squares_by_steps_comes_to_the_same():
    entries, other = _problem()
    solved = np.zeros((12, 4), dtype=np.float32)
    least_squares_steps(entries, solved, other, 0.5, n_threads=1, n_steps=20)
    np.testing.assert_allclose(solved, _exact(entries, other, 0.5), rtol=1e-3, atol=1e-4)


def test_searches_are_told_from_other_models():
    assert is_search(GridSearchCV(ElasticNet(), {"alpha": [1]}))
    assert not is_search(ElasticNet())


def test_no_other_module_imports_private_names():
    root = Path(skrec.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        if path.name == "_sklearn.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                parts = [part for alias in node.names for part in alias.name.split(".")]
            else:
                continue
            if parts[0] in ("sklearn", "implicit") and any(part.startswith("_") for part in parts):
                found.append(f"{path.relative_to(root)}:{node.lineno}")
    assert not found, "import these through skrec/utils/_sklearn.py"
