"""Ready-made recommenders by name, as the command line builds them, with grids for tuning."""

import importlib
from collections.abc import Mapping

from .utils._arguments import check_flags, check_text, shown
from .utils._suggest import did_you_mean

# name: module, class, parameters that differ from the defaults of the class
_RECIPES: dict[str, tuple[str, str, dict]] = {
    "random": ("skrec.dummy", "RandomRecommender", {"random_state": 0}),
    "popularity": ("skrec.dummy", "PopularityRecommender", {}),
    "popularity-30d": ("skrec.dummy", "PopularityRecommender", {"window": "30D"}),
    "item-knn": ("skrec.neighbors", "ItemKNN", {}),
    "rp3beta": ("skrec.neighbors", "RP3beta", {}),
    "transition": ("skrec.neighbors", "TransitionRecommender", {}),
    "session-knn": ("skrec.neighbors", "SessionKNN", {}),
    "buy-again": ("skrec.neighbors", "BuyAgainRecommender", {}),
    "tifu-knn": ("skrec.neighbors", "TIFUKNN", {}),
    "ease": ("skrec.linear_model", "EASE", {}),
    "slim": ("skrec.linear_model", "SLIM", {}),
    "pure-svd": ("skrec.decomposition", "PureSVD", {"random_state": 0}),
    "ppmi-svd": ("skrec.decomposition", "PPMISVD", {"random_state": 0}),
    "bpr": ("skrec.decomposition", "BPR", {"random_state": 0}),
    "als": ("skrec.decomposition", "ALS", {"random_state": 0}),
    "blend": ("skrec.ensemble", "BlendRecommender", {"weights": "auto", "random_state": 0}),
    "hybrid": ("skrec.ensemble", "TwoStageRecommender", {"random_state": 0}),
    "multvae": ("skrec.neural_network", "MultVAE", {"random_state": 0}),
    "gru4rec": ("skrec.neural_network", "GRU4Rec", {"random_state": 0}),
    "sasrec": ("skrec.neural_network", "SASRec", {"random_state": 0}),
}
_NETS = ("multvae", "gru4rec", "sasrec")
ENSEMBLES = ("blend", "hybrid")
NEED_DATES = ("popularity-30d",)
# better with counts where repeats are included, on the validation parts of Online Retail and Complete Journey
COUNTED = ("rp3beta", "ease", "slim", "pure-svd", "als")
# better on validation parts, by what the histories are: RetailRocket and Diginetica; Online Retail and Complete Journey
# with numbers of baskets in place of dates
_MEASURED: dict[tuple[str, str | None], dict] = {
    ("session-knn", "sessions"): {"idf": 1.5},
    ("session-knn", "date"): {
        "half_life": 15.0,
        "recency": 0.98,
        "length_penalty": 1.0,
        "backward": 1.0,
        "distance_decay": 0.95,
        "idf": 1.5,
    },
    ("buy-again", "basket"): {"half_life": 20.0, "window": None, "prior_weight": 1.0},
}
# the recipe of each class, by its name; the plainest where there are several
CLASSES = {kind: name for name, (_, kind, _) in reversed(_RECIPES.items())}
_TIMES = ("date", "number", "basket")
_ROWS = ("users", "sessions")
REQUEST = ("k", "exclude_seen")  # arguments of `make_recommender` rather than settings


def recipe_names(*, nets: bool = True, time: str | None = "date") -> list[str]:
    """Return the names of the recipes.

    Parameters
    ----------
    nets : bool, default=True
        Whether to name the neural networks, which take minutes rather than seconds and need the extra ``deep``.
    time : {"date", "number", "basket"} or None, default="date"
        What the times of the histories are, as in :func:`make_recommender`; anything but "date" leaves out the recipes
        that count in days.

    Returns
    -------
    list of str
        From simple to elaborate.

    See Also
    --------
    make_recommender : Builds one of them.

    Examples
    --------
    >>> from skrec.recipes import recipe_names
    >>> recipe_names(nets=False)[:4]
    ['random', 'popularity', 'popularity-30d', 'item-knn']
    """
    _check_time(time)
    return [name for name in _RECIPES if (nets or name not in _NETS) and (time == "date" or name not in NEED_DATES)]


