"""A few settings around the defaults that are worth trying."""

from sklearn.pipeline import Pipeline

# one small grid per class; every default is in its grid
_GRIDS: dict[str, dict[str, list]] = {
    "PopularityRecommender": {},
    "RandomRecommender": {},
    "ItemKNN": {"n_neighbors": [20, 50, 100, 200], "shrinkage": [0.0, 10.0, 50.0]},
    "RP3beta": {"alpha": [0.4, 0.6, 1.0, 1.4], "beta": [0.1, 0.3, 0.5]},
    "TransitionRecommender": {"recency": [0.4, 0.6, 0.8], "damping": [0.0, 0.1, 0.3], "backward": [0.3, 0.5]},
    "SessionKNN": {"recency": [0.6, 0.8], "idf": [0.0, 0.75, 1.5], "length_penalty": [0.25, 0.5]},
    "BuyAgainRecommender": {"half_life": [80.0, 180.0, 365.0], "prior_weight": [2.0, 5.0, 10.0]},
    "TIFUKNN": {"alpha": [0.3, 0.5, 0.7], "n_neighbors": [50, 200]},
    "ContentRecommender": {"popularity_power": [0.0, 0.1, 0.2, 0.3]},
    "EASE": {"l2": [30.0, 100.0, 300.0, 1000.0]},
    "SLIM": {"l1": [1.0, 3.0], "l2": [30.0, 200.0, 500.0]},
    "ALS": {"l2": [0.003, 0.01, 0.03], "n_components": [32, 64, 128]},
    "BPR": {"n_components": [32, 64, 128], "l2": [0.001, 0.003, 0.01]},
    "PPMISVD": {"n_components": [128, 256, 512], "singular_exponent": [0.5, 1.0], "recency": [0.4, 0.6, 0.8]},
    "PureSVD": {"n_components": [20, 64, "auto", 512], "scaling": [0.5, 0.7, 1.0]},
}


def default_grid(model) -> dict[str, list]:
    """Return a small grid of settings around the defaults of a model.

    Parameters
    ----------
    model : estimator
        A recommender of skrec, or a pipeline that ends in one.

    Returns
    -------
    dict of str to list
        For ``GridSearchCV``. Empty for a model that has nothing worth searching.

    Raises
    ------
    TypeError
        If skrec has no grid for the class.

    See Also
    --------
    compare : Compares models, and searches on the way.

    Notes
    -----
    The grids hold what moved NDCG most on the validation parts of the sets in ``benchmarks/bench_defaults.py``, which
    prints the defaults beside the best of the grid.

    Examples
    --------
    >>> from skrec.linear_model import EASE
    >>> from skrec.model_selection import default_grid
    >>> default_grid(EASE())
    {'l2': [30.0, 100.0, 300.0, 1000.0]}
    """
    prefix = ""
    if isinstance(model, Pipeline):
        prefix, model = f"{model.steps[-1][0]}__", model.steps[-1][1]
    name = type(model).__name__
    if name not in _GRIDS:
        raise TypeError(f"there is no grid for {name}: pass a GridSearchCV with a grid of your own, or another model")
    return {f"{prefix}{key}": list(values) for key, values in _GRIDS[name].items()}
