"""Answers to requests: history from the store, items from the model, filters, rules and popularity behind them."""

import contextlib
import random
import secrets
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ._catalogue import Catalogue, View
from ._database import now
from ._exploration import Exploration
from ._popular import Popular
from ._rules import Scenario
from ._store import StoreUnavailable

_FEW = 50  # hidden items that are excluded by name; more, and a longer list is asked for
_NARROW = 1000  # items that are named as candidates


@dataclass
class Answer:
    """A list of items, and where it comes from.

    Attributes
    ----------
    items : list of ids
        Best first.
    scores : list of float or None
        Their scores; None where an item comes from no model.
    sources : list of str
        What gave each item: the class of the model, ``"popularity"``, ``"latest"``, ``"pinned"`` or ``"explore"``.
    version : int or None
        The version of the model.
    reason : str or None
        Why it is no answer of the model; None where it is.
    probabilities : list of float or None
        Probability of each item at its place, where lists are explored.
    reasons : list of list of dict or None
        The items of the history behind each item, and their share.
    rec_id : str
        Names the answer in later events.
    """

    items: list
    scores: list
    sources: list[str]
    version: int | None = None
    reason: str | None = None
    probabilities: list[float] | None = None
    reasons: list[list[dict]] | None = None
    user: Any = None
    scenario: str = "default"
    rec_id: str = field(default_factory=lambda: f"{now():014x}{secrets.token_hex(6)}")  # in the order of time


