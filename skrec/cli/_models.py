"""What `--model` can name, and how settings are read."""

import ast
import difflib
import importlib

from ._screen import UserError

# name: module, class, settings that differ from the defaults of the class
MODELS = {
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
    "bpr": ("skrec.decomposition", "BPR", {"random_state": 0}),
    "als": ("skrec.decomposition", "ALS", {"random_state": 0}),
    "blend": ("skrec.ensemble", "BlendRecommender", {"weights": "auto", "random_state": 0}),
    "hybrid": ("skrec.ensemble", "TwoStageRecommender", {"random_state": 0}),
    "multvae": ("skrec.neural_network", "MultVAE", {"random_state": 0}),
    "gru4rec": ("skrec.neural_network", "GRU4Rec", {"random_state": 0}),
    "sasrec": ("skrec.neural_network", "SASRec", {"random_state": 0}),
}
NETS = ("multvae", "gru4rec", "sasrec")  # minutes rather than seconds, and another extra: only by name
HYBRIDS = ("blend", "hybrid")
QUICK = tuple(name for name in MODELS if name not in NETS)
NEED_TIME = {"popularity-30d"}
# better with counts where repeats are included, on the validation parts of Online Retail and Complete Journey
COUNTED = ("rp3beta", "ease", "slim", "pure-svd", "als")
_OWN_OPTIONS = {"k": "-k", "exclude_seen": "--exclude-seen or --include-seen"}


def make_model(name: str, settings: dict, *, k: int, exclude_seen: bool, timed: bool = False, names=None):
    """Build a model by its name, with settings as `set_params` takes them; some count where repeats are included.

    `timed` tells whether the histories have times, and `names` is a Series with the names of the items: the hybrids
    make use of both.
    """
    module, kind, preset = MODELS[name]
    if name in HYBRIDS:
        preset = {**preset, **_hybrid(name, exclude_seen, timed, names)}
    model = getattr(importlib.import_module(module), kind)(**preset)
    counted = name in COUNTED and not exclude_seen
    if counted or ("vectorizer" in model.get_params() and any(key.startswith("vectorizer__") for key in settings)):
        from ..feature_extraction import HistoryVectorizer

        model.set_params(vectorizer=HistoryVectorizer(binary=not counted))
    known = model.get_params()
    if "returns" in known:
        model.set_params(returns=not exclude_seen)
    for key in settings:
        if key in _OWN_OPTIONS:
            raise UserError(f"--set {key} has an option of its own: use {_OWN_OPTIONS[key]}")
        if key not in known:
            meant = _meant(key, sorted(set(known) - set(_OWN_OPTIONS)))
            raise UserError(f"--set names the unknown parameter {key!r} of {name}{meant}")
    return model.set_params(**settings, k=k, exclude_seen=exclude_seen)


def _hybrid(name: str, exclude_seen: bool, timed: bool, names) -> dict:
    """Return the parameters of an ensemble: its parts, and what it learns from."""
    from ..dummy import PopularityRecommender
    from ..feature_extraction import HistoryVectorizer
    from ..linear_model import EASE
    from ..neighbors import (
        TIFUKNN,
        BuyAgainRecommender,
        ContentRecommender,
        SessionKNN,
        TransitionRecommender,
    )

    parts = [
        ("ease", EASE(vectorizer=HistoryVectorizer(binary=exclude_seen))),
        ("next", TransitionRecommender()),
        ("session", SessionKNN()),
    ]
    if not exclude_seen:
        parts += [("again", BuyAgainRecommender()), ("tifu", TIFUKNN())]
    if timed:
        parts.append(("popular", PopularityRecommender(window="30D")))
    if names is not None:
        parts.append(("content", ContentRecommender(names.to_frame("name"), missing_features="ignore")))
    made = {"recommenders" if name == "blend" else "retrievers": parts, "holdout": "10%" if timed else "last"}
    return made | ({"n_holdouts": 3} if timed and name == "hybrid" else {})


def check_name(name: str, time: str | None = None) -> None:
    """Raise unless a model has this name, and the column `time` where it needs that."""
    if name not in MODELS:
        raise UserError(f"--model names the unknown model {name!r}{_meant(name, list(MODELS))}")
    if name in NEED_TIME and time is None:
        raise UserError(f"--model {name} needs the times of the events: name their column with --time")


def parse_settings(texts: list[str]) -> dict:
    """Read ``name=value`` texts; values are Python literals, or else plain text."""
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set takes name=value, such as --set l2=200, but got {text!r}")
        words = {"true": True, "false": False, "none": None}
        try:
            settings[key.strip()] = words[value.lower()] if value.lower() in words else ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key.strip()] = value
    return settings


def settings_by_model(texts: list[str], models: list[str]) -> dict[str, dict]:
    """Read ``model.name=value`` texts into the settings of each model."""
    settings = {name: {} for name in models}
    for text in texts:
        name, dot, rest = text.partition(".")
        if not dot or "=" in name:
            raise UserError(f"--set takes model.name=value here, such as --set ease.l2=200, but got {text!r}")
        if name not in settings:
            raise UserError(f"--set names the model {name!r}, which is not compared{_meant(name, models)}")
        settings[name] |= parse_settings([rest])
    return settings


def check_k(k: int) -> None:
    """Raise unless k counts something."""
    if k < 1:
        raise UserError(f"-k must be at least 1, got {k}")


def _meant(given: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(given, choices, n=1)
    plain = [choice for choice in choices if "__" not in choice]
    return f"; did you mean {close[0]!r}?" if close else f"; choose from {', '.join(plain)}"
