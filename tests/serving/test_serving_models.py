import os
import threading
import zipfile

import numpy as np
import pytest
from shop_log import DAY, START, add, fitted, folder_of, opened, random_events, served_shop
from sklearn.preprocessing import StandardScaler

import skrec
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.serving._models import Models, NotPromoted, RefusedModel

EVENTS = random_events(n_events=500)


@pytest.fixture
def shop(tmp_path):
    work = served_shop(tmp_path, ItemKNN(incremental=True), EVENTS)
    yield work
    work.store.close()


def saved(path, estimator, events=EVENTS, **how):
    model, notes = fitted(estimator, events, **how)
    return skrec.save(model, path, metadata=notes)


def files(models):
    return sorted(path.name for path in models.folder.iterdir())


# ---- files ---------------------------------------------------------------------------------------------------------


def test_add_file_copies_into_a_file_named_by_its_version(shop, tmp_path):
    path = saved(tmp_path / "../strange name;.skrec", EASE())
    version = shop.models.add_file(path, note="by hand")
    row = shop.store.version(version)
    assert (row["file"], row["status"], row["note"]) == ("v000002.skrec", "candidate", "by hand")
    assert row["learned_seq"] == len(EVENTS)
    assert row["learned_until"] == max(event.time for event in EVENTS)
    assert files(shop.models) == ["v000001.skrec", "v000002.skrec"]
    assert shop.models.load(version).name == "EASE"
    assert shop.models.current.version == 1
    assert path.exists()


def test_the_first_model_fixes_the_kind_of_items(tmp_path):
    settings = folder_of(tmp_path)
    store = opened(settings)
    models = Models(settings, store)
    events = random_events(text=True)
    version = models.add_file(saved(tmp_path / "m.skrec", ItemKNN(), events))
    assert store.kinds.item is None
    models.promote(version)
    assert store.kinds.item == "string"
    store.close()


def corrupted(path, how):
    whole = path.read_bytes()
    middle = len(whole) // 2
    contents = {
        "empty": b"",
        "text": b"no model at all",
        "cut": whole[:middle],
        "without its end": whole[:-30],
        "damaged": whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 400]) + whole[middle + 400 :],
    }
    path.write_bytes(contents[how])
    return path


@pytest.mark.parametrize("how", ["empty", "text", "cut", "without its end", "damaged"])
def test_a_corrupt_file_is_refused_and_nothing_is_left(shop, tmp_path, how):
    path = corrupted(saved(tmp_path / "m.skrec", EASE()), how)
    with pytest.raises(RefusedModel) as caught:
        shop.models.add_file(path)
    assert "incoming" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert_unchanged(shop)


def assert_unchanged(work):
    assert files(work.models) == ["v000001.skrec"]
    assert [row["version"] for row in work.store.versions()] == [1]


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/skrec-was-here",)


