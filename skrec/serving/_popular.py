"""Popular items of the last days, in memory."""

import time
from dataclasses import dataclass

import numpy as np

_DAY = 86_400_000_000  # microseconds
_LIMIT = 10_000


@dataclass(frozen=True)
class Popular:
    """Items by the number of users who had them in the last days of the log; then those of the model.

    Attributes
    ----------
    order : list of ids
        Most popular first.
    counts : dict of id to int
        Number of users in the last days, where there is any.
    """

    order: list
    counts: dict

    @classmethod
    def of_store(cls, store, model, days: float) -> "Popular":
        """Count the users of each item in the last days before the latest event.

        Parameters
        ----------
        store : Store
            The events.
        model : ServedModel or None
            Gives items that had no event in these days, by the popularity that it learned.
        days : float
            Length of the window.

        Returns
        -------
        Popular
            The items.
        """
        latest = store.latest_time()
        latest = None if latest is None else min(latest, time.time_ns() // 1000)  # a date in the future moves nothing
        found = [] if latest is None else store.popular(int(latest - days * _DAY), _LIMIT)
        counts = dict(found)
        order = list(counts)
        if model is not None:
            ranks = np.argsort(-np.asarray(model.estimator.popularity_), kind="stable").tolist()
            order += [model.ids[place] for place in ranks if model.ids[place] not in counts]
        return cls(order, counts)
