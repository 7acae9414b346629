import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from shop_log import add, assert_same_model, folder_of, random_events, refit_of, served_shop

from skrec.neighbors import ItemKNN
from skrec.serving import _trainer
from skrec.serving._models import Models
from skrec.serving._settings import Settings
from skrec.serving._store import StoreUnavailable
from skrec.serving._tables import jobs
from skrec.serving._trainer import Stopped, Trainer, start

EVENTS = random_events()
LONG = 120  # seconds; machines are shared


@pytest.fixture
def shop(tmp_path):
    work = served_shop(tmp_path, ItemKNN(incremental=True), EVENTS[:400], update_minutes=0, refit_at="")
    yield work
    work.store.close()


@pytest.fixture
def begin():
    """Return a function that keeps processes, which are ended at the end."""
    processes = []

    def keep(process):
        processes.append(process)
        return process

    yield keep
    for process in processes:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def wait_for(what, seconds=LONG):
    ends = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < ends, "it takes too long"
        time.sleep(0.05)
    return found


def done(work, job, status="done"):
    return wait_for(lambda: (row := work.store.job(job))["status"] == status and row)


def slow_trainer(begin, settings, tmp_path):
    script = Path(__file__).with_name("trainer_process.py")
    marker = tmp_path / f"fitting {time.monotonic()}"
    process = begin(subprocess.Popen([sys.executable, script, marker], stdin=subprocess.PIPE))
    process.stdin.write(json.dumps(asdict(settings)).encode() + b"\n")
    process.stdin.flush()
    return process, marker


def ended(process):
    """Return the exit status of a process."""
    return process.wait(LONG)


# ---- the process ---------------------------------------------------------------------------------------------------


def test_the_trainer_does_jobs_and_stops_gracefully(shop, begin):
    process = begin(start(shop.settings))
    add(shop.store, EVENTS[400:])
    result = done(shop, shop.store.add_job("update"))["result"]
    assert result["events"] == 200
    failed = done(shop, shop.store.add_job("dance"), "failed")
    assert failed["result"]["reason"].startswith("kind must be one of")
    shop.models.refresh()
    assert shop.models.current.version == result["version"]
    model = shop.models.current
    assert_same_model(model.estimator, refit_of(shop), model.frame(shop.store.events()))
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    if (place := Path(f"/proc/{process.pid}")).exists():
        assert b"OMP_NUM_THREADS=1" in (place / "environ").read_bytes()
        for content in ((place / "environ").read_bytes(), (place / "cmdline").read_bytes()):
            assert shop.settings.database.encode() not in content
    process.terminate()
    assert ended(process) == 0


def test_updates_are_queued_by_the_clock_where_events_came(tmp_path, begin):
    work = served_shop(tmp_path, ItemKNN(incremental=True), EVENTS[:400], update_minutes=0.01, min_judged_users=10**6)
    begin(start(work.settings))
    time.sleep(2)
    assert work.store.jobs() == []
    add(work.store, EVENTS[400:500])
    wait_for(lambda: work.store.current()["learned_seq"] == 500)
    add(work.store, EVENTS[500:])
    wait_for(lambda: work.store.current()["learned_seq"] == 600)
    assert {job["kind"] for job in work.store.jobs()} == {"update"}
    work.store.close()


