"""Stored histories: ends of processes, damaged and hostile files, several processes at once."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skrec.feature_extraction import _open_histories, _store, open_histories, to_histories
from skrec.neighbors import ItemKNN

NAMES = {"user": "u", "item": "i", "time": "t", "event": "k"}


def log(n=50, seed=0):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["view", "buy"], n)
    return pd.DataFrame(
        {"u": rng.integers(0, 9, n), "i": rng.integers(0, 7, n), "t": rng.integers(0, 99, n), "k": kinds}
    )


@pytest.fixture
def store(tmp_path):
    to_histories(log(), **NAMES, store=tmp_path / "s")
    return tmp_path / "s"


def part_of(store):
    (part,) = store.glob("part-*")
    return part


def killed(code, store, *, at):
    """Run code in a process that is killed when it comes to a function."""
    module, name = at
    program = f"""
        import os, signal, sys
        import pandas as pd
        from skrec.feature_extraction import _merge, _open_histories, _store, open_histories, to_histories
        def end(*args, **options):
            os.kill(os.getpid(), signal.SIGKILL)
        setattr({module}, "{name}", end)
        store = sys.argv[1]
        more = pd.DataFrame({{"u": [1], "i": [99], "t": [1], "k": ["view"]}})
        names = {NAMES!r}
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program) + code, store], capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


APPEND = "to_histories(more, **names, store=store, append=True)"
NEW = "to_histories(more, **names, store=store)"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(
    "at", [("_store", "_sync"), ("_open_histories", "check_alike"), ("_open_histories", "set_parts")]
)
def test_a_process_that_is_killed_while_it_appends_changes_nothing(store, at):
    wanted = open_histories(store).to_frame()
    (store / ".skrec-duckdb-abc").mkdir()  # what DuckDB leaves
    killed(APPEND, store, at=at)
    assert len(list(store.glob("part-*"))) == 2
    assert open_histories(store).to_frame().equals(wanted)
    more = to_histories(log(5, 1), **NAMES, store=store, append=True)
    assert more.n_events == 55
    assert sorted(one.name.partition("-")[0] for one in store.iterdir()) == [".lock", "histories.json", "part"]


def test_folders_of_others_are_neither_taken_nor_removed(tmp_path, store):
    for folder in (tmp_path / "trial" / "skrec-demo", store / "skrec-demo"):  # where `skrec demo` writes
        folder.mkdir(parents=True)
    with pytest.raises(FileExistsError, match="is no empty folder"):
        to_histories(log(), **NAMES, store=tmp_path / "trial")
    to_histories(log(5, 1), **NAMES, store=store, append=True)
    assert open_histories(store).n_events == 55
    assert (tmp_path / "trial" / "skrec-demo").is_dir() and (store / "skrec-demo").is_dir()


