"""A listwise second stage: LambdaMART by LightGBM, stored and applied as trees of scikit-learn."""

from importlib.util import find_spec

import numpy as np
from sklearn.base import BaseEstimator

from ..utils._prepared import prepared
from ..utils._sklearn import tree_dtype, tree_predictor, tree_values
from ._ranker import FEW, tables_of, trees_from

FEW_PAIRS = 50_000  # up to which threads wait for each other longer than they work
_SPLIT = ("<=",)  # of numbers, the only kind that is trained here


def listwise_ranker(seed: int) -> "ListwiseRanker | None":
    """Return an unfitted ranker, None where LightGBM is not installed or cannot be loaded."""
    if find_spec("lightgbm") is None:
        return None
    try:
        import lightgbm  # noqa: F401
    except OSError:  # the wheel needs the system's libgomp
        return None
    return ListwiseRanker(random_state=seed)


class ListwiseRanker(BaseEstimator):
    """LambdaMART [1]_: trees boosted for NDCG over each user's list, trained by LightGBM; the mean of a few seeds.

    What is stored are numbers, which are checked when they are loaded, and prediction needs no LightGBM.

    Parameters
    ----------
    n_members : int, default=3
        Number of seeds whose scores are averaged.
    n_estimators : int, default=70
        Number of trees of each.
    learning_rate : float, default=0.12
        Shrinkage of each tree.
    num_leaves : int, default=8
        Leaves of a tree; up to 9 the trees of a request are applied as tables.
    min_child_samples : int, default=100
        Least number of pairs in a leaf.
    colsample_bytree : float, default=0.5
        Share of the features that a tree may use.
    random_state : int, default=0
        First seed of LightGBM.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.

    References
    ----------
    .. [1] C. J. C. Burges, "From RankNet to LambdaRank to LambdaMART: An Overview", MSR-TR-2010-82, 2010.
    """

    def __init__(
        self,
        n_members=3,
        n_estimators=70,
        learning_rate=0.12,
        num_leaves=8,
        min_child_samples=100,
        colsample_bytree=0.5,
        random_state=0,
    ):
        self.n_members = n_members
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.colsample_bytree = colsample_bytree
        self.random_state = random_state

    def fit(self, X, y, group) -> "ListwiseRanker":
        """Fit on the pairs of users, user after user.

        Parameters
        ----------
        X : ndarray of shape (n_pairs, n_features)
            Features.
        y : int ndarray of shape (n_pairs,)
            1 for relevant pairs, else 0.
        group : int ndarray of shape (n_users,)
            Number of pairs of each user.
        """
        from lightgbm import LGBMRanker

        parameters = self.get_params()
        n_members, seed = parameters.pop("n_members"), parameters.pop("random_state")
        self.n_features_in_, self._trees = X.shape[1], []
        for member in range(n_members):
            model = LGBMRanker(
                **parameters,
                random_state=(seed + member) % np.iinfo(np.int32).max,
                verbose=-1,
                deterministic=True,
                force_row_wise=True,
                n_jobs=1 if len(X) < FEW_PAIRS else None,
            ).fit(X, y, group=group)
            for tree in model.booster_.dump_model()["tree_info"]:
                nodes = _nodes(tree["tree_structure"])
                nodes["value"] /= n_members
                self._trees.append(tree_predictor(nodes))
        return self

    def predict(self, X) -> np.ndarray:
        """Return the score of each pair, shape (n_pairs,)."""
        X = np.ascontiguousarray(X, dtype=np.float64)
        if len(X) in FEW and not np.isnan(X).any():
            tables = prepared(self, "tables of trees", _tables_of, self._trees)
            if tables is not None:
                return tables(X, np.zeros(1))
        total = np.zeros(len(X))
        for tree in self._trees:
            total += tree_values(tree, X)
        return total

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_trees" in state:
            trees = [tree.nodes for tree in state.pop("_trees")]
            state["_tree_nodes"] = np.concatenate(trees)
            state["_tree_sizes"] = np.array([len(nodes) for nodes in trees])
        return state

    def __setstate__(self, state):
        state = {"n_members": 1, "colsample_bytree": 1.0, **state}  # what older files do not have
        if "_tree_nodes" in state:
            nodes, sizes = state.pop("_tree_nodes"), state.pop("_tree_sizes")
            state["_trees"] = trees_from(nodes, sizes, state["n_features_in_"])
        super().__setstate__(state)


def _tables_of(trees: list):
    return tables_of([[tree] for tree in trees])


def _nodes(root: dict) -> np.ndarray:
    """Return a tree of LightGBM as nodes of scikit-learn, every child behind its parent."""
    rows, waiting = [], [root]
    while waiting:
        node = waiting.pop(0)
        rows.append(node)
        if "split_feature" in node:
            if node["decision_type"] not in _SPLIT:
                raise ValueError(
                    f"LightGBM made a split of the kind {node['decision_type']!r}, which is not known here"
                )
            node["left at"], node["right at"] = len(rows) + len(waiting), len(rows) + len(waiting) + 1
            waiting += [node["left_child"], node["right_child"]]
    nodes = np.zeros(len(rows), dtype=tree_dtype())
    for place, node in zip(nodes, rows, strict=True):
        if "split_feature" not in node:
            place["is_leaf"], place["value"] = 1, node["leaf_value"]
            continue
        place["feature_idx"], place["num_threshold"] = node["split_feature"], node["threshold"]
        place["left"], place["right"] = node["left at"], node["right at"]
        missing = node["missing_type"]  # without one in training, LightGBM reads NaN as 0
        place["missing_go_to_left"] = node["default_left"] if missing == "NaN" else node["threshold"] >= 0
    return nodes
