"""The command: what it writes, what it says, and one sentence for whatever is wrong."""

import json
import logging
import os
import re
import shlex
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import typer

from skrec import load, save
from skrec.cli import main
from skrec.cli._app import app
from skrec.cli._data import last_part
from skrec.cli._options import parse_settings
from skrec.datasets import make_histories
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.recipes import recipe_names

COLUMNS = ["--user", "user", "--item", "item"]
TIMED = [*COLUMNS, "--time", "time"]


def test_fit_writes_a_model_with_its_columns_and_names(folder, capsys):
    arguments = ["fit", "log.csv", *TIMED, "--name", "name", "--weight", "amount", "-k", "4", "-o", "m.skrec"]
    assert main([*arguments, "--set", "l2=20", "--set", "vectorizer__recency=0.6"]) == 0
    printed = capsys.readouterr()
    assert "80 users" in printed.out and "--include-seen" in printed.out and printed.err == ""
    estimator, header = load("m.skrec", return_metadata=True)
    assert (estimator.l2, estimator.vectorizer.recency, estimator.k, estimator.exclude_seen) == (20, 0.6, 4, True)
    notes = header["metadata"]
    assert notes["columns"] == {"user": "user", "item": "item", "time": "time", "weight": "amount", "name": "name"}
    assert notes["item_names"][0] == f"Thing [red] <b>{estimator.items_[0]}</b>"


@pytest.mark.parametrize(("flag", "expected"), [("--exclude-seen", True), ("--include-seen", False)])
def test_seen_items_are_a_visible_choice(folder, capsys, flag, expected):
    assert main(["fit", "log.csv", *COLUMNS, flag, "-o", "m.skrec"]) == 0
    assert load("m.skrec").exclude_seen is expected
    assert ("come last, as asked" if expected else "like any other, as asked") in capsys.readouterr().out


def test_fit_learns_from_the_period_asked_for(folder, events):
    assert main(["fit", "log.parquet", *TIMED, "--until", "2024-03-01", "-o", "m.skrec", "-q"]) == 0
    before = events[events["time"] < pd.Timestamp("2024-03-01")]
    assert sorted(load("m.skrec").items_) == sorted(before["item"].unique())


@pytest.mark.parametrize("split", ["time", "last"])
def test_compare_tunes_inside_what_is_learned(folder, capsys, split):
    arguments = ["compare", "log.csv", *TIMED, "--split", split, "--model", "ease", "--model", "popularity", "--tune"]
    assert main([*arguments, "-o", "scores.csv"]) == 0
    assert "Their parameters were chosen by the last" in capsys.readouterr().out
    scores = pd.read_csv("scores.csv", index_col="model")
    assert set(scores.index) == {"ease", "popularity"} and scores["error"].isna().all()


def test_recommend_explains_itself(model, folder, events, capsys):
    assert main(["recommend", model, "log.csv", "--users", "3", "-k", "2", "--explain", "-o", "recs.csv", "-q"]) == 0
    rows = pd.read_csv("recs.csv")
    for because in rows["because"]:
        reason, share = because.split("; ")[0].rsplit(" ", 1)
        assert reason in set(events.loc[events["user"] == 3, "name"]) and 0 < int(share.removesuffix("%")) <= 100
    assert main(["fit", "log.csv", *COLUMNS, "--model", "popularity", "-o", "p.skrec", "-q"]) == 0
    assert main(["recommend", "p.skrec", "log.csv", "--users", "3", "--explain", "-o", "popular.csv"]) == 0
    assert set(pd.read_csv("popular.csv")["because"]) == {"popular"}
    assert main(["fit", "log.csv", *COLUMNS, "--model", "session-knn", "-o", "s.skrec", "-q"]) == 0
    assert main(["recommend", "s.skrec", "log.csv", "--users", "3", "--explain"]) == 0
    assert "The reasons are leave-one-out" in capsys.readouterr().out


