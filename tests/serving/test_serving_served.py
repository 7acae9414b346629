"""A model as the service uses it, and where its answers are computed."""

import gc
import time
import weakref

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.feature_extraction import HistoryVectorizer, to_histories
from skrec.linear_model import EASE
from skrec.neighbors import BuyAgainRecommender, ItemKNN, SessionKNN
from skrec.serving._catalogue import Catalogue, View
from skrec.serving._pace import Pace
from skrec.serving._rules import Scenario
from skrec.serving._served import ServedModel, UnservableModel

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    n = 600
    return pd.DataFrame(
        {
            "user": rng.integers(0, 40, n),
            "item": rng.integers(100, 130, n),
            "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 10**7, n)), "s"),
            "value": rng.integers(1, 5, n).astype(float),
            "event": rng.choice(["view", "buy"], n),
        }
    )


def rows_of(log, user):
    mine = log[log["user"] == user]
    times = (mine["time"].astype("datetime64[us]").astype("int64")).tolist()
    return list(zip(mine["item"].tolist(), times, mine["event"].tolist(), mine["value"].tolist(), strict=True))


@pytest.mark.parametrize(
    "model",
    [
        ItemKNN(),
        EASE(exclude_seen=False, vectorizer=HistoryVectorizer(half_life=10)),
        SessionKNN(half_life=5),
        BuyAgainRecommender(half_life="20D", exclude_seen=False),
        PopularityRecommender(window="30D"),
        BlendRecommender([("knn", ItemKNN()), ("again", BuyAgainRecommender())], weights=[1.0, 1.0]),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("columns", [{}, {"weight": "value"}, {"weight": "value", "event": "event"}])
def test_rows_of_the_store_give_what_the_frame_gives(model, columns, log):
    names = {"user": "user", "item": "item", "time": "time"} | columns
    histories = to_histories(log, **names)
    fitted = model.fit(histories)
    notes = {
        "columns": names,
        "time": "date",
        "learned_until": float(histories["time"].explode().max().timestamp() / 86400),
    }
    served = ServedModel(1, fitted, notes)
    expected, scores = fitted.recommend(histories, 8, return_scores=True)
    for place, user in enumerate(histories.index):
        items, values = served.recommend(rows_of(log, user), 8)
        last = np.isfinite(scores[place])
        assert items == expected[place][last].tolist()
        np.testing.assert_allclose(values, scores[place][last], rtol=1e-5)


def test_a_user_without_events_gets_what_an_empty_history_gets(log):
    model = ItemKNN().fit(to_histories(log, user="user", item="item", time="time"))
    assert ServedModel(1, model, {}).recommend([], 5)[0] == model.recommend([[]], 5)[0].tolist()


def test_an_old_log_is_asked_at_its_own_end_and_never_in_the_future(log):
    histories = to_histories(log, user="user", item="item", time="time")
    until = histories["time"].explode().max().timestamp() / 86400
    model = PopularityRecommender(window="30D", exclude_seen=False).fit(histories)
    served = ServedModel(1, model, {"time": "date", "learned_until": until})
    as_learned = model.recommend([[100]], 5)[0].tolist()
    assert served.recommend([(100, round(until * DAY), None, None)], 5)[0] == as_learned
    century = time.time_ns() // 1000 + 36_500 * DAY
    assert served._moment([(100, century, None, None)], None) <= time.time() / 86400 + 1
    assert served._moment([(100, 0, None, None)], None) == pytest.approx(until)
    assert served._moment([(100, 0, None, None)], 5 * DAY) == 5.0


def test_numbers_of_baskets_are_made_from_the_times(log):
    served = ServedModel(1, ItemKNN().fit([[1, 2], [2, 3]]), {})
    served.dated, served.numbered = False, True
    histories = served.histories([(1, 50, None, None), (2, 50, None, None), (3, 90, None, None)])
    assert histories.time.tolist() == [0.0, 0.0, 1.0]


def test_what_cannot_be_served_says_why(log):
    numbers = log.assign(time=np.arange(len(log)))
    model = ItemKNN().fit(to_histories(numbers, user="user", item="item", time="time"))
    with pytest.raises(UnservableModel, match="numbers of unknown unit"):
        ServedModel(1, model, {})
    with pytest.raises(UnservableModel, match="must be a fitted recommender"):
        ServedModel(1, HistoryVectorizer(), {})


def test_the_first_answers_of_a_model_are_computed_in_the_thread():
    pace, model = Pace(0.05, local=True), object()
    for _ in range(20):
        assert not pace.is_fast(model)
        pace.timed(lambda asked: asked, None)
    assert pace.is_fast(model)
    assert not pace.is_fast(object())  # another model begins anew


def test_slow_answers_go_to_the_thread_until_they_are_long_past():
    pace, model = Pace(0.05, local=True), object()
    pace.is_fast(model)
    for _ in range(30):
        pace.timed(lambda asked: asked, None)
    pace.timed(lambda asked: time.sleep(0.02), None)
    assert not pace.is_fast(model)
    for _ in range(400):
        pace.timed(lambda asked: asked, None)
    assert pace.is_fast(model)


def test_with_a_network_between_no_answer_is_computed_in_the_event_loop():
    pace, model = Pace(0.05, local=False), object()
    pace.is_fast(model)
    for _ in range(50):
        pace.timed(lambda asked: asked, None)
    assert not pace.is_fast(model)


def test_an_error_of_a_method_is_passed_on():
    with pytest.raises(KeyError):
        Pace(0.05, local=True).timed({}.__getitem__, "a")


def test_a_replaced_model_is_freed_at_once():
    """Without the garbage collector, which may come late: a service that is updated often would hold many models."""
    catalogue = Catalogue(1, {n: {"category": "a", "hidden": n == 3, "properties": {}} for n in (1, 2, 3)})
    model = ServedModel(1, ItemKNN().fit([[1, 2], [2, 3]]), {})
    view, scenario = View(catalogue, model), Scenario({"bury": [1]})
    assert view.allowed(None).ids == [1, 2] and view.allowed({"category": "a"}).n == 2
    assert model.position and scenario.reranker(scenario, model, catalogue, None, True) is not None
    gc.collect()
    gc.disable()
    try:
        gone, catalogue_gone = weakref.ref(model), weakref.ref(catalogue)
        other = ServedModel(2, ItemKNN().fit([[1, 2], [2, 3]]), {})
        scenario.reranker(scenario, other, Catalogue(), None, True)
        del model, view, catalogue
        assert gone() is None and catalogue_gone() is None
    finally:
        gc.enable()


def test_a_catalogue_that_was_updated_is_the_one_read_anew():
    rng, model = np.random.default_rng(0), ServedModel(1, ItemKNN().fit([[1, 2, 3], [2, 3, 9], [4, 5, 6, 7]]), {})
    catalogue, view = Catalogue(), None
    for version in range(1, 60):
        written = [
            {"item": int(item), "category": str(rng.integers(3)), "hidden": bool(rng.integers(2)), "properties": {}}
            for item in rng.choice(9, rng.integers(0, 4), replace=False)
        ]
        deleted = [int(item) for item in rng.choice(9, rng.integers(0, 2))] if version % 5 == 0 else []
        deleted = [item for item in deleted if all(row["item"] != item for row in written)]
        catalogue = catalogue.updated(version, written, deleted)
        view, fresh = View(catalogue, model, view), Catalogue(version, dict(catalogue.rows))
        assert catalogue.ids == fresh.ids and catalogue.position == fresh.position
        assert catalogue.visible.tolist() == fresh.visible.tolist()
        for conditions in (None, {"category": "1"}):
            if conditions is None or len(catalogue):
                assert view.allowed(conditions).ids == View(fresh, model).allowed(conditions).ids


def test_memory_is_returned_where_the_c_library_can(monkeypatch):
    from skrec.serving import _memory

    _memory.release()

    class Other:
        def __getattr__(self, name):
            raise AttributeError(name)

    monkeypatch.setattr(_memory.ctypes, "CDLL", lambda name: Other())
    _memory.release()
