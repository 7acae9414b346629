"""Next item in a session: models that know order against models that do not.

Prints Recall@20 and MRR@20 on RetailRocket and Diginetica; a second line has those of the prefixes of two views or
more alone, which is what the published numbers on RetailRocket ask (15,132 of 19,907 questions). The models learn
from the training sessions; every prefix of a test session, from its first item on, is asked for the item that
follows. Items that are in the session already may be recommended (``exclude_seen=False``): visitors return to what
they have viewed, and every sixth to third view is such a return. With ``--validation`` the last training sessions, as
many as there are test sessions, take the place of the test; the defaults of SessionKNN and TransitionRecommender and
the settings of nets and blends were chosen on this part. ``--nets`` adds SASRec and GRU4Rec with the settings of
`SETTINGS`, each with ``--seeds N`` seeds, 0 to N - 1, and the mean of them. ``--blend`` adds blends of each net with
SessionKNN (nets by the square root of the softmax, see BlendRecommender), at the weight of `BLENDS`, or at several
with ``--validation`` and where none was chosen. ``--slices`` adds the recall by what was asked for: an item of the
session itself, or another, by its views in training. A model's name measures it alone, ``--sessions N`` asks so many
test sessions, and ``--set`` changes settings of the nets.

    python benchmarks/bench_sessions.py [retailrocket diginetica] [SessionKNN ...] [--validation] [--nets] [--seeds 3]
        [--blend] [--slices] [--sessions 8000] [--set "dropout=0.2"]
"""

import argparse
import time
from itertools import pairwise

import numpy as np
import protocols
import pyarrow as pa
import pyarrow.parquet as pq

from skrec.decomposition import PPMISVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
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
SETTINGS: dict = {  # of the nets, beside QUICK; chosen on the validation parts
    "diginetica": {"n_components": 128, "epochs": 12},
    "retailrocket": {},
}
BLENDS: dict = {  # weight of the net beside SessionKNN: chosen on the validation parts, of WEIGHTS
    "diginetica": {"SASRec": 0.7},
    "retailrocket": {"SASRec": 0.7},
}
WEIGHTS = (0.3, 0.5, 0.7)


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


def models() -> dict:
    """Return the models that are no nets by name."""
    return {
        "popularity": PopularityRecommender(),
        "ItemKNN": ItemKNN(),
        "ItemKNN, 100, recency .6": ItemKNN(100, vectorizer=RECENT),
        "RP3beta, recency .6": RP3beta(vectorizer=RECENT),
        "TransitionRecommender": TransitionRecommender(),
        "Transition..., backward .5": TransitionRecommender(backward=0.5),
        "SessionKNN": SessionKNN(),
        "SessionKNN, idf 1.5": SessionKNN(idf=1.5),
        "PPMISVD": PPMISVD(random_state=0),
        "PPMISVD, 512": PPMISVD(512, random_state=0),
    }


def nets(name: str, changes: dict, n_seeds: int) -> dict:
    """Return the nets for a set, a list by seed for each name."""
    from skrec.neural_network import GRU4Rec, SASRec

    made = {**QUICK, **SETTINGS[name], **changes}
    kinds = {"SASRec": SASRec, "GRU4Rec": GRU4Rec}
    return {label: [kind(**{"random_state": seed, **made}) for seed in range(n_seeds)] for label, kind in kinds.items()}


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