class Answers:
    """Recommendations over a store and its current model; all methods may be called from any thread.

    Parameters
    ----------
    settings : Settings
        Bounds, window of popularity, exploration.
    store : Store
        Events, items and rules.
    models : Models
        The model in use.
    """

    def __init__(self, settings, store, models):
        self.settings, self.store, self.models = settings, store, models
        self.catalogue = Catalogue()
        self.scenarios: dict[str, Scenario] = {}
        self.popular_items = Popular([], {})
        self._rules_version = -1
        self._view: View | None = None
        self._first_seen: list = []  # items and the times of their first events, newest first
        self._lock = threading.Lock()
        self._random = random.Random(secrets.randbits(64))

    # ---- what stands in memory ---------------------------------------------------------------------------------

    def refresh(self, state) -> None:
        """Bring catalogue and rules to the state of the store."""
        if state.catalogue != self.catalogue.version:
            with self._lock:
                if state.catalogue != self.catalogue.version:
                    self.catalogue = self.catalogue.updated(*self.store.items_since(self.catalogue.version))
        if state.rules != self._rules_version:
            with self._lock:
                if state.rules != self._rules_version:
                    self.scenarios = {name: Scenario(body) for name, body in self.store.rules().items()}
                    self._rules_version = state.rules

    def refresh_popular(self) -> None:
        """Look again at what was popular in the last days of the log, and at what came last; this reads many events."""
        self.popular_items = Popular.of_store(self.store, self.models.current, self.settings.popular_days)
        self._first_seen = self.store.first_seen(10 * self.settings.max_k)

    def view(self) -> View | None:
        """Return the masks of the model in use; None without a model."""
        model, catalogue, view = self.models.current, self.catalogue, self._view
        if model is None:
            return None
        if view is None or view.model is not model or view.catalogue is not catalogue:
            with self._lock:
                view = self._view
                if view is None or view.model is not model or view.catalogue is not catalogue:
                    view = self._view = View(catalogue, model, view)
        return view

    # ---- requests ----------------------------------------------------------------------------------------------

    def recommend(self, asked) -> Answer:
        """Recommend to a user, a basket or a session; see `RecommendIn`.

        Parameters
        ----------
        asked : RecommendIn
            The request, its ids of the kinds of the store.

        Returns
        -------
        Answer
            The items; popularity where there is no model or nothing is known.
        """
        if asked.items is not None:
            state, model = self.store.state(), self.models.current
            known = None if model is None else model.learned_until
            moment = next(one for one in (asked.at, known, now()) if one is not None)
            rows = [(item, moment, None, None) for item in asked.items]
        else:
            limit = self.settings.max_history
            state, rows = self.store.read(user=asked.user, session=asked.session, limit=limit, before=asked.at)
        self.refresh(state)
        return self.answer(rows, asked)

    def answer(self, rows: list, asked) -> Answer:
        """Answer for a history; `asked` is a `RecommendIn`."""
        scenario = self.scenarios.get(asked.scenario)
        if (view := self.view()) is None:
            answer = self.fallback(asked, "no model", {row[0] for row in rows})
        else:
            answer = self._of_model(view, rows, asked, scenario)
        answer.user, answer.scenario = asked.user, asked.scenario
        if scenario is not None and scenario.pin:
            _pin(answer, self._pinned(scenario, asked), asked.k)
        return answer

    def _of_model(self, view: View, rows: list, asked, scenario: Scenario | None) -> Answer:
        model = view.model
        exclude_seen = bool(model.estimator.exclude_seen) if asked.repeats is None else not asked.repeats
        exploration = Exploration.of(self.settings, scenario)
        n = asked.k if exploration is None else exploration.n_candidates(asked.k)
        estimator = None
        if (scenario is not None and scenario.reorders) or asked.diversity:
            estimator = Scenario.reranker(scenario, model, self.catalogue, asked.diversity, exclude_seen)
        source = model.name if any(row[0] in model.position for row in rows) else "popularity"
        items, scores = _ranked(view, rows, n, asked, exclude_seen, estimator)
        answer = Answer(items, scores, [source] * len(items), model.version)
        if exploration is not None:
            self._explore(answer, asked.k, exploration)
        if len(answer.items) < asked.k:
            gone = set(answer.items) | ({row[0] for row in rows} if exclude_seen else set())
            self._fill(answer, asked, gone)
        if asked.explain:
            answer.reasons = _reasons(model, rows, answer.items)
        return answer

    def _explore(self, answer: Answer, k: int, exploration: Exploration) -> None:
        """Draw the list from its candidates, and state how likely each item was at its position."""
        order, answer.probabilities, drawn = exploration.draw(answer.scores, k, self._random)
        answer.sources = ["explore" if drawn else answer.sources[one] for one in order]
        answer.items, answer.scores = [answer.items[one] for one in order], [answer.scores[one] for one in order]

    def _fill(self, answer: Answer, asked, gone: set) -> None:
        """Add popular items where the model has fewer than asked for."""
        more = self._popular(asked, asked.k - len(answer.items), gone)
        answer.items += more
        answer.scores += [None] * len(more)
        answer.sources += ["popularity"] * len(more)
        if answer.probabilities is not None:
            answer.probabilities += [1.0] * len(more)

    def _popular(self, asked, k: int, gone: set, order: list | None = None) -> list:
        candidates = getattr(asked, "candidates", None)
        only = None if candidates is None else set(candidates)
        removed = gone | set(asked.exclude or ())
        allowed, position = self.catalogue.allowed(conditions_of(asked.filter)), self.catalogue.position
        found: dict = {}  # ordered; what nobody had stands behind what is popular
        for item in chain(self.popular_items.order, position) if order is None else order:
            if len(found) >= k:
                break
            place = position.get(item)
            visible = not asked.filter if place is None else bool(allowed[place])
            if visible and item not in removed and (only is None or item in only):
                found[item] = None
        return list(found)

    def popular(self, asked) -> Answer:
        """Answer with popular items; the catalogue is that of the store now."""
        self._look()
        return self.fallback(asked, None)

    def _look(self) -> None:
        """Bring catalogue and rules up to date where the store can be read."""
        with contextlib.suppress(StoreUnavailable):
            self.refresh(self.store.state())

    def fallback(self, asked, reason: str | None, had: Collection = ()) -> Answer:
        """Answer with popular items under the same filters; reads memory alone.

        The item or basket of the request is left out, and with ``repeats=False`` the items that the user `had`.
        """
        gone = {asked.item} if hasattr(asked, "item") else set()
        if getattr(asked, "repeats", None) is False:
            gone |= {*had, *(asked.items or ())}
        items = self._popular(asked, asked.k, gone)
        counts = self.popular_items.counts
        version = None if self.models.current is None else self.models.current.version
        return Answer(items, [counts.get(item) for item in items], ["popularity"] * len(items), version, reason)

    def latest(self, asked) -> Answer:
        """Answer with the items that came last: by their time in the catalogue, else by their first event."""
        self._look()
        rows = self.catalogue.rows
        added = {item: row["added"] for item, row in rows.items() if row["added"] is not None}
        for item, moment in self._first_seen:
            added.setdefault(item, moment)
        order = sorted(added, key=lambda item: -added[item])
        items = self._popular(asked, asked.k, set(), order)
        return Answer(items, [None] * len(items), ["latest"] * len(items))

    def similar(self, asked) -> Answer:
        """Answer with items like one item; popular ones where the model has none."""
        self._look()
        view = self.view()
        if view is None or not hasattr(view.model.estimator, "similar_items") or asked.item not in view.model.position:
            reason = "no model" if view is None else "the model does not know the item, or has no similarities"
            return self.fallback(asked, reason)
        model, allowed = view.model, view.allowed(conditions_of(asked.filter))
        removed = {asked.item, *(asked.exclude or ())}
        n = min(asked.k + len(removed) + min(allowed.n_hidden, _FEW), len(model.ids) - 1)
        while n >= 1:
            ids, scores = model.estimator.similar_items([asked.item], n, return_scores=True)
            pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
            found = [(item, score) for item, score in pairs if item in allowed and item not in removed][: asked.k]
            if len(found) == asked.k or n == len(model.ids) - 1:
                items, scores = [item for item, _ in found], [score for _, score in found]
                return Answer(items, scores, [model.name] * len(items), model.version)
            n = min(4 * n, len(model.ids) - 1)
        return self.fallback(asked, "the model knows one item alone")

    def _pinned(self, scenario: Scenario, asked) -> list:
        return self._popular(asked, len(scenario.pin), set(), scenario.pin)


