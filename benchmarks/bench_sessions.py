"""Next item in a session: models that know order against models that do not.

Prints Recall@20 and MRR@20 on RetailRocket and Diginetica; a second line has those of the prefixes of two views or
more alone, which is what the published numbers on RetailRocket ask (15,132 of 19,907 questions). The models learn
from the training sessions; every prefix of a test session, from its first item on, is asked for the item that
follows. Items that are in the session already may be recommended (``exclude_seen=False``): visitors return to what
they have viewed, and every sixth to third view is such a return. With ``--validation`` the last training sessions, as
many as there are test sessions, take the place of the test; the defaults of SessionKNN and TransitionRecommender were
chosen on this part. ``--nets`` adds SASRec and GRU4Rec, with settings of which a few were compared on RetailRocket's
validation part. ``--slices`` adds the recall by what was asked for: an item of the session itself, or another, by its
views in training. A model's name measures it alone, ``--sessions N`` asks so many test sessions, and ``--set``
changes settings of the nets.

    python benchmarks/bench_sessions.py [--validation] [--nets] [--slices] [--sessions 8000] [--set "dropout=0.2"]
        [retailrocket diginetica] [SessionKNN ...]
"""

import sys
import time
from itertools import pairwise

import numpy as np
import protocols
import pyarrow as pa
import pyarrow.parquet as pq

from skrec.decomposition import PPMISVD
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.metrics import bootstrap_interval, ranking_scores
from skrec.neighbors import RP3beta, SessionKNN, TransitionRecommender
from skrec.neighbors._item_knn import ItemKNN

K = 20
RECENT = HistoryVectorizer(recency=0.6)
VIEWS = (10, 50, 200)  # bounds of the slices of items by their views in training
QUICK = {  # nets that train in minutes
    "batch_size": 512,
    "epochs": 15,
    "learning_rate": 0.003,
    "optimizer": "lazy_adam",
    "init": "random",
    "returns": True,
}


def sessions(name: str, *, validation: bool = False, n_test: int | None = None) -> protocols.Task:
    """Sessions of "retailrocket" or "diginetica"; `n_test` takes so many test sessions at random, None all."""
    views = pq.read_table(protocols.DATA / f"{name}_sessions.parquet").to_pandas()
    views = views.sort_values(["session_id", "pos"])
    train, test = views[~views["is_test"]], views[views["is_test"]]
    if validation:
        first = np.unique(train["session_id"])[-test["session_id"].nunique()]
        train, test = train[train["session_id"] < first], train[train["session_id"] >= first]
        test = test[test["item_id"].isin(train["item_id"].unique())]  # as the makers of the test parts did
    if n_test is not None:
        chosen = np.random.default_rng(0).permutation(test["session_id"].unique())[:n_test]
        test = test[test["session_id"].isin(chosen)]
    X_test, y_test = prefixes(*_flat(test))
    name = f"{name} validation" if validation else name
    return protocols.Task(name, _lists(*_flat(train)), X_test, y_test, exclude_seen=False)


def prefixes(items: np.ndarray, indptr: np.ndarray) -> tuple[pa.ListArray, list[list]]:
    """Every prefix of each session that something follows, and what follows."""
    position = np.arange(len(items)) - np.repeat(indptr[:-1], np.diff(indptr))
    asked = np.flatnonzero(position > 0)
    lengths = position[asked]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    events = np.repeat(asked - lengths - bounds[:-1], lengths) + np.arange(bounds[-1])
    return _lists(items[events], bounds), items[asked, None].tolist()


def _flat(views) -> tuple[np.ndarray, np.ndarray]:
    lengths = views.groupby("session_id", sort=True).size().to_numpy()
    return views["item_id"].to_numpy(), np.concatenate([[0], np.cumsum(lengths)])


def _lists(items: np.ndarray, indptr: np.ndarray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(indptr.astype(np.int32)), pa.array(items))


