"""Events to histories on Spark: one shuffle by user, sorted within each user, in Catalyst expressions alone."""

from ..feature_extraction._event_columns import check_columns, check_names
from ..feature_extraction._time_units import UNITS, check_time_unit, recognise_unit, time_notes
from ..utils._arguments import check_text
from ..utils._time import logger
from ..utils._validation import LARGEST_WEIGHT
from ._spark_frames import check_frame, import_spark

_TIE = "__tie__"
_SECOND = 10**6  # microseconds
_DAY = 86_400 * _SECOND
_FIRST, _LAST = -62_135_596_800 * _SECOND, 253_402_300_800 * _SECOND  # the years 1 to 9999


def group_events(events, names: dict, tie: str | None, time_unit: str | None):
    """Return the frame of histories; see `skrec.large.spark.to_histories`."""
    import_spark()
    check_frame(events, "events")
    names = check_names(names)
    for role, name in names.items():
        check_text(name, role)
    if tie is not None:
        check_text(tie, "tie")
    check_columns(names | ({} if tie is None else {"tie": tie}), events.columns)
    check_time_unit(time_unit)
    if time_unit is not None and "time" not in names:
        raise ValueError(f"time_unit={time_unit!r} needs the times of the events: name their column with time=")
    if names["user"] in ("item", "time", "weight", "event"):
        raise ValueError(
            f"user={names['user']!r} is also the name of a list column of the result: rename the column first, "
            "events.withColumnRenamed"
        )
    from pyspark.sql import functions as F

    types = {role: events.schema[name].dataType for role, name in names.items()}
    for role, kind in types.items():
        _check_type(kind, role, names[role])
    number = "time" in types and _is_number(types["time"])
    unit = _unit(events, names["time"], time_unit) if number else None
    if time_unit is not None and not number:
        raise ValueError(
            f"time_unit={time_unit!r} is for times that are numbers, but time column {names['time']!r} has "
            f"{types['time'].simpleString()}: leave it out"
        )
    checked = {role: _checked(_column(name), types[role], role, name) for role, name in names.items()}
    order = F.monotonically_increasing_id() if tie is None else _column(tie)
    flat = events.select(*(checked[role].alias(role) for role in names), order.alias(_TIE))
    fields = [role for role in names if role not in ("user", "time")]
    key = ["time"] if "time" in names else []
    struct = F.struct(*key, _TIE, *fields)  # compared field by field: the tie decides before the rest
    grouped = flat.groupBy("user").agg(F.sort_array(F.collect_list(struct)).alias("events"))
    lists = [F.col("events")[role].alias(role) for role in names if role not in ("user", "time")]
    if key:
        times = F.col("events")["time"]
        lists.insert(1, (times if unit is None else F.transform(times, _moment(unit, types["time"]))).alias("time"))
    return grouped.select(F.col("user").alias(names["user"]), *lists)


def _column(name: str):
    from pyspark.sql import functions as F

    return F.col("`" + name.replace("`", "``") + "`")


def _is_number(kind) -> bool:
    from pyspark.sql.types import FractionalType, IntegralType

    return isinstance(kind, (IntegralType, FractionalType))


def _check_type(kind, role: str, name: str) -> None:
    from pyspark.sql import types as T

    label = f"{role} column {name!r}"
    shown = kind.simpleString()
    if role == "weight":
        if not (_is_number(kind) or isinstance(kind, T.BooleanType)):
            raise TypeError(f"{label} has the type {shown}: weights must be numbers, such as a quantity or an amount")
    elif role == "time":
        number = _is_number(kind) and not isinstance(kind, T.DecimalType)
        if not (number or isinstance(kind, (T.TimestampType, T.TimestampNTZType, T.DateType))):
            raise TypeError(
                f"{label} has the type {shown}, which is not a time: give timestamps, dates or numbers, for instance "
                "through pyspark.sql.functions.to_timestamp"
            )
    elif not isinstance(kind, (T.IntegralType, T.StringType)):
        raise TypeError(f"{label} has the type {shown}: ids must be integers or strings: cast the column")


def _checked(column, kind, role: str, name: str):
    """Return the column; the job that reads a value which its role does not allow fails and says so."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import DoubleType, FloatType

    label = f"{role} column {name!r}"
    drop = f"drop these events first, events.dropna(subset=[{name!r}])"
    wrong, what = column.isNull(), f"{label} has missing values: {drop}"
    if isinstance(kind, (DoubleType, FloatType)):
        wrong = wrong | F.isnan(column) | (F.abs(column) == float("inf"))
        what = f"{label} has values that are missing or not finite: {drop}, or correct them"
    column = F.when(wrong, F.raise_error(F.lit(what))).otherwise(column)
    if role == "weight":
        number = column.cast("double")
        what = (
            f"{label} must be at least 0 and at most {LARGEST_WEIGHT:g}: drop or correct the other events first "
            "(returns and cancellations are not purchases)"
        )
        outside = (number < 0) | (number > LARGEST_WEIGHT)
        column = F.when(outside, F.raise_error(F.lit(what))).otherwise(column)
    return column


def _unit(events, name: str, time_unit: str | None) -> str | None:
    """Return the unit of times that are numbers, from their smallest and largest, which takes one job."""
    import pyarrow as pa
    from pyspark.sql import functions as F

    column = _column(name)
    low, high = events.select(F.min(column), F.max(column)).first()
    if low is None:
        raise ValueError("events is empty: at least one event is needed to make a history")
    unit = time_unit or recognise_unit(low, high)
    label = f"time column {name!r}"
    if unit is None:
        return None
    factor = _DAY if unit == "D" else _SECOND / UNITS[unit]
    if not (low * factor >= _FIRST and high * factor < _LAST):
        raise ValueError(
            f"{label} reaches from {low} to {high}, which with time_unit={unit!r} are no dates in the years 1 to 9999: "
            "check the unit"
        )
    if time_unit is None:
        ends = pa.array([int(low * factor), int(high * factor)], type=pa.timestamp("us"))
        logger.warning(next(iter(time_notes(ends, unit, label))))
    return unit


def _moment(unit: str, kind):
    """Return the function from a number to a timestamp, microseconds being what Spark holds."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import IntegralType

    def exact(value):
        if unit == "ns":
            return F.timestamp_micros(F.rint((value - F.pmod(value, F.lit(1000))) / 1000).cast("bigint"))
        factor = _DAY if unit == "D" else _SECOND // UNITS[unit]
        if isinstance(kind, IntegralType):
            return F.timestamp_micros(value.cast("bigint") * factor)
        whole = F.floor(value)
        return F.timestamp_micros(whole.cast("bigint") * factor + F.rint((value - whole) * factor).cast("bigint"))

    return exact
