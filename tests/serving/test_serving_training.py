import sqlite3
import threading
import zipfile

import numpy as np
import pytest
from shop_log import DAY, START, add, assert_same_model, fitted, random_events, refit_of, served_shop

import skrec
from skrec.decomposition import ALS, PPMISVD
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import BlendRecommender, Reranker
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.metrics import hit_rate_at_k, ndcg_at_k
from skrec.model_selection import split_time
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender
from skrec.serving import _judging, _training
from skrec.serving._judging import evaluate, questions
from skrec.serving._learned import steadily, take_snapshot, targets
from skrec.serving._models import Models
from skrec.serving._store import Event, Impression
from skrec.serving._training import is_due, queue, run_job
from skrec.serving._work import JobFailed, Work

EXACT = {
    "popularity": PopularityRecommender(),
    "popularity of 10 days": PopularityRecommender(window="10D"),
    "popularity, half-life": PopularityRecommender(half_life="5D", count="events"),
    "ItemKNN": ItemKNN(n_neighbors=8, incremental=True),
    "RP3beta": RP3beta(incremental=True),
    "EASE": EASE(l2=20.0, incremental=True),
    "EASE, recency": EASE(vectorizer=HistoryVectorizer(recency=0.7), incremental=True),
    "SLIM": SLIM(incremental=True, tol=1e-10),
    "transitions": TransitionRecommender(incremental=True),
    "PPMISVD": PPMISVD(8, incremental=True, random_state=0),
    "TIFUKNN": TIFUKNN(incremental=True),
    "buy again": BuyAgainRecommender(incremental=True),
    "blend": BlendRecommender(
        [("knn", ItemKNN(incremental=True)), ("again", BuyAgainRecommender(incremental=True))], weights=[1.0, 0.5]
    ),
    "reranker": Reranker(TIFUKNN(incremental=True)),
}
UNJUDGED = {"min_judged_users": 100_000}  # on few events chance decides about an update


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a shop, which is closed at the end."""
    made = []

    def shop(*how, **more):
        made.append(served_shop(tmp_path, *how, **more))
        return made[-1]

    yield shop
    for work in made:
        work.store.close()


def do(work, kind, payload=None):
    """Do a job as the trainer does."""
    job = work.store.job(work.store.add_job(kind, payload))
    result = run_job(job, work)
    work.store.report_job(job["id"], status="done", result=result)
    return result


def frame(work):
    return work.models.current.frame(work.store.events())


def assert_is_refit(work, **how):
    assert_same_model(work.models.current.estimator, refit_of(work), frame(work), **how)


# ---- updates -------------------------------------------------------------------------------------------------------


def live_log(seed=0, **how):
    """Return what was learned, and steps of what came then: new users, late events, merges, equal times."""
    events = random_events(seed=seed, **how)
    rng = np.random.default_rng(seed)
    early, rest = events[:350], events[350:]
    is_late = rng.random(len(early)) < 0.1
    learned = [event for event, late in zip(early, is_late, strict=True) if not late]
    late = [event for event, late in zip(early, is_late, strict=True) if late]
    at = {event.user: event.time for event in learned}
    same_time = [Event(None, user, (7 * user) % 24, "view", time, 1.0) for user, time in list(at.items())[:5]]
    if how.get("text"):
        same_time = [event._replace(item=f"p{event.item:03}") for event in same_time]
    return learned, [
        [*rest[:80], *late[: len(late) // 2]],
        [("merge", 3, 4), ("merge", 5, 6), *rest[80:160]],
        [
            *same_time,
            *late[len(late) // 2 :],
            ("merge", 6, 7),
            ("merge", 1000, 8),
            Event(None, 5, rest[0].item, None, START),
        ],
        [("merge", 9, 2000), *rest[160:]],
    ]


def live(work, step):
    for one in step:
        if one[0] == "merge":
            work.store.merge(*one[1:])
    add(work.store, [one for one in step if one[0] != "merge"])


@pytest.mark.parametrize("name", EXACT)
def test_an_update_is_a_refit_on_all_events(make, name):
    learned, steps = live_log()
    work = make(EXACT[name], learned, **UNJUDGED)
    for step in steps:
        live(work, step)
        result = do(work, "update")
        assert result["promoted"], result
        assert result["counted_twice"] == 0
        assert_is_refit(work, similarity=name != "PPMISVD")
    assert not is_due(work.store)
    assert do(work, "update")["skipped"].startswith("nothing came")


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("text", [False, True])
def test_updates_of_ties_and_texts(make, seed, text):
    learned, steps = live_log(seed=seed, tied=True, text=text)
    work = make(ItemKNN(incremental=True), learned, **UNJUDGED)
    for step in steps:
        live(work, step)
        do(work, "update")
        assert_is_refit(work)


def test_updates_of_a_model_without_times(make):
    learned, steps = live_log()
    work = make(TransitionRecommender(incremental=True), learned, dated=False, **UNJUDGED)
    assert work.store.current()["learned_until"] is None
    for step in steps:
        live(work, step)
        do(work, "update")
        assert_is_refit(work)


def test_updates_with_values_and_kinds_of_event(make):
    vectorizer = HistoryVectorizer(event_weights={"view": 1.0, "purchase": 3.0})
    learned, steps = live_log()
    work = make(EASE(vectorizer=vectorizer, incremental=True), learned, columns=("weight", "event"), **UNJUDGED)
    assert {"weight", "event"} <= set(frame(work).columns)
    learned_names = {"view", "purchase"}
    for step in steps:
        live(work, [one._replace(event=one.event or "view") if isinstance(one, Event) else one for one in step])
        do(work, "update")
        assert_is_refit(work)
    assert learned_names == set(work.store.events()["event"].unique().to_pylist())


def test_sessions_that_end_at_other_times(make):
    learned, steps = live_log()
    work = make(SessionKNN(incremental=True), learned, **UNJUDGED)
    for step in steps:
        live(work, step)
        do(work, "update")
        assert_is_refit(work)


def test_a_file_that_learned_a_part_of_the_log(make, tmp_path):
    events = random_events()
    rng = np.random.default_rng(0)
    work = make(ItemKNN(), [])
    add(work.store, [events[place] for place in rng.permutation(len(events))])
    model, notes = fitted(ItemKNN(incremental=True), events[:400])
    work.models.promote(work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes)))
    assert is_due(work.store)
    assert do(work, "update")["events"] == 200
    assert_is_refit(work)
    assert not is_due(work.store)


def test_a_model_of_other_events_is_not_updated_but_refitted(make, tmp_path):
    work = make(ItemKNN(), [])
    add(work.store, random_events(seed=5))
    model, notes = fitted(ItemKNN(incremental=True), random_events(seed=6))
    work.models.promote(work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes)))
    add(work.store, random_events(first_day=40, n_events=50))
    assert is_due(work.store)
    assert "not learned from the events of this store" in do(work, "update")["skipped"]
    assert not is_due(work.store)
    assert do(work, "refit")["promoted"]
    assert_is_refit(work)


def test_a_model_from_elsewhere_in_an_empty_store_learns_what_comes(make, tmp_path):
    work = make(ItemKNN(), [])
    model, notes = fitted(ItemKNN(incremental=True), random_events(n_users=20))
    work.models.promote(work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes)))
    new = [event._replace(user=event.user + 100) for event in random_events(first_day=50, seed=3)]
    add(work.store, new)
    assert do(work, "update")["promoted"]
    both, _ = fitted(ItemKNN(), random_events(n_users=20) + new)
    assert_same_model(work.models.current.estimator, both, frame(work))


@pytest.mark.parametrize("dated", [True, False])
def test_a_log_that_is_imported_after_its_model(make, tmp_path, dated):
    events = random_events()
    work = make(ItemKNN(), [], **UNJUDGED)
    model, notes = fitted(ItemKNN(incremental=True), events[:400], dated=dated)
    work.models.promote(work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes)))
    add(work.store, events[: 600 if dated else 400])
    work.store.delete_user(3)
    do(work, "update")
    assert_is_refit(work)
    add(work.store, random_events(first_day=50, n_events=100))
    do(work, "update")
    assert_is_refit(work)


def test_approximate_models_are_updated_too(make):
    learned, steps = live_log()
    work = make(ALS(4, max_iter=2, random_state=0), learned, **UNJUDGED)
    n_twice = 0
    for step in steps:
        live(work, step)
        result = do(work, "update")
        assert result["promoted"]
        n_twice += result["counted_twice"]
        model = work.models.current.estimator
        assert set(model.items_.tolist()) == set(work.store.events()["item"].to_pylist())
        assert (model.popularity_ >= refit_of(work).popularity_[np.argsort(np.argsort(model.items_))]).all()
    assert n_twice > 0
    assert do(work, "refit")["promoted"]
    assert_same_model(work.models.current.estimator, refit_of(work), frame(work))


def test_a_model_that_cannot_be_updated_says_so_once(make):
    events = random_events()
    work = make(ItemKNN(), events[:400])
    add(work.store, events[400:])
    assert is_due(work.store)
    assert do(work, "update")["skipped"].startswith("ItemKNN cannot be updated")
    assert not is_due(work.store)
    add(work.store, random_events(first_day=41, n_events=5))
    assert not is_due(work.store)
    assert work.store.current()["version"] == 1


def test_an_update_that_was_tried_is_not_tried_again_behind_many_jobs(make):
    events = random_events()
    work = make(ItemKNN(), events[:400])
    add(work.store, events[400:])
    do(work, "update")
    for _ in range(60):
        work.store.report_job(work.store.add_job("forget"), status="done")
    assert not is_due(work.store)
    assert queue(work.store, "update") is not None
    for _ in range(60):
        work.store.report_job(work.store.add_job("forget"), status="done")
    assert queue(work.store, "update") is None


def test_a_vectorizer_that_depends_on_the_whole_log_is_a_reason(make):
    events = random_events()
    work = make(EASE(vectorizer=HistoryVectorizer(min_df=2), incremental=True), events[:400])
    add(work.store, events[400:])
    assert "min_df" in do(work, "update")["skipped"]
    assert not is_due(work.store)


def test_notes_of_an_updated_model_are_those_that_the_command_reads(make):
    events = random_events()
    work = make(ItemKNN(incremental=True), events[:400], **UNJUDGED)
    model = work.models.current
    names = [f"name of {item}" for item in model.ids]
    work.models.rewrite(1, model.estimator, {**model.notes, "item_names": names, "data": {"users": "60"}})
    work.models.current = None
    last = max(event.time for event in events[400:])
    add(work.store, [*events[400:], Event(None, 1, 500, None, last), Event(None, 2, 501, None, last)])
    assert do(work, "update")["promoted"]
    notes = work.models.current.notes
    assert round(notes["learned_until"] * DAY) == last == work.store.current()["learned_until"]
    assert notes["events_at_last"] == 3
    assert notes["n_updates"] == 1
    wanted = [None if item >= 500 else f"name of {item}" for item in work.models.current.ids]
    assert notes["item_names"] == wanted
    assert "data" not in notes


# ---- comparisons ---------------------------------------------------------------------------------------------------


def test_scores_are_those_of_the_metrics(make):
    events = random_events()
    work = make(ItemKNN(exclude_seen=False), events[:400])
    add(work.store, events[400:])
    model = work.models.current
    until = max(event.time for event in events[:400])
    table = work.store.events()
    of_users = questions(table, table["time"].to_numpy() > until)
    X, y = split_time(model.frame(table), at=np.datetime64(until + 1, "us"))
    rows = (X["item"].map(len) > 0) & (y.map(len) > 0)
    assert len(of_users) == rows.sum()
    scores = evaluate(model, of_users)
    found = model.estimator.recommend(X[rows], k=10)
    assert np.nanmean(scores["ndcg"]) == pytest.approx(ndcg_at_k(y[rows], found))
    assert np.nanmean(scores["hit_rate"]) == pytest.approx(hit_rate_at_k(y[rows], found))
    popular = PopularityRecommender(exclude_seen=False).fit(
        model.frame(table.filter(table["time"].to_numpy() <= until))
    )
    expected = ndcg_at_k(y[rows], popular.recommend(X[rows], k=10))
    assert np.nanmean(evaluate(model, of_users, popularity=True)["ndcg"]) == pytest.approx(expected)


@pytest.fixture
def compared(monkeypatch):
    """Record which models were asked what."""
    asked = []
    evaluated = _judging.evaluate

    def record(model, of_users, **how):
        asked.append((model, of_users))
        return evaluated(model, of_users, **how)

    monkeypatch.setattr(_judging, "evaluate", record)
    return asked


def pairs_of(rows):
    return {(event.user, event.item) for event in rows}


def test_an_update_is_judged_on_new_events_that_it_has_not_learned(make, compared):
    events = random_events()
    work = make(ItemKNN(incremental=True), events[:400])
    add(work.store, events[400:])
    result = do(work, "update")
    first, _ = compared[-3], compared[-2]
    last = events[400 + int(0.8 * 199) + 1 :]
    assert sum(map(len, first[1].answers.values())) <= len(last)
    assert {(user, item) for user, items in first[1].answers.items() for item in items} <= pairs_of(last)
    assert first[0].estimator.popularity_.sum() == len(pairs_of(events[: 400 + int(0.8 * 199) + 1]))
    assert compared[-2][0].estimator.popularity_.sum() == len(pairs_of(events[:400]))
    assert result["judgement"]["n_users"] == len(first[1])
    assert result["judgement"]["on"] == "the last 20 % of the new events"
    assert work.store.version(2)["quality"] == result["judgement"]


def test_a_refit_is_judged_by_what_follows_the_current_model(make, compared):
    events = random_events()
    work = make(ItemKNN(), events[:400])
    add(work.store, events[400:])
    result = do(work, "refit")
    new, old = compared[-3][0], compared[-2][0]
    assert new.estimator.popularity_.sum() == old.estimator.popularity_.sum() == len(pairs_of(events[:400]))
    assert old is not new
    assert result["judgement"]["on"].startswith("events after")
    assert result["promoted"]


def test_a_refit_of_what_the_current_model_knows_is_judged_by_its_recipe(make, compared):
    events = random_events()
    work = make(ItemKNN(), events)
    result = do(work, "refit")
    moments = np.array([event.time for event in events])
    until = np.quantile(moments, 0.9, method="lower")
    earlier = [event for event in events if event.time <= until]
    assert compared[0][0].estimator.popularity_.sum() == len(pairs_of(earlier))
    assert "by the same recipe" in result["judgement"]["on"]
    assert result["judgement"]["difference"] == 0


def poisoned(events):
    """Return events in which bots buy what does not go together, and then genuine ones."""
    until, bots = events[399].time, []
    for bot in range(150):
        items = [bot % 12 * 2, bot % 12 * 2 + 1, (bot % 12 * 2 + 13) % 24]
        bots += [Event(None, 10_000 + bot, item, "view", until + 1 + place, 1.0) for place, item in enumerate(items)]
    return bots + events[400:]


def test_an_update_that_makes_the_model_worse_is_rejected(make):
    events = random_events(n_events=560)
    work = make(ItemKNN(n_neighbors=5, incremental=True), events[:400], margin=0.02)
    add(work.store, poisoned(events))
    result = do(work, "update")
    assert result["promoted"] is False
    assert result["reason"].startswith("NDCG@10 is")
    assert work.store.version(2)["status"] == "rejected"
    assert work.store.version(2)["quality"]["passed"] is False
    assert work.store.current()["version"] == work.models.current.version == 1
    assert not is_due(work.store)
    add(work.store, random_events(first_day=60, n_events=1))
    assert is_due(work.store)
    work.models.promote(2, force=True)
    assert work.models.current.version == 2


def test_quality_by_day_is_measured_before_learning(make):
    events = random_events()
    work = make(ItemKNN(incremental=True), events[:400])
    add(work.store, events[400:])
    model = work.models.current
    do(work, "update")
    rows = work.store.quality()
    days = sorted({str(np.datetime64(event.time, "us").astype("M8[D]")) for event in events[400:]})
    assert [row["day"] for row in rows] == days
    assert {row["version"] for row in rows} == {1}
    table = work.store.events()
    day = np.datetime64(days[2], "us")
    X, y = split_time(model.frame(table), at=day, until=day + DAY)
    asked = (X["item"].map(len) > 0) & (y.map(len) > 0)
    assert rows[2]["n_users"] == asked.sum()
    assert rows[2]["ndcg"] == pytest.approx(ndcg_at_k(y[asked], model.estimator.recommend(X[asked], k=10)))


# ---- refits --------------------------------------------------------------------------------------------------------


def test_events_that_come_during_a_refit_are_learned_after_it(make, monkeypatch):
    events = random_events()
    work = make(ItemKNN(incremental=True), events[:400])
    fit = _training.refitted
    late = [*events[500:], Event(None, 1, 3, None, START)]

    def slow(model, table):
        add(work.store, late)
        work.store.merge(11, 12)
        return fit(model, table)

    add(work.store, events[400:500])
    monkeypatch.setattr(_training, "refitted", slow)
    result = do(work, "refit")
    assert (result["events"], result["learned_seq"]) == (500, 500)
    assert work.store.current()["learned_seq"] == 500
    job = work.store.take_job()
    assert job["kind"] == "update"
    assert run_job(job, work)["events"] == len(late)
    assert_is_refit(work)


def test_without_a_current_model_or_events_a_job_fails_with_the_reason(make, tmp_path):
    work = make(ItemKNN(), [])
    for kind in ("refit", "update"):
        with pytest.raises(JobFailed, match="must be a current model"):
            do(work, kind)
    with pytest.raises(JobFailed, match="kind must be one of"):
        do(work, "dance")
    with pytest.raises(JobFailed, match="no version 7"):
        do(work, "promote", {"version": 7})
    model, notes = fitted(ItemKNN(), random_events())
    version = work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes))
    assert do(work, "promote", {"version": version})["version"] == version
    with pytest.raises(JobFailed, match="must be events"):
        do(work, "refit")


def test_a_recipe_that_cannot_be_fitted_leaves_the_current_model(make, monkeypatch):
    work = make(ItemKNN(), random_events())

    def fail(*_):
        raise ValueError("no history has two events")

    monkeypatch.setattr(_training, "refitted", fail)
    with pytest.raises(JobFailed, match=r"ItemKNN cannot be fitted .* no history has two events"):
        do(work, "refit")
    assert work.store.current()["version"] == 1
    assert len(work.store.versions()) == 1


# ---- privacy -------------------------------------------------------------------------------------------------------

PERSON = "person-0815"
GIFT = "gift for person-0815 alone"


def named(events):
    return [event._replace(user=f"u{event.user:03}") for event in events]


def private_log():
    """Return a log with a person, who was a visitor first, with an item of nobody else."""
    events = named(random_events(text=True))
    own = [("visitor-4711", "p001", 3), ("visitor-4711", "p003", 8), (PERSON, "p005", 20), (PERSON, GIFT, 25)]
    own = [Event(None, user, item, "view", START + day * DAY + 77, 2.0) for user, item, day in own]
    return sorted([*events[:400], *own], key=lambda event: event.time), events[400:500], events[500:]


def texts_of(work, tmp_path):
    """Return the bytes of all files, model files unpacked."""
    parts = []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "first.skrec":
            parts.append(path.read_bytes())
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    parts += [archive.read(name) for name in archive.namelist()]
    return b"".join(parts)


def assert_nothing_of(work, tmp_path):
    for row in work.store.versions():
        if row["status"] != "deleted":
            assert GIFT not in work.models.load(row["version"]).ids
    table = sqlite3.connect(work.settings.database.removeprefix("sqlite:///"))
    payloads = table.execute("SELECT payload FROM jobs WHERE kind = 'forget'").fetchall()
    table.close()
    assert payloads
    assert {payload for (payload,) in payloads} == {None}
    content = texts_of(work, tmp_path)
    for word in (PERSON, GIFT, "visitor-4711"):
        assert word.encode() not in content
        assert word.encode("utf-32-le") not in content


@pytest.mark.parametrize("name", EXACT)
def test_a_deleted_user_was_never_seen_by_any_version(make, tmp_path, name):
    first, second, third = private_log()
    work = make(EXACT[name], first, **UNJUDGED)
    work.store.merge("visitor-4711", PERSON)
    for part in (second, third):
        add(work.store, [*part, Event(None, PERSON, "p006", "view", part[-1].time + 1, 1.0)])
        assert do(work, "update").get("promoted")
    assert GIFT in work.models.current.ids
    job = work.store.delete_user(PERSON)
    assert PERSON.encode() in texts_of(work, tmp_path)
    result = run_job(work.store.job(job), work)
    again = run_job(work.store.job(job), work)
    assert (again["unlearned"], again["deleted"]) == ([], [])
    work.store.report_job(job, status="done", result=result)
    assert result["version"] == work.store.current()["version"] == 4
    assert result["unlearned"] == [3, 2, 1]
    assert result["deleted"] == [3]
    assert_nothing_of(work, tmp_path)
    assert_is_refit(work, similarity=name != "PPMISVD")
    statuses = {row["version"]: row["status"] for row in work.store.versions()}
    assert statuses == {4: "current", 3: "deleted", 2: "previous", 1: "retired"}
    for version, events in ((1, first), (2, first + second), (4, first + second + third)):
        others = [event for event in events if event.user not in (PERSON, "visitor-4711")]
        never, notes = fitted(skrec.load(work.models.path(version)).__sklearn_clone__(), others)
        model = work.models.load(version)
        assert_same_model(model.estimator, never, frame(work), similarity=name != "PPMISVD")
        assert model.notes["learned_until"] == notes["learned_until"]
        assert model.notes["events_at_last"] == notes["events_at_last"]
        assert work.store.version(version)["learned_until"] == max(event.time for event in others)
    add(work.store, named(random_events(first_day=45, n_events=60, text=True)))
    do(work, "update")
    assert_is_refit(work, similarity=name != "PPMISVD")


@pytest.mark.parametrize("estimator", [ALS(4, max_iter=2, random_state=0), ItemKNN()], ids=["ALS", "ItemKNN"])
def test_models_that_cannot_unlearn_are_refitted_and_deleted(make, tmp_path, estimator):
    first, second, _ = private_log()
    work = make(estimator, first)
    add(work.store, second)
    do(work, "refit")
    job = work.store.delete_user("visitor-4711")
    do_waiting(work)
    assert work.store.job(job)["result"]["deleted"] == [2, 1]
    assert work.store.current()["version"] == 3
    assert GIFT in work.models.current.ids
    work.store.delete_user(PERSON)
    do_waiting(work)
    assert_nothing_of(work, tmp_path)
    assert_is_refit(work)


def do_waiting(work):
    """Do the jobs that wait, as the trainer does."""
    while job := work.store.take_job():
        work.store.report_job(job["id"], status="done", result=run_job(job, work))


def test_users_who_are_deleted_before_an_update_are_unlearned_first(make, tmp_path):
    first, second, third = private_log()
    work = make(EASE(incremental=True), first)
    add(work.store, [*second, Event(None, PERSON, "p004", "view", second[-1].time + 1, 1.0)])
    jobs = [work.store.delete_user(user) for user in (PERSON, "u003", "visitor-4711", "u017")]
    add(work.store, [*third, Event(None, "u003", "p008", "view", third[-1].time, 1.0)])
    do(work, "update")
    assert {work.store.job(job)["status"] for job in jobs} == {"done"}
    assert_nothing_of(work, tmp_path)
    assert_is_refit(work)
    assert "u003" in work.store.events()["user"].to_pylist()


def test_users_who_are_deleted_while_events_are_read(make, monkeypatch):
    first, second, third = private_log()
    work = make(ItemKNN(incremental=True), first)
    add(work.store, second)
    read, deleted = _training.changed_users, []

    def slow(*arguments):
        table = read(*arguments)
        if not deleted:
            deleted.append(work.store.delete_user(PERSON))
        return table

    monkeypatch.setattr(_training, "changed_users", slow)
    do(work, "update")
    assert work.store.job(deleted[0])["status"] == "done"
    assert_is_refit(work)
    during, fit = [], _training.refitted

    def deleting(model, table):
        during.append(work.store.delete_user("u005"))
        return fit(model, table)

    monkeypatch.setattr(_training, "refitted", deleting)
    add(work.store, third)
    do(work, "refit")
    assert work.store.job(during[0])["status"] == "waiting"
    do_waiting(work)
    assert_is_refit(work)


def test_the_last_user_leaves_no_model(make):
    events = [Event(None, "a", item, None, START + place, 1.0) for place, item in enumerate(["x", "y", "z"])]
    work = make(PopularityRecommender(), events)
    work.store.delete_user("a")
    do_waiting(work)
    assert work.store.current() is None
    assert list(work.models.folder.iterdir()) == []
    work.models.refresh()
    assert work.models.current is None


def test_a_model_of_other_events_is_not_trusted_to_be_without_a_user(make, tmp_path):
    work = make(ItemKNN(), [])
    add(work.store, random_events(seed=5))
    model, notes = fitted(ItemKNN(incremental=True), random_events(seed=6))
    work.models.promote(work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes)))
    work.store.delete_user(3)
    do_waiting(work)
    assert work.store.current()["version"] == 2
    assert not work.models.path(1).exists()
    assert_is_refit(work)


def test_a_damaged_older_file_is_deleted(make):
    first, second, _ = private_log()
    work = make(ItemKNN(incremental=True), first)
    add(work.store, second)
    do(work, "update")
    work.models.path(1).write_bytes(b"damaged")
    work.store.delete_user(PERSON)
    do_waiting(work)
    assert not work.models.path(1).exists()
    assert_is_refit(work)


# ---- crashes, and both databases -----------------------------------------------------------------------------------


class Crash(BaseException):
    """The end of the process."""


class Mortal:
    """A store whose process ends at a call; all later calls fail as well."""

    def __init__(self, store, calls):
        self._store, self._calls, self._lock = store, calls, threading.Lock()

    def __getattr__(self, name):
        value = getattr(self._store, name)
        if not callable(value):
            return value

        def call(*arguments, **options):
            with self._lock:
                self._calls -= 1
                if self._calls < 0:
                    raise Crash
            return value(*arguments, **options)

        return call


def crash_everywhere(tmp_path, kind, step):
    """Do a job that crashes at each call of the store, then again; return the number of crashes."""
    first, second, third = private_log()
    for crashes, calls in enumerate(range(0, 10_000, step)):
        folder = tmp_path / str(calls)
        folder.mkdir()
        work = served_shop(folder, ItemKNN(incremental=True), first, **UNJUDGED)
        add(work.store, second)
        do(work, "update")
        work.store.merge("visitor-4711", PERSON)
        add(work.store, third)
        job = work.store.delete_user(PERSON) if kind == "forget" else work.store.add_job(kind)
        crashed = False
        models = Models(work.settings, Mortal(work.store, calls))
        try:
            run_job(work.store.job(job), Work(models))
        except Crash:
            crashed = True
        row = work.store.current()
        assert work.models.load(row["version"]).recommend([], 5)[0]
        after = Work(Models(work.settings, work.store))
        result = run_job(work.store.job(job), after)
        work.store.report_job(job, status="done", result=result)
        if kind == "forget":
            assert_nothing_of(after, folder)
            do(after, "update")
        after.models.refresh()
        assert_is_refit(after)
        for one in after.store.versions():
            after.store.set_version(one["version"], created=0)  # ten minutes later
        after.models.tidy()
        names = {path.name for path in after.models.folder.iterdir()}
        rows = {one["version"]: one["status"] for one in after.store.versions()}
        assert names == {f"v{version:06d}.skrec" for version, status in rows.items() if status != "deleted"}
        assert list(rows.values()).count("current") == 1
        assert list(rows.values()).count("previous") == 1
        work.store.close()
        if not crashed:
            return crashes
    raise AssertionError("it crashes for ever")


@pytest.mark.parametrize("kind", ["update", "refit", "forget"])
def test_a_job_that_crashed_is_repeated(tmp_path, kind):
    assert crash_everywhere(tmp_path, kind, step=7) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["update", "refit", "forget"])
def test_a_job_that_crashed_at_any_call_is_repeated(tmp_path, kind):
    assert crash_everywhere(tmp_path, kind, step=1) >= 20


def test_both_databases(make, database_url):
    learned, steps = live_log(text=True)
    work = make(ItemKNN(incremental=True), learned, database=database_url, **UNJUDGED)
    for step in steps:
        live(work, step)
        do(work, "update")
        assert_is_refit(work)
    for user in (4, 7, 2000):
        work.store.delete_user(user)
    do_waiting(work)
    assert_is_refit(work)
    do(work, "refit")
    assert_is_refit(work)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["ItemKNN", "EASE", "popularity of 10 days", "TIFUKNN"])
def test_random_lives(make, name, seed):
    """Updates, refits, merges and deletions in a random order."""
    rng = np.random.default_rng(seed)
    events = random_events(n_events=1200, seed=seed, n_days=80, tied=bool(seed % 2))
    work = make(EXACT[name], events[:300], **UNJUDGED)
    place = 300
    for _ in range(15):
        what = rng.choice(["events", "late", "merge", "delete"], p=[0.4, 0.2, 0.2, 0.2])
        users = sorted(set(work.store.events()["user"].to_pylist()))
        if what == "merge":
            work.store.merge(*rng.choice(users, 2, replace=False).tolist())
        elif what == "delete":
            work.store.delete_user(int(rng.choice(users)))
        else:
            part, place = events[place : place + 60], place + 60
            shift = int(rng.integers(1, 30)) * DAY if what == "late" else 0
            add(work.store, [event._replace(time=event.time - shift) for event in part])
        if rng.random() < 0.6:
            do(work, str(rng.choice(["update", "update", "refit"])))
            assert_is_refit(work)


# ---- what jobs read of the store -----------------------------------------------------------------------------------


def test_merges_are_followed_up_to_a_number():
    merges = [(1, "a", "b"), (2, "c", "d"), (4, "b", "d"), (6, "d", "e")]
    assert targets(merges, 0) == {}
    assert targets(merges, 3) == {"a": "b", "c": "d"}
    assert targets(merges, 6) == dict.fromkeys("abcd", "e")
    assert targets([(1, "a", "b"), (2, "b", "a")], 2) == {"a": "b", "b": "a"}


def test_reading_is_repeated_until_no_user_is_merged(make):
    work = make(ItemKNN(), random_events())
    calls = []

    def read(snapshot):
        calls.append(snapshot)
        if len(calls) < 3:
            work.store.merge(len(calls), 50)
        return len(calls)

    snapshot, found = steadily(work.store, read)
    assert found == 3
    assert snapshot == take_snapshot(work.store)

    def restless(snapshot):
        work.store.merge(100 + len(snapshot.merges), 50)

    with pytest.raises(RuntimeError, match="try again later"):
        steadily(work.store, restless)


def test_a_job_is_queued_once(make):
    work = make(RandomRecommender(random_state=0), random_events())
    first = queue(work.store, "refit")
    assert first is not None
    assert queue(work.store, "refit") is None
    assert queue(work.store, "update") is not None
    assert not is_due(work.store)
    assert Models(work.settings, work.store).refresh()


def test_deletions_that_wait_behind_a_thousand_jobs_are_followed_first(make):
    first, second, _ = private_log()
    work = make(EASE(incremental=True), first)
    add(work.store, second)
    number = work.store.delete_user(PERSON)
    for _ in range(1001):
        work.store.report_job(work.store.add_job("update"), status="failed", result={"reason": "no trainer"})
    assert work.store.open_jobs("forget") == [number]
    do(work, "update")
    assert work.store.job(number)["status"] == "done" and work.store.open_jobs("forget") == []
    assert_is_refit(work)


def test_what_another_process_showed_just_before_a_deletion_is_deleted_with_the_job(make):
    first, *_ = private_log()
    work = make(EASE(incremental=True), first)
    number = work.store.delete_user(PERSON)
    moment = work.store.job(number)["created"]
    late = Impression("late", 0, PERSON, "p001", "default", 1.0, None, 1, moment - 10)
    back = late._replace(rec_id="back", time=moment + 60_000_000)  # who comes back is somebody new
    work.store.show([late, back])
    work.store.export_user(PERSON)  # writes what waits
    do_waiting(work)
    assert work.store.table("impressions")["rec_id"].to_pylist() == ["back"]
