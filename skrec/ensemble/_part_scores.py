"""Scores of ensembles: those of the parts on one scale, their weighted sum, and the fallback's for unknown users."""

from typing import Any

import numpy as np

from ..utils._frame_parameter import shallow
from ..utils._selection import dense
from ..utils._single import EnsembleUser, dense_single
from ..utils._users import Users
from ._normalization import normalize


class PartScoresMixin:
    """Scores of recommenders made of parts."""

    fallback: Any
    fallback_: Any
    n_items_: int
    weights_: np.ndarray
    _serves_cold = True  # whether the fallback answers for users of whom nothing is known
    _names: list[str]
    _columns: list
    _parts: Any
    _normalizations: list[str]
    _fallback_columns: Any

    def _expand(self, scores, columns: np.ndarray | None) -> np.ndarray:
        """Bring a part's scores to the items of the ensemble; what it does not know is its lowest for that user."""
        scores = np.asarray(dense(scores), dtype=np.float32)
        if columns is None:
            return scores
        full = np.empty((len(scores), self.n_items_), dtype=np.float32)
        full[:] = scores.min(axis=1, keepdims=True) if scores.shape[1] else 0
        known = columns >= 0
        full[:, columns[known]] = scores[:, known]
        return full

    def _scorers(self, at: float | None) -> list:
        return [part._scorer(at) for part in self._parts]

    def _normalized(self, scorers: list, users: Users, which=None) -> list[np.ndarray]:
        """Return the normalised scores that parts, all or the ones named by number, give a block of users."""
        which = range(len(scorers)) if which is None else which
        scores = [
            self._expand(scorers[number](users.extra[f"part {number}"]), self._columns[number]) for number in which
        ]
        return [normalize(one, self._normalizations[number]) for one, number in zip(scores, which, strict=True)]

    def _normalized_single(self, user: EnsembleUser, at: float | None, number: int) -> np.ndarray:
        """Return the normalised scores that a part gives one user, shape (1, n_items)."""
        scores = dense_single(self._parts[number], user.parts[number], at)[None]
        return normalize(self._expand(scores, self._columns[number]), self._normalizations[number])

    def _blend_scorer(self, at):
        """Return a function that gives the weighted sum of the parts' scores of users."""
        scorers = self._scorers(at)

        def score(users):
            return self._serve_cold(self._sum(self._weighted(scorers, users), users.shape), users, at)

        return score

    def _blend_single(self, user, at) -> np.ndarray:
        """Return the weighted sum of the parts' scores of one user, shape (n_items,)."""
        parts = []
        for number in np.flatnonzero(self.weights_).tolist():
            parts.append(self._normalized_single(user, at, number))
            parts[-1] *= np.float32(self.weights_[number])
        return self._sum(parts, (1, self.n_items_))[0]

    def _sourced_blend_scorer(self, at):
        """Return the same function, which also returns the part that adds most to an item."""
        scorers = self._scorers(at)
        names = np.array(self._names, dtype=object)[np.flatnonzero(self.weights_)]

        def score(users):
            added = list(self._weighted(scorers, users))

            def sources(found):
                strongest = np.argmax([np.take_along_axis(one, found, axis=1) for one in added], axis=0)
                return self._cold_sources(users, names[strongest])

            return self._serve_cold(self._sum(added, users.shape), users, at), sources

        return score

    def _weighted(self, scorers, users):
        """Yield what each part with a weight adds to the scores of a block of users."""
        for number in np.flatnonzero(self.weights_):
            (part,) = self._normalized(scorers, users, [number])
            part *= np.float32(self.weights_[number])
            yield part

    @staticmethod
    def _sum(parts, shape) -> np.ndarray:
        total = np.zeros(shape, dtype=np.float32)
        for part in parts:
            total += part
        return total

    def _serve_cold(self, scores: np.ndarray, users: Users, at: float | None) -> np.ndarray:
        """Let the fallback answer for users of whom nothing is known; in place."""
        cold = np.diff(users.matrix.indptr) == 0
        if cold.any() and self._serves_cold:
            score = self.fallback_._scorer(at)
            edges = np.flatnonzero(np.diff(np.concatenate([[False], cold, [False]])))
            for start, stop in edges.reshape(-1, 2):  # runs of such users
                run = slice(start, stop)
                scores[run] = self._expand(score(users.extra["fallback"][run]), self._fallback_columns)
        return scores

    def _without_fallback(self):
        """Return the ensemble with scores of its parts for all users, which are on one scale."""
        alone = shallow(self)
        alone._serves_cold = False
        return alone

    def _cold_sources(self, users: Users, sources: np.ndarray) -> np.ndarray:
        cold = np.diff(users.matrix.indptr) == 0
        sources[cold] = "popularity" if self.fallback is None else "fallback"
        return sources
