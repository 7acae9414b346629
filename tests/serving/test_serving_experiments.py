"""Experiments in the service: who gets what, what is written, what follows from it, and what is deleted."""

import io
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from service_process import Api, catalogue, serving, shop, with_model
from shop_log import opened

import skrec
from skrec.dummy import PopularityRecommender
from skrec.model_selection import Experiment, analyze_experiment
from skrec.serving._attribution import attribute, is_due
from skrec.serving._experiment_results import NoResult, result_of
from skrec.serving._models import Models
from skrec.serving._store import Event, Impression
from skrec.serving._store_experiments import DAY, attribute_again
from skrec.serving.client import Client

VARIANTS = {"control": {}, "pinned": {"scenario": "pinned"}}


def body_of(name="spring", variants=VARIANTS, **options):
    return {"name": name, "variants": variants, **options}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with serving(with_model(tmp_path_factory.mktemp("experiments"), shop())) as app:
        api = Api(app.port)
        api.ok("PUT", "/v1/items", catalogue(range(24)))
        api.ok("PUT", "/v1/rules/pinned", {"pin": [5]})
        api.app = app
        yield api


@pytest.fixture
def api(shared):
    yield shared
    for one in shared.ok("GET", "/v1/experiments")["experiments"]:
        shared.ok("POST", f"/v1/experiments/{one['name']}/stop")


def ask(api, user, **body):
    return api.ok("POST", "/v1/recommend", {"user": user, "k": 4, **body})


def table(api, name):
    return pq.read_table(io.BytesIO(api.ok("GET", f"/v1/export?table={name}"))).to_pandas()


# ---------------------------------------------------------------------------------------------- who gets what


def test_users_get_their_variant(api):
    assert "experiments" not in ask(api, 1)
    made = api.ok("POST", "/v1/experiments", body_of("first", share=0.8, holdout=0.1))
    assert made["status"] == "running" and made["problem"] is None and made["stop"] is None
    experiment = Experiment("first", ["control", "pinned"], share=0.8, holdout=0.1)
    lists = {}
    for user in range(120):
        answer = ask(api, user)
        variant = experiment.assign(user)
        variant = None if variant == "holdout" else variant
        assert answer.get("experiments") == (None if variant is None else {"first": variant})
        assert (answer["items"][0]["source"] == "pinned") == (variant == "pinned")
        assert ask(api, user)["items"] == answer["items"]
        lists[answer["rec_id"]] = (user, variant)
    assert {variant for _, variant in lists.values()} == {None, "control", "pinned"}
    api.app.service.store._flush_impressions()
    rows = table(api, "exposures").query("experiment == 'first'").set_index("rec_id")
    assert {rec: (row.user, row.variant) for rec, row in rows.iterrows() if rec in lists} == {
        rec: found for rec, found in lists.items() if found[1] is not None
    }
    shown = table(api, "impressions").drop_duplicates("rec_id").set_index("rec_id")["scenario"]
    assert all(shown[rec] == ("pinned" if found[1] == "pinned" else "default") for rec, found in lists.items())


def test_others_take_no_part(api):
    api.ok("POST", "/v1/experiments", body_of("second", scenario="home"))
    assert "experiments" not in ask(api, 1)
    assert ask(api, 1, scenario="home")["experiments"].keys() == {"second"}
    assert "experiments" not in api.ok("POST", "/v1/recommend", {"items": [1, 2], "scenario": "home"})
    assert "experiments" not in api.ok("POST", "/v1/recommend", {"session": "s", "scenario": "home"})
    assert "experiments" not in api.ok("POST", "/v1/similar", {"item": 1})
    stopped = api.ok("POST", "/v1/experiments/second/stop")
    assert stopped["status"] == "stopped" and stopped["stop"] is not None
    assert "experiments" not in ask(api, 1, scenario="home")
    assert api.ok("POST", "/v1/experiments/second/stop") == stopped


def test_start_and_stop_by_the_clock(api):
    later = time.time() + 3600
    made = api.ok("POST", "/v1/experiments", body_of("later", start=later, stop=later + 60))
    assert made["status"] == "planned" and "experiments" not in ask(api, 1)
    api.ok("POST", "/v1/experiments/later/stop")
    api.ok("POST", "/v1/experiments", body_of("past", start=later - 9000, stop=later - 8000))
    assert api.ok("GET", "/v1/experiments/past")["status"] == "stopped" and "experiments" not in ask(api, 1)


