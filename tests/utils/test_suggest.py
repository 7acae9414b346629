"""What somebody may have meant."""

import pytest

from skrec.utils._suggest import did_you_mean


@pytest.mark.parametrize(
    ("given", "meant"),
    [("EASE", "ease"), ("Item_KNN", "item-knn"), ("item knn", "item-knn"), ("itm-knn", "item-knn"), ("eese", "ease")],
)
def test_the_closest_choice(given, meant):
    assert did_you_mean(given, ["ease", "item-knn", "slim"]) == f"; did you mean {meant!r}?"


def test_all_choices_where_none_is_close():
    assert did_you_mean("xyz", ["ease", "slim", "vectorizer__recency"]) == "; choose from ease, slim"


def test_aliases_lead_to_choices_that_are_there():
    aliases = {"TwoStageRecommender": "hybrid", "GRU4Rec": "gru4rec"}
    assert did_you_mean("two_stage_recomender", ["hybrid", "ease"], aliases=aliases) == "; did you mean 'hybrid'?"
    assert did_you_mean("GRU4Rec", ["hybrid", "ease"], aliases=aliases) == "; choose from hybrid, ease"


def test_an_exact_name_wins_over_its_look_alikes():
    assert did_you_mean("a_b", ["a-b", "ab"]) == "; did you mean 'a-b'?"
