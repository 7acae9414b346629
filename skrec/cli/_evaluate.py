"""The steps of `skrec evaluate`, which the demo takes as well."""

import contextlib

import numpy as np
from sklearn.utils import Bunch

from ..utils._histories import read_histories
from ._data import last_part, moment_text
from ._screen import Screen

# columns of the leaderboard that fit in a terminal
_SHOWN = ("model", "NDCG", "interval", "p vs best", "Hit rate", "Coverage", "fit s", "peak MiB")


def hold_out(histories, split: str, at, exclude_seen: bool, known_only: bool) -> Bunch:
    """Split a log; return X, y and sentences that say what was done."""
    from ..model_selection import split_last, split_time

    options = {"exclude_seen": exclude_seen, "exclude_unknown": known_only, "verbose": 0}
    if split == "time":
        start = last_part(histories) if at is None else at
        X, y = split_time(histories, start, **options)
        text = moment_text(histories, start) if at is None else at
        how = f"events before {text}", f"from {text} on"
    else:
        X, y = split_last(histories, **options)
        how = "events that are not the last of their user", "last"
    if known_only:
        known = read_histories(X).lengths > 0
        X, y = X[known], y[known]
    past, held = read_histories(X), read_histories(y)
    asked = int((held.lengths > 0).sum())
    kind = "new items" if exclude_seen else "items"
    which = "left out" if exclude_seen else "included"
    sentences = [
        f"The models learned from the {len(past.codes):,} {how[0]} ({int((past.lengths > 0).sum()):,} users, "
        f"{len(past.ids):,} items) and from nothing else.",
        f"They were asked which {kind} came {how[1]}, those that the user had before {which}: "
        f"{len(held.codes):,} items of {asked:,} users.",
    ]
    if known_only:
        sentences.append("Users and items that are not in the learned part are left out of the question.")
    else:
        new_users = int(((past.lengths == 0) & (held.lengths > 0)).sum())
        new_items = int((held.item_codes(np.sort(past.ids)) < 0).sum())
        sentences.append(
            f"Of these, {new_users:,} users and {new_items:,} items are not in the learned part: such items count as "
            "misses (--known-only leaves both out)."
            if new_users or new_items
            else "All of these users and items are in the learned part."
        )
    if split == "last":
        sentences.append("The last events of users lie at different times: a split in time is closer to real use.")
    return Bunch(X=X, y=y, sentences=sentences, split=split)


def known_names(names, X):
    """Keep the names of the items that a model learns from: what is sold later is not known yet."""
    return None if names is None else names[names.index.isin(read_histories(X).ids)]


def with_searches(models: dict, question: Bunch, exclude_seen: bool, fixed: dict) -> tuple[dict, tuple]:
    """Wrap models in searches over what is not `fixed`, and cut the part inside X that these choose by."""
    from sklearn.model_selection import GridSearchCV

    from ..model_selection import SameUsers, default_grid

    chosen = {}
    for name, model in models.items():
        grid = {key: values for key, values in default_grid(model).items() if key not in fixed[name]}
        chosen[name] = GridSearchCV(model, grid, cv=SameUsers(), error_score="raise", refit=True) if grid else model
    part = hold_out(question.X, question.split, None, exclude_seen, False)
    kind = "the last 10 % of those events" if question.split == "time" else "the last of those events of each user"
    question.sentences.append(f"Their parameters were chosen by {kind}; then they learned from all.")
    return chosen, (part.X, part.y)


def ask(screen: Screen, models: dict, question: Bunch, k: int, *, keep: bool = False, validation=None):
    """Compare models; `keep` returns the fitted ones as well, `validation` is what searches choose by."""
    from ..model_selection import compare

    with screen.working(f"Comparing {len(models)} models") as progress:
        shown = contextlib.nullcontext() if progress is None else contextlib.redirect_stdout(progress)
        with shown:
            return compare(
                models,
                question.X,
                question.y,
                k=k,
                validation=validation,
                verbose=int(progress is not None),
                return_per_user=True,
                return_estimator=keep,
            )


def show_leaderboard(screen: Screen, leaderboard, title: str = "") -> None:
    """Print a leaderboard, and why models failed."""
    from ..inspection._report import leaderboard_rows

    header, rows = leaderboard_rows(leaderboard)
    columns = [number for number, name in enumerate(header) if any(word in name for word in _SHOWN)]
    rows = [[row[number] for number in columns] for row in rows]
    numbers = range(1, len(columns))
    header = ["\n".join(header[number].replace("Coverage@", "Coverage @").rsplit(" ", 1)) for number in columns]
    screen.table(header, rows, numbers=numbers, bold=0, title=title)
    for name, error in leaderboard.loc[leaderboard["error"] != "", "error"].items():
        screen.show(f"{name} failed: {error}")


def popularity(histories) -> tuple[np.ndarray, np.ndarray]:
    """Count the users of each item."""
    read = read_histories(histories)
    pairs = np.unique(read.rows * len(read.ids) + read.codes)
    return read.ids, np.bincount(pairs % len(read.ids), minlength=len(read.ids))