def test_a_larger_share_moves_nobody(api):
    api.ok("POST", "/v1/experiments", body_of("ramp", share=0.2))
    before = {user: ask(api, user).get("experiments") for user in range(80)}
    api.refused(422, "share", "POST", "/v1/experiments/ramp/ramp", {"share": 0.1})
    assert api.ok("POST", "/v1/experiments/ramp/ramp", {"share": 0.9})["share"] == 0.9
    after = {user: ask(api, user).get("experiments") for user in range(80)}
    assert all(after[user] == found for user, found in before.items() if found is not None)
    assert sum(found is not None for found in after.values()) > 60
    api.ok("POST", "/v1/experiments/ramp/stop")
    assert api("POST", "/v1/experiments/ramp/ramp", {"share": 1.0})[0] == 409


def test_experiments_exclude_each_other(api):
    half = body_of("half", layer="home", slots=[0.0, 0.5])
    api.ok("POST", "/v1/experiments", half)
    status, problem = api("POST", "/v1/experiments", body_of("same"))
    assert status == 409 and "'half' changes the scenario of the same users" in problem["detail"]
    assert api("POST", "/v1/experiments", half | {"name": "overlap", "slots": [0.4, 0.9]})[0] == 409
    api.ok("POST", "/v1/experiments", half | {"name": "rest", "slots": [0.5, 1.0]})
    api.ok("POST", "/v1/experiments", body_of("nothing", {"control": {}, "same": {}}))  # A/A changes nothing
    for user in range(60):
        found = ask(api, user)["experiments"]
        assert "nothing" in found and len(found) == 2
    assert api("POST", "/v1/experiments", half)[0] == 409


def test_a_pinned_version_that_cannot_be_read_is_not_read_again_at_once(api, tmp_path, monkeypatch):
    service, read = api.app.service, []
    model = PopularityRecommender(exclude_seen=False).fit([[7, 8], [7, 9]])
    version = service.models.add_file(skrec.save(model, tmp_path / "m.skrec"))
    api.ok("POST", "/v1/experiments", body_of("pinned", {"control": {}, "other": {"version": version}}))
    load = type(service.models).load
    monkeypatch.setattr(service.models, "load", lambda number: read.append(number) or load(service.models, number))
    path = service.models.path(version)
    path.write_bytes(path.read_bytes()[:-100])
    for _ in range(5):
        service.refresh()
    assert read == [version]
    answers = [ask(api, user) for user in range(20)]
    assert not any("pinned" in answer.get("experiments", {}) for answer in answers)
    assert "cannot be loaded" in api.ok("GET", "/v1/experiments/pinned")["problem"]


@pytest.mark.parametrize(
    "change, field",
    [
        ({"name": "a/b"}, "body"),
        ({"name": ".."}, "body"),
        ({"variants": {"control": {}}}, "variants"),
        ({"variants": {"a": {}, "b": {}}}, "body"),
        ({"variants": {"control": {}, "holdout": {}}}, "body"),
        ({"variants": {"control": {}, "b": {"weight": 0}}}, "variants"),
        ({"variants": {"control": {}, "b": {"version": 99}}}, "variants.b.version"),
        ({"variants": {"control": {}, "b": {"scenario": "none"}}}, "variants.b.scenario"),
        ({"slots": [0.5, 0.5]}, "body"),
        ({"share": 0}, "share"),
        ({"holdout": 1}, "holdout"),
        ({"start": 10, "stop": 5}, "body"),
        ({"stop": 5}, "stop"),
        ({"speed": 1}, "speed"),
    ],
)
def test_refusals(api, change, field):
    status, problem = api("POST", "/v1/experiments", body_of("refused") | change)
    assert status == 422, problem
    if field != "body":
        assert any(one["field"].startswith(field) for one in problem["errors"]), problem
    assert api("GET", "/v1/experiments/refused")[0] == 404
    for path in ("ramp", "stop", "result"):
        method = "GET" if path == "result" else "POST"
        assert api(method, f"/v1/experiments/refused/{path}", {"share": 1.0} if path == "ramp" else None)[0] == 404


