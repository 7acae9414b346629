"""What the service takes: the bodies of requests, each field bounded."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

_LARGEST = 2**63 - 1
_LAST_SECOND = 253_402_300_799  # 9999-12-31
_LONGEST_COLUMN = 16_384  # bytes of what an item has in a further column


def _check_text(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode, without lone surrogates") from None
    return text


Text = Annotated[StrictStr, Field(min_length=1, max_length=256), AfterValidator(_check_text)]
LongText = Annotated[StrictStr, Field(max_length=4096), AfterValidator(_check_text)]
Whole = Annotated[StrictInt, Field(ge=-_LARGEST - 1, le=_LARGEST)]
Id = Whole | Text


def microseconds(value):
    """Read a moment: ISO 8601 (UTC where it names no zone), or seconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be ISO 8601, such as '2026-01-31T12:00:00Z', or seconds since 1970")
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be ISO 8601, such as '2026-01-31T12:00:00Z', or seconds since 1970") from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        try:
            whole = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        except OverflowError:
            raise ValueError("must be in the years 1 to 9999 in UTC") from None
        return whole.days * 86_400_000_000 + whole.seconds * 1_000_000 + whole.microseconds
    if not -_LAST_SECOND <= value <= _LAST_SECOND:  # also refuses NaN
        raise ValueError("must be seconds since 1970 up to the year 9999 (milliseconds are too large by 1,000)")
    return round(value * 1_000_000)


Time = Annotated[int, BeforeValidator(microseconds, json_schema_input_type=str | float)]
Number = Annotated[float, Field(allow_inf_nan=False, strict=True, ge=-1e15, le=1e15)]


class Body(BaseModel):
    """A body: unknown fields are refused, since a misspelt one would be silently ignored."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class EventIn(Body):
    """One event: who did what to which item, when."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "order-1-1", "user": 17850, "item": "22423", "event": "purchase"}]}
    )
    id: Text | None = Field(None, description="The same id twice is one event.")
    user: Id
    item: Id
    event: Text | None = Field(None, description="Such as view or purchase.")
    time: Time | None = Field(None, description="ISO 8601 or seconds since 1970; now where it is missing.")
    value: Annotated[float, Field(allow_inf_nan=False, strict=True, ge=0, le=1e15)] | None = Field(
        None, description="Quantity, price or weight; at least 0."
    )
    session: Text | None = None
    rec_id: Text | None = Field(None, description="The `rec_id` of the answer that led to it.")


class Range(Body):
    """Bounds of a number, both included."""

    min: Number | None = None
    max: Number | None = None


def _check_stock(conditions: dict) -> dict:
    if not isinstance(conditions.get("in_stock", True), bool):
        raise ValueError("in_stock must be true or false")
    return conditions


_Scalar = StrictBool | Whole | Number | LongText
_Condition = Range | Annotated[list[_Scalar], Field(max_length=1000)] | _Scalar
Filter = Annotated[dict[Text, _Condition], Field(max_length=32), AfterValidator(_check_stock)]
Ids = Annotated[list[Id], Field(max_length=10_000)]


class Asked(Body):
    """What all lists share."""

    k: Annotated[StrictInt, Field(ge=1)] = Field(10, description="Number of items.")
    filter: Filter | None = Field(None, description="By column: a value, a list, or {min, max}; in_stock: true.")
    exclude: Ids | None = Field(None, description="Items that must not be in the answer.")
    details: StrictBool = Field(False, description="Whether to add what the catalogue says of each item.")


class RecommendIn(Asked):
    """A request for recommendations to a user, to a basket or to a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user": 17850, "k": 5, "explain": True}]})
    user: Id | None = None
    items: Annotated[list[Id], Field(max_length=1000)] | None = Field(None, description="A basket, oldest first.")
    session: Text | None = None
    scenario: Text = "default"
    candidates: Ids | None = Field(None, description="The only items that may be in the answer.")
    repeats: StrictBool | None = Field(None, description="Whether items that the user has may come again.")
    diversity: Annotated[float, Field(ge=0, le=1, strict=True)] | None = Field(None, description="0 to 1: MMR.")
    explain: StrictBool = False
    at: Time | None = Field(None, description="The moment of asking; only earlier events count.")


class SimilarIn(Asked):
    """A request for items like one item."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item": "22423", "k": 5}]})
    item: Id


class BasketIn(Asked):
    """A request for items that go with a basket."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": ["22423", "84879"], "k": 5}]})
    items: Annotated[list[Id], Field(min_length=1, max_length=1000)]


def _check_column(value):
    try:
        size = len(orjson.dumps(value))
    except TypeError as error:
        raise ValueError(f"must be JSON with numbers of 64 bits, valid Unicode and few levels: {error}") from None
    if size > _LONGEST_COLUMN:
        raise ValueError(f"must have at most {_LONGEST_COLUMN} bytes as JSON")
    return value


_Stock = Annotated[StrictInt, Field(ge=0, le=_LARGEST)]
_Column = Annotated[Any, AfterValidator(_check_column)]


class ItemIn(BaseModel):
    """An item of the catalogue; further columns are kept as they are."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"item": "22423", "name": "Cake stand", "price": 12.75}]}
    )
    __pydantic_extra__: dict[str, _Column] = Field(init=False)
    item: Id
    name: LongText | None = None
    category: LongText | None = None
    price: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False, strict=True)] | None = None
    stock: _Stock | None = None
    hidden: StrictBool = False
    image: LongText | None = None
    added: Time | None = None

    def row(self) -> dict[str, Any]:
        """Return the row that the store takes; only the fields that came."""
        came = self.model_dump(include=self.model_fields_set - set(self.model_extra or {}))
        if self.model_extra:
            came["properties"] = self.model_extra
        return came


class ItemsOut(Body):
    """Ids of items to delete."""

    items: Ids


class RulesIn(Body):
    """The rules of a scenario."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"pin": ["22423"], "max_per_category": 2}]})
    pin: Annotated[list[Id], Field(max_length=100)] = []
    bury: Ids = []
    boost: Annotated[
        dict[Text, Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]], Field(max_length=10_000)
    ] = {}
    max_per_category: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    diversity: Annotated[float, Field(ge=0, le=1)] | None = None
    explore: Annotated[float, Field(ge=0, le=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = None


class MergeIn(Body):
    """Two users who are one: the visitor, and who logged in."""

    source: Id = Field(alias="from")
    into: Id


class JobIn(Body):
    """A job for the trainer."""

    kind: Literal["refit", "update", "drift", "attribute"]


class PromoteIn(Body):
    """How to promote a version."""

    force: StrictBool = Field(False, description="Promote although it is worse than the current one.")
