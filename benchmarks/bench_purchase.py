"""Which visits end in a purchase: PurchaseClassifier beside scikit-learn's classifiers on Online Shoppers.

12,330 visits, five stratified folds (shuffled, seed 0). Prints means over the folds of the area under the ROC curve,
average precision and Brier score, how far the area is above that of HistGradientBoosting in the same fold (mean and
standard deviation), processor seconds of fitting a fold, and milliseconds of one row (median).

Settings were chosen by three-fold cross-validation inside the training part of the first fold (``--development``): the
test part of that fold had no say in them, and its area stands in a column of its own.

    python benchmarks/bench_purchase.py [--development] [name ...]
"""

import sys
import time

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer

from skrec.datasets import load_online_shoppers
from skrec.neural_network import PurchaseClassifier


def encoded(model, categories, numbers, *, as_codes=False):
    """Put the usual encoding of the columns before a model of scikit-learn."""
    encoder = OrdinalEncoder() if as_codes else OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    if as_codes:
        encoder.set_params(handle_unknown="use_encoded_value", unknown_value=-1)
    scale = "passthrough" if as_codes else QuantileTransformer(output_distribution="normal", random_state=0)
    return make_pipeline(make_column_transformer((encoder, categories), (scale, numbers)), model)


def models(X) -> dict:
    """Return the classifiers by name; each takes the frame of visits."""
    categories = [name for name in X if X[name].dtype == "category"]
    columns = categories, [name for name in X if name not in categories]
    net, members = PurchaseClassifier(random_state=0), {"n_members": 8, "activation": "gelu", "random_state": 0}
    trees = HistGradientBoostingClassifier(random_state=0)
    slow_trees = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=15, categorical_features="from_dtype", random_state=0
    )
    mlp = MLPClassifier((100, 50), early_stopping=True, random_state=0)
    forest = RandomForestClassifier(500, min_samples_leaf=2, random_state=0)
    ensemble = PurchaseClassifier(**members)
    both = [("net", ensemble), ("trees", slow_trees)]
    shuffled = StratifiedKFold(3, shuffle=True, random_state=0)  # the rows of the file follow the calendar

    def stack(folds):
        return StackingClassifier(both, LogisticRegression(), cv=folds, stack_method="predict_proba")

    return {
        "LogisticRegression, one-hot and quantiles": encoded(LogisticRegression(max_iter=1000), *columns),
        "MLPClassifier (100, 50), one-hot and quantiles": encoded(mlp, *columns),
        "HistGradientBoosting, defaults": trees,
        "HistGradientBoosting, learning_rate=0.05, 15 leaves": slow_trees,
        "RandomForest, 500 trees": encoded(forest, *columns, as_codes=True),
        "PurchaseClassifier()": net,
        "PurchaseClassifier(activation='gelu')": PurchaseClassifier(activation="gelu", random_state=0),
        "PurchaseClassifier(n_members=8)": PurchaseClassifier(n_members=8, random_state=0),
        "PurchaseClassifier(n_members=8, activation='gelu')": ensemble,
        "wide_deep, the same": PurchaseClassifier("wide_deep", **members),
        "deepfm, the same": PurchaseClassifier("deepfm", **members),
        "dcn, the same": PurchaseClassifier("dcn", **members),
        "stack of the eight members and HistGradientBoosting": stack(shuffled),
        "stack, folds in the order of the file": stack(StratifiedKFold(3)),
        "mean of the two": VotingClassifier(both, voting="soft"),
    }


def one_row(model, X) -> float:
    """Return the milliseconds of one row: the median of fifty, after five."""
    seconds = []
    for row in range(55):
        start = time.perf_counter()
        model.predict_proba(X.iloc[row : row + 1])
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[5:]))


def measure(model, X, y, folds):
    """Return AUC, AP and Brier score, shape (n_folds, 3); processor seconds of fitting; milliseconds of a row."""
    scores, seconds = [], []
    for train, test in folds:
        start = time.process_time()  # of all threads, so that other work on the machine counts little
        model.fit(X.iloc[train], y[train])
        seconds.append(time.process_time() - start)
        chance = model.predict_proba(X.iloc[test])[:, 1]
        truth = y[test]
        scores.append(
            [roc_auc_score(truth, chance), average_precision_score(truth, chance), brier_score_loss(truth, chance)]
        )
    return np.array(scores), np.mean(seconds), one_row(model, X.iloc[folds[-1][1]])


def main(arguments):
    visits = load_online_shoppers()
    X, y = visits.data, visits.target.to_numpy()
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    if "--development" in arguments:
        X, y = X.iloc[folds[0][0]], y[folds[0][0]]
        folds = list(StratifiedKFold(3, shuffle=True, random_state=1).split(X, y))
    wanted = [name for name in arguments if not name.startswith("--")]
    print("| model | AUC | first fold | AP | Brier | above HistGradientBoosting | CPU s | row ms |")
    print("|:--|" + "--:|" * 7)
    base = None
    for name, model in models(X).items():
        if wanted and not any(part in name for part in wanted):
            continue
        scores, seconds, row = measure(model, X, y, folds)
        base = scores[:, 0] if name.startswith("HistGradientBoosting, d") else base
        above = "" if base is None else f"{(scores[:, 0] - base).mean():+.4f} ± {(scores[:, 0] - base).std(ddof=1):.4f}"
        auc, precision, brier = scores.mean(axis=0)
        print(
            f"| {name} | {auc:.4f} | {scores[0, 0]:.4f} | {precision:.4f} | {brier:.4f} | {above} | {seconds:.1f} "
            f"| {row:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
