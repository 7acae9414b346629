"""AutoRecommender: the contract, an honest choice, the budget, failures, and the answers of what was chosen."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skrec import load, save
from skrec.advice import AutoRecommender, _auto, _auto_question, _auto_search
from skrec.advice._auto_question import draw_question
from skrec.advice._auto_search import Candidate, choose
from skrec.base import BaseRecommender
from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.inspection import explain
from skrec.recipes import make_recommender
from skrec.testing import yield_recommender_checks
from skrec.utils._histories import read_histories

CHEAP = ["popularity", "item-knn"]
CHECKS = list(yield_recommender_checks(AutoRecommender(recipes=CHEAP, grids=False)))


@pytest.fixture(scope="module")
def histories():
    return make_histories(240, 50, random_state=0)


@pytest.fixture(scope="module")
def fitted(histories):
    return AutoRecommender(recipes=["ease", "popularity", "item-knn"], random_state=0).fit(histories)


def in_place_of(monkeypatch, **planted):
    """Let recipes, named with an underscore for a hyphen, build other recommenders."""
    planted = {name.replace("_", "-"): make for name, make in planted.items()}

    def build(name, settings=None, *, k, exclude_seen, **options):
        if name not in planted:
            return make_recommender(name, settings, k=k, exclude_seen=exclude_seen, **options)
        return planted[name]().set_params(k=k, exclude_seen=exclude_seen)

    monkeypatch.setattr(_auto, "make_recommender", build)


@pytest.mark.parametrize("check", [pytest.param(check, id=name) for name, check in CHECKS])
def test_contract(check):
    check()


def test_leaderboard_keeps_every_candidate(fitted, histories):
    board = fitted.leaderboard_
    best = board.iloc[0]
    assert (best["recipe"], best["why"].split(":")[0]) == (fitted.best_recipe_, "chosen")
    assert board.columns.tolist() == [
        *("recipe", "settings", "rung", "n_users", "score", "score_low", "score_high", "fit_seconds", "seconds", "why")
    ]
    assert {"ease", "item-knn", "popularity"} == set(board["recipe"])
    assert {'{"l2": 30.0}', '{"shrinkage": 0.0}', "{}"} <= set(board["settings"])
    assert (board["score_low"] <= board["score"]).all() and (board["why"] != "").all()
    assert board["score"].max() <= best["score"] / 0.99
    assert type(fitted.best_estimator_).__name__ in ("EASE", "ItemKNN")
    assert fitted.score_interval_[0] <= fitted.score_ <= fitted.score_interval_[1]
    assert_array_equal(fitted.items_, np.unique(read_histories(histories).ids))


def test_fit_twice_is_the_same(fitted, histories):
    again = clone(fitted).fit(histories)
    timed = ["fit_seconds", "seconds"]
    pd.testing.assert_frame_equal(again.leaderboard_.drop(columns=timed), fitted.leaderboard_.drop(columns=timed))
    assert again.score_ == fitted.score_
    assert_array_equal(again.decision_function(histories), fitted.decision_function(histories))


def test_order_of_the_rows_does_not_matter(fitted, histories):
    order = np.random.default_rng(0).permutation(len(histories))
    moved = clone(fitted).fit(histories.iloc[order])
    assert (moved.best_recipe_, moved.best_settings_) == (fitted.best_recipe_, fitted.best_settings_)
    assert moved.score_ == pytest.approx(fitted.score_, abs=1e-12)
    assert_array_equal(moved.predict(histories), fitted.predict(histories))


def test_renamed_items_give_the_same_model(histories):
    model = AutoRecommender(recipes=CHEAP, grids=False, random_state=0).fit(histories)
    renamed = histories.assign(item=[[f"item {item:03d}" for item in row] for row in histories["item"]])
    other = clone(model).fit(renamed)
    assert other.best_recipe_ == model.best_recipe_ == "item-knn"
    assert_array_equal(
        other.predict(renamed), [[f"item {item:03d}" for item in row] for row in model.predict(histories)]
    )


def test_stored_model_answers_alike(fitted, histories, tmp_path):
    loaded = load(save(fitted, tmp_path / "m.skrec"))
    pd.testing.assert_frame_equal(loaded.leaderboard_, fitted.leaderboard_)
    kept = ("score_", "score_interval_", "best_settings_", "reason_", "n_scored_")
    assert [getattr(loaded, name) for name in kept] == [getattr(fitted, name) for name in kept]
    for options in ({}, {"exclude_seen": False, "return_source": True}, {"candidates": [1, 2, 3]}, {"as_frame": True}):
        now, then = loaded.recommend(histories[:9], 3, **options), fitted.recommend(histories[:9], 3, **options)
        for one, other in zip(now, then, strict=True) if isinstance(now, tuple) else [(now, then)]:
            assert_array_equal(one, other)


# ---- an honest choice ------------------------------------------------------------------------------------------


class Memory(BaseRecommender):
    """Recommends what followed the same history in training: it is perfect where held-out events leak."""

    def __init__(self, *, vectorizer=None, k=10, exclude_seen=True):
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    _needs_order = True

    def _fit(self, users):
        self.rows_ = [tuple(users.histories[row : row + 1].codes) for row in range(len(users))]

    def _score(self, users):
        scores = np.zeros(users.shape, dtype=np.float32)
        for row in range(len(users)):
            own = tuple(users.histories[row : row + 1].codes)
            for other in self.rows_:
                if len(other) > len(own) and other[: len(own)] == own:
                    scores[row, list(other[len(own) :])] = 1
        return scores


def test_a_model_that_memorises_does_not_win(histories, monkeypatch):
    in_place_of(monkeypatch, transition=Memory)
    model = AutoRecommender(recipes=[*CHEAP, "transition"], grids=False, random_state=0).fit(histories)
    scores = model.leaderboard_.set_index("recipe")["score"]
    assert model.best_recipe_ == "item-knn" and scores["transition"] <= 1.1 * scores["popularity"]
    leaky = Memory().fit(histories)
    assert leaky.score([row[:-1] for row in histories["item"]], [row[-1:] for row in histories["item"]]) > 0.9


@pytest.mark.parametrize(
    ("time", "rows", "how"),
    [
        ("date", "users", "what came in the last 10 % of the time"),
        ("basket", "users", "the last basket of each user"),
        (None, "users", "the last event of each user"),
        (None, "sessions", "an event of the newest sessions"),
    ],
)
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_question_holds_out_what_nobody_learns(time, rows, how, exclude_seen):
    X = make_histories(150, 40, repeats=True, random_state=1)
    if time == "basket":
        X = X.assign(time=[list(np.arange(len(row)) // 2 + 1) for row in X["item"]])
    X = X[["item"]] if time is None else X
    read = read_histories(X)
    question = draw_question(X, read, time=time, rows=rows, exclude_seen=exclude_seen, budget=60, seed=3)
    assert question.how == how
    choosing, reporting = question.choosing, question.reporting
    assert choosing.n == len(choosing.X) > reporting.n == len(reporting.X) > 0
    assert not set(choosing.X.index) & set(reporting.X.index)
    whole = dict(zip(X.index, X["item"], strict=True))
    learned = dict(zip(X.index, question.known["item"], strict=True))
    n_repeats = 0
    for asked in (choosing, reporting):
        for user, past, future in zip(asked.X.index, asked.X["item"], asked.y, strict=True):
            past, future, events = list(past), list(future), list(whole[user])
            assert past == events[: len(past)] and set(future) <= set(events[len(past) :]) and future
            assert list(learned[user]) == (past if rows == "users" else [])
            n_repeats += bool(set(future) & set(past))
    assert (n_repeats == 0) == exclude_seen
    assert question.growth > 1


class Noise(Memory):
    """Random scores, the same for all users."""

    _seed = 0

    def _fit(self, users):
        pass

    def _score(self, users):
        return np.tile(np.random.default_rng(self._seed).random(users.shape[1]), (len(users), 1))


def test_score_is_not_that_of_a_lucky_winner(monkeypatch):
    """The best of many random models is lucky on the users who choose, and on others as good as the rest."""
    names = ["item-knn", "rp3beta", "transition", "session-knn", "ease", "slim", "bpr", "als", "pure-svd", "ppmi-svd"]
    kinds = {name.replace("-", "_"): type("Noise", (Noise,), {"_seed": seed}) for seed, name in enumerate(names)}
    lucky, honest, mean = [], [], []
    in_place_of(monkeypatch, **kinds)
    for seed in range(20):
        X = make_histories(60, 40, cluster_strength=0, popularity_exponent=0, random_state=seed)
        model = AutoRecommender(recipes=names, grids=False, random_state=0).fit(X)
        lucky.append(model.leaderboard_["score"].max())
        mean.append(model.leaderboard_["score"].mean())
        honest.append(model.score_)
    assert np.mean(lucky) > 1.2 * np.mean(mean)
    assert np.mean(honest) < 1.1 * np.mean(mean)


def test_what_is_reported_belongs_to_the_sample_of_the_choice(histories, monkeypatch):
    question = draw_question(
        histories, read_histories(histories), time="date", rows="users", exclude_seen=True, budget=1.0, seed=0
    )
    search = _auto_search.Search(
        question, lambda one, items: make_recommender(one.recipe), {}, budget=1.0, started=0.0, k=10, verbose=0
    )
    one, n_users = Candidate("popularity", {}, 0, 1.0, 0.001), len(question.order)
    search._measure(one, question.sample(100), 1, 100, 0.0)
    assert len(one.reported) == question.reporting.n
    one.recipe = "item-knn"
    search._measure(one, question.sample(n_users), 2, n_users, 1.0)  # far behind the best: not asked for the report
    assert one.n_users == n_users and one.reported is None


def test_candidates_see_the_names_of_known_items_alone(histories, monkeypatch):
    given = []

    def build(name, settings=None, *, item_names, **options):
        given.append(item_names)
        return make_recommender(name, settings, **options)

    monkeypatch.setattr(_auto, "make_recommender", build)
    newest = histories["time"].list.flatten().max()
    new = pd.DataFrame({"item": [[999]], "time": [[newest]]}, index=[len(histories)])
    X = pd.concat([histories.astype(object), new])
    names = pd.Series("thing", index=[*range(50), 999])
    AutoRecommender(recipes=CHEAP, grids=False, item_names=names, random_state=0).fit(X)
    assert [999 in one.index for one in given[len(CHEAP) :]] == [False, False, True]


def test_small_differences_favour_the_simpler():
    rng = np.random.default_rng(0)
    base = rng.random(400)

    def candidate(recipe, level, scores, **settings):
        return Candidate(recipe, settings, level, 1.0, 0.001, n_users=100, scores=scores)

    popular = candidate("popularity", 0, base - 0.2)
    simple, elaborate = candidate("item-knn", 1, base - 0.001), candidate("hybrid", 9, base + rng.normal(0, 0.3, 400))
    elaborate.scores += 0.001 - (elaborate.mean - simple.mean)
    assert choose([elaborate, popular, simple], 10)[0] is simple
    elaborate.scores = base + 0.05
    assert choose([elaborate, popular, simple], 10)[0] is elaborate
    tuned = candidate("item-knn", 1.5, base + 0.02 + rng.normal(0, 0.01, 400), shrinkage=0.0)
    assert choose([tuned, popular, simple], 10)[0] is tuned
    noisy = candidate("ease", 2, base - 0.2 + 0.01 + rng.normal(0, 1, 400) * 0.5)
    noisy.scores += popular.mean + 0.01 - noisy.mean
    chosen, why = choose([noisy, popular], 10)
    assert chosen is popular and "within chance of ease" in why
    assert choose([candidate("ease", 2, base[:1])], 10)[0].recipe == "ease"


# ---- where little can be compared ------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [[["a"], ["b"], ["b"]], [["a", "a"], ["b", "b", "b"]], [["a"]]])
def test_nothing_held_out_is_told(X):
    with pytest.warns(UserWarning, match="nothing can be compared.*popularity is fitted"):
        model = AutoRecommender(recipes=["item-knn", "popularity"], k=1).fit(X)
    assert model.best_recipe_ == "popularity" and np.isnan(model.score_) and model.n_scored_ == 0
    assert model.leaderboard_["why"].iloc[0].startswith("chosen: nothing can be compared")
    assert model.predict([[]])[0, 0] in ("a", "b")


def test_one_user_to_ask():
    X = pd.DataFrame({"item": [["a", "b"], ["b"], ["a", "c"]], "time": [[1, 2], [1], [1, 100]]})
    model = AutoRecommender(recipes=CHEAP, random_state=0).fit(X)
    assert model.best_recipe_ == "popularity" and model.n_scored_ == 0


def test_budget_too_small_for_anything_is_told(histories):
    for recipes, expected in ((["ease", *CHEAP], "popularity"), (["hybrid", "item-knn"], "item-knn")):
        with pytest.warns(UserWarning, match="budget=1e-06 allows no comparison"):
            model = AutoRecommender(budget=1e-6, recipes=recipes).fit(histories)
        assert model.best_recipe_ == expected and model.predict(histories[:2]).shape == (2, 10)


class Clock:
    """A clock that only fits move, each by its seconds a user."""

    def __init__(self):
        self.now, self.fits = 0.0, []

    def __call__(self):
        return self.now

    def fitting(self, name, seconds, better):
        clock = self

        class Timed(Memory):
            def _fit(self, users):
                clock.now += seconds * len(users)
                clock.fits.append((name, len(users)))

            def _score(self, users):  # popularity, of some items alone
                return np.tile(np.where(self.items_ % 10 < better, self.popularity_, 0.0), (len(users), 1))

        return Timed


@pytest.mark.parametrize("budget", [5, 20, 60, 200, 1000])
def test_what_does_not_fit_into_the_budget_is_not_begun(budget, histories, monkeypatch):
    """Fits cost .001, .01, .1 and 1 second a user: rungs of 24, 72 and 216 users, and the last fit."""
    clock = Clock()
    costs = {"popularity": 1e-3, "item-knn": 1e-2, "ease": 1e-1, "slim": 1.0}
    planted = {name.replace("-", "_"): clock.fitting(name, cost, 3 * n) for n, (name, cost) in enumerate(costs.items())}
    in_place_of(monkeypatch, **planted)
    monkeypatch.setattr(_auto_search, "clock", clock)
    monkeypatch.setattr(_auto_question, "_LEAST_SAMPLE", 24)
    monkeypatch.setattr(_auto, "suggest", lambda X, **_: pd.DataFrame(
        {"fit_seconds": {name: 240 * cost for name, cost in costs.items()}, "latency_ms": 0.0, "memory_gib": 0.0}
    ).loc[["slim", "ease", "item-knn", "popularity"]])  # fmt: skip
    model = AutoRecommender(budget=budget, recipes=list(costs), grids=False, random_state=0).fit(histories)
    assert clock.now <= budget
    begun = {name for name, _ in clock.fits}
    assert ("slim" in begun) == (budget >= 1000) and ("ease" in begun) == (budget >= 60)
    assert clock.fits[-1] == (model.best_recipe_, 240)
    board = model.leaderboard_.set_index("recipe")
    assert board["why"][~board.index.isin(begun)].str.contains("no time for it").all()
    sizes = sorted({n for _, n in clock.fits})
    assert len(sizes) > 1 and all(later <= 3 * sooner for sooner, later in pairwise(sizes))


def test_a_third_goes_on_to_larger_samples(histories, monkeypatch):
    monkeypatch.setattr(_auto_question, "_LEAST_SAMPLE", 50)
    names = ["popularity", "popularity-30d", "item-knn", "rp3beta", "transition", "ease", "pure-svd"]
    board = AutoRecommender(recipes=names, grids=False, random_state=0).fit(histories).leaderboard_
    assert (board["rung"] == 2).sum() == 3 and "popularity" in set(board["recipe"][board["rung"] == 2])
    assert set(board["n_users"]) == {80, 240} or board["n_users"].nunique() == 2
    assert (board["why"][board["rung"] == 1] == "not among the best in rung 1").all()


# ---- failures --------------------------------------------------------------------------------------------------


class Broken(PopularityRecommender):
    def _fit(self, users):
        raise ArithmeticError("<b>no</b> luck")


def test_a_recipe_that_fails_is_reported_and_the_others_go_on(histories, monkeypatch, caplog):
    in_place_of(monkeypatch, ease=Broken)
    model = AutoRecommender(recipes=[*CHEAP, "ease"], grids=False, random_state=0).fit(histories)
    assert model.best_recipe_ == "item-knn"
    failed = model.leaderboard_.set_index("recipe").loc["ease"]
    assert "ArithmeticError: <b>no</b> luck" in failed["why"] and failed["rung"] == 0 and np.isnan(failed["score"])
    assert "ease is left out" in caplog.text


def test_the_next_one_is_fitted_where_the_last_fit_fails(histories, monkeypatch):
    fits = []

    class Once(type(make_recommender("item-knn"))):
        def fit(self, X, y=None):
            fits.append(len(X))
            if len(fits) > 1:
                raise MemoryError("too large")
            return super().fit(X)

    in_place_of(monkeypatch, item_knn=Once)
    model = AutoRecommender(recipes=CHEAP, grids=False, random_state=0).fit(histories)
    assert len(fits) == 2 and fits[0] <= fits[1] == len(histories) and model.best_recipe_ == "popularity"
    assert "MemoryError: too large" in model.leaderboard_.set_index("recipe").loc["item-knn", "why"]


def test_all_failing_is_an_error(histories, monkeypatch):
    in_place_of(monkeypatch, ease=Broken, popularity=Broken)
    with pytest.raises(ValueError, match=r"recipes has no candidate that can be fitted.*no</b> luck"):
        AutoRecommender(recipes=["ease", "popularity"]).fit(histories)


def test_an_interrupted_fit_leaves_the_model_as_it_was(fitted, histories, monkeypatch):
    model = clone(fitted).set_params(recipes=CHEAP, grids=False).fit(histories[:100])
    before = model.best_estimator_

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_auto_search.Search, "_ndcg", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(histories)
    assert model.best_estimator_ is before and len(model.leaderboard_) == 2


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"recipes": ["esae"]}, ValueError, "recipes has 'esae', which is no recipe.*did you mean.*ease"),
        ({"recipes": ["popularity-30d"]}, ValueError, "recipes has 'popularity-30d', which needs dates"),
        ({"recipes": "ease"}, TypeError, "recipes must be a list of names, got 'ease'"),
        ({"recipes": []}, ValueError, "recipes must have at least one name"),
        ({"recipes": ["random"], "incremental": True}, ValueError, "that can be updated: leave incremental=True out"),
        ({"budget": 0}, ValueError, "budget"),
        ({"time": "days"}, ValueError, "time"),
        ({"item_names": ["a"]}, TypeError, "item_names must be a pandas Series"),
    ],
)
def test_wrong_parameters(given, error, message):
    with pytest.raises(error, match=message):
        AutoRecommender(**given).fit([["a", "b"], ["b", "a"]])


# ---- what the chosen recommender does --------------------------------------------------------------------------


def test_updates_are_those_of_the_chosen_recommender(histories):
    read = read_histories(histories)
    model = AutoRecommender(recipes=[*CHEAP, "random"], incremental=True, random_state=0).fit(histories[:200])
    assert set(model.leaderboard_["recipe"]) == set(CHEAP)
    known = model.popularity_.sum()
    assert model.partial_fit(histories[200:]) is model and model.popularity_.sum() > known
    model.forget(histories[200:])
    assert model.popularity_.sum() == known and model.best_estimator_.popularity_ is model.popularity_
    assert len(read.ids) == 50
    plain = AutoRecommender(recipes=CHEAP, random_state=0).fit(histories)
    assert not hasattr(plain, "partial_fit") and not hasattr(plain, "forget")
    assert not hasattr(AutoRecommender(), "partial_fit") and not hasattr(AutoRecommender(), "similar_items")


def test_answers_are_those_of_the_chosen_recommender(fitted, histories):
    best, some = fitted.best_estimator_, histories[:7]
    assert_array_equal(fitted.similar_items([3, 4], 2), best.similar_items([3, 4], 2))
    assert_array_equal(fitted.decision_function(some), best.decision_function(some))
    assert_array_equal(fitted.set_params(k=3).predict(some), best.recommend(some, 3))
    fitted.set_params(k=10)
    pd.testing.assert_frame_equal(explain(fitted, some), explain(best, some))
    popular = AutoRecommender(recipes=["popularity"], random_state=0).fit(histories)
    assert not hasattr(popular, "similar_items") and popular.best_settings_ == {}


def test_an_ensemble_is_a_candidate_and_is_explained(histories, capsys):
    names = pd.Series([f"thing {item % 5}" for item in range(50)], index=range(50))
    model = AutoRecommender(recipes=["blend"], item_names=names, random_state=0, verbose=1, k=3).fit(histories)
    printed = capsys.readouterr().out
    assert "blend: NDCG@3" in printed and "s left" in printed and "Fitting blend to all histories" in printed
    assert [name for name, _ in model.best_estimator_.recommenders][-1] == "content"
    assert explain(model, histories[:1])["method"].iloc[0] == "leave-one-out"
    pd.testing.assert_series_equal(clone(model).item_names, names)
    assert "<50 items>" in repr(model)
