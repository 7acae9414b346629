"""What ensembles of recommenders share: their parts, fitted and asked together, on one scale."""

import logging
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import Bunch, get_tags

from ..base import BaseRecommender
from ..dummy import PopularityRecommender
from ..utils._arguments import as_list
from ..utils._frame_parameter import shallow
from ..utils._histories import Histories, ReadHistories, as_passed
from ..utils._prepared import id_table
from ..utils._progress import Progress
from ..utils._single import EnsembleUser, codes_of, encode_single
from ..utils._single_rows import row_values
from ..utils._sklearn import _BaseComposition
from ..utils._users import Users, read_only
from ..utils._validation import join_ids, lookup
from ._normalization import NORMALIZATIONS
from ._pairs import hold_out
from ._part_scores import PartScoresMixin
from ._part_updates import PartUpdatesMixin, named_errors

logger = logging.getLogger("skrec")


class PartsRecommender(PartScoresMixin, PartUpdatesMixin, _BaseComposition, BaseRecommender):
    """Base of recommenders made of named recommenders; the parameter with the parts is named by `_parts_name`."""

    _parts_name = "recommenders"

    @abstractmethod
    def __init__(self):
        """Only assign."""

    def get_params(self, deep: bool = True) -> dict:
        """Return the parameters, and with `deep` the parts by name and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return what is inside the parts as well, as ``<name>__<parameter>``.

        Returns
        -------
        dict
            The parameters.
        """
        return self._get_params(self._parts_name, deep=deep)

    def set_params(self, **params):
        """Set parameters, parts by name, or parameters of parts.

        Parameters
        ----------
        **params : dict
            ``<name>=recommender`` replaces a part, ``<name>="drop"`` leaves it out, ``<name>__<parameter>=`` sets a
            parameter of it.

        Returns
        -------
        object
            The recommender itself.
        """
        self._set_params(self._parts_name, **params)
        return self

    # ---- fitting ---------------------------------------------------------------------------------------------

    def _named_parts(self) -> tuple[list[str], list[BaseRecommender]]:
        """Check the parameter with the parts and return the names and recommenders that are not dropped."""
        label, pairs = self._parts_name, getattr(self, self._parts_name)
        if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
            raise TypeError(f"{label} must be a list of (name, recommender) pairs, got {pairs!r}")
        if not pairs:
            raise ValueError(f"{label} is empty: give at least one (name, recommender) pair")
        names = [name for name, _ in pairs]
        for name in names:
            if not isinstance(name, str) or "__" in name or name in self.get_params(deep=False):
                raise ValueError(
                    f"{label} has the name {name!r}: a name must be a string without '__' that is no parameter of "
                    f"{type(self).__name__}"
                )
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{label} has the name {twice!r} twice: give each part a name of its own")
        kept = [(name, part) for name, part in pairs if not (isinstance(part, str) and part == "drop")]
        if not kept:
            raise ValueError(f"{label} has only dropped parts: keep at least one")
        for name, part in kept:
            if not isinstance(part, BaseRecommender):
                raise TypeError(
                    f"{label} has {name!r}, which is {part!r} and no recommender: give an instance of a skrec model"
                )
            if self.prefit and not hasattr(part, "items_"):
                raise ValueError(f"{label} has {name!r}, which is not fitted: fit it, or leave prefit=True out")
        return [name for name, _ in kept], [part for _, part in kept]

    def _record_choice(self, choice: str | None = None, scores: dict | None = None) -> None:
        """Set what was chosen on held-out users and the NDCG of each candidate there; None: nothing was to choose."""
        for name in ("choice_", "validation_scores_", "n_validation_users_"):
            if name in vars(self):
                delattr(self, name)
        if choice is not None and scores is not None:
            self.choice_ = choice
            self.validation_scores_ = {name: float(np.nanmean(values)) for name, values in scores.items()}
            self.n_validation_users_ = max((np.count_nonzero(~np.isnan(one)) for one in scores.values()), default=0)

    def _read_training(self, X) -> Histories:
        histories = self._read(X)
        if not len(histories.codes):
            raise ValueError("X has no item in any history: nothing can be learned from it")
        return histories

    def _step_back(self, X, learn: Callable, n_last: int = 1) -> None:
        """Call ``learn(known, asked, held, number)`` for each holdout, back in time; fewer where events run out."""
        known, end = X, None
        for number in range(1 if self.prefit else self.n_holdouts):
            try:
                known, asked, held, end = hold_out(known, self._read(known), self.holdout, n_last, end)
                learn(known, asked, held, number)
            except ValueError as error:
                if number == 0:
                    raise
                logger.warning("n_holdouts=%d, but only %d can be learned from: %s", self.n_holdouts, number, error)
                return

    def _fit_parts(self, X, histories: Histories, names, parts, progress: Progress) -> None:
        """Fit clones of the parts and of the fallback on histories, and learn the items of all."""
        X = ReadHistories(X, histories)
        if self.prefit:
            fitted = list(parts)
        else:
            jobs = (
                delayed(_fit_part)(self._parts_name, name, part, X) for name, part in zip(names, parts, strict=True)
            )
            fitted = []
            for part in Parallel(n_jobs=self.n_jobs, return_as="generator")(jobs):
                fitted.append(part)
                progress.step()
        fallback = PopularityRecommender() if self.fallback is None else self.fallback
        if not hasattr(fallback, "items_") or not self.prefit:
            fallback = _fit_part("fallback", None, fallback, X)
        setattr(self, f"{self._parts_name}_", fitted)
        self.fallback_ = fallback
        self._names = list(names)
        self._join_items(fitted)
        self.popularity_ = self._part_popularity()

    def _join_items(self, fitted, first: np.ndarray | None = None) -> None:
        """Learn the union of the parts' items, sorted, or behind those that come first."""
        items = np.unique(join_ids([part.items_ for part in fitted], self._parts_name))
        if first is not None:
            items = join_ids([first, items[lookup(items, first) < 0]], self._parts_name)
        self.items_, self.n_items_ = items, len(items)
        self._columns = [self._columns_of(part) for part in fitted]
        self._fallback_columns = self._columns_of(self.fallback_)

    def _columns_of(self, part) -> np.ndarray | None:
        """Return the position of each item of a part, None where the items are those of the ensemble."""
        if np.array_equal(part.items_, self.items_):
            return None
        return lookup(part.items_, self.items_, self._parts_name)

    def _chosen_normalizations(self, parts: list[BaseRecommender]) -> list[str]:
        """Return the normalization of each part."""
        chosen = self.normalization
        chosen = [chosen] * len(parts) if isinstance(chosen, str) else as_list(chosen, "normalization", "names")
        known = ("auto", *NORMALIZATIONS)
        if len(chosen) != len(parts) or not all(isinstance(one, str) and one in known for one in chosen):
            raise ValueError(
                f"normalization must be one of {', '.join(known)}, or one of them for each of the {len(parts)} "
                f"{self._parts_name}, got {self.normalization!r}"
            )
        auto = ["softmax" if part._scores_are_logits else "zscore" for part in parts]
        return [own if one == "auto" else one for one, own in zip(chosen, auto, strict=True)]

    @property
    def _parts(self) -> list[BaseRecommender]:
        return getattr(self, f"{self._parts_name}_")

    @property
    def _named(self) -> Bunch:
        return Bunch(**dict(zip(self._names, self._parts, strict=True)))

    # ---- asking ----------------------------------------------------------------------------------------------

    def _presence(self, histories: Histories) -> sp.csr_array:
        """Return how many events each user has with each item of the ensemble."""
        return histories.on_items(self.items_).to_matrix()

    def _encode(self, X) -> Users:
        """Read X once; `extra` holds the users in the form of each part, and of the fallback where it is needed."""
        read = ReadHistories(as_passed(X), self._read(X))
        histories = read.histories.on_items(self.items_)
        matrix = histories.to_matrix()
        read_only(matrix.data, matrix.indices, matrix.indptr)
        users = self._describe(Users(matrix, histories), as_passed(X), fitting=False)
        extra = {f"part {number}": part._encode(read) for number, part in enumerate(self._parts)}
        cold = (histories.lengths == 0).any()
        return users.with_extra(**extra, fallback=self.fallback_._encode(read) if cold else None)

    def _encode_single(self, row, X, places=None) -> EnsembleUser | None:
        """Read one history for every part; None where one of them, or the fallback, needs `_encode`."""
        places = (codes_of(row, id_table(self)) or []) if places is None else places
        known = [place for place in places if place >= 0]
        if not known:
            return None
        columns, values = row_values(known, binary=False, recency=None)
        user = EnsembleUser(self, X, columns, values, places, row if isinstance(row, Histories) else None)
        user.parts = []
        for part, columns_of in zip(self._parts, self._columns, strict=True):
            shared = places if columns_of is None else None
            if (one := encode_single(part, row, X, shared)) is None:
                return None
            user.parts.append(one)
        return user

    def _block_width(self) -> int:
        return (len(self._parts) + 4) * self.n_items_ + max(part._block_width() for part in self._parts)

    def _takes_new_items(self) -> bool:
        return any(part._takes_new_items() for part in self._parts)

    def _with_new_items(self, item_features):
        able = [part._takes_new_items() for part in self._parts]
        if not any(able):
            return super()._with_new_items(item_features)
        wider = shallow(self)
        parts = [
            part._with_new_items(item_features) if can else part for part, can in zip(self._parts, able, strict=True)
        ]
        setattr(wider, f"{self._parts_name}_", parts)
        wider._join_items(parts, self.items_)
        n_new = wider.n_items_ - self.n_items_
        wider.popularity_ = np.concatenate([self.popularity_, np.zeros(n_new, dtype=self.popularity_.dtype)])
        return wider

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        pairs = getattr(self, self._parts_name)
        parts = [pair[1] for pair in pairs if isinstance(pair[1], BaseRecommender)] if isinstance(pairs, list) else []
        tags.updates = self._part_updates(parts)
        if parts:
            tags.personalized = any(get_tags(part).personalized for part in parts)
            tags.fit_randomness = any(get_tags(part).fit_randomness for part in parts)
        return tags


def _fit_part(label: str, name: str | None, part, X):
    own = type(part).fit is not BaseRecommender.fit  # it may read X in its own way
    with named_errors(label, name):
        return clone(part).fit(as_passed(X) if own else X)
