"""What the analysis of an experiment found: tables, and a text."""

import math

MISMATCH = 0.0005  # p-value below which the numbers of users contradict the weights


class ExperimentResult:
    """Result of an online experiment.

    :func:`analyze_experiment` makes it.

    Parameters
    ----------
    table : list of dict
        Rows of the table, one per metric and variant other than the control.
    users : list of dict
        Numbers of users by variant.
    p_mismatch : float
        P-value of the check of the sample ratio.
    over_time : list of dict, default=()
        Rows like those of `table` at each look.
    notes : list of str, default=()
        What was left out, filled in or capped.
    control : str, default="control"
        The variant compared with.
    bounds : str, default="sequential"
        Kind of the intervals.
    planned_users : int, default=10_000
        Where sequential bounds are narrowest.
    confidence : float, default=0.95
        Confidence of the intervals.

    Attributes
    ----------
    table : pandas.DataFrame of shape (n_metrics * (n_variants - 1), n_columns)
        One row per metric and variant, with the columns

        - ``metric``, ``variant``, ``users``, ``control_users``;
        - ``value``, ``control_value``: the mean over users, or the ratio, as observed;
        - ``difference``, ``low``, ``high``: value minus control, after CUPED, and its interval;
        - ``lift``, ``lift_low``, ``lift_high``: the same relative to the control; NaN where the control's value is not
          clearly above 0;
        - ``p_value``, ``standard_error``, and ``variance_reduction``, the share of the variance that CUPED took away;
        - ``verdict``: "higher", "lower" or "undecided", as the interval of the difference lies.
    users : pandas.DataFrame of shape (n_variants, 3)
        ``variant``, ``users`` and ``expected``, the number that the weights give.
    over_time : pandas.DataFrame
        The columns of `table` at each look, with ``time``; empty without times.
    interval : str
        Name of the intervals: "always-valid 95 % interval" with sequential bounds, "95 % interval" with fixed ones.

    See Also
    --------
    skrec.inspection.ExperimentDisplay : Draws it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.model_selection import analyze_experiment
    >>> visits = pd.DataFrame({"user": range(400), "variant": ["control", "new"] * 200, "orders": [0, 1, 1, 0] * 100})
    >>> result = analyze_experiment(visits, metrics="orders")
    >>> result
    ExperimentResult of 400 users: control 200, new 200 (sample ratio as planned, p = 1)
    orders: new 0.5, control 0.5, +0.0 %, always-valid 95 % interval from -41.4 % to +70.6 %, p = 1: undecided
    Note: weights were not given: the sample ratio is checked against equal ones
    """

    def __init__(
        self,
        table,
        *,
        users,
        p_mismatch,
        over_time=(),
        notes=(),
        control="control",
        bounds="sequential",
        planned_users=10_000,
        confidence=0.95,
    ):
        import pandas as pd

        self.table = pd.DataFrame(list(table))
        self.users = pd.DataFrame(list(users))
        self.p_mismatch = p_mismatch
        self.over_time = pd.DataFrame(list(over_time))
        if len(self.over_time):
            days = self.over_time["time"]
            self.over_time["time"] = pd.to_datetime((days * 86_400_000_000).round().astype("int64"), unit="us")
        self.notes = list(notes)
        self.control = control
        self.bounds = bounds
        self.planned_users = planned_users
        self.confidence = confidence

    @property
    def interval(self) -> str:
        """Name of the intervals."""
        kind = "always-valid " if self.bounds == "sequential" else ""
        return f"{kind}{100 * self.confidence:g} % interval"

    def to_dict(self) -> dict:
        """Return the result as types that JSON has; NaN becomes None.

        Returns
        -------
        dict
            With ``table``, ``users``, ``over_time`` (lists of dicts), ``notes`` and the options.
        """
        names = ("p_mismatch", "notes", "control", "bounds", "planned_users", "confidence")
        frames = {name: getattr(self, name) for name in ("table", "users", "over_time")}
        if len(self.over_time):
            frames["over_time"] = self.over_time.assign(time=self.over_time["time"].map(lambda one: one.isoformat()))
        return plain_dict(self, frames, names)

    def __repr__(self) -> str:
        counts = ", ".join(f"{row.variant} {row.users:,}" for row in self.users.itertuples())
        ratio = "as planned" if self.p_mismatch >= MISMATCH else "NOT AS PLANNED"
        lines = [
            f"ExperimentResult of {self.users['users'].sum():,} users: {counts} "
            f"(sample ratio {ratio}, p = {self.p_mismatch:.2g})"
        ]
        for row in self.table.itertuples():
            text = f"{row.metric}: {row.variant} {row.value:.4g}, {self.control} {row.control_value:.4g}, "
            if not math.isnan(row.lift_low):
                text += f"{100 * row.lift:+.1f} %, {self.interval} from "
                text += f"{100 * row.lift_low:+.1f} % to {100 * row.lift_high:+.1f} %, p = {row.p_value:.2g}: "
            elif not math.isnan(row.low):
                text += f"{row.difference:+.3g}, {self.interval} from "
                text += f"{row.low:+.3g} to {row.high:+.3g}, p = {row.p_value:.2g}: "
            lines.append(text + row.verdict)
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def plain_dict(result, frames: dict, names: tuple) -> dict:
    """Return frames as lists of dicts, and attributes of a result, as types that JSON has."""
    found = {name: frame.to_dict("records") for name, frame in frames.items()}
    return _plain(found | {name: getattr(result, name) for name in names})


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
