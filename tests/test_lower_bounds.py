"""The constraints of the test run with the lowest versions name the lowest versions that setup.cfg allows."""

import configparser
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXTRAS = ("plot", "rank", "large", "spark", "fast", "deep-cpu", "onnx", "serve")


def _bounds():
    """Return the lower bound of each requirement, without the tools of the documentation."""
    return {name: bound for extra in (None, *EXTRAS, "test") for name, bound in _requirements(extra).items()}


def _requirements(extra=None):
    """Return the lower bound of each requirement of an extra, or of the package alone."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.extras_require"][extra] if extra else config["options"]["install_requires"]
    return dict(re.findall(r"^([\w-]+)(?:\[[\w,-]+\])?>=([\d.]+)(?:[,;].*)?$", lines, re.MULTILINE))


def _pins():
    text = (ROOT / "constraints" / "lower-bounds.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE))


def test_every_requirement_is_pinned_at_its_lower_bound():
    bounds, pins = _bounds(), _pins()
    required = {name for extra in (None, *EXTRAS) for name in _requirements(extra)}
    assert not required - set(pins)
    for name, pin in pins.items():
        bound = bounds[name].split(".")
        assert pin.split(".") == bound + ["0"] * (3 - len(bound)), (
            f"{name}: setup.cfg has >={bounds[name]}, the pin is {pin}"
        )


def test_tensorflow_has_one_lower_bound():
    deep = {name.replace("tensorflow", "tensorflow-cpu"): bound for name, bound in _requirements("deep").items()}
    assert deep == _requirements("deep-cpu")


@pytest.mark.parametrize(
    "name",
    [
        *["numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "skops", "typer", "rich"],
        *["tensorflow-cpu", "keras", "scikeras", "tf2onnx", "onnx", "onnxruntime", "lightgbm"],
    ],
)
def test_the_installed_version_is_allowed(name):
    try:
        installed = version(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    number = [int(part) for part in re.findall(r"\d+", installed)[:3]]
    assert number >= [int(part) for part in _bounds()[name].split(".")]
