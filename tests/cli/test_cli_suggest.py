"""`skrec suggest`: the table, the notes, and the commands that it prints."""

import shlex

import pytest

COLUMNS = ["--user", "user", "--item", "item", "--time", "time"]


def commands_of(out):
    return [shlex.split(line) for line in out.splitlines() if line.startswith("  skrec ")]


def test_suggest(folder, run):
    code, out, err = run(
        "suggest", "log.csv", *COLUMNS, "--name", "name", "--need", "repeats", "--budget-seconds", "60"
    )
    assert (code, err) == (0, "")
    assert "expected NDCG" in out
    assert "% of the events repeat an item" in out
    assert "The nearest measured logs" in out
    evaluate, fit = commands_of(out)
    assert evaluate[:3] == ["skrec", "evaluate", "log.csv"]
    assert evaluate.count("--model") in (3, 4, 5)
    assert "popularity" in evaluate
    assert "--include-seen" in evaluate
    assert "--include-seen" in fit


def test_the_printed_command_fits(folder, run):
    _, out, _ = run("suggest", "log.csv", *COLUMNS, "--need", "new", "--budget-seconds", "0.15")
    fit = commands_of(out)[1]
    code, _, err = run(*fit[1:])
    assert (code, err) == (0, "")
    assert (folder / "model.skrec").exists()


def test_sessions_are_carried_over(folder, run):
    _, out, _ = run("suggest", "log.csv", *COLUMNS, "--need", "session")
    assert all("--sessions" in command for command in commands_of(out))
    assert "make each session a user of its own" in out


def test_without_times(folder, run):
    code, out, _ = run("suggest", "log.parquet", "--user", "user", "--item", "item", "--number", "20")
    assert code == 0
    assert "popularity-30d" not in out
    assert "the need was not given" in out


def test_columns_are_guessed(folder, run):
    code, out, err = run("suggest", "log.csv", "--need", "new")
    assert (code, err) == (0, "")
    assert "; --need repeats would recommend them" in out
    assert "Guessed: --user user --item item --time time" in out
    assert all({"--user", "--item", "--time"} <= set(command) for command in commands_of(out))


def test_what_cannot_be_guessed(folder, run):
    (folder / "bad.csv").write_text("x\n1\n")
    code, _, err = run("suggest", "bad.csv")
    assert code == 2
    assert "skrec check bad.csv" in err
    assert run("suggest", "-")[0] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--need", "old"], "--need takes one of repeats, new, session, cold"),
        (["--need", "new", "--include-seen"], "--include-seen contradicts --need new"),
        (["--budget-seconds", "0"], "--budget-seconds must be above 0"),
        (["--latency-ms", "-1"], "--latency-ms must be above 0"),
        (["--number", "0"], "--number must be at least 1"),
    ],
)
def test_errors(folder, run, options, message):
    code, _, err = run("suggest", "log.csv", *COLUMNS, *options)
    assert code == 2
    assert message in err
