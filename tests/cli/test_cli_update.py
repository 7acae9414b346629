import pandas as pd
import pytest

from skrec import persistence
from skrec.cli import main


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Write a log whose second half has new users and items."""
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    events = pd.DataFrame(
        {
            "who": [f"user {n * 7 % 11 if n < 30 else n * 7 % 14}" for n in range(60)],
            "what": [f"item {n * 5 % 8 if n < 30 else n * 5 % 12}" for n in range(60)],
            "title": [f"Title {n * 5 % 8 if n < 30 else n * 5 % 12}" for n in range(60)],
            "when": days,
        }
    )
    events.iloc[:30].to_csv("first.csv", index=False)
    events.to_csv("all.csv", index=False)
    events.iloc[30:].to_csv("new.csv", index=False)
    return tmp_path


COLUMNS = ["--user", "who", "--item", "what", "--time", "when"]


@pytest.mark.parametrize("name", ["item-knn", "transition", "popularity", "blend"])
def test_update_gives_the_model_of_the_whole_log(parts, run, name):
    assert main(["fit", "first.csv", *COLUMNS, "--model", name, "--incremental", "-o", "m.skrec", "-q"]) == 0
    code, out, err = run("update", "m.skrec", "all.csv")
    assert code == 0
    assert "Learned 30 events after 2024-01-30" in out + err
    assert "4 new items" in out + err
    assert "learned until 2024-02-29 and 12 items" in out + err
    assert main(["fit", "all.csv", *COLUMNS, "--model", name, "--incremental", "-o", "whole.skrec", "-q"]) == 0
    updated, whole = persistence.load("m.skrec"), persistence.load("whole.skrec")
    X = [["item 1", "item 5"], ["item 11"], []]
    if name == "blend":
        assert sorted(updated.items_) == sorted(whole.items_)
        return
    place = [updated.items_.tolist().index(item) for item in whole.items_]
    assert updated.decision_function(X)[:, place] == pytest.approx(whole.decision_function(X), rel=1e-5)
    code, out, err = run("update", "m.skrec", "all.csv")
    assert code == 0 and "nothing to update" in out + err
    assert persistence.read_header("m.skrec")["metadata"]["n_updates"] == 1


def test_update_keeps_names_and_can_write_elsewhere(parts, run):
    main(
        ["fit", "first.csv", *COLUMNS, "--name", "title", "--model", "item-knn", "--incremental", "-o", "m.skrec", "-q"]
    )
    before = (parts / "m.skrec").read_bytes()
    code, _, _ = run("update", "m.skrec", "all.csv", "-o", "next.skrec")
    assert code == 0 and (parts / "m.skrec").read_bytes() == before
    model, header = persistence.load("next.skrec", return_metadata=True)
    names = dict(zip(model.items_, header["metadata"]["item_names"], strict=True))
    assert names == {f"item {n}": f"Title {n}" for n in range(12)}


def test_update_refuses_what_would_mislead(parts, run):
    main(["fit", "first.csv", *COLUMNS, "--model", "item-knn", "-o", "plain.skrec", "-q"])
    code, _, err = run("update", "plain.skrec", "all.csv")
    assert code == 2 and "--incremental" in err
    main(["fit", "first.csv", *COLUMNS[:4], "--model", "item-knn", "--incremental", "-o", "untimed.skrec", "-q"])
    code, _, err = run("update", "untimed.skrec", "all.csv")
    assert code == 2 and "--time" in err
    main(["fit", "first.csv", *COLUMNS, "--model", "item-knn", "--incremental", "-o", "m.skrec", "-q"])
    code, _, err = run("update", "m.skrec", "new.csv")
    assert code == 2 and "complete histories" in err
    code, _, err = run("update", "m.skrec", "new.csv", "--force")
    assert code == 0
    pd.DataFrame({"who": ["a"], "what": [3], "when": ["2025-01-01"]}).to_csv("numbers.csv", index=False)
    code, _, err = run("update", "m.skrec", "numbers.csv", "--force")
    assert code == 2 and "convert them" in err


def test_update_says_which_events_came_too_late(parts, run):
    pd.DataFrame(
        {"who": ["a", "a", "b"], "what": ["x", "y", "x"], "when": ["2024-01-01", "2024-01-02", "2024-01-02"]}
    ).to_csv("a.csv", index=False)
    main(["fit", "a.csv", *COLUMNS, "--model", "item-knn", "--incremental", "-o", "m.skrec", "-q"])
    late = pd.DataFrame({"who": ["b", "b"], "what": ["y", "z"], "when": ["2024-01-02", "2024-01-03"]})
    pd.concat([pd.read_csv("a.csv"), late]).to_csv("b.csv", index=False)
    code, out, err = run("update", "m.skrec", "b.csv")
    assert code == 0 and "Learned 1 events" in out + err
    assert "1 events of 2024-01-02, the last moment" in out + err