def make_recommender(
    name: str,
    settings: dict | None = None,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    time: str | None = None,
    rows: str = "users",
    item_names=None,
):
    """Build a recommender by its name, with what the data at hand offer.

    Parameters
    ----------
    name : str
        One of :func:`recipe_names`.
    settings : dict, default=None
        Parameters to set, as `set_params` takes them, such as ``{"l2": 200, "vectorizer__recency": 0.6}``.
    k : int, default=10
        Number of recommendations.
    exclude_seen : bool, default=True
        Whether items that a user already has come last. Where False, models that gain from it learn from counts
        rather than from which items a user has, and the ensembles get parts for repeated purchases.
    time : {"date", "number", "basket"} or None, default=None
        What the times of the histories are; None where they have none. "basket" are numbers that count the baskets of
        each user, such as the first order, the second order. The ensembles learn from the last event of each user
        without times, from the last basket with "basket", else from the last 10 % of the time; with dates, recent best
        sellers are one of their parts.
    rows : {"users", "sessions"}, default="users"
        What a row is. With "sessions", the views of one visit, the ensembles have parts for short histories and learn
        from the newest sessions, which their parts do not know.
    item_names : pandas.Series of shape (n_items,), default=None
        Names of the items, indexed by item id: the ensembles then get a part that recommends by text.

    Returns
    -------
    estimator
        The unfitted recommender.

    Raises
    ------
    ValueError
        If there is no such recipe, it needs dates and `time` is not "date", `time` or `rows` is not one of its values,
        or `settings` names an unknown parameter.

    See Also
    --------
    recipe_grid : Settings worth trying.
    skrec.model_selection.compare : Compares several of them.

    Examples
    --------
    >>> from skrec.recipes import make_recommender
    >>> make_recommender("ease", {"l2": 200}, k=5)
    EASE(k=5, l2=200)
    >>> [part for part, _ in make_recommender("blend", exclude_seen=False).recommenders]
    ['ease', 'next', 'session', 'again', 'tifu']
    >>> [part for part, _ in make_recommender("blend", exclude_seen=False, rows="sessions").recommenders]
    ['session', 'next', 'knn']
    """
    _check_name(name, time)
    if rows not in _ROWS:
        raise ValueError(f"rows must be 'users' or 'sessions', got {rows!r}: say what a row of the histories is")
    settings = {} if settings is None else settings
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise TypeError(f"settings must be a dict of parameter to value, got {shown(settings)}")
    check_flags(exclude_seen=exclude_seen)
    if item_names is not None and not hasattr(item_names, "to_frame"):
        raise TypeError(f"item_names must be a pandas Series indexed by item id, got {shown(item_names)}")
    module, kind, preset = _RECIPES[name]
    if name in ENSEMBLES:
        preset = {**preset, **_ensemble(name, exclude_seen, time, rows, item_names)}
    else:
        measured = _MEASURED.get((name, rows)) or _MEASURED.get((name, time)) or {}
        preset = {**preset, **measured}
    model = getattr(importlib.import_module(module), kind)(**preset)
    counted = name in COUNTED and not exclude_seen
    if counted or ("vectorizer" in model.get_params() and any(key.startswith("vectorizer__") for key in settings)):
        from .feature_extraction import HistoryVectorizer

        model.set_params(vectorizer=HistoryVectorizer(binary=not counted))
    known = model.get_params()
    if "returns" in known:
        model.set_params(returns=not exclude_seen)
    for key in settings:
        if key in REQUEST:
            raise ValueError(f"settings has {key!r}, which is an argument of its own: pass {key}={settings[key]!r}")
        if key not in known:
            meant = did_you_mean(key, sorted(set(known) - set(REQUEST)))
            raise ValueError(f"settings names the unknown parameter {key!r} of {name}{meant}")
    return model.set_params(**settings, k=k, exclude_seen=exclude_seen)


def recipe_grid(name: str) -> dict[str, list]:
    """Return a small grid of settings of a recipe, for ``GridSearchCV``.

    Parameters
    ----------
    name : str
        One of :func:`recipe_names`.

    Returns
    -------
    dict of str to list
        Empty where nothing is worth searching, or where a search would take too long: the ensembles weigh their
        parts themselves, and a neural network takes minutes for each setting.

    Raises
    ------
    ValueError
        If there is no such recipe.

    See Also
    --------
    skrec.model_selection.default_grid : The same for a model at hand.

    Examples
    --------
    >>> from skrec.recipes import recipe_grid
    >>> recipe_grid("ease")
    {'l2': [30.0, 100.0, 300.0, 1000.0]}
    """
    _check_name(name, "date")
    if name in (*ENSEMBLES, *_NETS):
        return {}
    from .model_selection import default_grid

    return default_grid(make_recommender(name, time="date"))


def _check_time(time: str | None) -> None:
    if not (time is None or (isinstance(time, str) and time in _TIMES)):
        raise ValueError(f"time must be 'date', 'number', 'basket' or None, got {time!r}: say what the times are")


def _check_name(name: str, time: str | None) -> None:
    _check_time(time)
    check_text(name, "name")
    if name not in _RECIPES:
        raise ValueError(f"name={name!r} is not a recipe{did_you_mean(str(name), _RECIPES, aliases=CLASSES)}")
    if name in NEED_DATES and time != "date":
        raise ValueError(f"name={name!r} needs histories whose times are dates: pass time='date' if they have them")


def _ensemble(name: str, exclude_seen: bool, time: str | None, rows: str, item_names) -> dict:
    """Return the parameters of an ensemble: its parts, and what it learns from."""
    from .dummy import PopularityRecommender
    from .feature_extraction import HistoryVectorizer
    from .linear_model import EASE
    from .neighbors import ContentRecommender, ItemKNN

    def part(recipe: str):
        return make_recommender(recipe, exclude_seen=exclude_seen, time=time, rows=rows)

    if rows == "sessions":
        recent = ItemKNN(100, vectorizer=HistoryVectorizer(recency=0.6))
        parts = [("session", part("session-knn")), ("next", part("transition")), ("knn", recent)]
        learned: dict = {"holdout": "sessions"}
    else:
        ease = EASE(vectorizer=HistoryVectorizer(binary=exclude_seen))
        parts = [("ease", ease), ("next", part("transition")), ("session", part("session-knn"))]
        if not exclude_seen:
            parts += [("again", part("buy-again")), ("tifu", part("tifu-knn"))]
        if time == "date":
            parts.append(("popular", PopularityRecommender(window="30D")))
        learned = {"holdout": {None: "last", "basket": "basket"}.get(time, "10%")}
        if time is not None:
            learned["n_holdouts"] = 3
    if time == "basket" and name == "hybrid":
        learned["windows"] = ()  # a number of one user's baskets says nothing about another's
    if item_names is not None:
        parts.append(("content", ContentRecommender(item_names.to_frame("name"), missing_features="ignore")))
    return {"recommenders" if name == "blend" else "retrievers": parts, **learned}
