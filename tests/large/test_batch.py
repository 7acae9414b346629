"""Recommendations to all users, written block by block."""

import pickle
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

from skrec import base
from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import to_histories
from skrec.large import _batch, _unfinished, write_recommendations
from skrec.large._unfinished import fingerprint
from skrec.neighbors import BuyAgainRecommender, ItemKNN


@pytest.fixture(scope="module")
def histories():
    return make_histories(300, 60, random_state=0)


def expected(model, X, users, **request):
    items, scores = model.recommend(X, return_scores=True, **request)
    n_users, width = items.shape
    return pd.DataFrame(
        {
            "user": np.repeat(np.asarray(users), width),
            "rank": np.tile(np.arange(1, width + 1), n_users),
            "item": items.reshape(-1),
            "score": scores.reshape(-1),
        }
    )


@pytest.mark.parametrize("block_events", [1, 200, 2**21])
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_holds_what_recommend_answers(histories, tmp_path, block_events, suffix):
    model = ItemKNN(k=4).fit(histories)
    path = write_recommendations(model, histories, tmp_path / f"lists{suffix}", block_events=block_events)
    table = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path)
    pd.testing.assert_frame_equal(
        table, expected(model, histories, histories.index), check_dtype=False, rtol=1e-5, check_exact=False
    )
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_stored_histories_and_lists_give_the_same(histories, tmp_path):
    events = histories.explode(["item", "time"]).reset_index()
    events["user"] = [f"u{user:03d}" for user in events["user"]]
    stored = to_histories(events, user="user", item="item", time="time", store=tmp_path / "log")
    model = BuyAgainRecommender(k=3, exclude_seen=False).fit(stored)
    request = {"k": 2, "exclude": [0, 1], "candidates": range(30)}
    names = {item: f"item {item}" for item in range(1, 60)}
    path = write_recommendations(model, stored, tmp_path / "a.parquet", block_events=99, names=names, **request)
    one = pd.read_parquet(path)
    assert (one.pop("name") == "item " + one["item"].astype(str)).all()
    pd.testing.assert_frame_equal(one, expected(model, stored.to_frame(), stored.index, **request), check_dtype=False)
    plain = ItemKNN().fit([["a", "b"], ["b", "c"], ["a", "c"]])
    two = pd.read_parquet(write_recommendations(plain, [["a"], ["b"]], tmp_path / "b.parquet", k=1))
    assert (
        two["user"].tolist() == [0, 1] and two["item"].tolist() == plain.recommend([["a"], ["b"]], 1).ravel().tolist()
    )


def test_interrupted_work_goes_on(histories, tmp_path, monkeypatch, caplog):
    model, path = ItemKNN(k=4).fit(histories), tmp_path / "lists.parquet"
    asked = []
    answers = _batch._answers

    def fails_later(model, block, start, request):
        asked.append(start)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return answers(model, block, start, request)

    monkeypatch.setattr(_batch, "_answers", fails_later)
    with pytest.raises(KeyboardInterrupt):
        write_recommendations(model, histories, path, block_events=1000)
    assert not path.exists() and len(list((tmp_path / "lists.parquet.parts").glob("*.parquet"))) == 2
    third = asked[2]
    write_recommendations(model, histories, path, block_events=1000)
    assert asked[3] == third and "going on behind 2 of" in caplog.text
    pd.testing.assert_frame_equal(
        pd.read_parquet(path), expected(model, histories, histories.index), check_dtype=False, rtol=1e-5
    )


