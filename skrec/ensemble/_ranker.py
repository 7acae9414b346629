"""The default second stage."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from ..utils._prepared import prepared
from ..utils._sklearn import tree_dtype, tree_predictor

FEW = range(2, 513)  # rows that go through the tables of the trees
_NODES = 8  # inner nodes of a tree that fit into the bits of a byte


def default_ranker(seed: int) -> "BoostedRanker":
    """Return the ranker of ``ranker=None``, unfitted: a hundred small trees."""
    return BoostedRanker(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=7,
        min_samples_leaf=50,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=seed,
    )


class BoostedRanker(HistGradientBoostingClassifier):
    """HistGradientBoostingClassifier for numbers and two classes, whose trees can be stored without trust.

    scikit-learn follows the node numbers of a loaded tree without looking, so a forged file could make it read beyond
    its memory. Here the trees are stored as arrays and checked when they are loaded.
    """

    def predict_proba(self, X) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            The probabilities. For a few hundred rows they come from tables of the trees, which takes a quarter of the
            time of a call per tree and gives the same numbers.
        """
        plain = type(X) is np.ndarray and X.dtype.kind == "f" and X.ndim == 2 and not hasattr(self, "feature_names_in_")
        if plain and len(X) in FEW and X.shape[1] == getattr(self, "n_features_in_", -1) and not np.isnan(X).any():
            tables = prepared(self, f"tables of {len(self._predictors)} trees", tables_of, self._predictors)
            if tables is not None:
                return self._loss.predict_proba(tables(X, self._baseline_prediction)[:, None])
        return super().predict_proba(X)

    def __getstate__(self):
        state = dict(super().__getstate__())
        trees = state.pop("_predictors", None)
        if trees is not None:
            state["_tree_nodes"] = np.concatenate([tree.nodes for (tree,) in trees])
            state["_tree_sizes"] = np.array([len(tree.nodes) for (tree,) in trees])
        return state

    def __setstate__(self, state):
        state = dict(state)
        if "_tree_nodes" in state:
            nodes, sizes = state.pop("_tree_nodes"), state.pop("_tree_sizes")
            state["_predictors"] = [[tree] for tree in trees_from(nodes, sizes, state["n_features_in_"])]
        super().__setstate__(state)


class TreeTables:
    """Small trees as tables: the outcomes of a tree's conditions, as bits of a number, name its leaf.

    Parameters
    ----------
    trees : list of ndarray
        The nodes of each tree, at most `_NODES` of them inner ones.
    """

    def __init__(self, trees: list[np.ndarray]):
        self.features = np.zeros((len(trees), _NODES), dtype=np.int64)
        self.thresholds = np.full((len(trees), _NODES), np.nan)  # below which there is nothing
        self.values = np.empty((len(trees), 2**_NODES))
        self.first = np.arange(len(trees))[:, None] * 2**_NODES
        outcome = np.arange(2**_NODES)
        for number, nodes in enumerate(trees):
            inner = np.flatnonzero(nodes["is_leaf"] == 0)
            self.features[number, : len(inner)] = nodes["feature_idx"][inner]
            self.thresholds[number, : len(inner)] = nodes["num_threshold"][inner]
            bit = np.zeros(len(nodes), dtype=np.int64)
            bit[inner] = np.arange(len(inner))
            at = np.zeros(2**_NODES, dtype=np.int64)
            for _ in inner:  # no leaf is further from the root
                is_left = (outcome >> bit[at]) & 1 == 1
                onward = np.where(is_left, nodes["left"][at], nodes["right"][at])
                at = np.where(nodes["is_leaf"][at] == 0, onward, at)
            self.values[number] = nodes["value"][at]

    def __call__(self, X: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """Return the sum of all trees for each row, shape (n_rows,): two rows or more, which NumPy sums in order."""
        columns = np.ascontiguousarray(X.T, dtype=np.float64)
        is_left = columns[self.features] <= self.thresholds[:, :, None]
        outcome = np.packbits(is_left, axis=1, bitorder="little")[:, 0]
        leaves = self.values.ravel()[self.first + outcome]
        return np.add.reduce(leaves, axis=0, initial=baseline.item())


def tables_of(trees: list) -> TreeTables | None:
    """Return the tables of trees, None where one is large, has categories, or belongs to one of several classes."""
    if any(len(one) != 1 for one in trees):
        return None
    nodes = [tree.nodes for (tree,) in trees]
    small = all(np.count_nonzero(one["is_leaf"] == 0) <= _NODES and not one["is_categorical"].any() for one in nodes)
    return TreeTables(nodes) if small else None


def trees_from(nodes: np.ndarray, sizes: np.ndarray, n_features: int) -> list:
    """Return the trees whose nodes stand behind each other, checked."""
    if not (sizes > 0).all() or sizes.sum() != len(nodes):
        raise ValueError("the ranker's trees are damaged: save the model again")
    return [_tree(part, n_features) for part in np.split(nodes, np.cumsum(sizes)[:-1])]


def _tree(nodes: np.ndarray, n_features: int):
    """Build a tree, once every step leads on to a later node and every feature exists."""
    if nodes.dtype != tree_dtype():
        raise ValueError("the ranker's trees come from another version of scikit-learn: fit the model again")
    inner = nodes["is_leaf"] == 0
    number = np.arange(len(nodes))[inner]
    onward = True
    for side in ("left", "right"):
        step = nodes[side][inner].astype(np.int64)
        onward &= bool(((step > number) & (step < len(nodes))).all())
    feature = nodes["feature_idx"][inner].astype(np.int64)
    if not onward or not ((feature >= 0) & (feature < n_features)).all() or nodes["is_categorical"].any():
        raise ValueError("the ranker's trees are damaged: save the model again")
    return tree_predictor(nodes)
