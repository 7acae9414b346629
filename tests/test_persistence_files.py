"""Files that are written whole or not at all, and files of earlier versions."""

import datetime as dt
import errno
import importlib.util
import json
import os
import runpy
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.model_selection import RandomizedSearchCV

import skrec
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import BehaviorFeatures
from skrec.linear_model import EASE
from skrec.model_selection import SameUsers
from skrec.neighbors import ItemKNN
from skrec.persistence import ModelFileError
from skrec.utils import _files, _model_types
from skrec.utils._archive import CompactArchive

SHOP = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
DATA = Path(__file__).parent / "data"
OLDER = sorted(DATA.glob("saved_*/*.skrec"))


@pytest.fixture
def model():
    return ItemKNN().fit(SHOP)


def writer():
    spec = importlib.util.spec_from_file_location("write_saved", DATA / "write_saved.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", OLDER, ids=[f"{path.parent.name}-{path.stem}" for path in OLDER])
def test_files_of_earlier_versions_answer_as_they_did(path):
    pytest.importorskip("tensorflow")  # the module that wrote them names the nets
    name, module, expected = path.stem, writer(), json.loads((path.parent / "expected.json").read_text())
    model = skrec.load(path)
    if name in module.recommenders():
        assert module.answers(model, module.shop()[:5], "predict") == expected[name]
        return
    _, inputs, _, method = module.others()[name]
    np.testing.assert_allclose(module.answers(model, inputs[:5], method), expected[name], atol=1e-3)


def test_the_list_of_types_names_classes_that_exist_and_every_estimator():
    from sklearn.base import BaseEstimator

    for name in _model_types.SKREC | set(_model_types.MOVED.values()):
        module, _, kind = name.rpartition(".")
        assert isinstance(getattr(__import__(module, fromlist=[kind]), kind), type), name
    for module, names in runpy.run_path(str(DATA.parents[1] / "docs" / "public_api.py"))["public_names"]().items():
        for one in names:
            value = getattr(__import__(module, fromlist=[one]), one)
            if isinstance(value, type) and issubclass(value, BaseEstimator) and one != "BaseRecommender":
                assert f"{value.__module__}.{one}" in _model_types.SKREC, one


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path, model):
    target = skrec.save(model, tmp_path / "v1.skrec")
    os.chmod(target, 0o600)
    (tmp_path / "current").symlink_to("v1.skrec")
    skrec.save(EASE(l2=1).fit(SHOP), tmp_path / "current")
    assert (tmp_path / "current").is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert type(skrec.load(target)).__name__ == "EASE"


