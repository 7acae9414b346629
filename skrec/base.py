"""The contract of a recommender: histories in, item ids out."""

from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ._similar_items import SimilarItemsMixin
from ._updates import UpdatableMixin
from .feature_extraction._vectorizing import (
    as_csr,
    default_vectorizer,
    vectorizer_input,
    vectorizer_items,
    with_vocabulary,
)
from .utils._answer_frame import answer_frame_or_arrays
from .utils._arguments import check_flags
from .utils._csr import counts_of
from .utils._fitting import fit_context, snapshot
from .utils._histories import Histories, as_passed, is_frame, read_histories
from .utils._legacy import accept_matrix_methods
from .utils._list_columns import is_matrix
from .utils._prepared import item_order
from .utils._progress import CallbackSupportMixin
from .utils._requests import Request, check_matrix, column_ids
from .utils._row_blocks import BLOCK
from .utils._search import InnerProduct
from .utils._selection import best_items, dense, stack
from .utils._single import SingleUser, agrees, encode_few, plain_user, recommend_single
from .utils._single_rows import product_single
from .utils._sklearn import DocumentationLinkMixin, HasMethods, Interval, StrOptions, _get_feature_names
from .utils._state import CompactIdState
from .utils._statistics import Statistics
from .utils._tags import RecommenderTags
from .utils._topk import map_blocks
from .utils._users import Users, read_only
from .utils._validation import as_kind