def test_recommend_reads_stored_histories_in_blocks(histories, tmp_path, monkeypatch):
    events = histories.explode(["item", "time"]).reset_index()
    stored = to_histories(events, user="user", item="item", time="time", store=tmp_path / "log")
    model = ItemKNN(k=5).fit(stored)
    hidden = {int(user): [0, 1] for user in stored.index[::3]}
    whole = [model.recommend(stored, return_scores=True, return_source=True), model.recommend(stored, exclude=hidden)]
    monkeypatch.setattr(base, "BLOCK", 100)
    blocks = model.recommend(stored, return_scores=True, return_source=True)
    for one, other in zip(whole[0], blocks, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(model.recommend(stored, exclude=hidden), whole[1])
    fewer = model.recommend(stored, 2, candidates=iter(range(9)), exclude=[3])
    np.testing.assert_array_equal(fewer, model.recommend(stored.to_frame(), 2, candidates=range(9), exclude=[3]))


@pytest.mark.parametrize("change", ["model", "k", "histories", "users"])
def test_what_belongs_to_another_request_is_not_used(histories, tmp_path, monkeypatch, change):
    model, path = ItemKNN(k=4).fit(histories), tmp_path / "lists.parquet"
    monkeypatch.setattr(_batch, "_join", lambda parts, path: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_recommendations(model, histories, path, block_events=1000)
    monkeypatch.undo()
    k, other = 3 if change == "k" else None, histories
    if change == "model":
        model = ItemKNN(k=4, n_neighbors=3).fit(histories)
    if change == "histories":
        other = histories.iloc[::-1]
    if change == "users":
        other = histories.set_axis(histories.index + 1)
    table = pd.read_parquet(write_recommendations(model, other, path, k=k, block_events=1000))
    pd.testing.assert_frame_equal(table, expected(model, other, other.index, k=k), check_dtype=False, rtol=1e-5)


def test_progress_and_errors(histories, tmp_path, capsys):
    model = ItemKNN(k=4).fit(histories)
    write_recommendations(model, histories, tmp_path / "a.csv", block_events=2000, verbose=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1 and lines[-1] == "Recommended to 300 of 300 users, 0.0 s left"
    with pytest.raises(ValueError, match="must end in"):
        write_recommendations(model, histories, tmp_path / "a.txt")
    with pytest.raises(TypeError, match="exclude must be"):
        write_recommendations(model, histories, tmp_path / "a.csv", exclude=[[1]] * 300)
    with pytest.raises(ValueError, match="X has no rows"):
        write_recommendations(model, histories.iloc[:0], tmp_path / "b.csv")
    (tmp_path / "c.csv.parts").mkdir()
    (tmp_path / "c.csv.parts" / "mine").write_text("kept")
    with pytest.raises(FileExistsError, match="remove or rename it"):
        write_recommendations(model, histories, tmp_path / "c.csv")
    assert (tmp_path / "c.csv.parts" / "mine").read_text() == "kept"


def test_other_columns_count_for_what_is_resumed(tmp_path, monkeypatch):
    histories = make_histories(200, 30, random_state=0).assign(country=["fr", "de"] * 100)
    model = PopularityRecommender(by="country", exclude_seen=False, k=3).fit(histories)
    monkeypatch.setattr(_batch, "_join", lambda parts, path: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_recommendations(model, histories, tmp_path / "a.parquet", block_events=500)
    monkeypatch.undo()
    moved = histories.assign(country=["de", "fr"] * 100)
    table = pd.read_parquet(write_recommendations(model, moved, tmp_path / "a.parquet", block_events=500))
    pd.testing.assert_frame_equal(table, expected(model, moved, moved.index), check_dtype=False, rtol=1e-5)


def test_ids_are_read_once(histories, tmp_path):
    model = ItemKNN(k=4).fit(histories)
    ways = {"exclude": (one for one in [1, 2, 3]), "candidates": (one for one in range(40))}
    table = pd.read_parquet(write_recommendations(model, histories, tmp_path / "a.parquet", block_events=99, **ways))
    same = expected(model, histories, histories.index, exclude=[1, 2, 3], candidates=range(40))
    pd.testing.assert_frame_equal(table, same, check_dtype=False, rtol=1e-5)


def test_one_process_writes_a_path(histories, tmp_path, monkeypatch):
    model, path = ItemKNN(k=4).fit(histories), tmp_path / "a.parquet"
    answers = _batch._answers

    def meanwhile(*arguments):
        with pytest.raises(BlockingIOError, match="another process is writing"):
            write_recommendations(model, histories, path, k=2)
        return answers(*arguments)

    monkeypatch.setattr(_batch, "_answers", meanwhile)
    write_recommendations(model, histories, path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.skipif(sys.platform == "win32", reason="open files stay")
def test_a_lock_that_was_removed_meanwhile_does_not_count(tmp_path, monkeypatch):
    import fcntl

    lock, flock = tmp_path / ".lock", fcntl.flock

    def slowly(*arguments):
        monkeypatch.setattr(fcntl, "flock", flock)
        lock.unlink()  # by the process that had it
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", slowly)
    with _unfinished._alone(lock, tmp_path / "a"):
        with pytest.raises(BlockingIOError, match="another process is writing"), _unfinished._alone(lock, tmp_path):
            pass
        assert lock.exists()


def test_names_and_ids_that_are_none(histories, tmp_path):
    model = ItemKNN(k=4).fit(histories)
    names = pd.Series(["a", np.nan, None] * 20)
    table = pd.read_parquet(write_recommendations(model, histories, tmp_path / "a.parquet", names=names))
    assert (table["name"].notna() == (table["item"] % 3 == 0)).all()
    for wrong in ({1: 1}, ["a"]):
        with pytest.raises(TypeError, match="names must map item ids to texts"):
            write_recommendations(model, histories, tmp_path / "b.parquet", names=wrong)
    levels = histories.set_axis(pd.MultiIndex.from_arrays([["a"] * 300, range(300)]))
    with pytest.raises(TypeError, match="one id per user"):
        write_recommendations(model, levels, tmp_path / "b.parquet")
    with pytest.raises(NotFittedError):
        write_recommendations(ItemKNN(), histories, tmp_path / "b.parquet")
    with pytest.raises(FileNotFoundError, match="make it first"):
        write_recommendations(model, histories, tmp_path / "none" / "b.parquet")
    assert [one.name for one in tmp_path.iterdir()] == ["a.parquet"]


def test_a_net_is_told_by_its_weights(histories):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from skrec.neural_network import SASRec

    model = SASRec(n_components=4, epochs=1, random_state=0).fit(histories[:50])
    stored, users = pickle.dumps(model), pa.array(histories.index)
    marks = {fingerprint(one, histories, users) for one in (model, pickle.loads(stored), pickle.loads(stored))}
    other = SASRec(n_components=4, epochs=1, random_state=1).fit(histories[:50])
    assert len(marks) == 1
    assert fingerprint(other, histories, users) not in marks
