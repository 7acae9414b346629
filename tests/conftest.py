"""Fixtures that all tests share."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)  # a first call compiles or imports, and machines are shared
settings.load_profile("no_deadline")

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))  # the protocols of the quality tests


@pytest.fixture
def shop():
    """Histories of people who drink tea and people who build."""
    return [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]


@pytest.fixture(params=["pandas", "polars"])
def df_module(request):
    """Run a test for pandas and for polars."""
    return pytest.importorskip(request.param)
