"""Fixtures of the tests of events and histories."""

import pytest

from skrec.feature_extraction import _duckdb, _event_files


@pytest.fixture(params=["duckdb", "pyarrow"])
def engine(request, monkeypatch):
    """Read files with DuckDB, in small batches, and without it."""
    if request.param == "duckdb":
        pytest.importorskip("duckdb", reason="DuckDB is not installed")
    monkeypatch.setattr(_event_files, "has_duckdb", lambda: request.param == "duckdb")
    monkeypatch.setattr(_duckdb, "BATCH", 64)
    return request.param