def test_files_of_other_kinds_are_refused(shop, tmp_path):
    import pickle

    (tmp_path / "pickle.skrec").write_bytes(pickle.dumps(Evil()))
    with zipfile.ZipFile(tmp_path / "zip.skrec", "w") as archive:
        archive.writestr("../../outside", "x")
    bomb = saved(tmp_path / "bomb.skrec", EASE())
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2**28))
    skrec.save(StandardScaler().fit([[1.0]]), tmp_path / "scaler.skrec")
    skrec.save(ItemKNN(), tmp_path / "unfitted.skrec")
    saved(tmp_path / "texts.skrec", ItemKNN(), random_events(text=True))
    numbers = {"item": [[1, 2], [2, 3]], "time": [[1.0, 2.5], [2.0, 4.0]]}
    import pandas as pd

    skrec.save(PopularityRecommender().fit(pd.DataFrame(numbers)), tmp_path / "numbers.skrec")
    os.mkfifo(tmp_path / "pipe")
    wanted = {
        "pickle.skrec": "not a model file",
        "zip.skrec": "no header",
        "bomb.skrec": "unpacks to",
        "scaler.skrec": "fitted recommender",
        "unfitted.skrec": "fitted recommender",
        "texts.skrec": "kind integer",
        "numbers.skrec": "unknown unit",
        "pipe": "must be a file",
        ".": "must be a file",
    }
    for name, reason in wanted.items():
        with pytest.raises(RefusedModel, match=reason):
            shop.models.add_file(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        shop.models.add_file(tmp_path / "nowhere.skrec")
    assert_unchanged(shop)


def test_types_that_are_not_trusted_are_refused(shop, tmp_path):
    with pytest.warns(UserWarning, match="trusted"):
        skrec.save(ItemKNN(vectorizer=Evil()), tmp_path / "evil.skrec")
    with pytest.raises(RefusedModel, match="not trusted"):
        shop.models.add_file(tmp_path / "evil.skrec")
    assert_unchanged(shop)


def test_a_file_larger_than_the_limit_is_refused(tmp_path):
    settings = folder_of(tmp_path, max_model_bytes=2048)
    store = opened(settings, EVENTS)
    models = Models(settings, store)
    with pytest.raises(RefusedModel, match="at most 2,048 bytes"):
        models.add_file(saved(tmp_path / "m.skrec", EASE()))
    assert files(models) == []
    store.close()


class Broken(ItemKNN):
    """A model that cannot answer."""

    def recommend(self, X, k=None, **how):
        raise ZeroDivisionError("nothing")


def test_a_model_that_fails_golden_requests_is_refused(shop, tmp_path):
    path = saved(tmp_path / "m.skrec", ItemKNN())
    model, _ = fitted(ItemKNN(), EVENTS)
    vars(model).update(similarity_=np.full(model.similarity_.shape, np.nan, dtype=np.float32))
    sick = skrec.save(model, tmp_path / "nan.skrec")
    with pytest.raises(RefusedModel, match="must answer requests, and fails: a user with"):
        shop.models.add_file(sick)
    version = shop.models.add_file(path)
    broken = Broken()
    vars(broken).update(vars(shop.models.load(version).estimator))
    served = shop.models.load(version)
    served.estimator = broken
    assert "ZeroDivisionError: nothing" in shop.models.check(served, shop.models.samples())[0]


def test_a_full_disk_leaves_neither_file_nor_candidate(shop, tmp_path, monkeypatch):
    path = saved(tmp_path / "m.skrec", EASE())

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("skrec.serving._models.shutil.copyfileobj", full)
        with pytest.raises(OSError, match="No space left"):
            shop.models.add_file(path)
    assert_unchanged(shop)
    model = shop.models.current
    with monkeypatch.context() as patch:
        patch.setattr("skrec.serving._models.Models.check", full)
        with pytest.raises(OSError, match="No space left"):
            shop.models.write(model.estimator, {}, learned={}, note="", quality={})
    assert_unchanged(shop)


def test_what_a_process_that_was_killed_has_left_is_removed(shop, tmp_path):
    import socket

    left = shop.models.folder / f".incoming.skrec.{socket.gethostname()}.99999999.0123abcd.part"
    left.write_bytes(b"half a model")
    shop.models.add_file(saved(tmp_path / "m.skrec", EASE()))
    assert not left.exists()


def test_paths_are_made_from_numbers_alone(shop):
    shop.store.set_version(1, file="../../etc/passwd")
    assert shop.models.load(1).version == 1
    assert shop.models.path(1).parent == shop.models.folder
    for name in ("../1", "1/../../x", "/etc/passwd"):
        with pytest.raises(ValueError, match="invalid literal"):
            shop.models.path(name)
        with pytest.raises(LookupError, match="no version"):
            shop.models.promote(name)


# ---- promotion -----------------------------------------------------------------------------------------------------


def later(n_days=10):
    return random_events(n_events=300, first_day=40, n_days=n_days, seed=1)


def test_promotion_reaches_other_processes_by_refresh(shop, tmp_path):
    other = Models(shop.settings, shop.store)
    assert other.refresh()
    assert not other.refresh()
    version = shop.models.add_file(saved(tmp_path / "m.skrec", EASE()))
    before = shop.store.state().models
    assert shop.models.promote(version, force=True) == {"version": version}
    assert shop.store.state().models > before
    assert shop.models.current.version == version
    assert other.current.version == 1
    assert other.refresh()
    assert other.current.name == "EASE"
    assert {row["version"]: row["status"] for row in shop.store.versions()} == {1: "previous", 2: "current"}
    assert shop.models.roll_back() == 1
    assert shop.models.current.name == "ItemKNN"
    assert other.refresh()
    assert other.current.version == 1
    assert shop.models.roll_back() == 2


def test_no_previous_version_to_go_back_to(shop):
    with pytest.raises(NotPromoted, match="no previous version"):
        shop.models.roll_back()
    assert shop.models.current.version == 1


def test_a_file_that_cannot_be_loaded_keeps_the_model_in_use(shop, tmp_path, caplog):
    other = Models(shop.settings, shop.store)
    other.refresh()
    version = shop.models.add_file(saved(tmp_path / "m.skrec", EASE()))
    corrupted(shop.models.path(version), "cut")
    for force in (False, True):
        with pytest.raises(NotPromoted, match="cannot be loaded"):
            shop.models.promote(version, force=force)
    assert shop.store.current()["version"] == 1
    shop.store.promote(version)
    assert not other.refresh()
    assert other.current.version == 1
    assert "the model in use stays" in caplog.text
    shop.models.path(version).unlink()
    with pytest.raises(NotPromoted, match="was deleted"):
        shop.models.promote(version)


def test_a_worse_model_is_rejected_with_its_numbers(shop, tmp_path):
    add(shop.store, later())
    version = shop.models.add_file(saved(tmp_path / "m.skrec", RandomRecommender(random_state=0)))
    with pytest.raises(NotPromoted, match=r"NDCG@10 is 0\.\d+, that of the current model 0") as caught:
        shop.models.promote(version)
    numbers = caught.value.judgement
    assert numbers["ndcg"] < 0.9 * numbers["current_ndcg"]
    assert numbers["n_users"] >= 10
    row = shop.store.version(version)
    assert row["status"] == "rejected"
    assert row["quality"] == {"origin": "file", **numbers}
    assert shop.models.current.version == 1
    assert shop.models.promote(version, force=True) == {"version": version}
    assert shop.models.current.name == "RandomRecommender"


def test_both_models_are_asked_as_they_are_where_later_events_exist(shop, tmp_path, monkeypatch):
    def fit(*_):
        raise AssertionError("a fit would learn what is asked")

    monkeypatch.setattr("skrec.serving._judging.refitted", fit)
    add(shop.store, later())
    version = shop.models.add_file(saved(tmp_path / "m.skrec", EASE()))
    outcome = shop.models.promote(version)
    assert outcome["judged"]
    last = str(np.datetime64(max(event.time for event in EVENTS), "us").astype("M8[s]")).replace("T", " ")
    assert outcome["on"] == f"events after {last}"


def test_both_recipes_are_fitted_on_earlier_events_where_none_are_later(shop, tmp_path):
    version = shop.models.add_file(saved(tmp_path / "m.skrec", EASE()))
    outcome = shop.models.promote(version)
    assert outcome["judged"]
    assert "both fitted" in outcome["on"]


def test_what_cannot_be_judged_is_promoted_and_says_so(tmp_path):
    work = served_shop(tmp_path, ItemKNN(), EVENTS, min_judged_users=10_000)
    outcome = work.models.promote(work.models.add_file(saved(tmp_path / "m.skrec", EASE())))
    assert not outcome["judged"]
    assert "10000 are needed" in outcome["reason"]
    work.store.close()


def test_promoting_while_others_read(shop, tmp_path):
    versions = [1, shop.models.add_file(saved(tmp_path / "m.skrec", EASE()))]
    other = Models(shop.settings, shop.store)
    other.refresh()
    rows = [(4, START, None, None), (8, START + DAY, None, None)]
    right = {version: shop.models.load(version).recommend(rows, 5)[0] for version in versions}
    wrong, seen, stop = [], set(), threading.Event()

    def read(models):
        try:
            while not stop.is_set():
                model = models.current
                items = model.recommend(rows, 5)[0]
                seen.add(model.version)
                if items != right[model.version]:
                    wrong.append((model.version, items))
                if models is other:
                    models.refresh()
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=read, args=(models,)) for models in (shop.models, shop.models, other)]
    for reader in readers:
        reader.start()
    for number in range(20):
        shop.models.promote(versions[(number + 1) % 2], force=True)
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert seen == set(versions)


def test_the_oldest_files_are_deleted(tmp_path):
    work = served_shop(tmp_path, ItemKNN(), EVENTS, keep_versions=3)
    path = saved(tmp_path / "m.skrec", EASE())
    for _ in range(4):
        work.models.promote(work.models.add_file(path), force=True)
    candidate = work.models.add_file(path)
    work.models.promote(work.models.add_file(path), force=True)
    assert work.models.tidy() == [4, 3, 2, 1]
    statuses = {row["version"]: row["status"] for row in work.store.versions()}
    assert statuses == {7: "current", 6: "candidate", 5: "previous", **dict.fromkeys((4, 3, 2, 1), "deleted")}
    assert candidate == 6
    assert files(work.models) == ["v000005.skrec", "v000006.skrec", "v000007.skrec"]
    with pytest.raises(NotPromoted, match="was deleted"):
        work.models.promote(1)
    work.store.close()