def test_a_version_for_a_variant(api, tmp_path):
    service = api.app.service
    model = PopularityRecommender(exclude_seen=False).fit([[7, 8], [7, 9], [7, 8, 10]])
    version = service.models.add_file(skrec.save(model, tmp_path / "m.skrec"), note="popular")
    variants = {"control": {}, "other": {"version": version}}
    api.ok("POST", "/v1/experiments", body_of("versions", variants))
    experiment = Experiment("versions", ["control", "other"])
    for user in range(60):
        answer = ask(api, user)
        other = experiment.assign(user) == "other"
        assert answer["fallback"] is False
        assert answer["model"]["version"] == (version if other else service.models.current.version)
        assert not other or answer["items"][0]["item"] == 7
    assert service.store.versions_in_use() == {version}
    for _ in range(3):  # kept, though many are newer
        service.models.add_file(tmp_path / "m.skrec", note="newer")
    object.__setattr__(service.settings, "keep_versions", 1)
    service.models.tidy()
    object.__setattr__(service.settings, "keep_versions", 5)
    assert service.models.path(version).exists()
    service.models.path(version).unlink()
    service.refresh()
    shown = api.ok("GET", "/v1/experiments/versions")
    assert f"version {version} of the model cannot be loaded" in shown["problem"]
    assert all("experiments" not in ask(api, user) for user in range(20))  # suspended for both variants


# ------------------------------------------------------------------------------------------- what follows from it


def test_client_and_result(api):
    with Client(f"http://127.0.0.1:{api.port}") as client:
        made = client.add_experiment("client", VARIANTS, planned_users=200, control="control")
        assert made["planned_users"] == 200 and [one["name"] for one in client.experiments()][-1] == "client"
        with pytest.raises(Exception, match="must have been shown"):
            client.experiment_result("client")
        rng = np.random.default_rng(0)
        bought = 0
        for user in range(1000, 1300):
            answer = client.recommend(user, k=4)
            variant = Experiment("client", ["control", "pinned"]).assign(user)
            if rng.random() < (0.8 if variant == "pinned" else 0.2):
                event = {"user": user, "item": answer.items[0], "event": "purchase", "value": 2.0}
                client.events(event | {"rec_id": answer.rec_id})
                bought += 1
        client.events({"user": 1000, "item": 3, "event": "view"})
        result = client.experiment_result("client", event="purchase")
        rows = {row["metric"]: row for row in result["table"]}
        assert rows.keys() == {"events a user", "value a user", "responses a list"}
        assert all(row["verdict"] == "higher" for row in rows.values()), result["text"]
        users = {row["variant"]: row["users"] for row in result["users"]}
        assert sum(users.values()) == 300 and rows["events a user"]["users"] == users["pinned"]
        total = sum(
            users[name] * rows["events a user"][key]
            for name, key in (("control", "control_value"), ("pinned", "value"))
        )
        assert round(total) == bought
        assert rows["value a user"]["value"] == pytest.approx(2 * rows["events a user"]["value"])
        assert result["over_time"] and "ExperimentResult of 300 users" in result["text"]
        fixed = client.experiment_result("client", bounds="fixed")
        assert fixed["bounds"] == "fixed"
        assert client.ramp_experiment("client", 1.0)["share"] == 1.0
        assert client.stop_experiment("client")["status"] == "stopped"
        before = client.experiment_result("client")["table"]
        client.events({"user": 1001, "item": 3})
        assert client.experiment_result("client")["table"] == before  # later events do not count


