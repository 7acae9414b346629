"""Numbers of README and documentation are those that the benchmarks printed."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("result_tables", ROOT / "benchmarks" / "result_tables.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["result_tables"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results():
    return json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))


def test_texts_are_filled_from_the_results(tables, results):
    assert tables.fill(ROOT, results, write=False) == [], "run python benchmarks/run_all.py --write"


def test_another_result_is_noticed(tables, results, tmp_path):
    (tmp_path / "docs").mkdir()
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    output = results["quality"]["output"]
    row = next(row for row, line in enumerate(output) if line.startswith("beauty") and "EASE" in line)
    changed = [*output]
    number = changed[row][64:].split()[1]
    changed[row] = changed[row].replace(number, "0.9876", 1)
    other = {**results, "quality": {**results["quality"], "output": changed}}
    assert tables.fill(tmp_path, other, write=True) == ["README.md"]
    assert "**.9876**" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_results_name_command_date_machine_and_versions(results):
    for result in results.values():
        assert result["output"] and result["command"].startswith("python benchmarks/")
        assert {"date", "machine", "packages", "seconds"} <= set(result)
        assert not any(str(ROOT) in line for line in result["output"])


def test_conda_recipe_has_the_dependencies_of_the_package():
    import configparser
    import re

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = {line.replace(" ", "") for line in setup["options"]["install_requires"].split("\n") if line}
    recipe = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    block = recipe[recipe.index("  run:") : recipe.index("tests:")]
    listed = {line.replace(" ", "") for line in re.findall(r"^    - (.+)$", block, re.MULTILINE)}
    assert listed == wanted | {"python" + setup["options"]["python_requires"]}
