"""A small random shop for the tests of the service: events, stores, models, and comparisons of models."""

import numpy as np
import pyarrow as pa

import skrec
from skrec.serving._models import Models
from skrec.serving._served import ServedModel
from skrec.serving._settings import Settings
from skrec.serving._store import Event, open_store
from skrec.serving._work import Work

DAY = 86_400_000_000
START = 15_300 * DAY


def random_events(n_users=60, n_items=24, n_events=600, *, first_day=0, n_days=40, seed=0, tied=False, text=False):
    """Return events in the order of their times, of users with a taste: even users like even items."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, n_days * DAY, n_events)) + START + first_day * DAY
    if tied:
        times = times // DAY * DAY
    users = rng.integers(0, n_users, n_events)
    items = (rng.integers(0, n_items // 2, n_events) * 2 + users % 2 + (rng.random(n_events) < 0.1)) % n_items
    names = [f"p{item:03}" for item in items] if text else items.tolist()
    kinds, values = rng.choice(["view", "purchase"], n_events).tolist(), rng.integers(1, 5, n_events).tolist()
    rows = zip(users.tolist(), names, kinds, times.tolist(), values, strict=True)
    return [Event(None, user, item, event, time, float(value)) for user, item, event, time, value in rows]


def add(store, events):
    """Put events into a store."""
    assert all(store.submit(events).result(30))


def folder_of(tmp_path, **settings):
    """Return settings with database and models in a folder."""
    where = {"database": f"sqlite:///{tmp_path / 'shop.db'}", "models": str(tmp_path / "models")}
    return Settings(**{**where, "min_judged_users": 10, **settings})


def opened(settings, events=()):
    """Return a started store with some events."""
    store = open_store(settings.database)
    store.start()
    if events:
        add(store, list(events))
    return store


def as_table(events, **columns):
    """Return events as the table that a store gives."""
    names = {"user": "user", "item": "item", "time": "time", "event": "event", "value": "value"}
    table = pa.table({name: [getattr(event, field) for event in events] for name, field in names.items()})
    return table.sort_by([("user", "ascending"), ("time", "ascending")])


def notes_of(events, *, columns=(), dated=True):
    """Return the metadata that `skrec fit` writes."""
    last = max(event.time for event in events)
    until = {"learned_until": last // DAY + last % DAY / DAY} if dated else {}
    until |= {"events_at_last": sum(event.time == last for event in events)} if dated else {}
    return {"columns": {"user": "user", "item": "item", **dict.fromkeys(columns, "x")}, **until}


class _Untimed:
    _dated = None


def fitted(estimator, events, *, columns=(), dated=True):
    """Fit a model to events as the service passes them; return it and its metadata."""
    notes = notes_of(events, columns=columns, dated=dated)
    shape = ServedModel.__new__(ServedModel)
    shape.dated, shape.numbered = (True if dated else None), False
    shape.weighted, shape.named = "weight" in columns, "event" in columns
    return estimator.fit(shape.frame(as_table(events))), notes


def served_shop(tmp_path, estimator, events, *, columns=(), dated=True, **settings):
    """Return what a job works with: a store with events, and a model of them that is current."""
    settings = folder_of(tmp_path, **settings)
    store = opened(settings, events)
    models = Models(settings, store)
    if events:
        model, notes = fitted(estimator, events, columns=columns, dated=dated)
        path = skrec.save(model, tmp_path / "first.skrec", metadata=notes)
        models.promote(models.add_file(path))
    return Work(models)


def refit_of(work):
    """Return the current recipe fitted on all events of the store."""
    from sklearn.base import clone

    model = work.models.current
    return clone(model.estimator).fit(model.frame(work.store.events()))


def assert_same_model(model, other, X, *, similarity=True):
    """Compare two models by their items, their popularity, their scores, and the similarities of items."""
    assert sorted(model.items_.tolist()) == sorted(other.items_.tolist())
    place = [model.items_.tolist().index(item) for item in other.items_.tolist()]
    np.testing.assert_array_equal(model.popularity_[place], other.popularity_)
    expected = other.decision_function(X)
    tolerance = 1e-5 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(model.decision_function(X)[:, place], expected, rtol=1e-4, atol=tolerance)
    if similarity and hasattr(other, "similarity_"):
        dense = [one.toarray() if hasattr(one, "toarray") else one for one in (model.similarity_, other.similarity_)]
        np.testing.assert_allclose(dense[0][np.ix_(place, place)], dense[1], rtol=1e-3, atol=1e-5)