class BaseRecommender(
    UpdatableMixin, SimilarItemsMixin, CompactIdState, CallbackSupportMixin, DocumentationLinkMixin, BaseEstimator
):
    """Base of all recommenders: learns `items_` as a classifier learns `classes_`, and answers with item ids.

    A row of `X` is one user, given by a history; nothing about a user is stored, so a new user, or one more click,
    is just another row. A model overrides `_fit` and one scoring method, `_score`; parameters `k`, `exclude_seen`
    and `vectorizer` are its own constructor's.

    Attributes
    ----------
    items_ : ndarray of shape (n_items,)
        The item ids the model can recommend, in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users who have each item; breaks ties between equal scores.

    See Also
    --------
    skrec.testing.check_recommender : Checks this contract on a model of your own.

    Examples
    --------
    A recommender that prefers the newest ids:

    >>> import numpy as np
    >>> from skrec.base import BaseRecommender
    >>> class Newest(BaseRecommender):
    ...     def __init__(self, *, vectorizer=None, k=10, exclude_seen=True):
    ...         self.vectorizer = vectorizer
    ...         self.k = k
    ...         self.exclude_seen = exclude_seen
    ...
    ...     def _fit(self, users):
    ...         self.scores_ = np.arange(users.shape[1], dtype=np.float32)
    ...
    ...     def _score(self, users):
    ...         return np.tile(self.scores_, (users.shape[0], 1))
    >>> Newest(k=2).fit([[1, 2], [2, 3]]).predict([[1], [3]])
    array([[3, 2],
           [2, 1]])
    """

    _parameter_constraints: dict = {
        "vectorizer": [HasMethods(["fit_transform", "transform"]), StrOptions({"passthrough"}), None],
        "k": [Interval(Integral, 1, None, closed="left")],
        "exclude_seen": ["boolean"],
    }

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        accept_matrix_methods(cls)

    # ---- what a model overrides ------------------------------------------------------------------------------

    _reads_histories = False  # set by accept_matrix_methods
    _scores_are_logits = False  # True: the exponential of a score says how likely the item is

    def _fit(self, users: Users) -> None:
        """Learn from the training users: `users.matrix`, and `users.histories` where the tag `needs_order` is set.

        A model of additive statistics overrides `_count` and `_solve` instead; with ``incremental=True`` it keeps them.
        """
        self._learn(self._count(users))

    def _learn(self, statistics: Statistics) -> None:
        """Solve from the statistics of all users, and keep them where they can be updated."""
        if self._updates == "exact" and getattr(self, "incremental", True):
            statistics = self._statistics = statistics.formed()
        self._solve(statistics)

    def _count(self, users: Users) -> Statistics:
        """Count what `_solve` needs: sums over users, so that statistics of several parts of a log add up."""
        raise NotImplementedError(f"{type(self).__name__} must override _fit, or _count and _solve")

    def _solve(self, statistics: Statistics) -> None:
        """Set the attributes that are learned, from statistics and `popularity_`."""
        raise NotImplementedError(f"{type(self).__name__} must override _fit, or _count and _solve")

    def _score(self, users: Users):
        """Score a block of users; return an array (n_users, n_items) that the caller may change, or a CSR array.

        A model that has `similarity_` may leave it: scores are then `_weigh` times `similarity_`, and a sparse
        `similarity_` is searched without the scores in between.
        """
        if not hasattr(self, "similarity_"):
            raise NotImplementedError(f"{type(self).__name__} must override _score")
        return self._weigh(users) @ self.similarity_

    def _describe(self, users: Users, X, *, fitting: bool) -> Users:
        """Add to users what the model needs beyond matrix and histories, from what was passed as X."""
        return users

    def _catalogue(self) -> np.ndarray | None:
        """Return the ids of items that can be recommended although the training histories may lack them."""
        return None

    def _with_new_items(self, item_features) -> "BaseRecommender":
        """Return a copy of the fitted model that also knows the items of this frame, behind its own in `items_`."""
        raise TypeError(
            f"item_features cannot be passed to {type(self).__name__}, which learns items from events alone: "
            "use a model with item features, such as ContentRecommender"
        )

    def _takes_new_items(self) -> bool:
        """Tell whether the fitted model can learn of items at request time."""
        return type(self)._with_new_items is not BaseRecommender._with_new_items

    def _sources(self, users: Users, found: np.ndarray, at: float | None) -> np.ndarray:
        """Return which model or path gave each recommended item, found (n_users, k) as positions in `items_`."""
        known = np.diff(users.matrix.indptr) > 0
        by_user = np.where(known, type(self).__name__, "popularity").astype(object)
        return np.repeat(by_user[:, None], found.shape[1], axis=1)

    def _weigh(self, users: Users) -> sp.csr_array:
        """Return what each item of the history counts, a float32 CSR array (n_users, n_items)."""
        return sp.csr_array(users.matrix, dtype=np.float32)

    def _score_single(self, user: SingleUser, at: float | None):
        """Score one user exactly as `_scorer` does, without a matrix: an array (n_items,), `Scored` or `Products`.

        None where only `_scorer` can. A model that overrides `_score` or `_scorer` is asked through them unless it
        overrides this as well.
        """
        if not hasattr(self, "similarity_") or not agrees(type(self), "_weigh_single", "_weigh"):
            return None
        return product_single(*self._weigh_single(user), self.similarity_)

    def _weigh_single(self, user: SingleUser) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns, ascending, and float32 values of the row that `_weigh` gives one user."""
        return user.columns, user.values

    def _inner_product(self):
        """Return how scores are inner products, None where they are not: a function from `Users` to vectors
        (n_users, n), and the item vectors (n_items, n), an array that is the same each time.
        """
        return None

    def _scorer(self, at: float | None):
        """Return the function that scores blocks at a moment (None: the latest seen); for models that know time."""
        return self._score

    def _sourced_scorer(self, at: float | None):
        """Return a scorer that gives sources in the same go: a pair of scores and a function from the columns found
        to their sources; None where `_sources` tells them from the users alone.
        """
        return None

    # ---- the contract ----------------------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn from histories.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user; a matrix only with ``vectorizer="passthrough"``.
        y : None
            Ignored, so that held-out items can never leak into training.

        Returns
        -------
        object
            The fitted recommender itself.
        """
        histories = None
        vars(self).pop("_statistics", None)
        if self._is_passthrough():
            matrix = check_matrix(self, X, reset=True)
            names, numbers = getattr(X, "history_items", None), column_ids(X)  # of a HistoryVectorizer in a Pipeline
            if names is None:
                names = _get_feature_names(X) if numbers is None else numbers
            self.items_ = np.arange(matrix.shape[1]) if names is None else names
            self._column_ids = list(X.columns) if numbers is not None else None
        else:
            histories = self._read(X)
            vectorizer = getattr(self, "vectorizer", None)
            self.vectorizer_ = default_vectorizer() if vectorizer is None else clone(vectorizer)
            if (catalogue := self._catalogue()) is not None:
                with_vocabulary(self.vectorizer_, catalogue)
            with config_context(transform_output="default"):  # whatever the user has set for their own tables
                read = vectorizer_input(self.vectorizer_, as_passed(X), histories)
                matrix = as_csr(self.vectorizer_.fit_transform(read))
            self.items_ = vectorizer_items(self.vectorizer_, matrix.shape[1])
            if catalogue is not None:
                self.items_ = as_kind(self.items_, histories.ids.dtype)
        self._dated = None if histories is None or histories.time is None else histories.dated
        self.n_items_ = len(self.items_)
        self.popularity_ = counts_of(matrix.indices, self.n_items_)
        self._fit(self._users(matrix, histories, X, fitting=True))
        return self

    def predict(self, X):
        """Recommend `k` items to each user.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user.

        Returns
        -------
        ndarray of shape (n_users, min(k, n_items))
            Item ids, best first.
        """
        return self.recommend(X)

    @snapshot
    def recommend(
        self,
        X,
        k=None,
        *,
        candidates=None,
        exclude=None,
        exclude_seen=None,
        at=None,
        item_features=None,
        return_scores=False,
        return_source=False,
        as_frame=False,
        names=None,
    ) -> np.ndarray | tuple[np.ndarray, ...] | Any:
        """Recommend items to each user, with the options of one request.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user. Empty histories receive the most popular items.
        k : int, default=None
            Number of items; None takes the constructor's `k`.
        candidates : array-like of shape (n_candidates,), default=None
            The only items that may be recommended. Ids the model does not know are passed over.
        exclude : array-like of shape (n_excluded,), or one such list per user, or dict, default=None
            Items that must not be recommended. One list per user may hold None for nothing; a dict names the users by
            the index of `X`, or by row number.
        exclude_seen : bool, default=None
            Whether the user's own items come last; None takes the constructor's `exclude_seen`.
        at : date or number, default=None
            The moment of asking, for models that know time; None is the latest time they have seen.
        item_features : pandas DataFrame of shape (n_new_items, n_features), default=None
            Features of items that came after `fit`, indexed by item id, which may then be recommended too; for
            models that score items by their features.
        return_scores : bool, default=False
            Whether to return the scores as well.
        return_source : bool, default=False
            Whether to return as well which model, or which path of the model, gave each item.
        as_frame : bool, default=False
            Whether to return one frame, a row per user and rank, in place of the arrays.
        names : pandas Series or dict, default=None
            Names of items by item id, for the frame; a Series is indexed by item id.

        Returns
        -------
        items : ndarray of shape (n_users, n_columns)
            Item ids, best first. `n_columns` is `k`, or the number of items that may be recommended if that is
            smaller; with one `exclude` list per user, to the user with fewest.
        scores : ndarray of shape (n_users, n_columns)
            Only with ``return_scores=True``. Seen items that came last show ``-inf``.
        sources : ndarray of shape (n_users, n_columns)
            Only with ``return_source=True``: names such as ``"EASE"``, or ``"popularity"`` where nothing in the
            history is known.
        frame : pandas or polars DataFrame of shape (n_users * n_columns, n)
            Only with ``as_frame=True``, in place of the arrays; of polars where `X` is, else of pandas. Its columns:

            - `user`: the index of `X`, with its type, or the row number where `X` has no index, as in polars;
            - `rank`: 1 for the best, to `n_columns`;
            - `item` and `score`, as in the arrays;
            - `name`, only with `names`: empty for items without a name, which are counted in a warning of the logger
              ``skrec``;
            - `source`, only with ``return_source=True``;
            - `seen`: whether the user's own history holds the item. With `exclude_seen` such a row, with the score
              ``-inf``, stands where the user has no other item left: ``frame[~frame["seen"]]`` leaves them out.
        """
        if not hasattr(self, "items_"):  # otherwise it is fitted; asking for its tags takes as long as the answer
            check_is_fitted(self)
        check_flags(return_scores=return_scores, return_source=return_source, as_frame=as_frame)
        if item_features is not None or as_frame or names is not None:
            how = {"candidates": candidates, "exclude": exclude, "exclude_seen": exclude_seen, "at": at}
            how |= {"return_scores": return_scores, "return_source": return_source}
            return answer_frame_or_arrays(self, X, k, how, item_features, as_frame, names)
        request = Request.read(self, X, k, candidates, exclude, exclude_seen, at)
        if getattr(X, "n_events", 0) > BLOCK and request.exclude_by_user is None:  # StoredHistories
            how = {"candidates": request.candidates, "exclude": request.exclude, "exclude_seen": exclude_seen, "at": at}
            how |= {"return_scores": return_scores, "return_source": return_source}
            return _joined([self.recommend(block, k, **how) for block in X.blocks(BLOCK)])
        if not return_source and (found := recommend_single(self, X, request)) is not None:
            return (self.items_[found[0]], found[1]) if return_scores else self.items_[found[0]]
        columns, at = request.columns(self.items_), request.at
        order, rank = item_order(self)
        if len(columns) < self.n_items_:
            order = np.argsort(rank[columns])
        users = self._encode(X)
        removed = request.removed(self.items_, len(users))
        most_removed = 0 if removed is None else int(np.diff(removed[:, columns].indptr).max(initial=0))
        k = min(request.k, len(columns) - most_removed)
        if k < 1:
            raise ValueError("exclude leaves no item to recommend: pass fewer exclusions or more candidates")

        product: Any = (self._weigh, self.similarity_) if self._is_product() else None
        sourced = self._sourced_scorer(at) if return_source else None
        if sourced is None and (inner := self._inner_product_of_scores()) is not None:
            product = inner
        best, values, *sources = best_items(
            sourced or self._scorer(at),
            users,
            k,
            n_items=self.n_items_,
            columns=columns,
            order=order,
            demote_seen=request.exclude_seen,
            removed=removed,
            row_bytes=4 * self._block_width(),
            product=product,
            sources=sourced is not None,
        )
        answer = [self.items_[best], values] if return_scores else [self.items_[best]]
        if return_source:
            answer.append(sources[0] if sourced else self._sources(users, best, at))
        return answer[0] if len(answer) == 1 else tuple(answer)

    @snapshot
    def decision_function(self, X) -> np.ndarray:
        """Score every item for each user.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user.

        Returns
        -------
        ndarray of shape (n_users, n_items)
            Scores in the order of `items_`, higher is better; the user's own items are not pushed down. The array
            is dense: for many users call `recommend`, which works in blocks.
        """
        check_is_fitted(self)
        score = self._scorer(None)
        users = self._encode(X)
        blocks = map_blocks(lambda block: dense(score(users[block])), len(users), 4 * self._block_width())
        return stack(blocks, (0, self.n_items_))

    def score(self, X, y=None) -> float:
        """Return the mean NDCG at k of the recommendations.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user: what is known when asking.
        y : sequence of shape (n_users,)
            The held-out item ids of each user; rows with none are left out of the mean.

        Returns
        -------
        float
            NDCG at ``min(k, n_items)``, between 0 and 1.
        """
        from .metrics import ndcg_at_k

        if y is None:
            raise TypeError(
                "score needs the held-out items as y: X, y = split_last(histories), or split_time(histories, at=...)"
            )
        return ndcg_at_k(y, self.predict(X))

    # ---- shared work -----------------------------------------------------------------------------------------

    def _is_product(self) -> bool:
        """Tell whether the scores are the base's: the weighed history times a sparse `similarity_`."""
        kind = type(self)
        plain = kind._score is BaseRecommender._score and kind._scorer is BaseRecommender._scorer
        return plain and sp.issparse(getattr(self, "similarity_", None))

    def _inner_product_of_scores(self) -> "InnerProduct | None":
        """Return `_inner_product` for the search, unless a subclass has overridden the scores alone."""
        if not agrees(type(self), "_inner_product", "_score", "_scorer") or (found := self._inner_product()) is None:
            return None
        return InnerProduct(self, *found)

    def _is_passthrough(self) -> bool:
        return getattr(self, "vectorizer", None) is not None and isinstance(self.vectorizer, str)

    def _read(self, X) -> Histories:
        if is_matrix(X) and not is_frame(X) and get_tags(self).needs_order and not hasattr(self, "vectorizer"):
            name = type(self).__name__
            raise TypeError(f"X is a matrix, which has no order: {name} needs histories, see to_histories")
        return read_histories(X)

    def _encode(self, X) -> Users:
        """Bring users to the form that `_score` takes."""
        if self._is_passthrough():
            return self._users(check_matrix(self, X, reset=False), None, X, fitting=False)
        if (users := encode_few(self, X)) is not None:
            return users
        histories = self._read(X)
        with config_context(transform_output="default"):
            matrix = as_csr(self.vectorizer_.transform(vectorizer_input(self.vectorizer_, as_passed(X), histories)))
        return self._users(matrix, histories, X, fitting=False)

    def _encode_single(self, row, X, places: list[int] | None = None) -> SingleUser | None:
        """Read one history, the only row of X, without matrices; None where only `_encode` can."""
        return plain_user(self, row, X, places)

    def _users(self, matrix: sp.csr_array, histories: Histories | None, X, *, fitting: bool) -> Users:
        """Put together what a model sees of users; what they share with others may not be written to."""
        read_only(matrix.data, matrix.indices, matrix.indptr)
        coded = None
        if fitting or not hasattr(self, "_ordered"):
            self._ordered = get_tags(self).needs_order or self._reads_histories
        if histories is not None and self._ordered:
            coded = histories.on_items(self.items_)
        return self._describe(Users(matrix, coded), as_passed(X), fitting=fitting)

    def _block_width(self) -> int:
        """Float32 values that one user needs while being scored."""
        return 3 * self.n_items_

    def _contributions(self, users: Users, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split one user's scores of some items into what each item of the history adds.

        Returns the positions of the history's items (n,) and the parts (n, n_columns), whose sum over the first axis
        is the score. This default serves all models whose score is the user's row times `similarity_`.
        """
        if not hasattr(self, "similarity_"):
            raise TypeError(f"{type(self).__name__} cannot be explained: its scores are no sum over the history")
        weights = self._weigh(users)
        return weights.indices, weights.data[:, None] * dense(self.similarity_[weights.indices][:, columns])

    def __sklearn_tags__(self):
        tags = RecommenderTags.extend(super().__sklearn_tags__())
        tags.needs_order = getattr(self, "_needs_order", False)  # the class attribute of models before the tag
        tags.updates = self._updates if getattr(self, "incremental", True) else None
        inputs = tags.input_tags
        inputs.two_d_array = inputs.sparse = inputs.positive_only = self._is_passthrough()
        return tags


def _joined(answers: list):
    """Put the answers to consecutive users behind each other."""
    if isinstance(answers[0], tuple):
        return tuple(np.concatenate(parts) for parts in zip(*answers, strict=True))
    return np.concatenate(answers)