def models(nets: bool, changes: dict) -> dict:
    """Return the models by name."""
    made = {
        "popularity": PopularityRecommender(),
        "ItemKNN": ItemKNN(),
        "ItemKNN, 100, recency .6": ItemKNN(100, vectorizer=RECENT),
        "RP3beta, recency .6": RP3beta(vectorizer=RECENT),
        "TransitionRecommender": TransitionRecommender(),
        "Transition..., backward .5": TransitionRecommender(backward=0.5),
        "SessionKNN": SessionKNN(),
        "PPMISVD": PPMISVD(random_state=0),
        "PPMISVD, 512": PPMISVD(512, random_state=0),
    }
    if nets:
        from skrec.neural_network import GRU4Rec, SASRec

        net = {"random_state": 0, **QUICK, **changes}
        made |= {"SASRec": SASRec(**net), "GRU4Rec": GRU4Rec(**net)}
    return made


def slices(task: protocols.Task) -> dict[str, np.ndarray]:
    """Return the questions of each slice, a mask by name: returns, and new items by their views in training."""
    items, views = np.unique(task.X_train.values.to_numpy(), return_counts=True)
    wanted = np.concatenate(task.y_test)
    row = np.searchsorted(items, wanted).clip(max=len(items) - 1)
    often = np.where(items[row] == wanted, views[row], 0)
    indptr = task.X_test.offsets.to_numpy()
    hits = task.X_test.values.to_numpy() == np.repeat(wanted, np.diff(indptr))
    back = np.add.reduceat(hits, indptr[:-1]) > 0
    bounds = [-1, *VIEWS, np.inf]
    masks = {"returns": back}
    for low, high in pairwise(bounds):
        name = f"new, > {low} views" if high == np.inf else f"new, <= {high} views"
        masks[name] = ~back & (often > low) & (often <= high)
    return masks


def main(arguments):
    validation = "--validation" in arguments
    names = [name for name in ("retailrocket", "diginetica") if name in arguments] or ["retailrocket", "diginetica"]
    changes = protocols.keywords(arguments[arguments.index("--set") + 1]) if "--set" in arguments else {}
    n_test = int(arguments[arguments.index("--sessions") + 1]) if "--sessions" in arguments else None
    made = models("--nets" in arguments, changes)
    made = {label: model for label, model in made.items() if label in arguments} or made
    print(f"{'task':26}{'model':28}{'Recall@20':>10}{'MRR@20':>8}{'95 % interval':>18}{'fit s':>8}{'ask s':>8}")
    for name in names:
        task = sessions(name, validation=validation, n_test=n_test)
        print(f"{task.name}: {len(task.X_train)} training sessions, {len(task.y_test)} questions")
        masks = slices(task) if "--slices" in arguments else {}
        for label, mask in masks.items():
            print(f"    {label:20} {mask.mean():6.1%} of the questions")
        for label, model in made.items():
            model.set_params(exclude_seen=task.exclude_seen, k=K)
            start = time.perf_counter()
            model.fit(task.X_train)
            fitted = time.perf_counter()
            answer = model.predict(task.X_test)
            asked = time.perf_counter()
            scores = ranking_scores(task.y_test, answer, k=K, metrics=("recall", "mrr"))
            recall, rank = scores[f"recall@{K}"], scores[f"mrr@{K}"]
            low, high = bootstrap_interval(rank, random_state=0)
            print(
                f"{task.name:26}{label:28}{recall.mean():10.4f}{rank.mean():8.4f}   {low:.4f} - {high:.4f}"
                f"{fitted - start:8.1f}{asked - fitted:8.1f}",
                flush=True,
            )
            long = np.diff(task.X_test.offsets.to_numpy()) >= 2
            label = f"{np.count_nonzero(long):,} of two views or more"
            print(f"{'':26}{label:28}{recall[long].mean():10.4f}{rank[long].mean():8.4f}", flush=True)
            if masks:
                print("    Recall@20:", ", ".join(f"{name} {recall[mask].mean():.3f}" for name, mask in masks.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