def test_recommend_prints_names_and_writes_tidy_rows(model, folder, events, capsys):
    assert main(["recommend", model, "log.parquet", "--users", "3", "--users", "5", "-k", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Thing [red] <b>") == 4
    for path in ("recs.csv", "recs.parquet"):
        assert main(["recommend", model, "log.csv", "-o", path, "-k", "3", "--include-seen", "-q"]) == 0
        rows = pd.read_csv(path) if path.endswith("csv") else pd.read_parquet(path)
        assert list(rows.columns) == ["user", "rank", "item", "score", "name"]
        assert rows["user"].nunique() == 80 and rows["rank"].tolist() == [1, 2, 3] * 80
    expected = load(model).recommend([events.loc[events["user"] == 3, "item"].tolist()], 3, exclude_seen=False)
    assert rows.loc[rows["user"] == 3, "item"].tolist() == expected[0].tolist()
    assert sorted(path.name for path in folder.iterdir() if path.name.endswith(".part")) == []


def test_users_come_from_a_file(model, folder):
    (folder / "users.txt").write_text("3\n\n 7 \n")
    assert main(["recommend", model, "log.csv", "--users-file", "users.txt", "-o", "recs.csv", "-q"]) == 0
    assert pd.read_csv("recs.csv")["user"].unique().tolist() == [3, 7]


def test_many_users_are_cut_short_on_screen(model, capsys):
    assert main(["recommend", model, "log.csv", "--users", "all", "-k", "1"]) == 0
    assert "60 more users" in capsys.readouterr().out


def test_evaluate_prints_and_writes(folder, capsys):
    arguments = ["--model", "ease", "--model", "popularity", "--model", "random", "--include-seen"]
    assert main(["evaluate", "log.parquet", *TIMED, *arguments, "-o", "s.csv", "--report", "r.html"]) == 0
    printed = capsys.readouterr().out
    assert "learned from the" in printed and "NDCG@10" in printed and "events before 2024-" in printed
    scores = pd.read_csv("s.csv")
    assert scores["model"].tolist()[0] == "ease" and set(scores["model"]) == {"ease", "popularity", "random"}
    assert "learned from the" in (folder / "r.html").read_text()


def test_evaluate_all_on_the_last_items(folder, capsys):
    assert main(["evaluate", "log.csv", *COLUMNS, "--exclude-seen", "-q"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in recipe_names(nets=False) if name != "popularity-30d")  # that one needs times
    assert "learned" not in printed


def test_several_logs_and_patterns_are_one_log(folder, events):
    events[:1000].to_csv("part-1.csv", index=False)
    events[1000:].to_csv("part-2.csv", index=False)
    for log in (["part-1.csv", "part-2.csv"], ["part-*.csv"]):
        assert main(["fit", *log, *TIMED, "-o", "m.skrec", "-q"]) == 0
        assert load("m.skrec").n_items_ == events["item"].nunique()


def foreign_model(path):
    save(EASE().fit([[1, 2], [2, 3]]), path)


def other_estimator(path):
    save(HistoryVectorizer().fit([[1, 2], [2, 3]]), path, metadata={"columns": {"user": "user", "item": "item"}})


def too_new_model(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("skrec.json", json.dumps({"format": 99, "skrec": "9.0"}))


BAD_LOGS = {
    "absent": (None, [], "does not exist"),
    "no-parquet": ("bad.parquet:x", [], "cannot be read as parquet"),
    "no-bytes": ("zero.csv:", [], "is empty"),
    "no-rows": ("empty.csv:user,item\n", [], "is empty"),
    "nan-user": ("nan.csv:user,item\n1,a\n,b\n", [], "missing value"),
    "no-time": ("time.csv:user,item,time\n1,a,yesterday\n", ["--time", "time"], "is not a time"),
    "negative": ("weight.csv:user,item,weight\n1,a,-1\n", ["--weight", "weight"], "at least 0"),
    "nan-weight": ("weight.csv:user,item,weight\n1,a,\n", ["--weight", "weight"], "weight"),
    "text-weight": ("weight.csv:user,item,weight\n1,a,much\n", ["--weight", "weight"], "must be numbers"),
    "no-table": ("log.txt:user,item\n", [], "neither CSV nor parquet"),
}
BAD_FITS = {
    "column": (["--user", "usr", "--item", "item"], "did you mean 'user'"),
    "same column": (["--user", "item", "--item", "item"], "both name the column 'item'"),
    "no user": (["--item", "item"], "--user"),
    "name column": ([*COLUMNS, "--name", "nam"], "did you mean 'name'"),
    "k": ([*COLUMNS, "-k", "0"], "-k must be at least 1, got 0"),
    "k text": ([*COLUMNS, "-k", "many"], "-k"),
    "model": ([*COLUMNS, "--model", "eese"], "did you mean 'ease'"),
    "untimed": ([*COLUMNS, "--model", "popularity-30d"], "--time"),
    "parameter": ([*COLUMNS, "--set", "l3=1"], "unknown parameter 'l3' of ease"),
    "nested parameter": ([*COLUMNS, "--set", "vectorizer__recencyy=1"], "did you mean 'vectorizer__recency'"),
    "no equals": ([*COLUMNS, "--set", "l2"], "name=value"),
    "own option": ([*COLUMNS, "--set", "k=3"], "use -k"),
    "value": ([*COLUMNS, "--set", "l2=-1"], "'l2' parameter of EASE"),
    "since": ([*COLUMNS, "--since", "2024-01-01"], "--time"),
    "no date": ([*TIMED, "--since", "soon"], "must be a date"),
    "no events": ([*TIMED, "--since", "2030-01-01"], "no event lies between"),
}
BAD_MODELS = {
    "absent": (None, "there is no model file"),
    "foreign file": (lambda path: path.write_bytes(b"no model"), "not a model file"),
    "no columns": (foreign_model, "fit it with skrec fit"),
    "no recommender": (other_estimator, "does not recommend"),
    "too new": (too_new_model, "upgrade skrec"),
}
BAD_REQUESTS = {
    "user": (["--users", "99999"], "not among the 80 users"),
    "no users": ([], "--users"),
    "k": (["--users", "3", "-k", "0"], "-k must be at least 1"),
    "users file": (["--users-file", "none.txt"], "cannot be read"),
    "suffix": (["-o", "recs.xlsx"], "must end in .csv or .parquet"),
    "folder": (["-o", "none/recs.csv"], "no directory none"),
}
BAD_EVALUATIONS = {
    "untimed": ([*COLUMNS, "--split", "time"], "--time"),
    "at and last": ([*TIMED, "--split", "last", "--at", "2024-06-01"], "--at belongs to --split time"),
    "at": ([*TIMED, "--at", "2030-01-01"], "nothing is held out"),
    "split": ([*TIMED, "--split", "tmie"], "did you mean 'time'"),
    "model": ([*TIMED, "--model", "best"], "unknown model 'best'"),
    "all and one": ([*TIMED, "--model", "all", "--model", "ease"], "stands alone"),
    "twice": ([*TIMED, "--model", "ease", "--model", "ease"], "twice"),
    "report": ([*TIMED, "--report", "none/r.html"], "no directory none"),
    "report suffix": ([*TIMED, "--report", "r.pdf"], "must end in .html"),
}


def check_one_sentence(capsys, folder, before, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("skrec: ") and message in error
    assert error.count("\n") == 1 and "Traceback" not in error
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("case", BAD_LOGS)
def test_bad_log(folder, capsys, case):
    file, options, message = BAD_LOGS[case]
    name, _, text = (file or "none.csv:").partition(":")
    if file is not None:
        (folder / name).write_text(text)
    arguments = ["fit", name, *COLUMNS, *options, "-o", "m.skrec"]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, message)


def test_logs_of_mixed_ids(folder, capsys):
    pd.DataFrame({"user": [1, 2], "item": [1, 2]}).to_parquet("a.parquet")
    pd.DataFrame({"user": [1, 2], "item": ["x", "y"]}).to_parquet("b.parquet")
    arguments = ["fit", "a.parquet", "b.parquet", *COLUMNS, "-o", "m.skrec"]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, "one type")


def test_log_of_other_ids_than_the_model(model, folder, capsys):
    (folder / "other.csv").write_text("user,item,time,name\n1,abc,2024-01-01,x\n")
    arguments = ["recommend", model, "other.csv", "-o", "r.csv"]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, "convert them to the type used in fit")


@pytest.mark.parametrize("case", BAD_FITS)
def test_bad_fit(folder, capsys, case):
    options, message = BAD_FITS[case]
    arguments = ["fit", "log.csv", *options, "-o", "m.skrec"]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, message)


@pytest.mark.parametrize(("output", "message"), [("none/m.skrec", "no directory none"), (".", "is a directory")])
def test_unwritable_model(folder, capsys, output, message):
    arguments = ["fit", "log.csv", *COLUMNS, "-o", output]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, message)


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_model(folder, capsys, case):
    make, message = BAD_MODELS[case]
    if make is not None:
        make(folder / "other.skrec")
    arguments = ["recommend", "other.skrec", "log.csv", "-o", "r.csv"]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, message)


