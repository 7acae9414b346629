"""The constraints of the test run with the lowest versions name the lowest versions that setup.cfg allows."""

import configparser
import re
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _bounds():
    """Return the lower bound of each requirement, without TensorFlow and the tools of the documentation."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    lines = config["options"]["install_requires"] + "".join(extras[name] for name in ("plot", "large", "fast", "test"))
    return dict(re.findall(r"^([\w-]+)>=([\d.]+)$", lines, re.MULTILINE))


def _pins():
    text = (ROOT / "constraints" / "lower-bounds.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE))


def test_every_requirement_is_pinned_at_its_lower_bound():
    bounds, pins = _bounds(), _pins()
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    required = re.findall(r"^([\w-]+)", config["options"]["install_requires"], re.MULTILINE)
    assert not set(required) - set(pins)
    for name, pin in pins.items():
        bound = bounds[name].split(".")
        assert pin.split(".") == bound + ["0"] * (3 - len(bound)), (
            f"{name}: setup.cfg has >={bounds[name]}, the pin is {pin}"
        )


@pytest.mark.parametrize("name", ["numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "skops", "typer", "rich"])
def test_the_installed_version_is_allowed(name):
    number = [int(part) for part in re.findall(r"\d+", version(name))[:3]]
    assert number >= [int(part) for part in _bounds()[name].split(".")]
