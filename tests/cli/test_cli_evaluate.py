"""`skrec evaluate` ends with a result, an exit code that scripts can trust, and what to do next."""

import shlex
from html import unescape

import pandas as pd
import pytest

from skrec import load
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN

TIMED = ["--user", "user", "--item", "item", "--time", "time"]


def fail(self, *arguments):
    raise ValueError("no luck")


@pytest.mark.parametrize("name", ["evaluate", "compare"])
def test_a_failed_model_ends_with_code_1(folder, run, monkeypatch, name):
    monkeypatch.setattr(EASE, "_fit", fail)
    words = [name, "log.csv", *TIMED, "--model", "ease", "--model", "popularity", "-o", "t.csv"]
    code, out, err = run(*words)
    assert code == 1 and "ease failed: ValueError: no luck" in out and "skrec: 1 of 2 models failed: ease" in err
    assert pd.read_csv("t.csv")["model"].tolist() == ["popularity", "ease"]
    assert "--model popularity" in out
    assert run(*words, "-q")[0] == 1


def test_all_failed(folder, run, monkeypatch):
    monkeypatch.setattr(EASE, "_fit", fail)
    monkeypatch.setattr(ItemKNN, "_fit", fail)
    code, _, err = run("evaluate", "log.csv", *TIMED, "--model", "ease", "--model", "item-knn")
    assert code == 1 and "every model failed" in err and err.count("\n") == 1


def baskets(first):
    """A log of two items a basket; the numbers of each user's baskets begin with `first`."""
    rows = [
        (user, f"i{(user + basket + place) % 9}", first + basket)
        for user in range(40)
        for basket in range(2 + user % 3)
        for place in range(2)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "time"])


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_baskets_are_recognised(folder, run, first):
    baskets(first).to_csv("baskets.csv", index=False)
    words = ["baskets.csv", *TIMED, "--include-seen"]
    code, out, _ = run("evaluate", *words, "--model", "buy-again", "--model", "blend")
    assert code == 0 and "They were asked which items came in that basket" in out
    assert "of 40 users" in out and "they are taken for the numbers of the user's baskets" in out
    assert run("fit", *words, "--model", "blend", "-o", "blend.skrec")[0] == 0
    model = load("blend.skrec")
    assert model.holdout == "basket" and dict(model.recommenders)["again"].window is None
    assert run("recommend", "blend.skrec", "baskets.csv", "--users", "3")[0] == 0
    code, out, _ = run("fit", *words, "--model", "buy-again", "--since", str(first + 1), "-o", "since.skrec")
    assert code == 0 and load("since.skrec").window is None and "taken for the numbers" in out
    code, _, err = run("update", "since.skrec", "baskets.csv")
    assert code == 2 and ("which do not tell what is new" in err or "--incremental" in err)
    code, _, err = run("fit", *words, "--model", "buy-again", "--incremental", "-o", "kept.skrec")
    assert code == 2 and "--incremental: the times number the baskets" in err
    later = baskets(first).assign(time=lambda log: log["time"] * 2 + 5)  # numbers, but of no baskets
    later.to_csv("later.csv", index=False)
    code, out, _ = run("evaluate", "later.csv", *TIMED, "--include-seen", "--model", "buy-again")
    assert "in that basket" not in out
    code, out, _ = run("evaluate", "later.csv", *TIMED, "--split", "basket", "--model", "popularity", "--include-seen")
    assert code == 0 and "in that basket" in out


def test_sessions_are_asked_for_their_last_event(folder, run):
    code, out, _ = run("evaluate", "log.csv", *TIMED, "--sessions", "--include-seen", "--model", "session-knn")
    assert code == 0 and "They were asked which items came last" in out
    assert out.splitlines()[-1].strip().startswith("skrec fit log.csv --user user --item item --time time --sessions")
    assert run(*shlex.split(out.splitlines()[-1])[1:])[0] == 0
    assert load("model.skrec").idf == 1.5
    code, _, err = run("evaluate", "log.csv", *TIMED, "--sessions", "--split", "time")
    assert code == 2 and "--sessions holds out the last event of each session" in err
    code, _, err = run("evaluate", "log.csv", "--user", "user", "--item", "item", "--split", "basket")
    assert code == 2 and "--split basket needs the times of the events" in err


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ([], "skrec fit log.csv --user user --item item --time time --model ease -o model.skrec"),
        (["--include-seen", "-k", "5", "--set", "ease.l2=30"],
         "skrec fit log.csv --user user --item item --time time --model ease --set l2=30 --include-seen -k 5 "
         "-o model.skrec"),
    ],
)  # fmt: skip
def test_the_next_command_works(folder, run, options, command):
    code, out, _ = run("evaluate", "log.csv", *TIMED, "--model", "ease", *options)
    assert code == 0 and "\nConclusion:\nUse ease: " in out and "\nTo fit ease to the whole log:\n" in out
    assert out.splitlines()[-1].strip() == command
    assert run(*shlex.split(command)[1:])[0] == 0


