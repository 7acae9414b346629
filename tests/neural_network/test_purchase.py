"""PurchaseClassifier: tables of words and numbers, four architectures, members, and scikit-learn around it."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skrec

pytest.importorskip("tensorflow", reason="the nets need the extra `deep`")

from skrec.datasets import load_online_shoppers
from skrec.neural_network import PurchaseClassifier

SMALL = {"hidden": (8,), "epochs": 2, "batch_size": 64, "random_state": 0}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "minibatches: a weight is not a repetition",
}


@parametrize_with_checks(
    [PurchaseClassifier(hidden=(16,), epochs=4, batch_size=16, learning_rate=0.03)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_sklearn_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        PurchaseClassifier(),
        PurchaseClassifier("dcn", hidden=(16,), epochs=12, batch_size=16, learning_rate=0.02, n_members=2),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_sklearn_check_estimator_of_defaults_and_members(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def visits():
    """Visits that end in a purchase in November, with more pages, and for one kind of visitor."""
    rng = np.random.default_rng(0)
    n = 400
    X = pd.DataFrame(
        {
            "month": rng.choice(["May", "Nov", "Dec"], n),
            "pages": rng.lognormal(2, 1, n).round(),
            "visitor": pd.Categorical(rng.choice(["new", "old"], n)),
            "weekend": rng.random(n) < 0.3,
            "noise": rng.random(n),
        }
    )
    logit = 3 * (X["month"] == "Nov") + 2 * (X["visitor"] == "new") + 1.5 * (X["pages"] > 8) - 3
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), "buys", "leaves")
    return X, y


@pytest.mark.parametrize(
    ("architecture", "n_members"),
    [("mlp", 1), ("wide_deep", 3), ("deepfm", 1), ("dcn", 3)],
)
def test_every_architecture_learns_and_is_stored_bit_for_bit(visits, architecture, n_members, tmp_path):
    X, y = visits
    model = PurchaseClassifier(
        architecture, n_members=n_members, hidden=(16, 8), epochs=8, batch_size=32, learning_rate=0.01, random_state=0
    ).fit(X, y)
    chance = model.predict_proba(X)
    assert chance.shape == (400, 2)
    assert chance.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert roc_auc_score(y == "buys", chance[:, 0]) > 0.84
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), chance)
    assert np.array_equal(skrec.load(skrec.save(model, tmp_path / "model.skrec")).predict_proba(X), chance)
    assert model.is_categorical_.tolist() == [True, False, True, True, False]
    assert model.predict_proba(X.iloc[7:8]) == pytest.approx(chance[7:8], abs=1e-6)


def test_same_seed_same_answer(visits):
    X, y = visits
    model = PurchaseClassifier(n_members=2, dropout=0.2, early_stopping=True, **SMALL)
    first, again = model.fit(X, y).predict_proba(X), clone(model).fit(X, y).predict_proba(X)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, clone(model).set_params(random_state=1).fit(X, y).predict_proba(X))


@pytest.mark.parametrize("options", [{"n_members": 2}, {"label_smoothing": 0.1}])
def test_several_classes(visits, options):
    X, _ = visits
    target = X["month"].map({"May": 2, "Nov": 5, "Dec": 7}).to_numpy()
    model = PurchaseClassifier(hidden=(16,), epochs=10, batch_size=32, learning_rate=0.01, random_state=0, **options)
    model.fit(X, target, sample_weight=np.ones(len(X)))
    assert model.classes_.tolist() == [2, 5, 7]
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert model.score(X, target) > 0.95


def test_dcn_reaches_what_only_a_product_of_columns_tells():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 4))
    y = X[:, 0] * X[:, 1] + 0.2 * rng.normal(size=1500) > 0
    model = PurchaseClassifier(
        "dcn", hidden=(4,), cross_layers=1, epochs=15, batch_size=32, learning_rate=0.01, random_state=0
    )
    assert model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.8


@pytest.mark.parametrize(("normalization", "n_members"), [("batch", 2), ("layer", 1)])
def test_normalization(visits, normalization, n_members):
    X, y = visits
    model = PurchaseClassifier(normalization=normalization, n_members=n_members, dropout=0.1, **SMALL).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


def test_members_have_weights_of_their_own(visits):
    X, y = visits
    one, three = (PurchaseClassifier(n_members=n, **SMALL).fit(X, y) for n in (1, 3))
    kernel = three.net_.model_.get_layer("dense_0").kernel.numpy()
    assert kernel.shape[0] == 3
    assert not np.allclose(kernel[0], kernel[1])
    embedding = three.net_.model_.get_layer("embedding").count_params()
    assert three.n_parameters_ - embedding == 3 * (one.n_parameters_ - embedding)
    single = one.net_.model_.get_layer("dense_0").kernel.numpy()
    assert kernel.std() == pytest.approx(3 * single.std(), rel=0.1)  # so that they differ


def test_forms_of_a_table_reach_the_net_alike(visits):
    polars = pytest.importorskip("polars")
    X = visits[0].astype({"visitor": object})
    plain = {name: X[name].tolist() for name in X}
    array = X.to_numpy(dtype=object)
    named, placed, masked = ["month", "visitor", "weekend"], [0, 2, -2], [True, False, True, True, False]
    expected = PurchaseClassifier()._read(X, reset=True)
    for categorical_features, table in [
        ("from_dtype", X.astype({"month": "category", "weekend": "boolean", "pages": "Int64"})),
        ("from_dtype", X.astype({"month": "string", "visitor": "category", "noise": "Float64"})),
        ("from_dtype", polars.DataFrame(plain)),
        ("from_dtype", polars.DataFrame(plain).with_columns(polars.col("month").cast(polars.Categorical))),
        (named, X),
        (masked, polars.DataFrame(plain)),
        (placed, array),
        (masked, array),
    ]:
        model = PurchaseClassifier(categorical_features=categorical_features)
        read = model._read(table, reset=True)
        assert model.is_categorical_.tolist() == masked
        for name, values in expected.items():
            assert np.array_equal(read[name], values)
            assert np.array_equal(model._read(table[:9], reset=False)[name], values[:9])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_unknown_and_missing_categories(visits, kind):
    module = pytest.importorskip(kind)
    X, y = visits
    plain = {name: X[name].tolist() for name in X}
    plain["month"][:100] = [None] * 100
    frame = module.DataFrame(plain)
    model = PurchaseClassifier(**SMALL).fit(frame, y)
    one = {name: values[200:201] for name, values in plain.items()}
    answers = [
        model.predict_proba(module.DataFrame({**one, "month": [month]})) for month in ("May", None, "Jan", "Feb")
    ]
    assert np.array_equal(answers[2], answers[3])  # unknown ones are alike, and none of the others
    assert len(np.unique(np.vstack(answers), axis=0)) == 3


def test_rare_categories_stand_with_unknown_ones():
    X = pd.DataFrame({"code": [1] * 30 + [2] * 30 + [9], "n": np.arange(61.0)})
    model = PurchaseClassifier(categorical_features=["code"], min_frequency=2, **SMALL).fit(X, np.arange(61) % 2)
    rows = pd.DataFrame({"code": [9, 77, 1], "n": [5.0] * 3})
    chance = model.predict_proba(rows)[:, 1]
    assert chance[0] == chance[1] != chance[2]


def test_numbers_are_scaled_by_rank(visits):
    numbers = visits[0][["pages", "noise"]]
    model = PurchaseClassifier()
    read = model._read(numbers, reset=True)
    assert read.std(axis=0) == pytest.approx(1, abs=1e-4)
    far = model._read(numbers.iloc[:2].assign(pages=[1e9, numbers["pages"].max()]), reset=False)
    assert far[0, 0] == far[1, 0]  # nothing lies beyond the largest number of fit
    stretched = numbers.assign(pages=np.exp(numbers["pages"] / 50))
    assert PurchaseClassifier()._read(stretched, reset=True) == pytest.approx(read, abs=0.05)


def test_a_value_of_most_rows_stands_in_the_middle_of_their_ranks():
    column = np.r_[np.zeros(800), np.arange(1, 201)][:, np.newaxis]
    scores = PurchaseClassifier()._read(column, reset=True)
    assert scores.mean() == pytest.approx(0, abs=1e-4)
    assert -0.8 < scores[0, 0] < -0.3


def test_other_scales(visits):
    numbers = visits[0][["pages", "noise"]]
    assert np.array_equal(PurchaseClassifier(numeric=None)._read(numbers, reset=True), numbers.to_numpy(np.float32))
    standard = PurchaseClassifier(numeric="standard")._read(numbers, reset=True)
    assert standard.max() == 3
    assert standard[:, 1].mean() == pytest.approx(0, abs=1e-6)


def test_weights(visits):
    X, y = visits
    model = PurchaseClassifier(**SMALL)
    heavy = np.where(y == "buys", 5.0, 1.0)
    by_row = model.fit(X, y, sample_weight=heavy).predict_proba(X)
    by_class = clone(model).set_params(class_weight={"buys": 5.0, "leaves": 1.0}).fit(X, y).predict_proba(X)
    assert by_row == pytest.approx(by_class, abs=1e-6)
    assert by_row[:, 0].mean() > clone(model).fit(X, y).predict_proba(X)[:, 0].mean()


def test_partial_fit_keeps_what_was_learned_about_the_columns(visits):
    X, y = visits
    model = PurchaseClassifier(**SMALL).partial_fit(X[:200], y[:200], classes=["buys", "leaves"])
    before = model._table
    model.partial_fit(X[200:].assign(month="Jan"), y[200:])
    assert model._table is before
    assert model.n_iter_ == 2
    rate = model.net_.model_.optimizer.learning_rate
    assert float(rate) == pytest.approx(0.001)  # constant, whatever the schedule


def test_early_stopping_and_warm_start(visits):
    X, y = visits
    model = PurchaseClassifier(
        hidden=(16,), epochs=200, learning_rate=0.05, batch_size=32, early_stopping=True, patience=2, random_state=0
    ).fit(X, y)
    assert model.n_iter_ < 200
    assert len(model.history_["val_loss"]) == model.n_iter_
    model = PurchaseClassifier(warm_start=True, schedule="constant", **SMALL).fit(X, y).fit(X, y)
    assert model.n_iter_ == 4


def test_grid_search_in_two_processes(visits):
    X, y = visits
    grid = [
        {"architecture": ["mlp"], "hidden": [(8,), (8, 4)]},
        {"architecture": ["dcn"], "learning_rate": [0.01], "epochs": [1]},
    ]
    search = GridSearchCV(PurchaseClassifier(**SMALL), grid, cv=2, n_jobs=2, scoring="roc_auc").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (400,)


def test_inside_other_estimators(visits):
    X, y = visits
    X = X.astype({"month": "category"})  # gradient boosting takes no strings
    net = PurchaseClassifier(**SMALL)
    stack = StackingClassifier(
        [("net", net), ("trees", HistGradientBoostingClassifier(max_iter=5, random_state=0))],
        cv=2,
        stack_method="predict_proba",
    ).fit(X, y)
    assert stack.score(X, y) > 0.6
    calibrated = CalibratedClassifierCV(net, cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (400, 2)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["month", "visitor", "weekend"]),
        (StandardScaler(), ["pages", "noise"]),
    )
    chain = make_pipeline(encode, clone(net).set_params(numeric=None)).fit(X, y)
    assert chain.predict_proba(X).shape == (400, 2)
    assert chain[-1].n_features_in_ == 9


def test_cross_validation_is_stratified(visits):
    X, y = visits
    rows = np.r_[np.flatnonzero(y == "buys")[:12], np.flatnonzero(y == "leaves")[:108]]  # sorted: unstratified fails
    scores = cross_validate(
        PurchaseClassifier(**SMALL), X.iloc[rows], y[rows] == "buys", cv=2, scoring=["roc_auc", "average_precision"]
    )
    assert np.isfinite(scores["test_roc_auc"]).all()
    assert np.isfinite(scores["test_average_precision"]).all()


def test_permutation_importance_of_a_frame(visits):
    X, y = visits
    model = PurchaseClassifier(hidden=(16,), epochs=10, batch_size=32, learning_rate=0.01, random_state=0).fit(X, y)
    importance = permutation_importance(model, X, y, scoring="roc_auc", n_repeats=3, random_state=0)
    assert importance.importances_mean[0] == importance.importances_mean.max()  # the month
    assert importance.importances_mean[0] > 10 * abs(importance.importances_mean[4])


def _spoilt(column, value):
    def spoil(X):
        X = X.astype({column: object}) if isinstance(value, str | pd.Timestamp) else X.copy()
        X.loc[3, column] = value
        return X

    return spoil


@pytest.mark.parametrize(
    ("options", "spoil", "error", "match"),
    [
        ({}, _spoilt("pages", np.nan), ValueError, "Column 'pages' of X has NaN in 1 of 400 rows: fill it"),
        ({}, _spoilt("pages", np.inf), ValueError, "Column 'pages' of X has infinity in 1 of 400 rows"),
        ({}, lambda X: X.assign(month=[1] + ["May"] * 399), TypeError, "Categorical column 'month' of X holds int and"),
        ({}, lambda X: X.assign(at=pd.Timestamp("2020-01-01")), TypeError, "Column 'at' of X holds times"),
        ({}, lambda X: X[:0], ValueError, "X has 0 rows and 5 columns"),
        ({}, lambda X: X.to_numpy(), ValueError, "X is an array with strings"),
        ({}, lambda X: sp.csr_matrix(np.eye(400)), TypeError, "Sparse data was passed"),
        ({"categorical_features": None}, lambda X: X, ValueError, "Column 'month' of X is not numeric"),
        (
            {"categorical_features": ["age"]},
            lambda X: X,
            ValueError,
            "categorical_features has 'age', which is no column",
        ),
        ({"categorical_features": [7]}, lambda X: X, ValueError, "categorical_features has 7, which is no column"),
        ({"categorical_features": [True]}, lambda X: X, ValueError, "has 1 booleans and X 5 columns"),
        ({"hidden": (8, 0)}, lambda X: X, ValueError, "hidden must be positive whole numbers"),
        ({"hidden": ()}, lambda X: X, ValueError, "hidden must be positive whole numbers"),
        ({"n_members": 0}, lambda X: X, ValueError, "'n_members' parameter"),
        ({"dropout": 1.0}, lambda X: X, ValueError, "'dropout' parameter"),
        ({"architecture": "transformer"}, lambda X: X, ValueError, "'architecture' parameter"),
    ],
)
def test_errors_before_training(visits, options, spoil, error, match):
    X, y = visits
    X = spoil(X)
    with pytest.raises(error, match=match):
        PurchaseClassifier(**{**SMALL, **options}).fit(X, y[: X.shape[0]])


def test_errors_of_y_and_of_later_tables(visits):
    X, y = visits
    with pytest.raises(ValueError, match="one class only"):
        PurchaseClassifier(**SMALL).fit(X, np.zeros(400))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PurchaseClassifier(**SMALL).fit(X, y[:9])
    model = PurchaseClassifier(**SMALL).fit(X, y)
    with pytest.raises(TypeError, match="'month' of X holds numbers, and held strings in fit"):
        model.predict(X.assign(month=1))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.rename(columns={"pages": "sites"}))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.drop(columns="pages"))
    model = PurchaseClassifier(**SMALL).fit(X[["pages", "noise"]].to_numpy(), y)
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.predict(np.ones((3, 3)))


@pytest.mark.slow
def test_online_shoppers_beats_gradient_boosting():
    """Test quality on a quarter of the visits; benchmarks/bench_purchase.py has the measured folds."""
    visits = load_online_shoppers()
    X, X_test, y, y_test = train_test_split(visits.data, visits.target, stratify=visits.target, random_state=0)
    chance = PurchaseClassifier(random_state=0).fit(X, y).predict_proba(X_test)[:, 1]
    trees = HistGradientBoostingClassifier(random_state=0).fit(X, y).predict_proba(X_test)[:, 1]
    assert roc_auc_score(y_test, chance) > roc_auc_score(y_test, trees)
    assert average_precision_score(y_test, chance) > 0.72
    assert brier_score_loss(y_test, chance) < 0.075
    assert chance.mean() == pytest.approx(y_test.mean(), abs=0.02)
