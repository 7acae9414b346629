"""The off-policy estimate of each model of a comparison."""

from inspect import signature

import numpy as np

from ..feature_extraction._event_columns import read_raw
from ..utils._arguments import check_choice, check_flags, check_whole, shown
from ..utils._histories import read_histories
from ..utils._plackett_luce import check_temperature
from ..utils._time import are_dates, as_days
from ._off_policy import ESTIMATORS, off_policy_evaluation
from ._off_policy_data import column_names

COLUMNS = ("off_policy", "off_policy_low", "off_policy_high", "off_policy_ess", "off_policy_verdict")


def read_pair(logs, options, X) -> tuple | None:
    """Return the logs, histories and options, once it is sure that the models do not know what came of the lists."""
    if logs is None:
        if options is not None:
            raise ValueError("off_policy needs logs: pass a pair (logs, histories)")
        return None
    if not isinstance(logs, (tuple, list)) or len(logs) != 2:
        raise TypeError(f"logs must be a pair (logs, histories), got {shown(logs)}")
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"off_policy must be a dict of arguments of off_policy_evaluation, got {shown(options)}")
    options = {"estimators": "snips"} | (options or {})
    if not isinstance(options["estimators"], str):
        raise TypeError(f"off_policy needs one of the estimators, got {shown(options['estimators'])}")
    _check_options(options)
    frame, histories = logs
    n_rows = len(frame)  # a policy that shows nothing: whatever is wrong with the logs is said now
    own = {name: options[name] for name in options if name in _OF_LOGS}
    off_policy_evaluation(frame, np.zeros(n_rows), estimators="snips", on_mismatch="ignore", **own)
    _check_times(frame, histories, X)
    return frame, histories, options


_OF_LOGS = (
    *("rec_id", "position", "item", "probability", "reward", "cluster", "features"),
    *("clip", "min_ess", "min_rewards", "confidence", "random_state"),
)


def _check_options(options: dict) -> None:
    """Refuse what no model could be judged with, before the first one is fitted."""
    known = set(signature(off_policy_evaluation).parameters) - {"logs", "policy", "histories"}
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"off_policy has {unknown}, which are none of its options {sorted(known)}")
    check_temperature(options.get("temperature", 0.0))
    check_whole(options.get("n_candidates", 1), "n_candidates")
    check_flags(standardize=options.get("standardize", False))
    check_choice(options["estimators"], "estimators", ESTIMATORS)
    check_choice(options.get("on_mismatch", "raise"), "on_mismatch", ("raise", "warn", "ignore"))


def _check_times(frame, histories, X) -> None:
    """Refuse models that learned after the first list, where logs (in the column ``time``) and X have times."""
    if "time" not in column_names(frame):
        return
    moments = read_raw(frame, {"time": "time"})["time"].to_numpy()
    first = float(as_days(moments, "time").min())
    learned = read_histories(X)
    if learned.time is None or not len(learned.time):
        return
    if are_dates(moments) != learned.dated:
        raise TypeError("time must be dates in both or numbers in both, but 'time' of logs and X differ")
    if learned.time.max() >= first:
        raise ValueError(
            "logs must begin after the events of X, or the models have learned what came of the lists: split X at the "
            "time of the first list, with split_time"
        )


def logged_row(model, pair: tuple) -> dict:
    """Return the columns of the leaderboard for a fitted model; a refusal is the verdict."""
    frame, histories, options = pair
    try:
        result = off_policy_evaluation(frame, model, histories=histories, **options)
    except (TypeError, ValueError) as error:
        return {"off_policy_verdict": f"refused: {error}"}
    found = result.table.loc[options["estimators"]]
    names = ("value", "low", "high", "ess", "verdict")
    return {column: found[name] for column, name in zip(COLUMNS, names, strict=True)}
