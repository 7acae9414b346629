"""Progress of long fits: lines with the time left, log records, scikit-learn's callbacks, and silence without them."""

import logging
import pickle
import re

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.datasets import make_histories
from skrec.decomposition import ALS, BPR
from skrec.ensemble import BlendRecommender, TwoStageRecommender
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN, TransitionRecommender
from skrec.utils import _progress
from skrec.utils._progress import Progress, duration

HISTORIES = make_histories(80, 30, mean_length=8, random_state=0)
PARTS = [("ease", EASE()), ("next", TransitionRecommender())]
LONG = [
    ALS(4, max_iter=3, random_state=0),
    BPR(4, max_iter=3, random_state=0),
    SLIM(l1=0.1, l2=1, n_jobs=2),
    EASE(method="sparse", n_neighbors=5),
    BlendRecommender(PARTS, weights="auto", n_holdouts=2, random_state=0),
    TwoStageRecommender(PARTS, ranker=LogisticRegression(), random_state=0),
]
UNITS = {"ALS": ("sweep", 3), "BPR": ("epoch", 3), "SLIM": ("item", 30), "EASE": ("item", 30)}
UNITS |= {"BlendRecommender": ("part", 6), "TwoStageRecommender": ("retriever", 4)}


class Clock:
    """A clock that moves when told."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(_progress.time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def _run(clock, n_steps, seconds, **options):
    with Progress("fit", "step", n_steps, **options) as progress:
        for _ in range(n_steps):
            clock.now += seconds
            progress.step()


def test_lines_tell_the_time_left_at_intervals(clock, capsys):
    _run(clock, 12, 2.0, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "[fit] step 3 of 12, 18 s left",
        "[fit] step 6 of 12, 12 s left",
        "[fit] step 9 of 12, 6.0 s left",
        "[fit] step 12 of 12, 24 s in all",
    ]
    _run(clock, 3, 0.1, verbose=2)
    assert capsys.readouterr().out.splitlines()[0] == "[fit] step 1 of 3, 0.2 s left"


def test_long_work_prints_less_often(clock, capsys):
    _run(clock, 36_000, 1.0, verbose=1)  # ten hours
    assert len(capsys.readouterr().out.splitlines()) < 200


def test_work_that_ends_early_says_so(clock, capsys):
    with Progress("fit", "epoch", 1000, verbose=1) as progress:
        clock.now += 1.0
        progress.step()
    assert capsys.readouterr().out == "[fit] epoch 1 of at most 1,000, 1.0 s in all\n"
    with pytest.raises(KeyError), Progress("fit", "epoch", 10, verbose=1) as progress:
        progress.step()
        raise KeyError
    with Progress("fit", "epoch", 0, verbose=1):
        pass
    assert capsys.readouterr().out == ""


def test_durations():
    assert [duration(seconds) for seconds in (0.04, 9.94, 9.96, 119.4, 120, 7199, 7200, 90_000)] == [
        *("0.0 s", "9.9 s", "10 s", "119 s"),
        *("2 min", "120 min", "2.0 h", "25.0 h"),
    ]


@pytest.mark.parametrize("model", LONG, ids=lambda model: type(model).__name__)
def test_verbose_of_long_fits(model, capfd, caplog):
    name = type(model).__name__
    unit, n_steps = UNITS[name]
    with caplog.at_level(logging.DEBUG, logger="skrec"):
        model.set_params(verbose=0).fit(HISTORIES)
    assert capfd.readouterr() == ("", "")
    assert f"[{name}] {unit} {n_steps} of {n_steps}, " in caplog.text
    model.set_params(verbose=1).fit(HISTORIES)
    out, err = capfd.readouterr()
    assert re.fullmatch(rf"\[{name}\] {unit} {n_steps} of {n_steps}, [\d.]+ s in all\n", out) and err == ""


class Recorder:
    """A callback of scikit-learn that notes what it sees."""

    max_propagation_depth = None

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append(("setup", context.max_subtasks))

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.seen.append(("begin", context.task_name, X is not None))

    def on_fit_task_end(self, estimator, context):
        self.seen.append(("end", context.task_name))

    def teardown(self, estimator, context):
        self.seen.append(("teardown",))


@pytest.mark.parametrize("model", [*LONG, ItemKNN()], ids=lambda model: type(model).__name__)
def test_callbacks_see_the_fit_and_its_steps(model, capfd):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 and later have callbacks")
    recorder = Recorder()
    fitted = model.set_params(**{"verbose": 0} if "verbose" in model.get_params() else {}).set_callbacks(recorder)
    fitted.fit(HISTORIES)
    model.set_callbacks()
    unit, n_tasks = UNITS.get(type(model).__name__, ("", 0))
    n_tasks = 1 if unit == "item" else n_tasks  # a piece of items is a task
    steps = [("begin", unit, False), ("end", unit)] * n_tasks
    assert recorder.seen == [("setup", n_tasks), ("begin", "fit", True), *steps, ("end", "fit"), ("teardown",)]
    assert not [name for name in vars(fitted) if "callback" in name]
    assert capfd.readouterr() == ("", "")


def test_callbacks_end_with_a_fit_that_fails(monkeypatch):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 and later have callbacks")
    recorder = Recorder()
    model = ALS(4, max_iter=2, random_state=0).set_callbacks(recorder)
    with monkeypatch.context() as patched:
        patched.setattr(ALS, "_keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model.fit(HISTORIES)
    assert recorder.seen[-2:] == [("end", "sweep"), ("teardown",)]
    recorder.seen.clear()
    model.fit(HISTORIES)
    assert recorder.seen[0] == ("setup", 2) and recorder.seen[-2:] == [("end", "fit"), ("teardown",)]
    assert [name for name in vars(model) if "callback" in name] == ["_skl_callbacks"]
    assert pickle.loads(pickle.dumps(model)).items_.tolist() == model.items_.tolist()


def test_progress_bars_of_a_search(capsys):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 and later have callbacks")
    search = GridSearchCV(ALS(4, max_iter=2, random_state=0), {"l2": [1.0, 2.0]}, cv=2, scoring=lambda *_: 1.0)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(HISTORIES, [[1]] * len(HISTORIES))
    out = capsys.readouterr().out
    assert "GridSearchCV" in out and "ALS" in out and "100%" in out


def test_a_model_with_callbacks_is_saved_without_them(tmp_path):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 and later have callbacks")
    model = ALS(4, max_iter=2, random_state=0).set_callbacks(callback.ProgressBar()).fit(HISTORIES)
    skrec.save(model, tmp_path / "m.skrec")
    again = skrec.load(tmp_path / "m.skrec")
    assert again.predict(HISTORIES).tolist() == model.predict(HISTORIES).tolist()
    assert hasattr(model, "_skl_callbacks") and not hasattr(again, "_skl_callbacks")
