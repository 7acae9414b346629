"""A folder with a log, and a model fitted to it."""

import numpy as np
import pytest

from skrec.cli import main
from skrec.datasets import make_histories


@pytest.fixture(scope="module")
def events():
    histories = make_histories(80, 40, repeats=True, random_state=0)
    frame = histories.explode(["item", "time"]).reset_index().astype({"item": "int64", "user": "int64"})
    frame["amount"] = np.arange(len(frame)) % 5 + 1.0
    return frame.assign(name="Thing [red] <b>" + frame["item"].astype(str) + "</b>")


@pytest.fixture
def folder(events, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    events.to_csv("log.csv", index=False)
    events.to_parquet("log.parquet", index=False)
    return tmp_path


@pytest.fixture
def model(folder):
    columns = ["--user", "user", "--item", "item", "--time", "time", "--name", "name"]
    assert main(["fit", "log.csv", *columns, "--set", "l2=20", "-o", "m.skrec", "-q"]) == 0
    return "m.skrec"


@pytest.fixture
def run(capsys):
    """Run the command; return its exit code and what it printed, output and errors."""

    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
