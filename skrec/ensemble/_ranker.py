"""The default second stage."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from ..utils._sklearn import tree_dtype, tree_predictor


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
            state["_predictors"] = [[_tree(part, state["n_features_in_"])] for part in _parts(nodes, sizes)]
        super().__setstate__(state)


def _parts(nodes: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    if not (sizes > 0).all() or sizes.sum() != len(nodes):
        raise ValueError("the ranker's trees are damaged: save the model again")
    return np.split(nodes, np.cumsum(sizes)[:-1])


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
