"""Deletions of users against all that happens beside them: many at once, promotions, crashes, uploads, imports."""

import os

import numpy as np
import pytest
from shop_log import DAY, START, add, as_table, assert_same_model, fitted, random_events, refit_of, served_shop

import skrec
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.serving import _forgetting, _models, _work
from skrec.serving._models import Models, NotPromoted
from skrec.serving._store import Event, Impression, StoreUnavailable
from skrec.serving._training import run_job
from skrec.serving._work import Work

UNJUDGED = {"min_judged_users": 100_000}
EVENTS = random_events(n_users=80, n_events=900)


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a shop, which is closed at the end."""
    made = []

    def shop(*how, **more):
        made.append(served_shop(tmp_path, *how, **{**UNJUDGED, **more}))
        return made[-1]

    yield shop
    for work in made:
        work.store.close()


@pytest.fixture
def shop(make):
    """Three versions: 1 retired, 2 previous, 3 current."""
    work = make(ItemKNN(incremental=True), EVENTS[:500])
    for part in (EVENTS[500:700], EVENTS[700:]):
        add(work.store, part)
        do(work, "update")
    return work


def do(work, kind):
    job = work.store.job(work.store.add_job(kind))
    result = run_job(job, work)
    work.store.report_job(job["id"], status="done", result=result)
    return result


def do_waiting(work):
    """Do the jobs that wait, as the trainer does."""
    results = []
    while job := work.store.take_job():
        results.append(run_job(job, work))
        work.store.report_job(job["id"], status="done", result=results[-1])
    return results


def frame(work):
    return work.models.current.frame(work.store.events())


def assert_is_refit(work):
    assert_same_model(work.models.current.estimator, refit_of(work), frame(work))


def statuses(work):
    return {row["version"]: row["status"] for row in work.store.versions() if row["status"] != "deleted"}


def assert_never_seen(work, version, events, gone):
    """Compare a version with a fit on the events of all others."""
    model = work.models.load(version)
    others, notes = fitted(ItemKNN(), [event for event in events if event.user not in gone])
    assert_same_model(model.estimator, others, frame(work))
    assert model.notes["learned_until"] == notes["learned_until"]


# ---- many at once --------------------------------------------------------------------------------------------------


def count_files(work, monkeypatch):
    written = []
    for name in ("write", "rewrite"):
        method = getattr(Models, name)
        monkeypatch.setattr(
            Models, name, lambda *how, _m=method, _n=name, **more: written.append(_n) or _m(*how, **more)
        )
    return written


def test_many_deletions_rewrite_each_version_once(shop, monkeypatch):
    gone = range(0, 80, 2)
    jobs = [shop.store.delete_user(user) for user in gone]
    written = count_files(shop, monkeypatch)
    (result,) = do_waiting(shop)
    assert sorted(written) == ["rewrite", "rewrite", "write"]
    assert (result["users"], result["unlearned"], result["deleted"]) == (40, [3, 2, 1], [3])
    rows = [shop.store.job(job) for job in jobs]
    assert {(row["status"], row["payload"]) for row in rows} == {("done", None)}
    assert {row["result"]["version"] for row in rows} == {4}
    for version, end in ((1, 500), (2, 700), (4, 900)):
        assert_never_seen(shop, version, EVENTS[:end], gone)
    assert_is_refit(shop)


def test_a_version_that_has_followed_some_of_the_deletions_follows_the_others(shop, monkeypatch):
    first = shop.store.delete_user(4)

    def crash(*_):
        raise RuntimeError("the end")

    with monkeypatch.context() as patch:
        patch.setattr(type(shop.store), "empty_jobs", crash)
        with pytest.raises(RuntimeError, match="the end"):
            run_job(shop.store.job(first), shop)
    shop.store.delete_user(6)
    do_waiting(shop)
    for version, end in ((1, 500), (2, 700), (5, 900)):
        assert_never_seen(shop, version, EVENTS[:end], (4, 6))
    names = shop.models.load(5).notes["forgotten"]
    assert names == [f"{number} of {shop.store.job(number)['created']}" for number in (first, first + 1)]


def test_a_job_of_the_same_number_is_another_after_a_backup(shop):
    shop.store.delete_user(4)
    do_waiting(shop)
    model = shop.models.current
    with shop.store.database.begin(write=True) as connection:  # the number is given again
        connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'jobs'")
        connection.exec_driver_sql("DELETE FROM jobs")
    number = shop.store.delete_user(6)
    shop.models.rewrite(4, model.estimator, {**model.notes, "forgotten": [number, f"{number} of 17"]})
    do_waiting(shop)
    assert_is_refit(shop)


def test_a_user_who_came_back_and_was_deleted_again(shop):
    shop.store.delete_user(4)
    add(shop.store, [Event(None, 4, 8, "view", EVENTS[-1].time + 5, 1.0)])
    shop.store.merge(4, 6)
    shop.store.delete_user(6)
    do_waiting(shop)
    assert_never_seen(shop, 1, EVENTS[:500], (4, 6))
    assert_is_refit(shop)
    do(shop, "update")
    assert_is_refit(shop)


# ---- somebody puts another version to use meanwhile ------------------------------------------------------------------


def during(monkeypatch, where, name, what):
    """Do something once, just before a function is called."""
    function, done = getattr(where, name), []

    def call(*how, **more):
        if not done:
            done.append(what())
        return function(*how, **more)

    monkeypatch.setattr(where, name, call)


def test_an_update_does_not_undo_a_roll_back(shop, monkeypatch):
    add(shop.store, random_events(n_events=50, first_day=41))
    other = Models(shop.settings, shop.store)
    during(monkeypatch, Models, "write", other.roll_back)
    result = do(shop, "update")
    assert not result["promoted"]
    assert "version 3 was replaced while this one was made from it" in result["reason"]
    assert statuses(shop) == {1: "retired", 2: "current", 3: "previous", 4: "candidate"}
    do(shop, "update")
    assert_is_refit(shop)


def test_a_version_is_not_promoted_in_place_of_one_it_was_not_compared_with(shop, monkeypatch):
    other = Models(shop.settings, shop.store)
    during(monkeypatch, _models, "judge_other", other.roll_back)
    with pytest.raises(NotPromoted, match="version 3 was replaced during the comparison"):
        shop.models.promote(1)
    assert shop.store.current()["version"] == 2


@pytest.mark.parametrize("when", ["write", "install_in_place_of"])
def test_a_roll_back_while_a_user_is_unlearned_holds(shop, monkeypatch, when):
    other = Models(shop.settings, shop.store)
    during(monkeypatch, Models, when, other.roll_back)
    shop.store.delete_user(4)
    do_waiting(shop)
    shop.models.refresh()
    other.refresh()
    assert shop.store.current()["learned_seq"] == 700, "the version that was rolled back to"
    for models in (shop.models, other):
        without, _ = fitted(ItemKNN(), [event for event in EVENTS[:700] if event.user != 4])
        assert_same_model(models.current.estimator, without, frame(shop))
    for version in statuses(shop):
        assert (shop.models.load(version).estimator.popularity_.sum()) == {
            500: fitted(ItemKNN(), [e for e in EVENTS[:500] if e.user != 4])[0].popularity_.sum(),
            700: without.popularity_.sum(),
            900: fitted(ItemKNN(), [e for e in EVENTS if e.user != 4])[0].popularity_.sum(),
        }[shop.store.version(version)["learned_seq"]]


def test_a_version_that_was_loaded_before_a_user_was_unlearned_and_promoted_after(shop, monkeypatch):
    other = Models(shop.settings, shop.store)
    shop.store.delete_user(4)
    during(monkeypatch, Models, "install", lambda: do_waiting(shop))
    other.promote(1, force=True)
    without, _ = fitted(ItemKNN(), [event for event in EVENTS[:500] if event.user != 4])
    assert other.current.version == 1
    assert_same_model(other.current.estimator, without, frame(shop))


def test_a_version_that_was_put_to_use_just_before_its_file_is_rewritten(shop, monkeypatch):
    other = Models(shop.settings, shop.store)
    other.refresh()
    shop.store.delete_user(4)
    state = []
    during(monkeypatch, Models, "rewrite", lambda: [other.promote(2, force=True), state.append(shop.store.state())])
    do_waiting(shop)
    assert shop.store.state().models > state[0].models, "others are told to look again"
    other.refresh()
    without, _ = fitted(ItemKNN(), [event for event in EVENTS[:700] if event.user != 4])
    assert_same_model(other.current.estimator, without, frame(shop))


def test_a_file_that_is_deleted_while_its_version_is_promoted(make, monkeypatch):
    work = make(ItemKNN(incremental=True), random_events(), keep_versions=2)
    for _ in range(2):
        do(work, "refit")
    work.store.set_version(1, status="rejected")
    trainer = Models(work.settings, work.store)
    skrec.save(work.models.current.estimator, trainer.path(1), metadata=work.models.current.notes)
    during(monkeypatch, Models, "install", trainer.tidy)
    with pytest.raises(NotPromoted, match="the file of version 1 was deleted"):
        work.models.promote(1, force=True)
    assert work.store.current()["version"] == 3
    with pytest.raises(LookupError):
        work.store.promote(1)


def test_a_version_that_is_promoted_while_old_files_are_deleted_is_kept(make, monkeypatch):
    work = make(ItemKNN(incremental=True), random_events())
    for _ in range(3):
        do(work, "refit")
    trainer = Models(
        work.settings.replace(keep_versions=2) if hasattr(work.settings, "replace") else work.settings, work.store
    )
    object.__setattr__(trainer.settings, "keep_versions", 2)
    during(monkeypatch, type(work.store), "discard", lambda: work.models.promote(1, force=True))
    trainer.tidy()
    assert work.store.current()["version"] == 1
    assert work.models.load(1)


def test_a_worker_that_finds_its_file_deleted_takes_the_next(shop, monkeypatch):
    other = Models(shop.settings, shop.store)
    third = shop.models.current

    def next_one():
        new = shop.models.write(third.estimator, third.notes, learned={}, note="", quality={})
        shop.models.install(new)
        shop.models.delete(3)

    during(monkeypatch, Models, "load", next_one)
    assert other.refresh()
    assert other.current.version == 4


# ---- crashes, and files that are out of reach ------------------------------------------------------------------------


def test_a_crash_between_payloads_and_files_is_made_up_for(shop, monkeypatch, tmp_path):
    number = shop.store.delete_user(4)
    scrubbed = []

    def crash(*_):
        raise RuntimeError("the end")

    with monkeypatch.context() as patch:
        patch.setattr(type(shop.store), "scrub", crash)
        with pytest.raises(RuntimeError, match="the end"):
            run_job(shop.store.job(number), shop)
    assert shop.store.job(number)["status"] != "done"
    monkeypatch.setattr(type(shop.store), "scrub", lambda self, texts: scrubbed.append(texts))
    do_waiting(shop)
    assert scrubbed == [None], "what was deleted is not known any more"


def test_a_reader_of_earlier_pages_delays_the_end_of_a_deletion(shop, monkeypatch):
    monkeypatch.setattr("skrec.serving._sqlite._LOG_SECONDS", 0.3)
    reader = shop.store.database.connect()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    number = shop.store.delete_user(4)
    job = shop.store.take_job()
    with pytest.raises(StoreUnavailable, match="somebody has read earlier pages"):
        run_job(job, shop)
    assert shop.store.job(number)["status"] == "running"
    reader.execute("COMMIT")
    reader.close()
    run_job(shop.store.job(number), shop)
    assert_is_refit(shop)


def test_the_row_of_a_version_follows_its_file_after_a_crash(shop, monkeypatch):
    last = EVENTS[699]
    number = shop.store.delete_user(last.user)
    before = {version: shop.store.version(version)["learned_until"] for version in (1, 2)}
    assert before[2] == last.time
    set_version = type(shop.store).set_version

    def crash(self, version, **columns):
        if version == 2 and "learned_until" in columns:
            raise RuntimeError("the end")
        return set_version(self, version, **columns)

    with monkeypatch.context() as patch:
        patch.setattr(type(shop.store), "set_version", crash)
        with pytest.raises(RuntimeError, match="the end"):
            run_job(shop.store.job(number), shop)
    do_waiting(shop)
    others = [event.time for event in EVENTS[:700] if event.user != last.user]
    assert shop.store.version(2)["learned_until"] == max(others)


def test_a_folder_that_is_not_mounted_deletes_no_version(shop):
    number = shop.store.delete_user(4)
    away = shop.models.folder.with_name("away")
    shop.models.folder.rename(away)
    shop.models.folder.mkdir()
    with pytest.raises(FileNotFoundError, match="must hold the files of 3 versions, and has none: mount it"):
        run_job(shop.store.job(number), shop)
    assert statuses(shop) == {1: "retired", 2: "previous", 3: "current"}
    shop.models.folder.rmdir()
    away.rename(shop.models.folder)
    do_waiting(shop)
    assert_is_refit(shop)


def test_too_little_memory_deletes_no_version(shop, monkeypatch):
    number = shop.store.delete_user(4)

    def full(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("skrec.serving._models.persistence.load", full)
        with pytest.raises(_models.RefusedModel):
            run_job(shop.store.job(number), shop)
    assert statuses(shop) == {1: "retired", 2: "previous", 3: "current"}
    do_waiting(shop)
    assert_is_refit(shop)


def test_a_current_file_that_is_damaged_gives_way_to_the_previous(shop):
    shop.models.path(3).write_bytes(b"damaged")
    shop.store.delete_user(4)
    (result,) = do_waiting(shop)
    assert (result["deleted"], result["version"]) == ([3], 2)
    assert statuses(shop) == {1: "retired", 2: "current"}
    assert_never_seen(shop, 2, EVENTS[:700], (4,))


def test_a_file_that_a_crash_has_left_is_removed(shop):
    left = shop.models.path(1).read_bytes()
    shop.models.delete(1)
    shop.models.path(1).write_bytes(left)
    (shop.models.folder / "v000077.skrec").write_bytes(b"of nobody here")
    shop.store.delete_user(4)
    do_waiting(shop)
    assert not shop.models.path(1).exists()
    assert (shop.models.folder / "v000077.skrec").exists()


def test_an_upload_that_is_being_written_is_waited_for(shop, monkeypatch):
    source = shop.models.path(3)
    version = shop.store.add_version("", learned_seq=900, learned_merge=0, learned_until=EVENTS[-1].time)
    partial = shop.models.folder / ".incoming.skrec.host.1.00.part"
    partial.write_bytes(source.read_bytes())
    monkeypatch.setattr(
        _forgetting.time, "sleep", lambda _: partial.exists() and partial.rename(shop.models.path(version))
    )
    shop.store.delete_user(4)
    do_waiting(shop)
    assert_never_seen(shop, version, EVENTS, (4,))


def test_versions_that_are_gone_are_not_listed_for_ever(shop):
    for _ in range(120):
        shop.models.delete(shop.store.add_version("x"))
    assert len(shop.store.versions()) == 123
    assert len(shop.store.versions(deleted=100)) == 103
    assert len(shop.store.versions(deleted=0)) == 3
    assert shop.store.version(4)["status"] == "deleted"


def test_lists_that_another_process_showed_are_waited_for(shop):
    waited = []
    work = Work(shop.models, pause=waited.append)
    number = work.store.delete_user(4)
    moment = work.store.job(number)["created"]

    def late(seconds):
        waited.append(seconds)
        work.store.show([Impression("late", 0, 4, 8, "home", 1.0, None, 1, moment - 10)])
        work.store.export_user(4)  # writes what waits

    do_waiting(Work(shop.models, pause=late))
    assert len(waited) == 1 and 0 < waited[0] <= 1
    assert work.store.counts()["impressions"] == 0


# ---- models of events that are not of the store ----------------------------------------------------------------------


def foreign(make, tmp_path, dated=True):
    """Return a shop without events whose model comes from elsewhere, and its log."""
    log = random_events(n_users=20)
    work = make(ItemKNN(), [])
    model, notes = fitted(ItemKNN(incremental=True), log, dated=dated)
    work.models.promote(work.models.add_file(skrec.save(model, tmp_path / "m.skrec", metadata=notes)))
    return work, log


def test_the_only_user_of_the_store_is_unlearned_by_a_model_from_elsewhere(make, tmp_path):
    work, log = foreign(make, tmp_path)
    add(work.store, [Event(None, 500, item, None, START + 60 * DAY + item, 1.0) for item in (2, 4, 6)])
    assert do(work, "update")["promoted"]
    work.store.delete_user(500)
    do_waiting(work)
    before, notes = fitted(ItemKNN(), log)
    assert_same_model(work.models.current.estimator, before, work.models.current.frame(as_table(log)))
    assert work.models.current.notes["learned_until"] == notes["learned_until"]
    assert work.store.current()["learned_until"] == max(event.time for event in log)


def test_a_log_that_is_imported_after_live_events_is_not_learned_twice(make, tmp_path):
    work, log = foreign(make, tmp_path)
    add(work.store, random_events(n_users=20, first_day=50, n_events=40, seed=3))
    assert do(work, "update")["promoted"]
    add(work.store, log)
    assert "may be the same: refit it" in do(work, "update")["skipped"]
    assert do(work, "refit")["promoted"]
    assert_is_refit(work)
    add(work.store, [Event(None, 3, 8, None, START + DAY, 1.0)])
    assert do(work, "update")["promoted"], "what is late is late, after the refit"
    assert_is_refit(work)


def test_a_user_of_a_log_that_is_imported_later_is_not_left_in_a_model_from_elsewhere(make, tmp_path):
    work, log = foreign(make, tmp_path)
    add(work.store, random_events(n_users=20, first_day=50, n_events=40, seed=3))
    do(work, "update")
    add(work.store, log)
    work.store.delete_user(3)
    do_waiting(work)
    assert_is_refit(work)
    assert statuses(work) == {1: "previous", 3: "current"}
    assert_never_seen(work, 1, log, (3,))  # it was found to have learned the log


def test_a_deletion_does_not_replace_a_model_from_elsewhere_that_knows_no_times(make, tmp_path):
    work, log = foreign(make, tmp_path, dated=False)
    add(work.store, random_events(n_users=20, first_day=50, n_events=40, seed=3))
    work.store.delete_user(3)
    (result,) = do_waiting(work)
    assert (result["unlearned"], result["deleted"], result["version"]) == ([], [], None)
    before, _ = fitted(ItemKNN(), log, dated=False)
    assert_same_model(work.models.current.estimator, before, frame(work))


def test_an_update_of_an_empty_store_decides_nothing(make, tmp_path):
    work, log = foreign(make, tmp_path)
    assert do(work, "update")["skipped"].startswith("nothing came")
    add(work.store, log)
    assert do(work, "update")["skipped"].startswith("nothing came"), "the model has learned the log"
    work.store.delete_user(3)
    do_waiting(work)
    assert_is_refit(work)
    assert work.models.current.notes["forgotten"]


# ---- imports ---------------------------------------------------------------------------------------------------------


def test_who_comes_back_by_an_import_is_not_unlearned_twice(shop):
    exported = shop.store.table("events")
    shop.store.delete_user(4)
    do_waiting(shop)
    assert shop.store.put_everything("events", exported)[0] > 0
    assert "refit it" in do(shop, "update")["skipped"]
    shop.store.delete_user(4)
    do_waiting(shop)
    assert_is_refit(shop)
    assert shop.store.put_everything("events", exported)[0] > 0
    assert do(shop, "refit")["promoted"]
    assert_is_refit(shop)


def test_an_import_of_what_is_there_leaves_the_models_alone(shop):
    before = shop.store.versions()
    assert shop.store.put_everything("events", shop.store.table("events")) == (0, 900)
    assert shop.store.versions() == before


def test_random_deletions_among_promotions(make):
    rng = np.random.default_rng(0)
    work = make(ItemKNN(incremental=True), EVENTS[:300])
    place, gone = 300, set()
    for _ in range(12):
        add(work.store, [event for event in EVENTS[place : place + 50] if event.user not in gone])
        place += 50
        do(work, "update")
        for user in rng.choice(80, int(rng.integers(0, 5)), replace=False).tolist():
            work.store.delete_user(user)
            gone.add(user)
        if rng.random() < 0.5:
            previous = [version for version, status in statuses(work).items() if status == "previous"]
            if previous:
                Models(work.settings, work.store).roll_back()
        do_waiting(work)
        work.models.refresh()
        for row in work.store.versions(deleted=0):
            known = work.store.events(upto_seq=row["learned_seq"])
            model = work.models.load(row["version"])
            other = ItemKNN().fit(model.frame(known))
            assert_same_model(model.estimator, other, frame(work))


def test_what_may_be_known_elsewhere_is_told_by_time(make, tmp_path):
    work, log = foreign(make, tmp_path)
    row = work.store.current()
    model = work.models.current
    assert _work.elsewhere_until(model, row) == max(event.time for event in log)
    add(work.store, [Event(None, 3, 8, None, START + 90 * DAY, 1.0)])
    assert not _work.may_know(model, row, work.store.events())
    add(work.store, [Event(None, 3, 8, None, START, 1.0)])
    assert _work.may_know(model, row, work.store.events())


def test_models_that_cannot_unlearn_are_refitted_once_for_many(make, monkeypatch):
    work = make(EASE(), random_events())
    for user in range(10):
        work.store.delete_user(user)
    written = count_files(work, monkeypatch)
    (result,) = do_waiting(work)
    assert (written, result["deleted"], result["version"]) == (["write"], [1], 2)
    assert_is_refit(work)
    assert os.listdir(work.models.folder) == ["v000002.skrec"]