def test_the_trainer_ends_with_its_parent(shop, begin):
    program = (
        "import sys, json, time; from skrec.serving import _trainer, _settings\n"
        "process = _trainer.start(_settings.Settings(**json.loads(sys.argv[1])))\n"
        "print(process.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, json.dumps(asdict(shop.settings))]
    parent = begin(subprocess.Popen(command, stdout=subprocess.PIPE))
    child = int(parent.stdout.readline())
    done(shop, shop.store.add_job("dance"), "failed")  # it runs
    parent.kill()
    parent.stdout.close()
    wait_for(lambda: not is_alive(child))


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # nobody may wait for an orphan here
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_was_interrupted_is_done_again(shop, begin, tmp_path, number):
    job = shop.store.add_job("refit")
    process, marker = slow_trainer(begin, shop.settings, tmp_path)
    wait_for(marker.exists)
    began = time.monotonic()
    process.send_signal(number)
    status = ended(process)
    assert time.monotonic() - began < 30
    assert shop.store.current()["version"] == 1
    if number == signal.SIGTERM:
        assert status == 0
        row = shop.store.job(job)
        assert (row["status"], row["result"]["step"]) == ("waiting", "stopped before its end; it will be done again")
    else:
        assert shop.store.job(job)["status"] == "running"
        with shop.store.database.begin(write=True) as connection:  # a minute later
            connection.execute(sa.update(jobs).values(heartbeat=0))
    second = begin(start(shop.settings))
    assert done(shop, job)["result"]["promoted"]
    assert shop.store.current()["version"] == 2
    second.terminate()
    assert ended(second) == 0
    assert sorted(path.name for path in shop.models.folder.iterdir()) == ["v000001.skrec", "v000002.skrec"]


def test_the_trainer_waits_for_a_database(tmp_path, begin):
    process = begin(start(Settings(database="postgresql://nobody@127.0.0.1:1/none", models=str(tmp_path))))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(5)
    process.terminate()
    assert ended(process) == 0


# ---- one job -------------------------------------------------------------------------------------------------------


def test_a_heartbeat_and_the_step_are_reported(shop, monkeypatch):
    monkeypatch.setattr(_trainer, "_BEAT", 0.05)
    trainer, seen = Trainer(shop), []

    def job(row, work):
        work.say("reading all events")
        for _ in range(3):
            seen.append(shop.store.job(row["id"]))
            time.sleep(0.3)
        return {"version": 1}

    monkeypatch.setattr(_trainer, "run_job", job)
    number = shop.store.add_job("refit")
    trainer.do(shop.store.take_job())
    beats = [row["heartbeat"] for row in seen]
    assert beats == sorted(set(beats))
    assert seen[0]["result"] == {"step": "reading all events"}
    assert shop.store.job(number)["result"] == {"version": 1}


def failing(error):
    def job(row, work):
        raise error

    return job


def test_what_fails_says_why(shop, monkeypatch, caplog):
    trainer = Trainer(shop)
    monkeypatch.setattr(_trainer, "run_job", failing(OSError(28, "No space left on device")))
    number = shop.store.add_job("update")
    trainer.do(shop.store.take_job())
    row = shop.store.job(number)
    assert row["status"] == "failed"
    assert row["result"]["reason"] == "OSError: [Errno 28] No space left on device"
    assert row["result"]["base"] == 1
    assert "Traceback" in caplog.text


def test_forgetting_is_never_given_up(shop, monkeypatch):
    monkeypatch.setattr(_trainer, "_AGAIN", 0.01)
    trainer = Trainer(shop)
    with monkeypatch.context() as patch:
        patch.setattr(_trainer, "run_job", failing(OSError(28, "No space left on device")))
        number = shop.store.delete_user(3)
        trainer.do(shop.store.take_job())
    row = shop.store.job(number)
    assert row["status"] == "waiting"
    assert row["payload"]["user"] == 3
    assert "No space left" in row["result"]["step"]
    trainer.do(shop.store.take_job())
    row = shop.store.job(number)
    assert (row["status"], row["payload"]) == ("done", None)
    model = shop.models.current
    assert_same_model(model.estimator, refit_of(shop), model.frame(shop.store.events()))


def test_a_job_survives_that_the_store_is_away(shop, monkeypatch):
    trainer = Trainer(shop)
    number = shop.store.add_job("update")
    monkeypatch.setattr(_trainer, "run_job", failing(StoreUnavailable("gone")))
    trainer.do(shop.store.take_job())
    assert shop.store.job(number)["status"] == "running"  # until its heartbeat is a minute old
    calls = []

    def take():
        calls.append(1)
        if len(calls) == 2:
            trainer.stop()
            return
        raise StoreUnavailable("gone")

    monkeypatch.setattr(_trainer, "_POLL", 0.01)
    monkeypatch.setattr(shop.store, "take_job", take)
    trainer.run()
    assert len(calls) == 2


def test_a_signal_interrupts_long_steps_alone(shop):
    trainer = Trainer(shop)
    with pytest.raises(Stopped), trainer.work.long():
        trainer.stop()
    trainer = Trainer(shop)
    trainer.stop()
    with pytest.raises(Stopped), trainer.work.long():
        pass
    with pytest.raises(Stopped):
        trainer.work.say("a step")


def test_the_clock(tmp_path):
    work = served_shop(tmp_path, ItemKNN(incremental=True), EVENTS[:400], update_minutes=7, refit_at="04:05")
    trainer = Trainer(work)
    scheduler = trainer._schedule()
    jobs = {job.func.__name__: job for job in scheduler.get_jobs()}
    assert jobs.keys() == {"_offer_update", "_offer_refit", "_offer_drift", "_offer_attribution"}
    update, refit = jobs["_offer_update"], jobs["_offer_refit"]
    assert update.trigger.interval.total_seconds() == 420
    assert str(refit.trigger) == "cron[hour='4', minute='5']"
    assert str(refit.trigger.timezone) == "UTC"
    update.func()
    assert work.store.jobs() == []
    add(work.store, EVENTS[400:])
    for _ in range(2):
        update.func()
        refit.func()
    jobs["_offer_attribution"].func()  # no experiment runs
    assert [job["kind"] for job in work.store.jobs()] == ["refit", "update"]
    scheduler.shutdown(wait=False)
    work.store.close()


def test_a_store_without_a_model_has_no_jobs(tmp_path):
    work = served_shop(tmp_path, ItemKNN(), [])
    trainer = Trainer(work)
    trainer._offer_update()
    trainer._offer_refit()
    assert work.store.jobs() == []
    assert not Models(folder_of(tmp_path), work.store).refresh()
    work.store.close()
