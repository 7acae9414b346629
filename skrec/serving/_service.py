"""One process of the service: store, models, answers, and the requests that must be fast."""

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ValidationError

from ._answers import Answer, Answers
from ._bodies import as_kind, errors_of, loads, parse
from ._catalogue import UnknownColumn
from ._database import kind_of, now
from ._experiments import Applied, Trials
from ._memory import release
from ._models import Models
from ._pace import Pace
from ._problems import Problem, field_errors
from ._rendering import rendered
from ._schemas import BasketIn, EventIn, RecommendIn, SimilarIn
from ._security import Gate
from ._settings import Settings
from ._store import Event, StoreUnavailable, open_store
from ._telemetry import Telemetry

logger = logging.getLogger("skrec.serving")
_REFRESH = 0.5  # seconds between looks at models, keys and catalogue
_POPULAR = 30.0  # seconds between counts of what is popular, and
_PATIENCE = 10  # deadlines that a request with explanations may take
_SHARE = 20  # as many times as long as such a count takes


class Service:
    """What the routes work on.

    Parameters
    ----------
    settings : Settings
        The settings.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.store = open_store(settings.database)
        self.models = Models(settings, self.store)
        self.answers = Answers(settings, self.store, self.models)
        self.trials = Trials(self.answers, self.models)
        self.telemetry = Telemetry()
        self.pace = Pace(settings.deadline_ms / 1000, local=settings.database.startswith("sqlite"))
        self.gate = Gate(settings.is_loopback, settings.rate_limit)
        self.ready = False
        self._keys_version = -1
        self._retry = 0.0
        self._models_version = -1
        self._counted: tuple[float, dict[str, int]] = (0.0, {})
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(1, "skrec-answers")
        self._explaining = ThreadPoolExecutor(1, "skrec-explanations")
        self._refresher = threading.Thread(target=self._refresh_often, name="skrec-refresh", daemon=True)

    # ---- life ------------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the threads; the first look at the store is done before."""
        sys.setswitchinterval(0.0005)  # a thread that computes must not keep the event loop waiting
        self.store.on_commit = lambda answers: loop.call_soon_threadsafe(_resolve, answers)
        self.store.start()
        self.refresh()
        self.answers.refresh_popular()
        self._refresher.start()
        gc.collect()
        gc.freeze()  # what was loaded stays: a collection that looks at all of it would keep requests waiting
        self.ready = True

    def close(self) -> None:
        """Stop the threads; what is queued is committed."""
        self.ready = False
        self._stopping.set()
        if self._refresher.is_alive():
            self._refresher.join(5)
        for pool in (self._pool, self._explaining):
            pool.shutdown(wait=True, cancel_futures=True)
        self.store.close()

    def refresh(self) -> None:
        """Bring catalogue, rules, model and keys to what the store has."""
        state = self.store.state()
        self.answers.refresh(state)
        if state.models != self._models_version and time.monotonic() > self._retry:
            if self.models.refresh():
                logger.info("model version %s is in use", self._version())
                self.answers.refresh_popular()
            row = self.store.current()
            if (None if row is None else row["version"]) == self._version():
                self._models_version = state.models
            else:
                self._retry = time.monotonic() + _POPULAR  # its file could not be loaded; perhaps it comes later
        if state.keys != self._keys_version:
            self.gate.load(self.store.keys())
            self._keys_version = state.keys
        self.trials.refresh(state)
        self.answers.view()

    def _refresh_often(self) -> None:
        due, version, replaced = time.monotonic() + _POPULAR, self._version(), False
        while not self._stopping.wait(_REFRESH):
            if replaced and version == self._version():  # a round ago: nobody reads the former model any more
                release()
                replaced = False
            try:
                self.refresh()
                replaced, version = replaced or version != self._version(), self._version()
                started = time.monotonic()
                if started > due or not self.answers.popular_items.order:
                    self.answers.refresh_popular()
                    took = time.monotonic() - started
                    due = started + max(_POPULAR, _SHARE * took)
            except StoreUnavailable as error:
                logger.warning("the store is unavailable, trying again: %s", error)
            except Exception:
                logger.exception("refreshing failed, trying again")

    def _version(self) -> int | None:
        current = self.models.current
        return None if current is None else current.version

    def counts(self) -> dict[str, int]:
        """Return the numbers of events, users and items, counted once in ten seconds: counting reads all events."""
        if time.monotonic() > self._counted[0]:
            counts = self.store.counts()
            self._counted = time.monotonic() + 10, counts
        return self._counted[1]

    # ---- ids -------------------------------------------------------------------------------------------------

    def user_id(self, value, field: str = "user"):
        """Bring a user id to the kind of the store."""
        return as_kind(value, self.store.kinds.user, field)

    def item_id(self, value, field: str = "item"):
        """Bring an item id to the kind of the store."""
        return as_kind(value, self.store.kinds.item, field)

    def item_ids(self, values, field: str):
        """Bring item ids to the kind of the store; None stays."""
        if values is None:
            return None
        kind = self.store.kinds.item
        return [as_kind(value, kind, f"{field}.{place}") for place, value in enumerate(values)]

    # ---- events ----------------------------------------------------------------------------------------------

    async def events(self, body: bytes) -> dict[str, Any]:
        """Write the events of a body; answered after the commit."""
        first = body.lstrip()[:1]
        if first != b"[":
            event = self._event(parse(EventIn, body))
            accepted = await self._submit([event])
            rejected: list[dict] = []
        else:
            given = loads(body)
            if len(given) > self.settings.max_batch:
                limit = self.settings.max_batch
                raise Problem(413, f"a request may have {limit:,} events, got {len(given):,}: send several requests")
            events, rejected = [], []
            for index, one in enumerate(given):
                try:
                    events.append(self._event(EventIn.model_validate(one)))
                except ValidationError as error:
                    rejected += [{"index": index, **found} for found in field_errors(errors_of(error))[:3]]
                except Problem as problem:
                    rejected += [{"index": index, **found} for found in problem.errors]
            accepted = await self._submit(events) if events else []
        n_accepted = sum(accepted)
        counts = {"accepted": n_accepted, "duplicates": len(accepted) - n_accepted}
        n_rejected = len({one["index"] for one in rejected})
        for outcome, count in [*counts.items(), ("rejected", n_rejected)]:
            if count:
                self.telemetry.count_events(outcome, count)
        return {**counts, "rejected": rejected}

    def _event(self, given: EventIn) -> Event:
        kinds = self.store.kinds
        if None in kinds:
            as_kind(given.user, kinds.user, "user")  # an event that is refused fixes nothing
            as_kind(given.item, kinds.item, "item")
            kinds = self.store.fix_kinds(user=kind_of(given.user), item=kind_of(given.item))
        user, item = as_kind(given.user, kinds.user, "user"), as_kind(given.item, kinds.item, "item")
        moment = now() if given.time is None else given.time
        return Event(given.id, user, item, given.event, moment, given.value, given.session, given.rec_id)

    async def _submit(self, events: list[Event]) -> list[bool]:
        future = asyncio.get_running_loop().create_future()
        self.store.submit_to(events, future)
        return await future

    # ---- lists -----------------------------------------------------------------------------------------------

    async def recommend(self, body: bytes) -> bytes:
        """Answer a request for recommendations."""
        asked = parse(RecommendIn, body)
        named = [name for name in ("user", "items", "session") if getattr(asked, name) is not None]
        if len(named) > 1:
            reason = f"give one of user, items and session, got {' and '.join(named)}"
            raise Problem(422, reason, [{"field": named[1], "reason": reason}])
        if asked.user is not None:
            asked.user = self.user_id(asked.user)
        asked.items = self.item_ids(asked.items, "items")
        asked.candidates = self.item_ids(asked.candidates, "candidates")
        applied = self.trials.apply(asked) if self.trials.running else None
        return await self._list(self.answers.recommend, asked, show=True, applied=applied)

    async def similar(self, body: bytes) -> bytes:
        """Answer a request for items like one item."""
        asked = parse(SimilarIn, body)
        asked.item = self.item_id(asked.item)
        return await self._list(self.answers.similar, asked)

    async def basket(self, body: bytes) -> bytes:
        """Answer a request for items that go with a basket."""
        basket = parse(BasketIn, body)
        asked = RecommendIn.model_validate(
            {name: getattr(basket, name) for name in ("k", "exclude", "details")}
            | {"items": self.item_ids(basket.items, "items"), "repeats": False}
        )
        asked.filter = basket.filter
        return await self._list(self.answers.recommend, asked)

    async def of_memory(self, which: str, asked) -> bytes:
        """Answer with popular or latest items."""
        return await self._list(self.answers.latest if which == "latest" else self.answers.popular, asked)

    async def _list(self, method, asked, *, show: bool = False, applied: Applied | None = None) -> bytes:
        """Run a method in the thread of answers; past the deadline, or on an error, answer with popularity."""
        if asked.k > self.settings.max_k:
            reason = f"must be at most {self.settings.max_k}"
            raise Problem(422, f"k {reason}, got {asked.k}", [{"field": "k", "reason": reason}])
        asked.exclude = self.item_ids(asked.exclude, "exclude")
        try:
            if applied is None or applied.answers is None:
                answer = await self._answered(method, asked, self)
            else:
                answer = await self._answered(applied.answers.recommend, asked, applied.answers)
        except UnknownColumn as error:
            raise Problem(422, str(error), [{"field": f"filter.{error.column}", "reason": str(error)}]) from error
        if answer.reason is not None:
            self.telemetry.fallbacks.labels(answer.reason.split(",")[0]).inc()
        if show:
            answer.user, answer.scenario = asked.user, asked.scenario
            self._show(answer, applied)
        return rendered(answer, asked, applied, self.answers.catalogue)

    async def _answered(self, method, asked, of) -> Answer:
        """Run a method; `of` has the model that answers, and its pace."""
        loop, deadline, started = asyncio.get_running_loop(), self.settings.deadline_ms / 1000, time.monotonic()
        try:
            if getattr(asked, "explain", False):  # for people, who wait longer, and not in the way of others
                work = loop.run_in_executor(self._explaining, method, asked)
                return await asyncio.wait_for(work, _PATIENCE * deadline)
            if of.pace.is_fast(of.models.current):
                return of.pace.timed(method, asked)
            work = loop.run_in_executor(self._pool, self._timed, method, asked, started, of)
            return await asyncio.wait_for(work, deadline)
        except TimeoutError:
            return self.answers.fallback(asked, "deadline")
        except StoreUnavailable as error:
            logger.warning("answered with popularity: %s", error)
            return self.answers.fallback(asked, "store unavailable")
        except UnknownColumn:
            raise
        except Exception:
            logger.exception("answered with popularity")
            return self.answers.fallback(asked, "error")

    def _timed(self, method, asked, started: float, of) -> Answer:
        """Answer, unless the deadline passed while the request waited for the thread."""
        if time.monotonic() - started > self.settings.deadline_ms / 1000:
            raise TimeoutError
        return of.pace.timed(method, asked)

    def _show(self, answer: Answer, applied: Applied | None) -> None:
        with contextlib.suppress(StoreUnavailable):
            scores, chances = answer.scores, answer.probabilities
            how = answer.scenario, answer.version if answer.reason is None else None, now()
            user = answer.user if self.store.kinds.user else None  # a request does not fix the kind of the ids
            self.store.show_list(answer.rec_id, user, answer.items, scores, chances, *how)
            if applied is not None and user is not None:
                self.store.expose(answer.rec_id, user, applied.variants.items(), how[2])


def _resolve(answers) -> None:
    """Give the futures of a commit their answers; runs in the event loop."""
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
