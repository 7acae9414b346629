"""Options that change the models: counts where repeats are included, and settings of one model of several."""

import pandas as pd
import pytest

from skrec import load
from skrec.cli import main
from skrec.datasets import make_histories

LOG = ["log.csv", "--user", "user", "--item", "item", "--time", "time"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    events = make_histories(60, 30, repeats=True, random_state=0).explode(["item", "time"]).reset_index()
    events.to_csv("log.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "binary"),
    [
        (["--include-seen"], False),
        (["--include-seen", "--set", "vectorizer__recency=0.6"], False),
        (["--include-seen", "--set", "vectorizer__binary=true"], True),
        (["--exclude-seen", "--set", "vectorizer__recency=0.6"], True),
    ],
)
def test_fit_counts_unless_told_otherwise(folder, options, binary):
    assert main(["fit", *LOG, "--model", "ease", *options, "-o", "m.skrec", "-q"]) == 0
    assert load("m.skrec").vectorizer.binary is binary


def test_a_hybrid_takes_what_the_log_has(folder, capsys):
    events = pd.read_csv("log.csv")
    events.assign(name="thing " + events["item"].astype(str)).to_csv("log.csv", index=False)
    common = ["--model", "hybrid", "-q", "-k", "3", "-o"]
    parts = {"ease", "next", "session"}
    for options, more, holdout in [
        ([], {"popular"}, "10%"),
        (["--include-seen", "--name", "name"], {"popular", "content", "again", "tifu"}, "10%"),
        (["--set", "n_holdouts=1", "--set", "popular=drop"], set(), "10%"),
    ]:
        assert main(["fit", *LOG, *common, "m.skrec", *options]) == 0
        model = load("m.skrec")
        assert set(model.named_retrievers_) == parts | more and model.holdout == holdout
        assert main(["recommend", "m.skrec", "log.csv", "-q", "-o", "r.csv"]) == 0
        assert pd.read_csv("r.csv").groupby("user").size().eq(3).all()
    assert main(["fit", *LOG[:5], "--model", "blend", "-q", "-o", "m.skrec"]) == 0
    assert load("m.skrec").holdout == "last" and len(load("m.skrec").weights_) == 3
    assert main(["fit", *LOG, "--set", "session__neighbors=3", *common, "m.skrec"]) == 2
    assert "unknown parameter 'session__neighbors' of hybrid" in capsys.readouterr().err


def test_models_are_told_names_of_what_they_learn_from_alone(folder, monkeypatch):
    from skrec.cli import _evaluate

    told = []
    ask = _evaluate.ask

    def watched(screen, models, *arguments, **keywords):
        told.append(dict(models["hybrid"].retrievers)["content"].item_features)
        return ask(screen, models, *arguments, **keywords)

    monkeypatch.setattr(_evaluate, "ask", watched)
    events = pd.read_csv("log.csv")
    events["name"] = "thing " + events["item"].astype(str)
    nameless = events["item"].iloc[0]
    events.loc[events["item"] == nameless, "name"] = None
    launched = pd.DataFrame({"user": [events["user"].iloc[0]], "item": [999], "name": ["thing new"]})
    launched["time"] = events["time"].max()
    pd.concat([events, launched]).to_csv("log.csv", index=False)
    arguments = ["evaluate", *LOG, "--name", "name", "--model", "hybrid", "-q", "--set", "hybrid.n_holdouts=1"]
    assert main([*arguments, "-o", "board.csv"]) == 0
    assert pd.read_csv("board.csv")["error"].isna().all()
    assert 999 not in told[0].index and nameless not in told[0].index and len(told[0]) > 10


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_settings_of_one_model(folder, command):
    arguments = [command, *LOG, "--model", "ease", "--model", "item-knn", "--include-seen", "-q", "-o"]
    assert main([*arguments, "plain.csv"]) == 0
    assert main([*arguments, "set.csv", "--set", "ease.l2=3000", "--set", "ease.vectorizer__recency=0.5"]) == 0
    plain, given = (pd.read_csv(f"{name}.csv", index_col="model")["ndcg@10"] for name in ("plain", "set"))
    assert plain["item-knn"] == given["item-knn"] and plain["ease"] != given["ease"]


def test_what_is_set_is_not_searched(folder, monkeypatch):
    searched = {}
    from sklearn import model_selection

    class Spy(model_selection.GridSearchCV):
        def fit(self, X, y=None, **params):
            searched[type(self.estimator).__name__] = set(self.param_grid), self.estimator.get_params()
            return super().fit(X, y, **params)

    monkeypatch.setattr(model_selection, "GridSearchCV", Spy)
    models = ["--model", "pure-svd", "--model", "rp3beta"]
    settings = ["--set", "pure-svd.n_components=7", "--set", "rp3beta.alpha=0.9"]
    assert main(["evaluate", *LOG, *models, *settings, "--tune", "-q"]) == 0
    assert searched["PureSVD"][0] == {"scaling"} and searched["PureSVD"][1]["n_components"] == 7
    assert searched["RP3beta"][0] == {"beta"} and searched["RP3beta"][1]["alpha"] == 0.9


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("l2=200", "--set takes model.name=value here, such as --set ease.l2=200, but got 'l2=200'"),
        ("l2=0.5", "--set takes model.name=value here"),
        ("slim.l2=200", "--set names the model 'slim', which is not compared; choose from ease, item-knn"),
        ("item-kn.l2=200", "which is not compared; did you mean 'item-knn'?"),
        ("ease.l3=1", "--set names the unknown parameter 'l3' of ease"),
        ("ease.l2", "--set takes name=value"),
        ("ease.k=3", "--set k has an option of its own: use -k"),
        ("session-knn.vectorizer__recency=0.5", "--set names the unknown parameter 'vectorizer__recency'"),
    ],
)
def test_wrong_settings_are_one_sentence(folder, capsys, setting, text):
    models = ["ease", "item-knn", *(["session-knn"] if setting.startswith("session") else [])]
    chosen = [part for name in models for part in ("--model", name)]
    assert main(["evaluate", *LOG, *chosen, "--set", setting]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("skrec: ") and printed.err.count("\n") == 1 and text in printed.err


@pytest.mark.parametrize("k", ["0", "-2"])
@pytest.mark.parametrize("command", [["fit", "-o", "m.skrec"], ["evaluate"], ["compare", "--tune"]])
def test_no_recommendations_are_an_error(folder, capsys, command, k):
    name, *options = command
    assert main([name, *LOG, *options, "-k", k]) == 2
    assert capsys.readouterr().err == f"skrec: -k must be at least 1, got {k}\n"


@pytest.mark.parametrize(("setting", "parameter"), [("als.max_iter=0", "max_iter"), ("als.max_iter=-1", "max_iter")])
def test_no_iterations_are_an_error(folder, capsys, setting, parameter):
    assert main(["evaluate", *LOG, "--model", "als", "--set", setting]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and f"'{parameter}' parameter of ALS" in printed
