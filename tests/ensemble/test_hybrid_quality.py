"""Quality floors on real data: hybrids that fall behind their parts fail here."""

import protocols
import pytest

from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, TwoStageRecommender
from skrec.linear_model import EASE
from skrec.neighbors import BuyAgainRecommender, ContentRecommender, SessionKNN, TransitionRecommender


def reached(model, task):
    return model.set_params(exclude_seen=task.exclude_seen).fit(task.X_train).score(task.X_test, task.y_test)


REPEATS = [("again", BuyAgainRecommender()), ("ease", EASE(l2=300)), ("lately", PopularityRecommender(window="30D"))]
LEARNED = {"holdout": "30D", "n_holdouts": 3, "random_state": 0}


def test_online_retail_blend():
    task = protocols.online_retail()
    best = reached(BuyAgainRecommender(), task)
    assert reached(BlendRecommender(REPEATS, weights="auto", **LEARNED), task) > 1.01 * best


@pytest.mark.slow
def test_online_retail_two_stages():
    task = protocols.online_retail()
    best = reached(BuyAgainRecommender(), task)
    assert reached(TwoStageRecommender(REPEATS, **LEARNED), task) > 1.01 * best


@pytest.mark.slow
@pytest.mark.skipif(
    not protocols.available("s3rec_beauty_sequences", "s3rec_beauty_items"),
    reason=f"s3rec_beauty_sequences, s3rec_beauty_items not in {protocols.DATA.name}: set SKREC_DATA",
)
def test_beauty_parts_that_differ_add_up():
    """Without EASE, which is the slowest part to fit."""
    task = protocols.s3rec("beauty")
    parts = {
        "next": TransitionRecommender(),
        "session": SessionKNN(),
        "content": ContentRecommender(protocols.s3rec_items("beauty")),
    }
    best = max(reached(part, task) for part in parts.values())
    assert reached(BlendRecommender(list(parts.items()), weights="auto", random_state=0), task) > 1.1 * best
    assert reached(TwoStageRecommender(list(parts.items()), random_state=0), task) > 1.15 * best
