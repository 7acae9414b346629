"""Files that do not fit together are named."""

import pandas as pd
import pytest

from skrec.feature_extraction import _event_files, to_histories


@pytest.mark.parametrize("duckdb", [True, False])
def test_files_whose_ids_are_of_two_types_are_named(tmp_path, monkeypatch, duckdb):
    monkeypatch.setattr(_event_files, "_has_duckdb", lambda: duckdb)
    pd.DataFrame({"u": [1, 2], "i": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"u": [1, 2], "i": ["x", "y"]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(TypeError, match=r"b\.parquet has .*string in the column 'i' but .*a\.parquet has int64"):
        to_histories(str(tmp_path / "*.parquet"), user="u", item="i")
