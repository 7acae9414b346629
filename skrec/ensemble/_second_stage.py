"""The second stage of TwoStageRecommender: what it learns from, and its choice on held-out items."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from ..utils._threads import single_threaded_openmp
from ._choice import choose, cross_fitted, folds_of, shrunk
from ._listwise import FEW_PAIRS, listwise_ranker
from ._pairs import Pairs, pair_ndcg
from ._ranker import default_ranker
from ._weights import climb


@dataclass(frozen=True)
class TrainingPairs:
    """Candidates of held-out users, those of users with a hit alone.

    Attributes
    ----------
    pairs : Pairs
        Candidates of the users with a hit; the last column of the scores is the blend.
    labels : bool ndarray of shape (n_pairs,)
        Which candidates are relevant.
    table : ndarray of shape (n_pairs, n_features)
        Features.
    n_relevant : int ndarray of shape (n_users,)
        Number of relevant items of each held-out user, with a hit or not.
    has_hit : bool ndarray of shape (n_users,)
        Whether one of the user's candidates is relevant.
    holdout : int ndarray of shape (n_users,)
        Number of the holdout.
    parts : ndarray of shape (n_users, n_parts), or None
        NDCG at k that each part alone reaches; NaN where nothing is relevant.
    """

    pairs: Pairs
    labels: np.ndarray
    table: np.ndarray
    n_relevant: np.ndarray
    has_hit: np.ndarray
    holdout: np.ndarray
    parts: np.ndarray | None

    @staticmethod
    def join(blocks: list["TrainingPairs"]) -> "TrainingPairs":
        """Put blocks of users behind each other."""
        pairs = Pairs.join([block.pairs for block in blocks])
        labels, table, n_relevant, has_hit, holdout = (
            np.concatenate([getattr(block, name) for block in blocks])
            for name in ("labels", "table", "n_relevant", "has_hit", "holdout")
        )
        parts = None if blocks[0].parts is None else np.concatenate([block.parts for block in blocks])
        return TrainingPairs(pairs, labels, table, n_relevant, has_hit, holdout, parts)

    def keep(self, users: np.ndarray) -> "TrainingPairs":
        """Keep some of the users with a hit, given as a mask; without the others."""
        of_pairs = users[self.pairs.row]
        n_relevant, holdout = (values[self.has_hit][users] for values in (self.n_relevant, self.holdout))
        some = np.ones(len(n_relevant), dtype=bool)
        return TrainingPairs(
            self.pairs.keep(users), self.labels[of_pairs], self.table[of_pairs], n_relevant, some, holdout, None
        )

    def ndcg(self, k: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that gives the NDCG at k of all users, of a score for each pair."""
        reached_by = pair_ndcg(self.pairs, self.labels, self.n_relevant[self.has_hit], k)

        def value(scores: np.ndarray) -> np.ndarray:
            reached = np.where(self.n_relevant > 0, 0.0, np.nan)
            reached[self.has_hit] = reached_by(scores)
            return reached

        return value


def fit_ranker(ranker, training: TrainingPairs):
    """Return a ranker, fitted."""
    groups = {"group": np.diff(training.pairs.starts)} if has_fit_parameter(ranker, "group") else {}
    few = len(training.labels) < FEW_PAIRS
    with single_threaded_openmp() if few else nullcontext():
        return clone(ranker).fit(training.table, training.labels.astype(np.int32), **groups)


def choose_second_stage(training: TrainingPairs, names: list[str], rank: Callable, k: int, rng):
    """Choose between the best part, the parts with equal and with learned weights, and rankers.

    Parameters
    ----------
    training : TrainingPairs
        Candidates of held-out users.
    names : list of str
        Names of the parts.
    rank : callable
        Scores of pairs, of a fitted ranker, the pairs and their features.
    k : int
        Length of the lists that count.
    rng : RandomState
        Draws folds and seeds.

    Returns
    -------
    choice : str
        What was chosen.
    ranker : estimator or None
        The chosen ranker, unfitted.
    weights : ndarray of shape (n_parts,)
        Weights of the parts in the blend.
    scores : dict of str to ndarray of shape (n_users,)
        NDCG at k of each held-out user, from what was fitted on other holdouts, or on other users of a single one.
    """
    alone = np.asarray(training.parts)
    seed, pairs, ndcg = rng.randint(np.iinfo(np.int32).max), training.pairs, training.ndcg(k)
    rankers = {"ranker": default_ranker(seed)}
    if (listwise := listwise_ranker(seed)) is not None:
        rankers["listwise ranker"] = listwise
    folds, n_parts = folds_of(training.holdout[training.has_hit], rng), len(names)
    equal = np.full(n_parts, 1 / n_parts)
    best = int(np.argmax(np.nanmean(alone, axis=0)))
    scores = {f"part {name}": alone[:, number] for number, name in enumerate(names)}
    weights = {f"part {name}": np.eye(n_parts)[number] for number, name in enumerate(names)}

    def learned(part: TrainingPairs) -> np.ndarray:
        chosen = climb(part.pairs.scores[:, :-1], part.pairs, part.labels, part.n_relevant[part.has_hit], k)
        return shrunk(chosen, best, part.pairs.n_rows)

    def weighted(chosen: np.ndarray) -> np.ndarray:
        return ndcg(pairs.scores[:, :-1] @ chosen.astype(np.float32))

    def of_all(on_folds: Callable) -> np.ndarray:
        """Return the NDCG of all users, given that of the users with a hit by what others have taught."""
        reached = np.where(training.n_relevant > 0, 0.0, np.nan)
        reached[training.has_hit] = cross_fitted(folds, lambda users: on_folds(users)[training.has_hit])
        return reached

    if n_parts > 1:
        scores["equal weights"], weights["equal weights"] = weighted(equal), equal
        scores["learned weights"] = of_all(lambda users: weighted(learned(training.keep(users))))
    for name, ranker in rankers.items():
        scores[name] = of_all(
            lambda users, ranker=ranker: ndcg(rank(fit_ranker(ranker, training.keep(users)), pairs, training.table))
        )
    unlearned = [f"part {name}" for name in names] + (["equal weights"] if n_parts > 1 else [])
    choice = choose(scores, [unlearned, ["learned weights"] if n_parts > 1 else [], list(rankers)])
    if choice == "learned weights":
        weights[choice] = learned(training)
    return choice, rankers.get(choice), weights.get(choice, equal), scores
