"""Experiments while the service runs: who gets which variant, and the models that variants pin."""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from ._answers import Answer, Answers
from ._database import now
from ._pace import Pace
from ._rules import Scenario
from ._schemas_experiments import experiment_of

logger = logging.getLogger("skrec.serving")
_AGAIN = 60.0  # seconds after which a version that could not be loaded is tried again


class Trial:
    """A running experiment, as requests need it.

    Parameters
    ----------
    row : dict
        Its row in the store.
    """

    def __init__(self, row: dict[str, Any]):
        self.body = row["settings"]
        self.name: str = row["name"]
        self.start: int = row["start"]
        self.stop: int | None = row["stop"]
        self.scenario: str | None = self.body["scenario"]
        self.experiment = experiment_of(self.body)
        self.variants: dict[str, dict[str, Any]] = self.body["variants"]
        self.versions = {one["version"] for one in self.variants.values() if one["version"] is not None}
        self.problem: str | None = None

    def is_open(self, moment: int, scenario: str) -> bool:
        """Tell whether requests of a scenario take part."""
        if self.problem is not None or moment < self.start or (self.stop is not None and moment >= self.stop):
            return False
        return self.scenario is None or self.scenario == scenario


@dataclass
class Applied:
    """What experiments make of one request.

    Attributes
    ----------
    variants : dict of str to str
        The variant by the name of the experiment.
    answers : OfVersion or None
        What answers, where a variant pins a version of the model.
    """

    variants: dict[str, str]
    answers: "OfVersion | None" = None


class _Pinned:
    """A version of the model in the place of `Models`."""

    def __init__(self, model):
        self.current = model


class OfVersion(Answers):
    """Answers of one version of the model, with the catalogue and the rules of the main ones."""

    def __init__(self, main: Answers, model, deadline: float, *, local: bool):
        super().__init__(main.settings, main.store, _Pinned(model))
        self.main, self.pace = main, Pace(deadline, local=local)
        self._rules_of: dict | None = None
        self._take_over()

    def refresh(self, state) -> None:
        """Bring catalogue and rules to the state of the store."""
        self.main.refresh(state)
        self._take_over()

    def _take_over(self) -> None:
        main = self.main
        self.catalogue, self.popular_items, self._first_seen = main.catalogue, main.popular_items, main._first_seen
        if self._rules_of is not main.scenarios:  # scenarios remember re-rankers of one model
            self._rules_of = main.scenarios
            self.scenarios = {name: Scenario(one.body) for name, one in main.scenarios.items()}

    def fallback(self, asked, reason: str | None, had=()) -> Answer:
        """Answer with popular items."""
        return self.main.fallback(asked, reason, had)


@dataclass
class Trials:
    """The running experiments of one process of the service.

    Parameters
    ----------
    answers : Answers
        The answers for everybody.
    models : Models
        The versions of the model.

    Attributes
    ----------
    running : tuple of Trial
        The experiments; replaced by one assignment.
    """

    answers: Answers
    models: Any
    running: tuple[Trial, ...] = ()
    _of_version: dict[int, OfVersion] = field(default_factory=dict)
    _stamps: dict[int, Any] = field(default_factory=dict)
    _failed: dict[int, float] = field(default_factory=dict)  # when versions that failed are tried again
    _rules: int = -1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, state) -> None:
        """Bring the experiments to the state of the store; one thread at a time."""
        with self._lock:
            self._refresh(state)

    def _refresh(self, state) -> None:
        """Read the experiments where the store has others, and load the versions that they pin."""
        if state.rules != self._rules:
            running = [Trial(row) for row in self.models.store.running_experiments()]
            self._load({version for trial in running for version in trial.versions})
            self._mark(running)
            self.running, self._rules = tuple(running), state.rules
        elif self._stamps:
            self._load(set(self._stamps))
            self._mark(self.running)

    def apply(self, asked) -> Applied | None:
        """Assign the user of a request, and change the request to what the variant gives; None outside."""
        if asked.user is None:
            return None
        moment, asked_scenario, applied = now(), asked.scenario, Applied({})
        for trial in self.running:
            if not trial.is_open(moment, asked_scenario):
                continue
            variant = trial.experiment.assign(asked.user)
            if variant not in trial.variants:  # outside, or held out
                continue
            gives = trial.variants[variant]
            if gives["version"] is not None:
                answers = self._of_version.get(gives["version"])
                if answers is None:  # it is being suspended
                    continue
                applied.answers = answers
            applied.variants[trial.name] = variant
            if gives["scenario"] is not None:
                asked.scenario = gives["scenario"]
        return applied if applied.variants else None

    def _load(self, versions: set[int]) -> None:
        """Load versions that are new, and those whose files were replaced: users who were deleted are unlearned."""
        settings = self.models.settings
        local, deadline = settings.database.startswith("sqlite"), settings.deadline_ms / 1000
        loaded, stamps = {}, {}
        for version in versions:
            stamps[version] = self.models._stamp(version)
            known = self._of_version.get(version)
            same = stamps[version] == self._stamps.get(version)
            if known is not None and same:
                loaded[version] = known
            elif stamps[version] is not None and not (same and time.monotonic() < self._failed.get(version, 0.0)):
                try:
                    model = self.models.load(version)
                    model.warm_up()
                    loaded[version] = OfVersion(self.answers, model, deadline, local=local)
                except Exception as error:
                    self._failed[version] = time.monotonic() + _AGAIN
                    logger.error("version %s of an experiment cannot be loaded: %s", version, error)
        self._of_version, self._stamps = loaded, stamps

    def _mark(self, trials) -> None:
        """Suspend experiments a version of which is gone: one variant without its model would be no comparison."""
        for trial in trials:
            missing = sorted(trial.versions - self._of_version.keys())
            problem = f"version {missing[0]} of the model cannot be loaded" if missing else None
            if problem is not None and problem != trial.problem:
                logger.error("experiment %s is suspended: %s", trial.name, problem)
            trial.problem = problem


def conflict(body: dict[str, Any], others: list[dict[str, Any]]) -> str | None:
    """Tell which running experiment would change the same answers of the same users, and None where none does."""
    mine = experiment_of(body)
    for row in others:
        other = row["settings"]
        shared = _aspects(body) & _aspects(other)
        apart = None not in (body["scenario"], other["scenario"]) and body["scenario"] != other["scenario"]
        if shared and not apart and not mine.excludes(experiment_of(other)):
            return (
                f"the experiment {row['name']!r} changes the {shared.pop()} of the same users: stop it, or give "
                "both one layer and slots that do not overlap"
            )
    return None


def _aspects(body: dict[str, Any]) -> set[str]:
    return {name for one in body["variants"].values() for name in ("version", "scenario") if one[name] is not None}