def test_damaged_model(model, folder, capsys):
    content = bytearray((folder / model).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / model).write_bytes(content)
    arguments = ["recommend", model, "log.csv", "-o", "r.csv"]
    check_one_sentence(capsys, folder, set(folder.iterdir()), arguments, "damaged")


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_request(model, folder, capsys, case):
    options, message = BAD_REQUESTS[case]
    check_one_sentence(capsys, folder, set(folder.iterdir()), ["recommend", model, "log.csv", *options], message)


@pytest.mark.parametrize("case", BAD_EVALUATIONS)
def test_bad_evaluation(folder, capsys, case):
    options, message = BAD_EVALUATIONS[case]
    check_one_sentence(capsys, folder, set(folder.iterdir()), ["evaluate", "log.csv", *options], message)


def test_unexpected_error_is_one_line_with_a_hint(folder, capsys, monkeypatch):
    monkeypatch.setattr(EASE, "_fit", lambda self, *arguments: [][0])
    assert main(["fit", "log.csv", *COLUMNS, "-o", "m.skrec", "-q"]) == 1
    error = capsys.readouterr().err
    assert error == "skrec: unexpected IndexError: list index out of range; --verbose shows where\n"
    assert main(["fit", "log.csv", *COLUMNS, "-o", "m.skrec", "-q", "--verbose"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert not (folder / "m.skrec").exists()


def test_failed_write_leaves_the_old_file(model, folder, capsys, monkeypatch):
    (folder / "r.csv").write_text("old")

    def fail(self, path, **options):
        with open(path, "w") as file:
            file.write("half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    check_one_sentence(
        capsys, folder, set(folder.iterdir()), ["recommend", model, "log.csv", "-o", "r.csv"], "disk full"
    )
    assert (folder / "r.csv").read_text() == "old"


def test_settings_are_python_literals():
    given = ["l2=200", "a=0.6", "b=true", "c=None", "d=cosine", "e='7'", "f=30D", "g=[1, 2]"]
    expected = {"l2": 200, "a": 0.6, "b": True, "c": None, "d": "cosine", "e": "7", "f": "30D", "g": [1, 2]}
    assert parse_settings(given) == expected


def test_the_last_part_begins_with_a_day(events):
    histories = make_histories(80, 40, random_state=0)
    moment = last_part(histories)
    assert moment == int(moment)


def test_version_and_help_are_quick_to_import():
    code = "import sys, skrec.cli; print([m for m in ('sklearn', 'pandas', 'scipy', 'rich.table') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    done = subprocess.run([sys.executable, "-m", "skrec.cli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("skrec ")


def test_the_guide_names_only_options_that_exist():
    guide = Path(__file__).parents[2] / "docs" / "user_guide" / "command_line.md"
    if not guide.exists():
        pytest.skip("the documentation is not beside the tests")
    commands = typer.main.get_command(app).commands
    known = {name: {o for p in command.params for o in p.opts + p.secondary_opts} for name, command in commands.items()}
    lines = re.findall(r"^skrec (\w+)(.*)$", guide.read_text().replace("\\\n", ""), re.MULTILINE)
    assert {name for name, _ in lines} == set(known)
    for name, rest in lines:
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)) <= known[name], rest


