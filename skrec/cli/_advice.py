"""What to do after a comparison: the model to begin with, and the command that fits it."""

import shlex

from ._options import Log

_FLOORS = ("popularity", "popularity-30d", "random")


def advice(leaderboard) -> tuple[str, str]:
    """Return the model to begin with, and one sentence that says why.

    It is the best, or one that chance alone may have put behind it: popularity, since a simple model must not be
    as good, or one that fits in less than half the time.
    """
    good = leaderboard[leaderboard["error"] == ""]
    key, best = good.columns[0], good.index[0]
    equal = good[(good["p_value"] >= 0.05) | (good.index == best)]
    seconds = equal["fit_seconds"]
    floor = next((name for name in _FLOORS if name in equal.index), None)
    first = best if floor is None else floor
    if floor is None and seconds[best] > 1 and seconds.min() < seconds[best] / 2:
        first = seconds.idxmin()
    value = f"{key.replace('ndcg', 'NDCG')} {good.loc[first, key]:.3f}"
    if len(good) == 1:
        text = f"{first} has {value}: compare it with popularity before you trust it"
    elif floor is not None:
        text = f"no model is clearly better than {first} ({value}): a larger log may tell more"
    elif len(equal) == 1:
        text = f"{first} is the best here, {value}, and chance alone does not explain its lead"
    elif first == best:
        text = (
            f"{first} is the best here, {value}, but chance alone may put it before {_listed(equal.index.drop(first))}"
        )
    else:
        n_users = leaderboard.attrs["n_scored"]
        text = f"{first} is as good as {best}, as far as {n_users:,} users tell, and fits in less than half the time"
    return first, f"Advice: {text}. To fit {first} to the whole log:"


def _listed(names) -> str:
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def next_command(log: Log, model: str, settings: dict, k: int, exclude_seen: bool | None) -> str:
    """Return the command that fits a model as it was compared."""
    words = ["skrec", "fit", *log.arguments(), "--model", model]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    words += [] if exclude_seen is None else ["--exclude-seen" if exclude_seen else "--include-seen"]
    return "  " + shlex.join([*words, *(["-k", str(k)] if k != 10 else []), "-o", "model.skrec"])