def test_result_is_that_of_the_rows(store):
    """The queries agree with the analysis of a table made by hand, merged users and days among it."""
    store.fix_kinds("integer", "string")
    rng = np.random.default_rng(0)
    body = {"name": "x", "variants": {"control": {"weight": 1.0}, "new": {"weight": 1.0}}, "control": "control"}
    body |= {"share": 1.0, "holdout": 0.0, "holdout_name": "global", "layer": None, "slots": [0.0, 1.0]}
    body |= {"scenario": None, "planned_users": 200, "attribution_days": 2.0}
    start = 20_000 * DAY
    assert store.add_experiment("x", body, start, start + 9 * DAY) and not store.add_experiment("x", body, start, None)
    rows, events, impressions = [], [], []
    for user in range(160):
        variant = "new" if rng.random() < 0.5 else "control"
        past = int(rng.integers(0, 4))
        first = start + int(rng.integers(0, 5 * DAY))
        events += [Event(None, user, "tea", "buy", first - (n + 1) * DAY, 1.0) for n in range(past)]
        events.append(Event(None, user, "tea", "buy", first - 31 * DAY, 1.0))  # too long ago
        for number in range(int(rng.integers(1, 4))):
            moment, rec = first + number * DAY // 2, f"r{user}-{number}"
            store.expose(rec, user, [("x", variant), ("other", "control")], moment)
            impressions.append(Impression(rec, 0, user, "jam", "default", 1.0, None, 1, moment))
            rows.append((user, variant, moment // DAY, 1, 0, 0.0, 0, past))
            if rng.random() < 0.5:
                value = float(rng.integers(1, 9))
                rec_id = rec if rng.random() < 0.5 else None
                late = DAY // 4 if rng.random() < 0.8 else 3 * DAY
                events.append(Event(None, user, "jam" if rec_id else "milk", "buy", moment + late, value, None, rec_id))
                counts = moment + late < start + 9 * DAY
                attributed = int(rec_id is not None and late < 2 * DAY and counts)
                rows.append((user, variant, (moment + late) // DAY, 0, int(counts), value * counts, attributed, past))
    store.show(impressions)
    store.submit(events).result(20)
    visitor = 900
    store.expose("v", visitor, [("x", "new")], start + DAY)
    owner = next(row[0] for row in rows if row[1] == "new" and row[2] == start // DAY)  # the visit comes later
    store.merge(visitor, owner)
    past = next(row[7] for row in rows if row[0] == owner)
    rows.append((owner, "new", start // DAY + 1, 1, 0, 0.0, 0, past))
    found = result_of(store, store.experiment("x"), event="buy")
    table = pd.DataFrame(rows, columns=["user", "variant", "day", "lists", "events", "value", "responses", "past"])
    table = table.assign(past=np.log1p(table["past"]), time=pd.to_datetime(table["day"], unit="D"))
    expected = analyze_experiment(
        table,
        metrics={"events a user": "events", "responses a list": ("responses", "lists"), "value a user": "value"},
        covariates="past",
        time="time",
        planned_users=200,
        weights={"control": 1, "new": 1},
        on_mismatch="ignore",
    )
    pd.testing.assert_frame_equal(found.table, expected.table)
    pd.testing.assert_frame_equal(found.users, expected.users)
    assert found.table["users"].iloc[0] + found.table["control_users"].iloc[0] == 160
    with pytest.raises(NoResult, match="the control and of another"):
        result_of(store, store.experiment("x") | {"name": "other"})


def test_attribution_by_rule(store):
    """The last list that showed the item to the person within the days; twice is once."""
    store.fix_kinds("integer", "string")
    shown = [  # rec_id, position, user, item, day
        ("old", 0, 1, "tea", 0),
        ("a", 0, 1, "tea", 5),
        ("b", 0, 1, "jam", 6),
        ("b", 1, 1, "tea", 6),
        ("late", 0, 1, "tea", 8),
        ("other", 0, 2, "tea", 6),
        ("visit", 0, 9, "milk", 6),
        ("nobody", 0, None, "tea", 6),
    ]
    store.show([Impression(r, p, u, i, "default", 1.0, None, 1, day * DAY) for r, p, u, i, day in shown])
    bought = [
        Event("e1", 1, "tea", "buy", 7 * DAY),  # b, position 1
        Event("e2", 1, "milk", "buy", 7 * DAY),  # never shown
        Event("e3", 1, "jam", "buy", 15 * DAY),  # too late
        Event("e4", 3, "milk", "buy", 7 * DAY),  # shown to the visitor that was merged
        Event("e5", 1, "jam", "buy", 7 * DAY, None, None, "a"),  # names a list that did not show it
        Event("e6", 1, "tea", "buy", 7 * DAY, None, None, "old"),  # names its list
        Event("e7", 1, "tea", "buy", 6 * DAY),  # at the very moment
    ]
    store.submit(bought).result(20)
    store.merge(9, 3)
    work = SimpleNamespace(store=store, pause=lambda seconds: None, say=lambda text: None)
    store.add_experiment("past", _whole_body("past"), 0, DAY)
    done = attribute({"payload": None}, work)
    assert done == {"events": 7, "attributed": 3, "days": 7.0}
    events = store.table("events").to_pandas().set_index("seq")["id"]
    found = {
        events[row["event_seq"]]: (row["rec_id"], row["position"]) for row in store.table("attributions").to_pylist()
    }
    assert found == {"e1": ("b", 1), "e4": ("visit", 0), "e6": ("old", 0), "e7": ("b", 1)}
    assert attribute({"payload": None}, work)["events"] == 0
    look_again(store)
    assert attribute({}, work) == {"events": 7, "attributed": 0, "days": 7.0}
    store.show([Impression("c", 0, 1, "tea", "default", 1.0, None, 1, 7 * DAY)])
    store._flush_impressions()
    look_again(store)
    attribute({}, work)  # what is attributed stays
    assert len(store.table("attributions")) == 4
    assert not is_due(store)
    store.submit([Event(None, 1, "tea", "buy", 8 * DAY)]).result(20)
    assert not is_due(store), "no experiment runs"
    assert attribute({}, work)["attributed"] == 1


def test_attribution_begins_with_the_first_experiment_and_again_after_an_import(store):
    store.fix_kinds(user="integer", item="string")
    rows = [Impression(name, 0, 1, "tea", "default", 1.0, None, 1, day * DAY) for name, day in (("old", 2), ("new", 6))]
    store.show(rows)
    store._flush_impressions()
    store.submit([Event(None, 1, "tea", "buy", day * DAY + 1) for day in (2, 6)]).result(20)
    work = SimpleNamespace(store=store, pause=lambda seconds: None, say=lambda text: None)
    store.add_experiment("x", _whole_body("x"), 5 * DAY, None)
    assert store.attributed_seq() is None and store.unattributed(5 * DAY, 7 * DAY) == 1
    assert attribute({}, work) == {"events": 1, "attributed": 1, "days": 7.0}
    assert [row["rec_id"] for row in store.table("attributions").to_pylist()] == ["new"]
    assert store.unattributed(0, 7 * DAY) == 0
    look_again(store, 1)
    assert attribute({}, work) == {"events": 2, "attributed": 1, "days": 7.0}


def test_the_trainer_attributes(tmp_path):
    from skrec.serving._training import run_job
    from skrec.serving._work import Work

    settings = with_model(tmp_path, shop())
    store = opened(settings, None)
    try:
        store.add_experiment("x", _whole_body("x"), 0, None)
        assert is_due(store)
        number = store.add_job("attribute")
        result = run_job(store.take_job(), Work(Models(settings, store)))
        assert result["events"] == store.last_seq() and store.attributed_seq() == store.last_seq()
        store.report_job(number, status="done", result=result)
        assert not is_due(store)
    finally:
        store.close()


# ------------------------------------------------------------------------------------------------ what is deleted


def look_again(store, seq=1):
    """Do what an import of events with known numbers does."""
    with store.database.begin(write=True) as connection:
        attribute_again(connection, seq)


def _whole_body(name):
    from skrec.serving._schemas_experiments import ExperimentIn

    return ExperimentIn(name=name, variants={"control": {}, "new": {}}).model_dump(
        mode="json", exclude={"start", "stop"}
    )


def test_a_person_is_deleted_and_exported(store):
    store.fix_kinds("integer", "string")
    store.submit([Event(None, user, "tea", None, 5) for user in (1, 2, 9)]).result(20)
    for user in (1, 2, 9):
        store.expose(f"r{user}", user, [("x", "new"), ("y", "old")], 5)
    store.merge(9, 1)
    exported = store.export_user(1)["exposures"]
    assert [(row["rec_id"], row["experiment"], row["variant"], row["user"]) for row in exported] == [
        (f"r{user}", *pair, user) for user in (1, 9) for pair in (("x", "new"), ("y", "old"))
    ]
    store.delete_user(9)  # the person
    assert set(store.table("exposures")["user"].to_pylist()) == {2}
    store.expose("late", 1, [("x", "new")], 5)
    store.expose("after", 1, [("x", "new")], 50)
    store.flush_exposures()
    store.delete_impressions([([1, 9], 20)])
    assert set(store.table("exposures")["rec_id"].to_pylist()) == {"r2", "after"}


def test_export_and_import(store, tmp_path):
    from skrec.serving._imports import checked
    from skrec.serving._store import open_store

    store.fix_kinds("string", "string")
    store.add_experiment("x", _whole_body("x"), 5, None)
    store.expose("r", "ada", [("x", "new")], 5)
    store.flush_exposures()
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    try:
        before = other.state().rules
        for name in ("experiments", "exposures"):
            assert other.put_everything(name, checked(name, store.table(name))) == (1, 0)
            assert other.put_everything(name, checked(name, store.table(name))) == (0, 1)
            assert other.table(name).equals(store.table(name))
        assert other.state().rules > before and other.experiment("x") == store.experiment("x")
        broken = store.table("experiments").set_column(1, "settings", [["{}"]])
        with pytest.raises(ValueError, match="settings must be the JSON of an experiment"):
            checked("experiments", broken)
    finally:
        other.close()


def test_exposures_are_written_soon_and_dropped_when_the_database_is_away(store, monkeypatch):
    store.fix_kinds("string", "string")
    store.expose("r", "ada", [("x", "new")], 5)
    until = time.monotonic() + 5
    while not len(store.table("exposures")) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(store.table("exposures")) == 1 and store.n_exposures_dropped == 0
    monkeypatch.setattr("skrec.serving._store_experiments._MOST", 3)
    for number in range(6):
        store.expose(f"r{number}", "ada", [("x", "new")], 5)
    assert store.n_exposures_dropped >= 3


def test_the_first_tables_get_the_new_ones(tmp_path):
    """A database of the first migration keeps its rows."""
    import sqlite3

    from skrec.serving._store import open_store

    path = tmp_path / "old.db"
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE exposures")
        connection.execute("DROP TABLE experiments")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.execute("INSERT INTO rules VALUES ('home', '{}')")
    connection.close()
    store = open_store(f"sqlite:///{path}")
    assert store.rules() == {"home": {}} and store.experiments() == []
    store.close()


def test_what_is_past_and_what_comes_too_late(store):
    """An hour before the first list is neither; lists and events after the end do not count."""
    store.fix_kinds("integer", "string")
    hour, start = DAY // 24, 20_000 * DAY
    store.add_experiment("x", _whole_body("x"), start, start + DAY)
    store.expose("r", 1, [("x", "new")], start + 5 * hour)
    store.expose("late", 1, [("x", "new")], start + 25 * hour)
    store.expose("only late", 2, [("x", "control")], start + 25 * hour)
    store.flush_exposures()
    hours = {"past": 3, "neither": 4.5, "since": 5, "later": 23, "too late": 24}
    store.submit([Event(name, 1, "tea", "buy", round(start + at * hour), 1.0) for name, at in hours.items()]).result(20)
    until = start + DAY
    assert store.exposed("x", until) == [(1, "new", 20_000, 1)]
    found = store.followed("x", before=30 * DAY, until=until)
    assert sorted(found) == [(1, False, 20_000, 1, 1.0), (1, True, 20_000, 2, 2.0)]
    assert store.followed("x", before=hour, until=until, event="view") == []
    assert store.running_experiments() == [] and len(store.running_experiments(2**62)) == 1


def test_variants_that_an_import_brought_are_refused(api):
    api.ok("POST", "/v1/experiments", body_of("imported"))
    store = api.app.service.store
    for user, variant in enumerate(["control", "pinned", "third"]):
        store.expose(f"i{user}", user, [("imported", variant)], int(time.time() * 1e6))
    status, problem = api("GET", "/v1/experiments/imported/result")
    assert status == 409 and "third" in problem["detail"]
