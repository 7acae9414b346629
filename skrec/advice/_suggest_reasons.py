"""Why a recipe is suggested, and what contradicts or limits a suggestion, in words and from facts."""

import numpy as np

_REPEATED = 0.1  # share of repeats from which people are taken to buy again
_RANGES = ("n_events", "n_users", "n_items", "events_per_user_mean")
_LIMITS = (("fit_seconds", "s", "a fit"), ("memory_gib", "GiB", "a fit"), ("latency_ms", "ms", "a request"))
_CLEARLY = 0.67  # a cost below this share of another is lower beyond the error of the cost models
_IN_WORDS = {
    "n_events": "events",
    "n_users": "users",
    "n_items": "items",
    "events_per_user_mean": "events per user",
}


def percent(share: float) -> str:
    """Write a share in percent, with a decimal place below 10 %."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def buys_again(facts: dict[str, float]) -> bool:
    """Tell whether repeats are so common that they may be recommended."""
    return facts["repeat_share"] >= _REPEATED


def reason(recipe: str, facts: dict[str, float], reached: list[tuple[str, float]], average: tuple[float, int]) -> str:
    """Say why a recipe suits a log: a fact of the log, and what it reached on the nearest logs and on average."""
    where = " and ".join(f"{percent(share)} on {log}" for log, share in reached)
    text = _fact(recipe, facts) + (f"; NDCG relative to the best of the nearest logs: {where}" if reached else "")
    mean, n_logs = average
    return f"{text}; {percent(mean)} in the mean of {n_logs} logs with the same question" if n_logs else text


def gain_in_words(factor: float) -> str:
    """Say by what names of the items multiply the NDCG of a recipe; nothing for 1."""
    if factor == 1:
        return ""
    return f"; names of the items {'add' if factor > 1 else 'cost'} {percent(abs(factor - 1))} on the measured logs"


def _fact(recipe: str, facts: dict[str, float]) -> str:
    if recipe in ("buy-again", "tifu-knn"):
        return f"{percent(facts['repeat_share'])} of the events repeat an item that the user already has"
    if recipe in ("session-knn", "transition", "ppmi-svd"):
        gain = facts["order_gain"]
        if not np.isfinite(gain):
            return "it learns from the order of the events"
        return (
            f"order counts: pairs of successive items recur {gain:.1f} times as often among users as pairs half a "
            "history apart"
        )
    if recipe.startswith("popularity"):
        if np.isfinite(facts["popularity_shift"]):
            shift, new = facts["popularity_shift"], facts["new_item_share"]
            return f"popularity shift {shift:.2f} of 1, {percent(new)} of the recent events on new items"
        return f"{percent(facts['head_share'])} of the events are of the most popular tenth of the items"
    if recipe in ("item-knn", "rp3beta", "ease", "slim"):
        pairs = facts["next_pair_share"]
        shared = f", {percent(pairs)} of the successive pairs shared by two users" if np.isfinite(pairs) else ""
        return f"item-to-item weights: {facts['n_items']:,.0f} items{shared}"
    if recipe in ("pure-svd", "als", "bpr"):
        return f"latent factors: {facts['density']:.2%} of the pairs of user and item occur"
    if recipe in ("blend", "hybrid"):
        how = "weights" if recipe == "blend" else "reranks"
        return f"{how} models of order, of items taken together and of repeats by held-out events of this log"
    return "a baseline"


def changes(frame, place: int, other_need: str | None) -> str:
    """Say what would change the choice of a row of the suggestions, best first."""
    row = frame.iloc[place]
    if place:
        better = frame.iloc[:place].min()
        limits = [
            f"{what} may take less than {better[column]:.2g} {unit}"
            for column, unit, what in _LIMITS
            if row[column] < _CLEARLY * better[column]
        ]
        return f"first where {' or '.join(limits)}" if limits else "first where `skrec evaluate` finds it better"
    cheaper = frame.iloc[1:][frame["fit_seconds"].iloc[1:] < _CLEARLY * row["fit_seconds"]]
    parts = [] if other_need is None else [other_need]
    if len(cheaper):
        loss = row["expected"] - cheaper["expected"].iloc[0]
        parts.append(
            f"{cheaper.index[0]} where a fit may take less than {row['fit_seconds']:.2g} s ({percent(loss)} less NDCG)"
        )
    return "; ".join(parts) or "nothing that was measured"


def contradictions(
    need: str | None, exclude_seen: bool, sessions: bool, facts: dict[str, float], named: bool
) -> list[str]:
    """Say where what is wanted does not fit the log."""
    found, repeats = [], facts["repeat_share"]
    if need == "repeats" and repeats < 0.02:
        found.append(
            f"need='repeats' contradicts the log: {percent(repeats)} of the events repeat an item that the user "
            "already has; need='new' fits it"
        )
    if exclude_seen and repeats >= 0.2:
        found.append(
            f"Items that a user already has are left out, yet {percent(repeats)} of the events are of such items; "
            "need='repeats' would recommend them"
        )
    short = facts["session_user_share"]
    if sessions and np.isfinite(short) and short < 0.5:
        found.append(
            f"Rows are taken for sessions, but the events of {percent(1 - short)} of the users with several events "
            "spread over more than a day: make each session a user of its own"
        )
    elif sessions and not np.isfinite(short) and facts["events_per_user_median"] > 20:
        found.append(
            f"Rows are taken for sessions, but the median row has {facts['events_per_user_median']:.0f} events: make "
            "each session a user of its own"
        )
    if need == "cold":
        new = facts["new_item_share"]
        if not np.isfinite(new):
            found.append("The log has no times, so it does not tell how many events are of new items")
        elif new < 0.01:
            found.append(
                f"need='cold' contradicts the log: {percent(new)} of its most recent tenth of the events are of items "
                "that are new in it"
            )
        found.append(
            "No recipe recommends an item without an event: skrec.neighbors.ContentRecommender does, from item features"
            + ("" if named else "; without names or other features of the items there is nothing to go by")
        )
    return found


def extrapolations(facts: dict[str, float], measured: list[dict[str, float]]) -> list[str]:
    """Say in which size a log lies beyond the measured ones."""
    found = []
    for name in _RANGES:
        known = [character[name] for character in measured]
        if not min(known) <= facts[name] <= max(known):
            side, bound = ("most", max(known)) if facts[name] > max(known) else ("fewest", min(known))
            found.append(f"{_number(facts[name])} {_IN_WORDS[name]} ({side} measured: {_number(bound)})")
    return [f"Beyond the measured logs, so order and costs are extrapolated: {', '.join(found)}"] if found else []


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
