"""Attribution of events without a `rec_id` to the list that showed their item last: a job of the trainer."""

from typing import Any

from ._database import now
from ._store_experiments import DAY
from ._work import Work

EVERY = 5  # minutes between jobs while experiments run
DAYS = 7.0  # in which a list must have been shown, where no experiment says otherwise
_AFTER = DAY // 24  # the last events of an experiment are attributed after its end
_SETTLE = 2.0  # seconds in which impressions of other processes are written


def attribute(job: dict, work: Work) -> dict[str, Any]:
    """Attribute the events that came since the last such job.

    Each event without a `rec_id` goes to the list that showed its item to its user last, within the days of the
    experiment with the longest window. What is attributed stays, so that a repeated job changes nothing. The first job
    begins with the first experiment.

    Parameters
    ----------
    job : dict
        The job.
    work : Work
        What it works with.

    Returns
    -------
    dict
        `events`: number of events that were looked at; `attributed`: number of those that have a list now; `days`.
    """
    store = work.store
    upto, after, known = store.last_seq(), store.attributed_seq(), store.experiments()
    if after is None:
        after = store.seq_before(min((row["start"] for row in known), default=now()))
    days = max((row["settings"]["attribution_days"] for row in known), default=DAYS)
    if upto <= after:
        return {"events": 0, "attributed": 0, "days": days}
    work.pause(_SETTLE)
    work.say(f"attributing {upto - after:,} events")
    return {"events": upto - after, "attributed": store.attribute(after, upto, round(days * DAY)), "days": days}


def is_due(store) -> bool:
    """Tell whether experiments run, or did an hour ago, and events came since the last attribution."""
    return bool(store.running_experiments(_AFTER)) and store.last_seq() > (store.attributed_seq() or 0)
