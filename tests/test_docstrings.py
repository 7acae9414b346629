"""Docstrings: valid, complete, and every public name is in the API reference and the changelog."""

import importlib
import inspect
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import skrec

docscrape = pytest.importorskip("numpydoc.docscrape", reason="numpydoc is not installed")
validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is not installed")

ROOT = Path(__file__).parents[1]
if not (ROOT / "docs" / "public_api.py").exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)
DOCS = runpy.run_path(str(ROOT / "docs" / "public_api.py"))

PUBLIC = [(module, name) for module, names in DOCS["public_names"]().items() for name in names]
OBJECTS = {f"{module}.{name}": getattr(importlib.import_module(module), name) for module, name in PUBLIC}
CLASSES = [path for path, value in OBJECTS.items() if inspect.isclass(value)]
ESTIMATORS = [path for path in CLASSES if issubclass(OBJECTS[path], BaseEstimator)]


def _methods(path):
    """Return the paths of the public methods and properties that skrec defines in the class itself or above it."""
    for name, value in inspect.getmembers(OBJECTS[path]):
        home = inspect.unwrap(value.fget if isinstance(value, property) else value) if value is not None else None
        if not name.startswith("_") and (getattr(home, "__module__", None) or "").startswith("skrec"):
            yield f"{path}.{name}"


DOCUMENTED = sorted({*OBJECTS, *(method for path in CLASSES for method in _methods(path))})


@pytest.fixture(scope="module")
def checks():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"]
    return set(validate.ERROR_MSGS) - set(listed) if "all" in listed else set(listed)


@pytest.mark.parametrize("path", DOCUMENTED)
def test_docstring_is_valid(path, checks):
    report = validate.validate(path)
    problems = [f"  {code}: {message}" for code, message in report["errors"] if code in checks]
    assert not problems, f"{path} ({report['file']}:{report['file_line']})\n" + "\n".join(problems)


@pytest.mark.parametrize("path", ESTIMATORS)
def test_estimator_docstring_is_complete(path):
    estimator = OBJECTS[path]
    doc = docscrape.NumpyDocString(inspect.getdoc(estimator))
    has_parameters = estimator.__init__ is not object.__init__
    wanted = [*(["Parameters"] if has_parameters else []), "Attributes", "Examples"]
    missing = [section for section in wanted if not doc[section]]
    assert not missing, f"{path} has no section {missing}"
    documented = {name.strip() for entry in doc["Parameters"] for name in entry.name.split(",")}
    parameters = set(inspect.signature(estimator).parameters) if has_parameters else set()
    assert documented == parameters, f"{path}: documented {sorted(documented)}, __init__ has {sorted(parameters)}"


def test_every_subpackage_loads_lazily():
    subpackages = {module.split(".")[1] for module, _ in PUBLIC} - {"persistence", "cli", "serving"}
    missing = subpackages - set(skrec.__all__)
    assert not missing, f"skrec.__all__ lacks {sorted(missing)}: add them to _SUBPACKAGES"


@pytest.mark.parametrize("path", OBJECTS)
def test_name_is_in_the_api_reference(path):
    module, name = path.rsplit(".", 1)
    pages = DOCS["api_pages"]()
    assert re.search(rf"^   {module}$", pages["index.rst"], re.MULTILINE), f"{module} is not in the index of the API"
    assert re.search(rf"^   {name}$", pages[f"{module}.rst"], re.MULTILINE), f"{path} is not on the page of {module}"


@pytest.mark.parametrize("path", OBJECTS)
def test_name_is_in_the_changelog(path):
    changelog = ROOT / "CHANGELOG.md"
    if not changelog.exists():
        pytest.skip("there is no CHANGELOG.md yet")
    name = path.rsplit(".", 1)[1]
    assert re.search(rf"\b{name}\b", changelog.read_text()), f"{path} is new: say so in CHANGELOG.md"