class Measures:
    """Measures models on the questions of a task and prints a row, or two, for each."""

    def __init__(self, task: protocols.Task, masks: dict):
        self.task, self.masks = task, masks
        self.long = np.diff(task.X_test.offsets.to_numpy()) >= 2

    def fit_and_ask(self, label: str, model) -> np.ndarray:
        """Fit, ask and print; return recall and reciprocal rank of each question, shape (2, n_questions)."""
        model.set_params(exclude_seen=self.task.exclude_seen, k=K)
        start = time.process_time()
        model.fit(self.task.X_train)
        fitted = time.process_time()
        answer = model.predict(self.task.X_test)
        asked = time.process_time()
        scores = ranking_scores(self.task.y_test, answer, k=K, metrics=("recall", "mrr"))
        found = np.array([scores[f"recall@{K}"], scores[f"mrr@{K}"]])
        self.show(label, found, f"{fitted - start:8.1f}{asked - fitted:8.1f}")
        return found

    def show(self, label: str, found: np.ndarray, seconds: str = ""):
        """Print what was found: all questions, those of two views or more, and the slices."""
        low, high = bootstrap_interval(found[1], random_state=0)
        recall, rank = found.mean(axis=1)
        print(f"{self.task.name:26}{label:34}{recall:10.4f}{rank:8.4f}   {low:.4f} - {high:.4f}{seconds}", flush=True)
        recall, rank = found[:, self.long].mean(axis=1)
        label = f"{np.count_nonzero(self.long):,} of two views or more"
        print(f"{'':26}{label:34}{recall:10.4f}{rank:8.4f}", flush=True)
        if self.masks:
            shares = ", ".join(f"{name} {found[0, mask].mean():.3f}" for name, mask in self.masks.items())
            print("    Recall@20:", shares)


def main(arguments):
    chosen = arguments.names
    names = [name for name in SETTINGS if name in chosen] or list(SETTINGS)
    changes = protocols.keywords(arguments.set) if arguments.set else {}
    head = f"{'task':26}{'model':34}{'Recall@20':>10}{'MRR@20':>8}{'95 % interval':>18}{'fit s':>8}{'ask s':>8}"
    print(head + "  (seconds of processor)")
    for name in names:
        task = sessions(name, validation=arguments.validation, n_test=arguments.sessions)
        print(f"{task.name}: {len(task.X_train)} training sessions, {len(task.y_test)} questions")
        masks = slices(task) if arguments.slices else {}
        for label, mask in masks.items():
            print(f"    {label:20} {mask.mean():6.1%} of the questions")
        measures = Measures(task, masks)
        trained = nets(name, changes, arguments.seeds) if arguments.nets else {}
        named = [label for label in [*models(), *trained] if label in chosen]
        made = {label: model for label, model in models().items() if label in named or not named}
        for label, model in made.items():
            measures.fit_and_ask(label, model)
        trained = {label: seeds for label, seeds in trained.items() if label in named or not named}
        neighbours = SessionKNN(idf=1.5).fit(task.X_train) if arguments.blend else None
        for label, seeds in trained.items():
            chosen_weight = BLENDS.get(name, {}).get(label)
            weights = WEIGHTS if arguments.validation or chosen_weight is None else [chosen_weight]
            found: dict = {}
            for seed, net in enumerate(seeds):
                found.setdefault(label, []).append(measures.fit_and_ask(f"{label}, seed {seed}", net))
                for weight in weights if neighbours is not None else []:
                    blend = BlendRecommender(
                        [("neighbours", neighbours), ("net", net)], weights=[1 - weight, weight], prefit=True
                    )
                    both = f"SessionKNN + {weight} {label}"
                    found.setdefault(both, []).append(measures.fit_and_ask(f"{both}, seed {seed}", blend))
            for both, reached in found.items():
                if len(seeds) > 1:
                    measures.show(f"{both}, mean of {len(seeds)} seeds", np.mean(reached, axis=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="sets and models; all without any")
    parser.add_argument("--validation", action="store_true", help="ask the last training sessions")
    parser.add_argument("--nets", action="store_true", help="add SASRec and GRU4Rec")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds each net has")
    parser.add_argument("--blend", action="store_true", help="add blends of each net with SessionKNN")
    parser.add_argument("--slices", action="store_true", help="add the recall by what was asked for")
    parser.add_argument("--sessions", type=int, help="how many test sessions are asked")
    parser.add_argument("--set", help="changes of the settings of the nets")
    main(parser.parse_args())