def test_a_missing_file_is_told_from_under_the_lock(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"), _store.locked(tmp_path):
        raise FileNotFoundError("gone")


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be opened")
def test_a_part_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    synced, sync, set_parts = set(), os.fsync, _open_histories.set_parts

    def follow(handle):
        synced.add(os.fstat(handle).st_ino)
        sync(handle)

    def check(folder, parts):
        inside = [folder / parts[-1], *(folder / parts[-1]).iterdir()]
        assert {one.stat().st_ino for one in inside} <= synced
        set_parts(folder, parts)

    monkeypatch.setattr(os, "fsync", follow)
    monkeypatch.setattr(_open_histories, "set_parts", check)
    assert to_histories(log(), **NAMES, store=tmp_path / "s").n_events == 50


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_process_that_is_killed_while_it_merges_changes_nothing(store):
    to_histories(log(5, 1), **NAMES, store=store, append=True)
    killed("open_histories(store)", store, at=("_open_histories", "set_parts"))
    assert len(list(store.glob("part-*"))) == 3
    assert open_histories(store).n_events == 55
    assert len(list(store.glob("part-*"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_new_store_whose_process_was_killed_can_be_made_again(tmp_path):
    killed(NEW, tmp_path / "s", at=("_open_histories", "set_parts"))
    with pytest.raises(FileNotFoundError, match="holds no stored histories"):
        open_histories(tmp_path / "s")
    assert to_histories(log(), **NAMES, store=tmp_path / "s").n_events == 50
    assert len(list((tmp_path / "s").glob("part-*"))) == 1


def test_processes_that_append_at_once_lose_nothing(store):
    code = textwrap.dedent(f"""
        import sys
        import pandas as pd
        from skrec.feature_extraction import open_histories, to_histories
        for number in range(5):
            more = pd.DataFrame({{"u": [1000], "i": [int(sys.argv[2]) + number], "t": [1], "k": ["view"]}})
            to_histories(more, **{NAMES!r}, store=sys.argv[1], append=True)
            open_histories(sys.argv[1])
    """)
    running = [subprocess.Popen([sys.executable, "-c", code, store, str(start)]) for start in (100, 200)]
    while any(one.poll() is None for one in running):
        assert open_histories(store).n_events >= 50
    assert [one.returncode for one in running] == [0, 0]
    stored = open_histories(store)
    assert stored.n_events == 60
    assert sorted(stored[-1]) == [*range(100, 105), *range(200, 205)]


@pytest.mark.skipif(sys.platform == "win32", reason="files in use stay")
def test_what_is_open_stays_whole_when_parts_are_merged(store):
    before = open_histories(store)
    frame = before.to_frame()
    to_histories(log(9, 1), **NAMES, store=store, append=True)
    open_histories(store)
    assert not before._read.codes.flags.writeable
    assert before.to_frame().equals(frame)
    np.testing.assert_array_equal(ItemKNN().fit(before).predict(before), ItemKNN().fit(frame).predict(frame))


def test_several_parts_in_a_folder_that_is_read_only(store, monkeypatch):
    to_histories(log(9, 1), **NAMES, store=store, append=True)
    monkeypatch.setattr(_open_histories.os, "access", lambda path, mode: False)
    files = sorted(store.rglob("*"))
    assert open_histories(store).n_events == 59
    assert sorted(store.rglob("*")) == files


def test_what_was_opened_late_is_tried_again(store, monkeypatch):
    lazy = to_histories(log(9, 1), **NAMES, store=store, append=True)
    with monkeypatch.context() as patched:
        patched.setattr(_open_histories, "merge_parts", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            len(lazy)
    assert lazy.n_events == 59
    assert lazy.histories is lazy.histories


def test_a_folder_of_others_is_refused(tmp_path):
    for made in ("notes.txt", "part-2024", "histories.json.bak"):
        folder = tmp_path / f"of {made}"
        (folder / made).mkdir(parents=True)
        for append in (False, True):
            with pytest.raises(FileExistsError, match="is no empty folder"):
                to_histories(log(), **NAMES, store=folder, append=append)
        assert [one.name for one in folder.iterdir()] == [made]
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="is no empty folder"):
        to_histories(log(), **NAMES, store=tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="make it first"):
        to_histories(log(), **NAMES, store=tmp_path / "a" / "b")
    with pytest.raises(TypeError, match="store must be the path"):
        to_histories(log(), **NAMES, store=7, append=True)
    with pytest.raises(ValueError, match="name their folder with store="):
        to_histories(log(), **NAMES, append=True)


def test_a_store_is_not_overwritten(store):
    with pytest.raises(FileExistsError, match="append=True"):
        to_histories(log(), **NAMES, store=store)
    assert open_histories(store).n_events == 50


@pytest.mark.parametrize("made", [False, True])
def test_nothing_remains_after_an_error(tmp_path, made):
    if made:
        (tmp_path / "s").mkdir()
    for wrong in (log().assign(i=[None, *range(49)]), log()[:0]):
        wrong.to_parquet(tmp_path / "log.parquet")
        for source in (wrong, tmp_path / "log.parquet"):
            with pytest.raises(ValueError, match=r"missing value|empty"):
                to_histories(source, **NAMES, store=tmp_path / "s")
            assert (tmp_path / "s").exists() == made
            assert not made or list((tmp_path / "s").iterdir()) == []


def test_nothing_remains_when_an_append_is_interrupted(store, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_open_histories, "check_alike", interrupt)
    with pytest.raises(KeyboardInterrupt):
        to_histories(log(), **NAMES, store=store, append=True)
    assert len(list(store.glob("part-*"))) == 1


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("bomb",)


def as_pickle(path):
    np.save(path, np.array([Bomb()] * 50, dtype=object), allow_pickle=True)


def as_plain_pickle(path):
    path.write_bytes(pickle.dumps(Bomb()))


def as_archive(path):
    with path.open("wb") as file:
        np.savez(file, item=np.zeros(50, "int32"))


def saved(values):
    return lambda path: np.save(path, values)


def edited(**changes):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def text(value):
    return lambda path: path.write_text(value)


def ids(values):
    def write(path):
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, pa.schema([("id", values.type)])) as writer:
            writer.write_table(pa.table({"id": values}))

    return write


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def bad_offsets(path):
    ids(pa.array(list("abcdefg")))(path)
    good = np.arange(8, dtype="int32")
    bad = good.copy()
    bad[[1, 7]] = 10**6
    content = path.read_bytes()
    assert content.count(good.tobytes()) == 1
    path.write_bytes(content.replace(good.tobytes(), bad.tobytes()))


DAMAGES = {
    "pickled objects": ("item.npy", as_pickle),
    "pickle": ("item.npy", as_plain_pickle),
    "archive": ("item.npy", as_archive),
    "empty": ("item.npy", text("")),
    "cut": ("item.npy", cut),
    "cut times": ("time.npy", cut),
    "no file": ("time.npy", lambda path: path.unlink()),
    "short": ("item.npy", saved(np.zeros(49, "int32"))),
    "wide": ("item.npy", saved(np.zeros(50, "int64"))),
    "two dimensions": ("item.npy", saved(np.zeros((50, 1), "int32"))),
    "unknown code": ("item.npy", saved(np.full(50, 7, "int32"))),
    "negative code": ("item.npy", saved(np.full(50, -1, "int32"))),
    "unknown kind": ("event.npy", saved(np.full(50, 2, "int32"))),
    "rows go back": ("indptr.npy", saved(np.array([0, 30, 20, 20, 20, 20, 20, 20, 20, 50]))),
    "rows end early": ("indptr.npy", saved(np.arange(10))),
    "rows are few": ("indptr.npy", saved(np.array([0, 50]))),
    "other folder": ("part.json", edited(columns=["../../outside", "item"])),
    "columns of text": ("part.json", edited(columns="item")),
    "no columns": ("part.json", edited(columns=[])),
    "facts of a list": ("part.json", text("[1, 2]")),
    "no json": ("part.json", text("{")),
    "deep json": ("part.json", text("[" * 100_000)),
    "lacks facts": ("part.json", text('{"columns": ["item"], "n_events": 50, "n_users": 9}')),
    "time type": ("part.json", edited(time_type="timestamp[fortnight]")),
    "no time type": ("part.json", edited(time_type=None)),
    "dated": ("part.json", edited(dated=True)),
    "user": ("part.json", edited(user={"a": 1})),
    "infinite": ("part.json", edited(n_events=float("inf"))),
    "many users": ("user_ids.arrow", ids(pa.array(range(10)))),
    "users cut": ("user_ids.arrow", cut),
    "users missing": ("user_ids.arrow", ids(pa.array([*range(8), None]))),
    "users of lists": ("user_ids.arrow", ids(pa.array([[1]] * 9))),
    "items that lead out": ("item_ids.arrow", bad_offsets),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_said(store, damage, monkeypatch):
    monkeypatch.chdir(store.parent)
    name, change = DAMAGES[damage]
    change(part_of(store) / name)
    with pytest.raises(ValueError, match=r"damaged.*write them again"):
        _ = open_histories(store).histories
    assert not (store.parent / "bomb").exists()


LISTS = {
    "up": ('{"format": 1, "parts": [".."]}', "damaged"),
    "out": ('{"format": 1, "parts": ["../other/part-000000000000"]}', "damaged"),
    "absolute": ('{"format": 1, "parts": ["/etc"]}', "damaged"),
    "number": ('{"format": 1, "parts": [1]}', "damaged"),
    "text": ('{"format": 1, "parts": "part-000000000000"}', "damaged"),
    "none": ('{"format": 1, "parts": []}', "damaged"),
    "list": ("[]", "damaged"),
    "deep": ("[" * 100_000, "damaged"),
    "empty": ("", "damaged"),
    "later": ('{"format": 2, "blocks": []}', "has the format 2, and this version of skrec reads format 1"),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_damaged_list_of_parts_is_said_and_nothing_is_removed(store, kind):
    written, match = LISTS[kind]
    (store / "histories.json").write_text(written)
    with pytest.raises(ValueError, match=match):
        open_histories(store)
    with pytest.raises(ValueError, match=match):
        to_histories(log(), **NAMES, store=store, append=True)
    assert len(list(store.glob("part-*"))) == 1


def test_too_many_events_or_too_few_are_an_error(tmp_path):
    for n_events in (3, 5):
        with (
            pytest.raises(RuntimeError, match="announced"),
            _store.part_writer(tmp_path / "part", n_events, ["item"]) as writer,
        ):
            writer.add({"item": np.zeros(4)})
            writer.close(np.array([0, 4]), {"user": pa.array([1]), "item": pa.array([1])}, {"user": "u"})
        assert not (tmp_path / "part").exists()
