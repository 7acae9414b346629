"""Successive halving over recipes and their settings, on growing samples of users and within a time budget."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ensemble._parts import _fit_part
from ..metrics import bootstrap_interval, paired_bootstrap, ranking_scores
from ._auto_question import Asked, Question

logger = logging.getLogger("skrec")
clock = time.perf_counter

FLOOR = "popularity"
_KEPT = 3  # one of so many goes on to the next sample
_N_TUNED = 3  # recipes whose settings are varied
_LEAST_POWER, _MOST_POWER = 0.7, 1.5  # of the number of users, with which the seconds of a fit grow
_BATCHED = 0.15  # seconds of asking many users, as a share of what as many single requests take
_TOLD = 0.02  # seconds from which the time of a fit tells how fast the machine is
_CHANCE = 0.05  # p-value from which a difference counts as chance
_SMALL = 0.01  # share of the best score that a simpler candidate may lack, where chance explains it
_SMALL_OF_FLOOR = 0.05  # the same for popularity
_OVERRUN = 0.25  # share of the budget by which the last fit may exceed it where others took longer than expected


@dataclass
class Candidate:
    """A recipe with settings, what it is expected to cost, and what was measured."""

    recipe: str
    settings: dict
    level: float  # place in the order from simple to elaborate
    fit_seconds: float  # expected for all users
    request_seconds: float  # expected for one user
    rung: int = 0  # the last that it was measured in, from 1
    n_users: int = 0
    scores: np.ndarray | None = None  # of the choosing users
    reported: np.ndarray | None = None  # of the reporting users
    measured: tuple[int, float, float] | None = None  # users, seconds of the fit, seconds of asking
    seconds: float = 0.0
    failed: bool = False
    why: str = ""

    @property
    def name(self) -> str:
        """The recipe and its settings, in short."""
        shown = ", ".join(f"{key}={value!r}" for key, value in self.settings.items())
        return f"{self.recipe} ({shown})" if shown else self.recipe

    @property
    def mean(self) -> float:
        """The mean NDCG on the choosing users."""
        assert self.scores is not None
        return float(np.mean(self.scores))

    def with_setting(self, name: str, value) -> "Candidate":
        """Return the candidate with one more setting, not measured, but expected to cost as much."""
        given = (self.recipe, {**self.settings, name: value}, self.level + 0.5, self.fit_seconds, self.request_seconds)
        return Candidate(*given, measured=self.measured)

    def row(self) -> dict[str, Any]:
        """Return the row of the leaderboard."""
        row: dict[str, Any] = {"recipe": self.recipe, "settings": dict(self.settings), "rung": self.rung}
        row |= {"n_users": self.n_users, **dict.fromkeys(("score", "score_low", "score_high"), np.nan)}
        if self.scores is not None:
            row["score"], (row["score_low"], row["score_high"]) = self.mean, interval(self.scores)
        fit_seconds = np.nan if self.measured is None else self.measured[1]
        return row | {"fit_seconds": fit_seconds, "seconds": self.seconds, "why": self.why}


def interval(scores: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, NaN for fewer than two users."""
    return bootstrap_interval(scores, random_state=0) if len(scores) > 1 else (np.nan, np.nan)


