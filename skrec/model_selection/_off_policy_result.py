"""What an off-policy evaluation found: tables, and a text."""

import math

from ._experiment_result import plain_dict


class OffPolicyResult:
    """Result of an off-policy evaluation.

    :func:`off_policy_evaluation` makes it.

    Parameters
    ----------
    table : list of dict
        Rows of the table, one per estimator.
    by_position : list of dict
        Rows of the table of positions.
    n_lists, n_clusters : int
        Number of lists, and of users or other clusters.
    cluster : str, default="list"
        What the clusters are.
    clipping : dict, default=None
        What was clipped; None where nothing was to be.
    notes : list of str, default=()
        What was filled, clipped or looks wrong.
    confidence : float, default=0.95
        Confidence of the intervals.

    Attributes
    ----------
    table : pandas.DataFrame of shape (n_estimators + 1, n_columns)
        Indexed by estimator, the first row is "logged", what the logs earned, with the columns

        - ``value``, ``low``, ``high``, ``standard_error``: reward per list and its interval; NaN where refused;
        - ``difference``, ``difference_low``, ``difference_high``: value minus that of the logs, on the same lists;
        - ``ess``, ``rewards``: effective sample size in lists, and effective number of rewarded rows;
        - ``verdict``: "higher", "lower" or "undecided" as the interval of the difference lies, "refused: ..." or
          "not applicable: ..." with the reason, "no interval" or "observed".
    by_position : pandas.DataFrame of shape (n_positions, n_columns)
        Indexed by position: ``rows``, ``mean_weight`` and its ``weight_error``, ``ess``, ``largest_weight``,
        ``clipped`` rows, ``logged`` reward per row, and ``value``, the self-normalised estimate of it.

    See Also
    --------
    off_policy_evaluation : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skrec.model_selection import off_policy_evaluation
    >>> rng = np.random.default_rng(0)
    >>> item = rng.integers(0, 2, 5000)
    >>> logs = pd.DataFrame({"rec_id": range(5000), "position": 1, "item": item, "probability": 0.5})
    >>> logs["reward"] = rng.binomial(1, np.where(item == 1, 0.3, 0.1))
    >>> off_policy_evaluation(logs, item * 1.0, estimators="snips")
    OffPolicyResult of 5,000 lists, reward per list, 95 % intervals by list
    logged: 0.1984, from 0.1873 to 0.2095
    snips: 0.3051, from 0.287 to 0.3231, effective lists 2,511: higher
    """

    def __init__(
        self, table, *, by_position, n_lists, n_clusters, cluster="list", clipping=None, notes=(), confidence=0.95
    ):
        import pandas as pd

        self.table = pd.DataFrame(list(table)).set_index("estimator")
        self.by_position = pd.DataFrame(list(by_position)).set_index("position")
        self.n_lists = n_lists
        self.n_clusters = n_clusters
        self.cluster = cluster
        self.clipping = clipping
        self.notes = list(notes)
        self.confidence = confidence

    def to_dict(self) -> dict:
        """Return the result as types that JSON has; NaN becomes None.

        Returns
        -------
        dict
            With ``table``, ``by_position`` (lists of dicts), ``notes``, ``clipping`` and the numbers.
        """
        names = ("n_lists", "n_clusters", "cluster", "clipping", "notes", "confidence")
        frames = {name: getattr(self, name).reset_index() for name in ("table", "by_position")}
        return plain_dict(self, frames, names)

    def __repr__(self) -> str:
        lines = [
            f"OffPolicyResult of {self.n_lists:,} lists, reward per list, {100 * self.confidence:g} % intervals by "
            f"{self.cluster}"
        ]
        for row in self.table.itertuples():
            text = f"{row.Index}: "
            if not math.isnan(row.value):
                text += f"{row.value:.4g}"
                text += f", from {row.low:.4g} to {row.high:.4g}" if not math.isnan(row.low) else ""
                text += f", effective lists {row.ess:,.0f}" if not math.isnan(row.ess) else ""
                text += f": {row.verdict}" if row.verdict != "observed" else ""
            else:
                text += row.verdict
            lines.append(text)
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])
