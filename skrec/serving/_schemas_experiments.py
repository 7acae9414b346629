"""What the routes of experiments take."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictInt, ValidationError, model_validator

from ..model_selection import Experiment
from ._schemas import Body, Text, Time

Name = Annotated[Text, Field(max_length=128)]
_Share = Annotated[float, Field(gt=0, le=1, strict=True)]
_End = Annotated[float, Field(ge=0, le=1, strict=True)]


class VariantIn(Body):
    """What the users of one variant get; what is not given is as for everybody."""

    weight: Annotated[float, Field(gt=0, le=1e6, strict=True)] = 1.0
    version: Annotated[StrictInt, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="A version of the model; None is the current one, which changes with each refit."
    )
    scenario: Text | None = Field(None, description="The scenario whose rules and exploration hold.")


class ExperimentIn(Body):
    """An experiment: variants, and who takes part."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "spring", "variants": {"control": {}, "varied": {"scenario": "varied"}}, "share": 0.5}
            ]
        }
    )
    name: Name
    variants: Annotated[dict[Name, VariantIn], Field(min_length=2, max_length=20)]
    control: Name = "control"
    share: _Share = Field(1.0, description="Share of the users who take part.")
    holdout: Annotated[float, Field(ge=0, lt=1, strict=True)] = Field(
        0.0, description="Share of the users who take part in no experiment."
    )
    holdout_name: Name = "global"
    layer: Name | None = Field(None, description="Experiments of one layer exclude each other by their slots.")
    slots: Annotated[list[_End], Field(min_length=2, max_length=2)] = [0.0, 1.0]
    scenario: Text | None = Field(None, description="Only requests of this scenario; None is all.")
    start: Time | None = Field(None, description="Now where it is missing.")
    stop: Time | None = None
    planned_users: Annotated[StrictInt, Field(ge=100, le=10**12)] = Field(
        10_000, description="Number of users at which the intervals are narrowest."
    )
    attribution_days: Annotated[float, Field(gt=0, le=365)] = Field(
        7.0, description="Days after a list in which an event counts as its effect."
    )

    @model_validator(mode="after")
    def _check(self) -> "ExperimentIn":
        if "/" in self.name or self.name.strip(".") == "":
            raise ValueError(f"name must hold no slash and be more than dots, got {self.name!r}")
        if self.control not in self.variants:
            raise ValueError(f"control must be one of the variants, got {self.control!r}")
        if self.start is not None and self.stop is not None and self.stop <= self.start:
            raise ValueError("stop must be after start")
        experiment_of(self.model_dump(mode="json"))
        return self


class RampIn(Body):
    """A larger share of the users."""

    share: _Share


def experiment_of(body: dict[str, Any]) -> Experiment:
    """Return the experiment that a body describes."""
    names = ("name", "share", "holdout", "holdout_name", "layer", "slots")
    weights = {name: one["weight"] for name, one in body["variants"].items()}
    return Experiment(variants=weights, **{name: body[name] for name in names})


def check_row(row: dict[str, Any]) -> None:
    """Raise a ValueError unless a row of an import is an experiment."""
    try:
        body = ExperimentIn.model_validate_json(row["settings"])
    except ValidationError as error:
        raise ValueError(f"settings must be the JSON of an experiment: {error.errors()[0]['msg']}") from None
    if body.name != row["name"] or row["status"] not in ("running", "stopped"):
        got = f"{row['name']!r} and {row['status']!r}"
        raise ValueError(f"name must be that of the settings, and status running or stopped, got {got}")