def conditions_of(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the filter of a request with its ranges as dicts."""
    if not given:
        return None
    return {name: value.model_dump() if hasattr(value, "model_dump") else value for name, value in given.items()}


def _ranked(view: View, rows: list, k: int, asked, exclude_seen: bool, estimator) -> tuple[list, list]:
    """Ask the model for the best of the items that are allowed."""
    model, allowed = view.model, view.allowed(conditions_of(asked.filter))
    removed = set(asked.exclude or ())
    how = {"exclude_seen": exclude_seen, "at": asked.at, "estimator": estimator}
    candidates = None
    if allowed.n == 0:
        return [], []
    if asked.candidates is not None:
        candidates = [item for item in dict.fromkeys(asked.candidates) if item in allowed and item not in removed]
    elif allowed.n <= _NARROW and allowed.n_hidden > _FEW:
        candidates = [item for item in allowed.ids if item not in removed] if removed else allowed.ids
    if candidates is not None:
        return model.recommend(rows, k, candidates=candidates, **how) if candidates else ([], [])
    if allowed.n_hidden + len(removed) <= _FEW:
        exclude = [*allowed.hidden, *removed]
        return model.recommend(rows, k, exclude=exclude or None, **how)
    n = int(1.5 * k * len(model.ids) / allowed.n) + 10
    while n < allowed.n:
        items, scores = model.recommend(rows, n, **how)
        pairs = [(i, s) for i, s in zip(items, scores, strict=True) if i in allowed and i not in removed]
        if len(pairs) >= k or len(items) < n:
            return [item for item, _ in pairs[:k]], [score for _, score in pairs[:k]]
        n *= 4
    some = [item for item in allowed.ids if item not in removed]
    return model.recommend(rows, k, candidates=some, **how) if some else ([], [])


def _pin(answer: Answer, pinned: list, k: int) -> None:
    """Put items at the head of a list."""
    if not pinned:
        return
    for item in pinned:
        if item in answer.items:
            _remove(answer, item)
    answer.items = (pinned + answer.items)[:k]
    answer.scores = ([None] * len(pinned) + answer.scores)[:k]
    answer.sources = (["pinned"] * len(pinned) + answer.sources)[:k]
    if answer.probabilities is not None:
        answer.probabilities = None  # the places of the others have moved, and with them their probabilities
    if answer.reasons is not None:
        answer.reasons = ([[]] * len(pinned) + answer.reasons)[:k]


def _remove(answer: Answer, item) -> None:
    place = answer.items.index(item)
    for values in (answer.items, answer.scores, answer.sources, answer.probabilities, answer.reasons):
        if values is not None:
            del values[place]


def _reasons(model, rows: list, items: list) -> list[list[dict]]:
    """Return the items of the history behind each item; empty where none of them speaks for it."""
    from ..inspection import explain

    known = [place for place, item in enumerate(items) if item in model.position]
    found: list[list[dict]] = [[] for _ in items]
    if not known or not rows:
        return found
    try:
        table = explain(model.estimator, model.histories(rows), items=[[items[place] for place in known]])
    except (TypeError, NotImplementedError):
        return found
    by_item: dict[Any, list[dict]] = {}
    for row in table.itertuples():
        if row.reason is not None and row.share > 0:
            by_item.setdefault(row.item, []).append({"item": row.reason, "share": round(float(row.share), 4)})
    return [by_item.get(item, []) for item in items]