class Search:
    """The search for one log.

    Parameters
    ----------
    question : Question
        What may be learned and what is asked.
    build : callable
        Makes a recommender of a candidate and the ids of the items that it may learn.
    grids : dict of str to dict
        Settings to try, by recipe.
    budget : float
        Seconds for all, the last fit included.
    started : float
        When they began, on `clock`.
    k : int
        Length of the lists.
    verbose : int
        Whether to print progress.
    """

    def __init__(
        self, question: Question, build: Callable, grids: dict, *, budget: float, started: float, k: int, verbose: int
    ):
        self.question, self.build, self.grids, self.k, self.verbose = question, build, grids, k, verbose
        self.budget, self.deadline = budget, started + budget
        self._ratios = [1.0, 1.0]  # seconds of fits over what was expected; as if two had taken just that

    # ---- cost ------------------------------------------------------------------------------------------------

    def left(self) -> float:
        """Return the seconds that are left of the budget."""
        return self.deadline - clock()

    @property
    def speed(self) -> float:
        """Seconds of a fit for each that is expected, by the fits so far, at least 1."""
        return max(1.0, float(np.median(self._ratios)))

    def fit_cost(self, one: Candidate, n_users: float) -> float:
        """Return the expected seconds of a fit.

        What was measured of the candidate grows with a power of the number of users, by which it comes to what is
        expected for all users; a candidate that was not measured grows in proportion.
        """
        n_all, expected = len(self.question.order), one.fit_seconds * self.speed
        if one.measured is None:
            return expected * n_users / n_all
        n_before, seconds, _ = one.measured
        power = 1.0
        if n_before < n_all:
            power = np.log(max(expected, 1e-6) / seconds) / np.log(n_all / n_before)
        return seconds * float((n_users / n_before) ** np.clip(power, _LEAST_POWER, _MOST_POWER))

    def cost(self, one: Candidate, n_users: int) -> float:
        """Return the expected seconds of a fit and of asking; none where it is measured on as many users."""
        if one.n_users == n_users:
            return 0.0
        if one.measured is not None:
            return self.fit_cost(one, n_users) + one.measured[2]
        n_asked = self.question.choosing.n + self.question.reporting.n
        return self.fit_cost(one, n_users) + _BATCHED * n_asked * one.request_seconds * self.speed

    def last_cost(self, one: Candidate) -> float:
        """Return the expected seconds of the last fit, on the whole log."""
        return self.fit_cost(one, len(self.question.order) * self.question.growth)

    # ---- the rungs -------------------------------------------------------------------------------------------

    def run(self, candidates: list[Candidate]) -> list[Candidate]:
        """Measure candidates on growing samples; return all of them, those with settings included.

        Parameters
        ----------
        candidates : list of Candidate
            The most promising first.
        """
        every, sizes = list(candidates), self.question.sizes()
        if len(sizes) == 1 and any(self.grids.get(one.recipe) for one in every):
            sizes = sizes * 2  # settings are varied once the recipes are measured
        tuned = max(1, len(sizes) - 2)
        alive, last = sorted(every, key=lambda one: one.recipe != FLOOR), (1, sizes[0])
        for rung, n_users in enumerate(sizes, 1):
            if rung > 1:
                alive = self._survivors(alive, rung - 1)
                if rung == tuned + 1:
                    varied = self._varied(alive)
                    alive, every = [*alive, *varied], [*every, *varied]
            limit = self._share(alive, n_users, len(sizes) - rung + 1)
            alive = self._measure_all(alive, rung, n_users, limit)
            if not alive:
                break
            last = (rung, n_users)
        never = [one for one in candidates if one.scores is None and not one.failed]
        self._measure_all(never, *last, self.left() - self._reserve(every))
        return every

    def _survivors(self, alive: list[Candidate], rung: int) -> list[Candidate]:
        """Return the best third, two at least, and popularity, which the others must beat."""
        ranked = sorted(alive, key=lambda one: (-one.mean, one.level))
        others = [one for one in ranked if one.recipe != FLOOR]
        kept = others[: max(2, -(-len(others) // _KEPT))]
        for one in others[len(kept) :]:
            one.why = f"not among the best in rung {rung}"
        return [*(one for one in ranked if one.recipe == FLOOR), *kept]

    def _varied(self, alive: list[Candidate]) -> list[Candidate]:
        """Return the best recipes with one setting changed."""
        found, tuned = [], [one for one in alive if self.grids.get(one.recipe)][:_N_TUNED]
        for one in tuned:
            given = one.settings
            defaults = self.build(one, None).get_params()
            for name, values in self.grids[one.recipe].items():
                changed = [value for value in values if name not in given and value != defaults.get(name)]
                for value in changed:
                    found.append(one.with_setting(name, value))
        return found

    def _share(self, alive: list[Candidate], n_users: int, n_rungs: int) -> float:
        """Return the seconds that a rung may take, 0 where so few candidates fit in that it decides nothing.

        It is an equal share of what is left besides the last fit of the best candidate so far, or all of that where too
        few fit into the share.
        """
        usable = self.left() - self._reserve(alive)
        needed = min(
            2 if any(one.scores is not None for one in alive) else 1, sum(one.recipe != FLOOR for one in alive)
        )
        for limit in (usable / n_rungs, usable):
            fitting = self._fitting(alive, n_users, limit, self._reserve(alive))
            if limit > 0 and sum(one.recipe != FLOOR for one in fitting) >= needed:
                return limit
        return 0.0

    def _reserve(self, alive: list[Candidate]) -> float:
        """Return the expected seconds of the last fit of the best candidate so far."""
        measured = [one for one in alive if one.scores is not None]
        return self.last_cost(max(measured, key=lambda one: one.mean)) if measured else 0.0

    def _fitting(self, alive: list[Candidate], n_users: int, limit: float, reserve: float) -> list[Candidate]:
        """Return the most promising candidates that fit into a limit of seconds together, and leave the last fit."""
        spent, fitting, left = 0.0, [], self.left()
        for one in alive:
            cost = self.cost(one, n_users)
            if spent + cost <= limit and spent + cost + max(reserve, self.last_cost(one)) <= left:
                spent += cost
                fitting.append(one)
        return fitting

    def _measure_all(self, alive: list[Candidate], rung: int, n_users: int, limit: float) -> list[Candidate]:
        """Measure what fits into the seconds of a rung, and return it.

        In the first rung what costs less than half of an equal share is promising enough. Of what fits in, that which
        costs least comes first, since its time tells more of the other costs; then follows what fits in still.
        """
        small, until, reserve = limit / 2 / max(1, len(alive)), clock() + limit, self._reserve(alive)
        waiting = sorted(alive, key=lambda one: rung == 1 and self.cost(one, n_users) > small)
        measured: list[Candidate] = []
        sample = None
        while fitting := self._fitting(waiting, n_users, until - clock(), reserve) if limit > 0 else []:
            one = min(fitting, key=lambda one: self.cost(one, n_users))
            waiting = [other for other in waiting if other is not one]
            if one.n_users != n_users:
                sample = self.question.sample(n_users) if sample is None else sample
                self._measure(one, sample, rung, n_users, max((other.mean for other in measured), default=0.0))
            if not one.failed:
                one.rung = rung
                measured.append(one)
                reserve = self._reserve(measured)
        for one in waiting:
            costs = f"{self.cost(one, n_users):.2g} s and {self.last_cost(one):.2g} s for the last fit"
            left = f"{max(0.0, self.left()):.2g} s are left"
            one.why = f"rung {rung} has no time for it: it is expected to take {costs}; {left}"
        return measured

    def _measure(self, one: Candidate, sample, rung: int, n_users: int, best: float) -> None:
        started, expected = clock(), self.fit_cost(one, n_users)
        one.reported = None  # that of a smaller sample
        try:
            model = _fit_part("recipes", one.recipe, self.build(one, sample[1]), sample[0])
            fitted = clock()
            scores = self._ndcg(model, self.question.choosing)
            if one.recipe == FLOOR or np.mean(scores) >= (1 - _SMALL) * best:
                one.reported = self._ndcg(model, self.question.reporting)
        except Exception as error:
            self.fail(one, error)
            scores = None
        now = clock()
        one.seconds += now - started
        if scores is not None:
            if one.measured is None and fitted - started > _TOLD:
                self._ratios.append((fitted - started) / max(expected, 1e-6) * self.speed)
            one.scores, one.n_users, one.rung = scores, n_users, rung
            one.measured = (n_users, max(fitted - started, 1e-6), now - fitted)
        if self.verbose:
            result = one.why if one.failed else f"NDCG@{self.k} {one.mean:.4f}"
            print(f"[rung {rung}, {n_users:,} users] {one.name}: {result}; {max(0.0, self.left()):.0f} s left")

    def _ndcg(self, model, asked: Asked) -> np.ndarray:
        """Return the NDCG at k of each user who is asked."""
        if not asked.n:
            return np.zeros(0)
        found = model.recommend(asked.X, self.k)
        width = min(self.k, found.shape[1])
        return ranking_scores(asked.y, found[:, :width], k=width, metrics=["ndcg"])[f"ndcg@{width}"]

    def choose(self, able: list[Candidate]) -> tuple[Candidate, str]:
        """Return the candidate to fit to the whole log, of those whose last fit the time that is left allows, and why.

        Where there is none it is popularity, or what costs least, without a reason if nothing was measured.
        """
        measured = [one for one in able if one.scores is not None]
        affordable, left = [], max(0.0, self.left()) + _OVERRUN * self.budget
        for one in measured:
            if (cost := self.last_cost(one)) <= left:
                affordable.append(one)
            else:
                one.why = f"its last fit is expected to take {cost:.2g} s, and {self.left():.2g} s are left"
        if affordable:
            return choose(affordable, self.k)
        best = min(able, key=lambda one: (one.recipe != FLOOR, self.last_cost(one)))
        return best, "the last fit of the others would exceed the budget" if measured else ""

    @staticmethod
    def fail(one: Candidate, error: Exception) -> None:
        """Note that a candidate failed."""
        one.failed, one.why = True, f"failed, {type(error).__name__}: {error}"
        logger.warning("%s is left out: it %s", one.name, one.why)


def choose(candidates: list[Candidate], k: int) -> tuple[Candidate, str]:
    """Return the candidate to take, of those that were measured on the largest sample, and why.

    It is the best, or the simplest that lacks at most 1 % of its score, popularity at most 5 %, where chance explains
    that.
    """
    n_users = max(one.n_users for one in candidates)
    last = sorted((one for one in candidates if one.n_users == n_users), key=lambda one: (-one.mean, one.level))
    best = last[0]
    lacking = {True: _SMALL_OF_FLOOR, False: _SMALL}
    near = [one for one in last if one.mean >= (1 - lacking[one.recipe == FLOOR]) * best.mean]
    equal = [one for one in near if one is best or _p_value(one, best) >= _CHANCE]
    chosen = min(equal, key=lambda one: one.level)
    for one in last:
        if one is not chosen:
            one.why = f"{one.mean - chosen.mean:+.4f} from the chosen one, p {_p_value(one, chosen):.2g}"
    text = f"NDCG@{k} {chosen.mean:.4f}"
    if chosen is not best:
        return chosen, f"{text}, within chance of {best.name} ({best.mean:.4f}), and simpler"
    return chosen, f"{text}, the best of {len(last)} on {_n_users(chosen):,} users"


def _n_users(one: Candidate) -> int:
    return 0 if one.scores is None else len(one.scores)


def _p_value(one: Candidate, other: Candidate) -> float:
    assert one.scores is not None
    return paired_bootstrap(one.scores, other.scores, random_state=0)[3] if len(one.scores) > 1 else 1.0
