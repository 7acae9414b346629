"""What the commands take: the options of a log, settings of models, and checks of single options."""

import ast
from dataclasses import dataclass, field, replace
from typing import Any

from ..recipes import CLASSES, NEED_DATES, REQUEST, make_recommender, recipe_names
from ..utils._commands import READING, log_arguments
from ..utils._suggest import did_you_mean
from ._screen import UserError

MODELS = tuple(recipe_names())
UNITS = ("s", "ms", "us", "ns", "D")
_OWN_OPTIONS = {"k": "-k", "exclude_seen": "--exclude-seen or --include-seen"}


@dataclass(frozen=True)
class Log:
    """A log and how to read it; `columns` by role, the others as their options."""

    paths: list[str]
    columns: dict[str, str] = field(default_factory=dict)
    where: str | None = None
    drop_missing: bool = False
    time_format: str | None = None
    time_unit: str | None = None
    encoding: str | None = None
    sessions: bool = False

    def __post_init__(self):
        check_choice(self.time_unit, "--time-unit", UNITS)
        if self.time_unit and self.time_format:
            raise UserError("--time-unit is for times that are numbers, --time-format for text: give one of them")

    def check_times(self) -> None:
        """Raise where an option needs the times of the events."""
        for value, option in ((self.time_unit, "--time-unit"), (self.time_format, "--time-format")):
            if value and "time" not in self.columns:
                raise UserError(f"{option} needs the times of the events: name their column with --time")

    def reading(self) -> dict:
        """Return what a model file keeps, so that `recommend` reads a log alike."""
        how = {name: getattr(self, name) for name in READING}
        return {name: value for name, value in how.items() if value}

    def like(self, reading: dict) -> "Log":
        """Take over how a log was read for `fit`, where no option says otherwise."""
        absent = [name for name in READING if getattr(self, name) in (None, False)]
        changes: dict[str, Any] = {name: reading[name] for name in absent if name in reading}
        return replace(self, **changes)

    def arguments(self) -> list[str]:
        """Return the options as they stand on a command line."""
        return log_arguments(self.paths, self.columns, self.reading(), self.sessions)

    def rows(self) -> str:
        """Return what `make_recommender` must know: what a user of the log is."""
        return "sessions" if self.sessions else "users"


def named_columns(**columns: str | None) -> dict[str, str]:
    """Return the columns that are given, by role; raise where the item's name is no column of its own."""
    given = {role: name for role, name in columns.items() if name is not None}
    for role, name in given.items():
        if role not in ("item", "name") and name == given.get("name"):
            raise UserError(f"--{role} and --name both name the column {name!r}: give --name the column of item names")
    return given


def check_choice(value: str | None, option: str, choices: tuple[str, ...]) -> None:
    """Raise unless the value of an option is one of its choices."""
    if value is not None and value not in choices:
        raise UserError(f"{option} takes one of {', '.join(choices)}, but got {value!r}{_closest(value, choices)}")


def check_k(k: int | None) -> None:
    """Raise unless k counts something."""
    if k is not None and k < 1:
        raise UserError(f"-k must be at least 1, got {k}")


def check_name(name: str, time: str | None = None) -> None:
    """Raise unless a model has this name, and the column `time` where it needs that."""
    if name not in MODELS:
        meant = did_you_mean(name, MODELS, aliases=CLASSES)
        raise UserError(f"--model names the unknown model {name!r}{meant}")
    if name in NEED_DATES and time is None:
        raise UserError(f"--model {name} needs the times of the events: name their column with --time")


def chosen_names(models: list[str] | None, time: str | None) -> list[str]:
    """Return the models to compare: those named, or all but the neural networks."""
    if not models or models == ["all"]:
        return recipe_names(nets=False, time=None if time is None else "date")
    for name in models:
        if name == "all":
            raise UserError("--model all stands alone: leave out the other models")
        check_name(name, time)
        if models.count(name) > 1:
            raise UserError(f"--model {name} stands there twice: name each model once")
    return models


def build(name: str, settings: dict, **options):
    """Build a model by its name, and check the values of its parameters."""
    for key in settings:
        if key in REQUEST:
            raise UserError(f"--set {key} has an option of its own: use {_OWN_OPTIONS[key]}")
    if name in NEED_DATES and options.get("time") != "date":
        raise UserError(
            f"--model {name} counts days, but the times of the log are numbers: say what they count since 1970 with "
            "--time-unit"
        )
    try:
        model = make_recommender(name, settings, **options)
    except ValueError as error:
        raise UserError(str(error).replace("settings names", "--set names")) from error
    model._validate_params()
    return model


def parse_settings(texts: list[str]) -> dict:
    """Read ``name=value`` texts; values are Python literals, or else plain text."""
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set takes name=value, such as --set l2=200, but got {text!r}")
        words = {"true": True, "false": False, "none": None}
        try:
            settings[key.strip()] = words[value.lower()] if value.lower() in words else ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key.strip()] = value
    return settings


def settings_by_model(texts: list[str], models: list[str]) -> dict[str, dict]:
    """Read ``model.name=value`` texts into the settings of each model."""
    settings: dict[str, dict] = {name: {} for name in models}
    for text in texts:
        name, dot, rest = text.partition(".")
        if not dot or "=" in name:
            raise UserError(f"--set takes model.name=value here, such as --set ease.l2=200, but got {text!r}")
        if name not in settings:
            raise UserError(f"--set names the model {name!r}, which is not compared{did_you_mean(name, models)}")
        settings[name] |= parse_settings([rest])
    return settings


def _closest(value: str, choices: tuple[str, ...]) -> str:
    meant = did_you_mean(value, choices)
    return meant if "did you mean" in meant else ""