def test_no_arguments_print_the_help(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "Usage" in printed.out + printed.err and "skrec: \n" not in printed.err


def test_demo_refuses_a_folder_it_cannot_make(folder, capsys):
    (folder / "taken").write_text("a file")
    check_one_sentence(capsys, folder, set(folder.iterdir()), ["demo", "--output-dir", "taken"], "taken")


@pytest.mark.slow
def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    made = tmp_path / "skrec-demo"
    names = {path.name for path in made.iterdir()}
    assert names == {"model.skrec", "events.parquet", "leaderboard.csv", "report.html"}
    board = pd.read_csv(made / "leaderboard.csv", index_col="model")["ndcg@10"]
    assert set(board.index) == set(recipe_names(nets=False))
    assert board["ease"] > 0.25 and board["ease"] > 2 * board["popularity"] > board["random"]
    report = (made / "report.html").read_text()
    assert report.count("data:image/svg+xml") == 8 and "CC BY 4.0" in report
    assert "bought later" in printed and "REGENCY CAKESTAND 3 TIER" in printed
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  skrec ")]
    assert len(commands) == 3
    for command in commands:
        arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, "-m", "skrec.cli", *arguments[1:]], capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == 0, done.stderr
    assert (made / "my-model.skrec").exists()


def test_a_warning_is_one_line_said_once(folder, capsys, monkeypatch):
    original = EASE._fit

    def fit(self, *arguments):
        for _ in range(2):
            warnings.warn("did not converge:\nraise max_iter", UserWarning)
        return original(self, *arguments)

    monkeypatch.setattr(EASE, "_fit", fit)
    assert main(["fit", "log.csv", *COLUMNS, "-o", "m.skrec"]) == 0
    assert capsys.readouterr().err == "skrec: warning: did not converge: raise max_iter\n"
    assert main(["fit", "log.csv", *COLUMNS, "-o", "m.skrec", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_nothing_is_left_behind_by_the_command(folder):
    before = logging.getLogger("skrec").handlers[:], warnings.showwarning
    assert main(["fit", "log.csv", *COLUMNS, "-o", "m.skrec", "-q"]) == 0
    assert main(["fit", "log.csv", "--user", "nobody", "--item", "item", "-o", "m.skrec", "-q"]) == 2
    assert (logging.getLogger("skrec").handlers, warnings.showwarning) == before
