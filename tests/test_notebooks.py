"""The notebooks of the tutorial: no outputs are stored, and their code runs, on small parameters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"
SMALL = {  # what the cell of parameters is followed by
    "shop_in_an_hour": {"n_customers": 300},
    "from_offline_to_live": {"n_customers": 300, "n_days": 2},
    "deep_models": {"n_customers": 300, "min_buyers": 100, "epochs": 1},
}
NEEDS = {
    "shop_in_an_hour": ["matplotlib"],
    "from_offline_to_live": ["uvicorn", "fastapi", "sqlalchemy"],
    "deep_models": ["matplotlib", "tensorflow", "scikeras"],
}


def _code(name, parameters):
    """Return the code of a notebook as a script, with other parameters."""
    script, found = [], False
    for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        script.append(source)
        if "parameters" in cell["metadata"].get("tags", ()):
            found = True
            for parameter, value in parameters.items():
                assert f"{parameter} = " in source, f"{name}.ipynb has no parameter {parameter}"
                script.append(f"{parameter} = {value!r}")
    assert found, f"{name}.ipynb has no cell with the tag parameters"
    return "\n".join(script)


def test_every_notebook_is_tested():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == SMALL.keys()


@pytest.mark.parametrize("name", SMALL)
def test_notebook_is_stored_without_outputs(name):
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    assert notebook["nbformat"] == 4
    first, *_, last = notebook["cells"]
    assert first["source"][0].startswith("# ")
    assert last["cell_type"] == "markdown" and "## What next?\n" in last["source"]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.parametrize("name", SMALL)
def test_notebook_runs(name, tmp_path):
    for package in NEEDS[name]:
        pytest.importorskip(package)
    script = tmp_path / f"{name}.py"
    script.write_text(_code(name, SMALL[name]))
    known = (
        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"  # of Keras, see pyproject
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-W", known, str(script)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"MPLBACKEND": "agg"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