def test_the_next_command_sets_what_was_tuned(folder, run):
    code, out, _ = run("evaluate", "log.csv", *TIMED, "--tune", "--model", "item-knn", "--model", "blend")
    assert code == 0 and "Nothing is searched for blend." in out
    words = shlex.split(out.splitlines()[-1])
    if "item-knn" in words:
        assert run(*words[1:])[0] == 0
        set_of = dict(word.split("=") for word in words if "=" in word)
        assert {"n_neighbors", "shrinkage"} == set(set_of)
        assert load("model.skrec").n_neighbors == int(set_of["n_neighbors"])


def test_the_conclusion_is_that_of_the_report(folder, run, monkeypatch):
    words = ["evaluate", "log.csv", *TIMED, "--name", "name", "--model", "ease", "--model", "popularity"]
    code, out, _ = run(*words, "--include-seen", "--report", "r.html")
    page = unescape((folder / "r.html").read_text(encoding="utf-8"))
    said = out.partition("Conclusion:\n")[2].partition("To fit ease")[0].splitlines()
    assert code == 0 and len(said) >= 3 and all(f"<p>{sentence}</p>" in page for sentence in said)
    assert "customers find something they want in ten" in said[0] and "above popularity, the simplest" in said[2]
    assert "Thing [red] <b>" in page and "whom nothing was found" in page and "loyal: 5 days or more" in page
    assert "request" in out and "--report" not in out
    assert "Coverage" in out and "peak" in out
    assert "By category" not in page
    code, out, _ = run(*words, "--include-seen", "--report", "c.html", "--category", "name")
    assert code == 0 and "By category" in (folder / "c.html").read_text(encoding="utf-8")
    code, _, err = run(*words, "--category", "name")
    assert code == 2 and "--category is for the report" in err
    monkeypatch.setenv("COLUMNS", "72")
    code, out, _ = run(*words[:-4], "--sessions", "--model", "popularity")
    assert "Coverage" not in out and "peak" not in out and "request" in out and "\n popularity " in out
    assert "sessions find something" in out and "With --report report.html it writes sessions by name" in out
    assert out.splitlines()[-1].strip().startswith("skrec fit log.csv")


TOO_FEW = {
    "one event each": (pd.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3]}), [], "0 of 3 have two events or more"),
    "one user": (pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3]}), [], "1 of 1 have two events or more"),
    "only repeats": (pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 1, 2, 2]}), [], "try --include-seen"),
    "one asked": (
        pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "time": [1, 9, 1, 1]}),
        ["--time", "time", "--at", "5"],
        "1 of 2 have a held-out item; try --include-seen or an earlier --at",
    ),
}


@pytest.mark.parametrize("case", TOO_FEW)
def test_too_few_users_are_told(folder, run, case):
    frame, options, text = TOO_FEW[case]
    frame.to_csv("few.csv", index=False)
    code, _, err = run("evaluate", "few.csv", "--user", "user", "--item", "item", *options)
    assert code == 2 and "too few users to evaluate" in err and text in err and err.count("\n") == 1


def test_one_time_for_all_is_told(folder, run, events):
    events.assign(time="2024-01-01").to_csv("once.csv", index=False)
    code, _, err = run("evaluate", "once.csv", *TIMED)
    assert code == 2 and "all events have the time 2024-01-01" in err and "--split last" in err
    assert run("evaluate", "once.csv", *TIMED, "--split", "last", "--model", "ease")[0] == 0


def test_few_users_are_a_warning(folder, run, events):
    events[events["user"] < 12].to_csv("few.csv", index=False)
    code, out, _ = run("evaluate", "few.csv", *TIMED, "--split", "last", "--model", "ease", "--include-seen")
    assert code == 0 and "Only 12 users could be asked" in out


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("Item_KNN", "item-knn"),
        ("EASE", "ease"),
        ("PureSVD", "pure-svd"),
        ("PPMISVD", "ppmi-svd"),
        ("TwoStageRecommender", "hybrid"),
        ("session", "session-knn"),
    ],
)
def test_did_you_mean_a_model(folder, run, model, meant):
    for command in (["evaluate"], ["fit", "-o", "m.skrec"]):
        code, _, err = run(command[0], "log.csv", *TIMED, "--model", model, *command[1:])
        assert code == 2 and f"did you mean '{meant}'" in err


def test_fit_prints_short_names(folder, run):
    for kind in ("blend", "hybrid"):
        words = ["fit", "log.csv", *TIMED, "--name", "name", "--model", kind, "--set", "session=drop", "-o", "m.skrec"]
        code, out, _ = run(*words)
        last = next(line for line in out.splitlines() if line.startswith("Fitted"))
        assert code == 0 and last.startswith(f"Fitted {kind} (session='drop') to 40 items in ")
        assert "Thing" not in out and max(map(len, out.splitlines())) < 130