def test_folders_pipes_and_devices_are_refused(tmp_path, model):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in [("folder", "a folder"), ("pipe", "a device or a pipe")]:
        with pytest.raises(OSError, match=f"path must name a file, and .*{name} is {kind}"):
            skrec.save(model, tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        skrec.save(model, tmp_path / "missing" / "m.skrec")
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]
    skrec.save(model, os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_full_disk_is_an_os_error_that_names_the_path_and_the_old_file_stays(tmp_path, model, monkeypatch):
    path = skrec.save(model, tmp_path / "m.skrec")
    before = path.read_bytes()

    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CompactArchive, "writestr", full)
    with pytest.raises(OSError, match=r"No space left on device.*m\.skrec") as caught:
        skrec.save(model, path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.skrec"]


def test_files_that_killed_saves_have_left_are_removed_and_those_at_work_stay(tmp_path, model):
    path = tmp_path / "m.skrec"
    prefix = _files.replacing(path)._prefix
    gone = 2**22 + 1  # above the largest process number
    dead, alive, foreign = (
        tmp_path / f"{name}.part"
        for name in (f"{prefix}{gone}.ab", f"{prefix}{os.getpid()}.ab", ".m.skrec.elsewhere.1.ab")
    )
    for one in (dead, alive, foreign):
        one.touch()
    skrec.save(model, path)
    assert not dead.exists() and alive.exists() and foreign.exists()
    os.utime(foreign, (0, 0))
    skrec.save(model, path)
    assert not foreign.exists()


def test_what_is_written_is_flushed_before_it_takes_its_place(tmp_path, model, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("flush"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("rename"), replace(*paths)))
    skrec.save(model, tmp_path / "m.skrec")
    assert done == ["flush", "rename", "flush"]


def test_memory_errors_stay_memory_errors(tmp_path, model, monkeypatch):
    path = skrec.save(model, tmp_path / "m.skrec")

    def none_left(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(np, "load", none_left)
    with pytest.raises(MemoryError):
        skrec.load(path)


def test_a_search_over_distributions_durations_and_moments_load(tmp_path):
    X = pd.DataFrame({"item": SHOP, "time": [list(pd.date_range("2024-01-01", periods=len(row))) for row in SHOP]})
    y = [["milk"], ["tea"], ["saw"], ["nails"]]
    grid = {"l2": scipy.stats.loguniform(1, 100), "exclude_seen": [True]}
    search = RandomizedSearchCV(EASE(), grid, n_iter=2, cv=SameUsers(), random_state=0).fit(X, y)
    loaded = skrec.load(skrec.save(search, tmp_path / "search.skrec"))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert (
        loaded.param_distributions["l2"].rvs(3, random_state=0).tolist() == grid["l2"].rvs(3, random_state=0).tolist()
    )
    for window in (dt.timedelta(days=30), pd.Timedelta("30D"), np.timedelta64(30, "D")):
        model = PopularityRecommender(window=window).fit(X)
        loaded = skrec.load(skrec.save(model, tmp_path / "m.skrec"))
        assert loaded.window == window
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for at in (
        pd.Timestamp("2024-06-01 12:00:00.000000001"),
        dt.datetime(2024, 6, 1),
        dt.date(2024, 6, 1),
        np.datetime64("2024-06-01"),
    ):
        assert skrec.load(skrec.save(BehaviorFeatures(at=at).fit(X), tmp_path / "b.skrec")).at == at


def test_a_distribution_with_code_of_its_own_cannot_be_saved(tmp_path, model):
    class Own(scipy.stats.rv_continuous):
        pass

    model.extra_ = Own(name="own")()
    with pytest.raises(TypeError, match=r"the distribution 'own' is none of scipy\.stats"):
        skrec.save(model, tmp_path / "m.skrec")


def test_what_load_would_refuse_is_told_when_saving(tmp_path, model):
    model.extra_ = len
    model.other_ = lambda x: x
    with pytest.warns(UserWarning, match=r"ItemKNN holds .*<lambda>.*trusted=.*cannot find .*<lambda>"):
        skrec.save(model, tmp_path / "m.skrec")


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ({"format": True}, "names no format"),
        ({"format": 1, "metadata": [1]}, "metadata in its header are no dict"),
        ({"format": 1, "scikit-learn": "0.24.2"}, r"saved with scikit-learn 0\.24\.2"),
        ([1], "names no format"),
        (None, "names no format"),
    ],
)
def test_headers_that_are_none(tmp_path, model, header, match):
    import zipfile

    path = skrec.save(model, tmp_path / "m.skrec")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["skrec.json"] = json.dumps(header).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    for read in (skrec.load, skrec.persistence.read_header):
        with pytest.raises(ModelFileError, match=match):
            read(path)


def test_metadata_must_be_a_dict(tmp_path, model):
    with pytest.raises(TypeError, match="metadata must be a dict, got list"):
        skrec.save(model, tmp_path / "m.skrec", metadata=[1])


def test_the_header_is_read_without_the_model(tmp_path, model, monkeypatch):
    path = skrec.save(model, tmp_path / "m.skrec", metadata={"shop": "north"})
    monkeypatch.delattr(skrec.persistence, "build_tree")
    assert skrec.persistence.read_header(path)["metadata"] == {"shop": "north"}


@pytest.mark.parametrize("path", [0, 1, True, None, b"model", "", "a\0b"], ids=repr)
def test_an_open_file_is_no_path(path):
    """Python's `open` takes the number of an open file, and closes it at the end: standard output, for instance."""
    for call in (skrec.load, skrec.persistence.read_header, lambda path: skrec.save(EASE(), path)):
        with pytest.raises((TypeError, ValueError), match=r"^path "):
            call(path)
