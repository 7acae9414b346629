"""`skrec auto`: what it prints and saves, and the commands that take its file."""

import json
import shlex

import pandas as pd
import pytest

from skrec import load
from skrec.advice import _auto
from skrec.recipes import make_recommender

TIMED = ["--user", "user", "--item", "item", "--time", "time"]
QUICK = ["--model", "popularity", "--model", "item-knn"]


def printed_commands(text):
    return [shlex.split(line) for line in text.splitlines() if line.startswith("  skrec ")]


@pytest.fixture
def made(folder, run):
    code, out, err = run(
        "auto", "log.csv", *TIMED, "--name", "name", *QUICK, "--incremental", "-k", "4", "-o", "m.skrec"
    )
    assert (code, err) == (0, ""), err
    return out


def test_it_prints_the_leaderboard_the_choice_and_the_next_commands(made):
    assert "NDCG@4" in made and "Chosen: item-knn" in made and "the default" in made
    assert "other users its NDCG@4 is" in made and "saved to m.skrec" in made
    recommend, serve, update, fit = printed_commands(made)
    assert recommend[:4] == ["skrec", "recommend", "m.skrec", "log.csv"]
    assert serve == ["skrec", "serve", "m.skrec", "--log", "log.csv"]
    assert update == ["skrec", "update", "m.skrec", "log.csv"]
    assert fit[:3] == ["skrec", "fit", "log.csv"] and "item-knn" in fit


def test_the_printed_commands_run(made, run):
    recommend, _, update, fit = printed_commands(made)
    code, out, err = run(*recommend[1:])
    assert (code, err) == (0, "") and "Thing [red] <b>" in out
    code, out, err = run(*update[1:])
    assert (code, err) == (0, "") and "nothing to update" in out
    code, _, err = run(*fit[1:-1], "again.skrec")
    assert (code, err) == (0, "")
    again, chosen = load("again.skrec"), load("m.skrec")
    assert chosen.set_params(incremental=False).get_params().keys() == again.get_params().keys()
    assert (again.predict([[1, 2]]) == chosen.predict([[1, 2]])).all()


def test_the_file_learns_later_events(folder, events, run):
    events[events["time"] < pd.Timestamp("2024-06-01")].to_csv("early.csv", index=False)
    code, out, err = run("auto", "early.csv", *TIMED, *QUICK, "--incremental", "-o", "m.skrec", "-q")
    assert (code, err) == (0, "")
    code, out, err = run("update", "m.skrec", "log.csv")
    assert (code, err) == (0, "") and "Learned" in out


def test_the_file_can_be_served(made, folder):
    pytest.importorskip("sqlalchemy")
    from skrec.serving._models import Models
    from skrec.serving._settings import Settings
    from skrec.serving._store import open_store

    settings = Settings.read(None, database="sqlite:///shop.db", models="models")
    store = open_store(settings.database)
    store.start()
    models = Models(settings, store)
    assert models.load(models.add_file("m.skrec")).name == "ItemKNN"
    store.close()


def test_notes_and_leaderboard_are_kept(made, folder, run):
    estimator, header = load("m.skrec", return_metadata=True)
    notes = header["metadata"]
    assert type(estimator).__name__ == "ItemKNN" and notes["model"] == "item-knn" and estimator.k == 4
    assert {row["recipe"] for row in notes["auto"]["leaderboard"]} == {"popularity", "item-knn"}
    assert notes["item_names"][0].startswith("Thing")
    code, out, _ = run(
        "auto",
        "log.csv",
        *TIMED,
        *QUICK,
        "--no-settings",
        "--leaderboard",
        "board.csv",
        "-o",
        "m.skrec",
        "--include-seen",
    )
    board = pd.read_csv("board.csv")
    assert code == 0 and "Wrote the leaderboard to board.csv" in out and "like any other, as asked" in out
    assert board["recipe"].tolist() == [board["recipe"][0], *board["recipe"][1:]] and len(board) == 2
    assert json.loads(board["settings"][0]) == {}


def test_the_printed_service_has_no_log_without_dates(folder, run):
    code, out, err = run("auto", "log.csv", *TIMED[:4], *QUICK, "-o", "m.skrec")
    assert (code, err) == (0, ""), err
    assert printed_commands(out)[1] == ["skrec", "serve", "m.skrec"] and "no dates" in out


def test_a_budget_too_small_is_told(folder, run):
    code, out, err = run("auto", "log.csv", *TIMED, *QUICK, "--budget", "1e-6", "-o", "m.skrec")
    assert code == 0 and "warning: budget=1e-06 allows no comparison, so popularity is fitted" in err
    assert "Chosen: popularity" in out and "other users" not in out


def test_a_failing_model_is_told(folder, run, monkeypatch):
    class Failing(type(make_recommender("ease"))):
        def _fit(self, users):
            raise ArithmeticError("no luck")

    def build(name, *args, **options):
        return Failing() if name == "ease" else make_recommender(name, *args, **options)

    monkeypatch.setattr(_auto, "make_recommender", build)
    code, out, _ = run("auto", "log.csv", *TIMED, *QUICK, "--model", "ease", "--no-settings", "-o", "m.skrec")
    assert code == 0 and "ase is left out" in out and "no luck" in out and "Chosen: item-knn" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "0"], "--budget must be more than 0 seconds, got 0"),
        (["--model", "esae"], "unknown model 'esae'"),
        (["--leaderboard", "board.txt"], "--leaderboard board.txt must end in .csv or .parquet"),
        (["-k", "0"], "-k must be at least 1"),
    ],
)
def test_wrong_options(folder, run, words, message):
    code, _, err = run("auto", "log.csv", *TIMED, *words, "-o", "m.skrec")
    assert code == 2 and message in err


def test_model_that_needs_dates(folder, run):
    code, _, err = run("auto", "log.csv", *TIMED[:4], "--model", "popularity-30d", "-o", "m.skrec")
    assert code == 2 and "--time" in err
