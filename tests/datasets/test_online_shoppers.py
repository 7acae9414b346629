"""The bundled visits: the numbers in the docstring are those of the file."""

from skrec.datasets import load_online_shoppers


def test_counts_of_the_docstring():
    visits = load_online_shoppers()
    assert visits.data.shape == (12_330, 17)
    assert visits.target.sum() == 1_908
    assert set(visits.target) == {0, 1}
    categories = visits.data.dtypes == "category"
    assert categories.sum() == 7
    assert not visits.data.isna().any(axis=None)
    assert "12,330" in visits.DESCR and "1,908 (15.5 %)" in visits.DESCR and "CC BY 4.0" in visits.DESCR
