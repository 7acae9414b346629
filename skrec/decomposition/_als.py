"""Alternating least squares for implicit feedback."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from scipy.linalg import lapack
from sklearn.utils import check_random_state

from ..base import BaseRecommender
from ..utils._csr import are_ones, ones, transposed
from ..utils._fast_als import conjugate_gradients
from ..utils._prepared import prepared
from ..utils._progress import Progress
from ..utils._search import Products
from ..utils._sklearn import Interval, StrOptions, least_squares_rows, least_squares_steps
from ..utils._threads import drain, single_threaded_blas
from ._embedding import EmbeddingMixin, gpu_solver

_DIVERGED = "ALS diverged to infinite vectors: raise l2, or lower alpha or the values of the matrix"
_SINGULAR = "ALS met a singular system: raise l2, or lower alpha or the values of the matrix"
_CG_STEPS = 3  # as implicit
_UNOBSERVED_SHARE = 12  # chosen on the validation parts of Beauty, MovieLens, Online Retail and Complete Journey
_PARALLEL_WORK = 2**22  # operations that keep two threads busy for about a millisecond
_PIECE = 256  # rows that a thread solves in one call
_LONG = 16  # entries from which matrix products are faster than the solver's sums of outer products
_UPDATE_SWEEPS = 2  # of an update
_USERS = 2**16  # whose products are summed at once, in float64
_RUNS, _RUN = 16, 64  # runs of users who tell whether the sweeps have settled, and the length of a run
_SETTLED = 0.1  # share by which their Gram matrix may differ from that of their vectors for the final items
_FLOATS = 2**18  # numbers of a piece of long rows, near the cache


class ALS(EmbeddingMixin, BaseRecommender):
    r"""Matrix factorisation by alternating least squares (iALS), on the solver of `implicit`.

    Users and items get vectors :math:`x_u, y_i` of `n_components` numbers that minimise

    .. math::

        \sum_{(u, i) \in S} c_{ui} (1 - x_u \cdot y_i)^2 + w \sum_{(u, i) \notin S} (x_u \cdot y_i)^2
        + \lambda \Big( \sum_u (n_u + w\,|I|)^\nu \|x_u\|^2 + \sum_i (n_i + w\,|U|)^\nu \|y_i\|^2 \Big)

    over the stored entries :math:`S` with confidence :math:`c_{ui} = \alpha \cdot \text{value}`; :math:`n` is the
    number of entries of a user or item. A history that was not in training is folded in exactly: its vector is the
    closed-form minimum for the item vectors, the same as for a training user. The model is that of [1]_, the scaled
    penalty and the weight :math:`w` those of [2]_.

    Parameters
    ----------
    n_components : int, default=64
        Length of the vectors. More fit more; on large data try 128 to 512.
    l2 : float, default=0.01
        Strength of the penalty :math:`\lambda`.
    l2_exponent : float, default=1.0
        How the penalty grows with the number of entries, :math:`\nu`: 1 weighs frequent users and items as
        much more as they have more data, 0 is the penalty of `implicit`.
    alpha : float, default=1.0
        Confidence of an entry of value 1.
    unobserved_weight : float or "auto", default="auto"
        Weight :math:`w` of a pair that is not stored. ``"auto"`` lets all of them together weigh 12 times as much
        as the stored entries, so that one setting suits dense and sparse data. With 1 and ``l2_exponent=0`` the
        model is the one of `implicit`.
    max_iter : int, default=16
        Number of sweeps over users and items.
    solver : {"cholesky", "cg"} or None, default=None
        Exact solution, or three steps of conjugate gradients. None takes ``"cg"``, on the solver of `implicit`, where
        ``l2_exponent=0``, and else ``"cholesky"``. ``"cg"`` with a scaled penalty takes a loop of our own, fast with
        numba.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    n_jobs : int, default=-1
        Number of threads; -1 uses all processors. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the first vectors.
    use_gpu : bool, default=False
        Whether `implicit` fits on a CUDA GPU, which needs ``l2_exponent=0`` and its conjugate gradients. Asking stays
        on the processor. The tests have no GPU: they run this against a stand-in only.
    verbose : int, default=0
        1 prints the progress and the time left at intervals, 2 a line for each sweep.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_components), dtype float32
        The item vectors.
    unobserved_weight_ : float
        The weight of a pair that is not stored.
    n_iter_ : int
        Number of sweeps done.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The fitted vectorizer.

    See Also
    --------
    skrec.linear_model.EASE : No factors; often better on catalogues up to some 20,000 items.

    Notes
    -----
    Cost of a sweep: :math:`O(|S| d^2 + (|U| + |I|) d^3)`. The penalty that depends on the row is reached by solving
    rows of equal count together, the long ones by matrix products. Scoring costs ``n_components`` operations per item.

    `partial_fit` is approximate. Of the users the model keeps their number and the :math:`d \times d` matrix
    :math:`X^\top X` of the last sweep alone; where these vectors are not yet about those for the final items, `fit`
    solves the users once more. Two sweeps solve the vectors of the users of the update and of the items
    they have or had; the other users enter an item's equations by :math:`X^\top X` and by the item's vector so far. A
    new item, which no other user has, gets the minimum of the loss over all users. Other items keep their vectors, and
    `unobserved_weight_` stays that of `fit`. Cost: :math:`O(|S'| d^2 + (|U'| + |I'|) d^3)` a sweep for the entries
    :math:`S'` of the users :math:`U'` of the update and their items :math:`I'`. On MovieLens-100k and Online Retail, an
    update with the last 5 % of the events had 90 and 82 % of the 10 recommendations in common with a refit, where a
    refit with another seed has 90 and 83 %, and the model without the update 87 and 80 %, at a sixth of the time of a
    refit (``benchmarks/bench_approximate.py``).

    References
    ----------
    .. [1] Y. Hu, Y. Koren and C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
    .. [2] S. Rendle, W. Krichene, L. Zhang and Y. Koren, "Revisiting the Performance of iALS on Item
       Recommendation Benchmarks", RecSys 2022, equation 3.

    Examples
    --------
    >>> from skrec.decomposition import ALS
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = ALS(n_components=2, k=2, random_state=0).fit(histories)
    >>> model.predict([["tea"]])
    array([['milk', 'sugar']], dtype=object)
    >>> model.transform([["tea"], []]).shape
    (2, 2)
    """

    _updates = "approximate"
    _update_state = ("_user_gram",)
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "l2_exponent": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "unobserved_weight": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions({"cholesky", "cg"}), None],
        "n_jobs": [Integral],
        "random_state": ["random_state"],
        "use_gpu": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=64,
        *,
        l2=0.01,
        l2_exponent=1.0,
        alpha=1.0,
        unobserved_weight="auto",
        max_iter=16,
        solver=None,
        vectorizer=None,
        k=10,
        exclude_seen=True,
        n_jobs=-1,
        random_state=None,
        use_gpu=False,
        verbose=0,
    ):
        self.n_components = n_components
        self.l2 = l2
        self.l2_exponent = l2_exponent
        self.alpha = alpha
        self.unobserved_weight = unobserved_weight
        self.max_iter = max_iter
        self.solver = solver
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.use_gpu = use_gpu
        self.verbose = verbose

    def _fit(self, users):
        matrix = users.matrix
        if self.use_gpu and (self.solver == "cholesky" or self.l2_exponent > 0):
            got = f"{self.l2_exponent} and {self.solver!r}"
            raise ValueError(f"use_gpu=True needs l2_exponent=0 and solver=None, got {got}: set both")
        if self.unobserved_weight == "auto":
            stored = self.alpha * float(matrix.sum())
            self.unobserved_weight_ = min(1.0, _UNOBSERVED_SHARE * stored / np.prod(matrix.shape)) or 1.0
        else:
            self.unobserved_weight_ = float(self.unobserved_weight)
        rng = self.random_state
        if rng is None or isinstance(rng, np.random.RandomState):
            rng = check_random_state(rng).randint(2**31)
        if self.use_gpu:
            kind = gpu_solver("als.AlternatingLeastSquares")
            solver = kind(self.n_components, self._penalty(0, 0), iterations=self.max_iter, random_state=rng)
            by_user = self._confidence(matrix)
            solver.fit(_with_values(by_user), show_progress=bool(self.verbose))
            self._keep(np.ascontiguousarray(solver.item_factors.to_numpy(), dtype=np.float32))
            self._learn_users(self._folded(by_user, self.item_factors_))
            return
        rng = np.random.default_rng(rng)  # as implicit draws: equal settings and seed give equal vectors
        user_factors = rng.random((matrix.shape[0], self.n_components), dtype=np.float32) * 0.01
        item_factors = rng.random((matrix.shape[1], self.n_components), dtype=np.float32) * 0.01

        by_user = self._confidence(matrix)
        by_item = _transposed(by_user)
        solve_users = self._solver(by_user, user_factors, self.solver)
        solve_items = self._solver(by_item, item_factors, self.solver)
        with single_threaded_blas(), Progress(self, "sweep", self.max_iter) as progress:
            for _ in range(self.max_iter):
                try:
                    solve_users(item_factors)
                    solve_items(user_factors)
                except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:  # of LAPACK
                    raise ValueError(_DIVERGED) from error
                progress.step()
        self._keep(item_factors)
        try:
            settled = self._have_settled(by_user, user_factors)
            self._learn_users(user_factors if settled else self._folded(by_user, item_factors))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:  # of LAPACK, as each request would be
            raise ValueError(_SINGULAR) from error

    def _have_settled(self, by_user: sp.csr_matrix, users: np.ndarray) -> bool:
        """Tell from some users whether the vectors of the last sweep are about those for the final items."""
        if len(users) > _RUNS * _RUN:
            starts = np.linspace(0, len(users) - _RUN, _RUNS).astype(np.int64).tolist()
            by_user = sp.vstack([by_user[start : start + _RUN] for start in starts], format="csr")
            users = np.concatenate([users[start : start + _RUN] for start in starts])
        folded = self._folded(by_user, self.item_factors_).astype(np.float64)
        gram, before = folded.T @ folded, users.T.astype(np.float64) @ users
        return bool(np.linalg.norm(gram - before) <= _SETTLED * np.linalg.norm(gram))

    def _learn_users(self, users: np.ndarray) -> None:
        """Keep what updates need of the users, who are not stored: their number, and the sum of their products."""
        self._n_users, self._user_gram = len(users), np.zeros((users.shape[1], users.shape[1]))
        for start in range(0, len(users), _USERS):
            block = users[start : start + _USERS].astype(np.float64)
            self._user_gram += block.T @ block

    def _keep(self, item_factors: np.ndarray) -> None:
        if not np.isfinite(item_factors).all():
            raise ValueError(_DIVERGED)
        self.n_iter_ = self.max_iter
        self.item_factors_ = item_factors

    def _confidence(self, matrix) -> sp.csr_matrix:
        """Scale the entries so that the unobserved weight is 1, as the solver has it; index arrays are shared.

        The values are one number in the memory of one where those of `matrix` are `ones`.
        """
        scale = np.float32(self.alpha / self.unobserved_weight_)
        if are_ones(matrix.data):
            data = np.broadcast_to(scale, matrix.nnz)
        else:
            data = matrix.data.astype(np.float32, copy=False) * scale
        return sp.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)  # the solver knows no csr_array

    def _penalty(self, count, n_others: int):
        """Return the penalty of rows with `count` entries, in the scale in which the unobserved weight is 1."""
        size = count + self.unobserved_weight_ * n_others
        return self.l2 * size**self.l2_exponent / self.unobserved_weight_

    def _solver(self, entries: sp.csr_matrix, factors: np.ndarray, solver: str | None):
        """Return a function that overwrites `factors`, one row per row of `entries`, given the other side's."""
        threads = effective_n_jobs(self.n_jobs)
        if len(factors) * factors.shape[1] ** 3 < _PARALLEL_WORK:
            threads = 1  # starting threads costs more than it saves
        if self.l2_exponent == 0 and solver != "cholesky":
            penalty, entries = self._penalty(0, 0), _with_values(entries)
            return lambda other: least_squares_steps(
                entries, factors, other, penalty, n_threads=threads, n_steps=_CG_STEPS
            )

        counts = np.diff(entries.indptr)
        if solver == "cg":
            penalties = self._penalty(counts, entries.shape[1]).astype(np.float32)
            return lambda other: conjugate_gradients(
                entries, factors, other, other.T @ other, penalties, n_steps=_CG_STEPS, n_threads=threads
            )
        order = np.argsort(counts, kind="stable")
        counts = counts[order]
        tasks = []  # rows of equal count, and so of equal penalty, in pieces that spread over the threads
        starts = np.flatnonzero(np.diff(counts, prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(counts)], strict=True):
            penalty, width = self._penalty(counts[start], entries.shape[1]), factors.shape[1]
            size = _PIECE if counts[start] < _LONG else 1 + min(_PIECE, _FLOATS // int(width * (width + counts[start])))
            tasks += [(piece, min(piece + size, stop), penalty) for piece in range(start, stop, size)]

        def solve(other, gram=None):
            other = np.require(other, requirements="W")  # the solver takes no read-only memory map
            gram = other.T @ other if gram is None else gram

            def solve_rows(start, stop, penalty):
                rows, count = order[start:stop], counts[start]
                places = (entries.indptr[rows].astype(np.int64)[:, None] + np.arange(count)).ravel()
                indices, data = entries.indices[places], entries.data[places]
                solved = np.zeros((len(rows), factors.shape[1]), dtype=factors.dtype)
                if count >= _LONG:
                    _solve_long(solved, gram, other, indices, data, penalty)
                else:
                    indptr = np.arange(len(rows) + 1, dtype=np.int32) * count
                    least_squares_rows(gram, indptr.astype(np.int32), indices, data, solved, other, penalty)
                factors[rows] = solved

            drain(tasks, solve_rows, threads)

        return solve

    def _folded(self, entries: sp.csr_matrix, item_factors: np.ndarray, gram=None) -> np.ndarray:
        """Return the vectors of users, the minimum for some item vectors."""
        factors = np.zeros((entries.shape[0], item_factors.shape[1]), dtype=np.float32)
        if len(factors):
            with single_threaded_blas():
                self._solver(entries, factors, "cholesky")(item_factors, gram)
        return factors

    def _user_factors(self, users) -> np.ndarray:
        if len(users) == 1:
            return self._fold_in(users.matrix.indices, users.matrix.data)
        return self._folded(self._confidence(users.matrix), self.item_factors_, self._gram())

    def _gram(self) -> np.ndarray:
        return prepared(self, "gram", _gram_matrix, self.item_factors_)

    def _fold_in(self, indices: np.ndarray, data: np.ndarray) -> np.ndarray:
        """Return the vector of one user, shape (1, n_components), given the entries of the row."""
        confidence = data.astype(np.float32, copy=False) * np.float32(self.alpha / self.unobserved_weight_)
        count, other = len(indices), self.item_factors_[indices]
        penalty, indices = self._penalty(count, self.n_items_), np.arange(count, dtype=np.int32)
        factors = np.zeros((1, self.item_factors_.shape[1]), dtype=np.float32)
        if count >= _LONG:
            _solve_long(factors, self._gram(), other, indices, confidence, penalty)
        else:
            indptr = np.array([0, count], dtype=np.int32)
            least_squares_rows(self._gram(), indptr, indices, confidence, factors, other, penalty)
        return factors

    def _score_single(self, user, at):
        return Products(self._fold_in(user.columns, user.values)[0], self.item_factors_)

    def _update(self, after, before):
        n_old, n_items = len(self._old_items), self.n_items_
        now, was = self._confidence(after.matrix), self._confidence(before.matrix)
        if now.nnz == was.nnz and not (now != was).nnz:
            return
        n_users = self._n_users + int(np.count_nonzero((np.diff(was.indptr) == 0) & (np.diff(now.indptr) > 0)))
        known = np.append(self.item_factors_, np.zeros((n_items - n_old, self._n_features_out), np.float32), axis=0)
        users_was = self._folded(
            sp.csr_matrix((was.data, was.indices, was.indptr), (len(before), n_old)), known[:n_old]
        )
        others = self._user_gram - users_was.T.astype(np.float64) @ users_was
        was, by_item, factors = was.tocsc(), now.tocsc(), known
        for _ in range(_UPDATE_SWEEPS):
            factors = self._warm_items(known, others, (by_item, self._folded(now, factors)), (was, users_was), n_users)
        self._keep(factors)
        users = self._folded(now, factors).astype(np.float64)
        self._n_users, self._user_gram = n_users, others + users.T @ users

    def _warm_items(self, known, others, now, was, n_users) -> np.ndarray:
        """Return the item vectors, of which those are solved anew that users of an update have or had.

        `others` is the Gram matrix of the users that are not in the update. An item's equations, as `fit` solved them,
        are taken as those in which they alone have no item, and the right side for which the known vector solves them.
        """
        (now, users_now), (was, users_was) = now, was
        n_now, n_was = np.diff(now.indptr), np.diff(was.indptr)
        gram_now, gram_was = (others + users.T.astype(np.float64) @ users for users in (users_now, users_was))
        solved, own = known.copy(), np.eye(known.shape[1])
        for item in np.flatnonzero(n_now + n_was):
            count = int(self.popularity_[item])
            left, right = _equations(now, users_now, int(item))
            left_was, right_was = _equations(was, users_was, int(item))
            penalty_was = self._penalty(count - n_now[item] + n_was[item], self._n_users)
            held = (gram_was + left_was + penalty_was * own) @ known[item] - right_was
            solved[item] = np.linalg.solve(gram_now + left + self._penalty(count, n_users) * own, held + right)
        return solved

    def _contributions(self, users, columns):
        entries = self._confidence(users.matrix)
        items = self.item_factors_[entries.indices].astype(np.float64)
        gram = self.item_factors_.astype(np.float64).T @ self.item_factors_
        gram += (items * (entries.data - 1)[:, None]).T @ items
        gram[np.diag_indices_from(gram)] += self._penalty(entries.nnz, self.n_items_)
        reach = np.linalg.solve(gram, self.item_factors_[columns].astype(np.float64).T)
        return entries.indices, entries.data[:, None] * (items @ reach)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.fit_randomness = self.solver == "cg" or (
            self.l2_exponent == 0 and self.solver is None
        )  # conjugate gradients start somewhere
        return tags


def _with_values(entries: sp.csr_matrix) -> sp.csr_matrix:
    """Return a matrix whose values are in memory of their own, as compiled loops need them."""
    data, indices, indptr = (np.require(a, None, ["C", "W"]) for a in (entries.data, entries.indices, entries.indptr))
    return sp.csr_matrix((data, indices, indptr), shape=entries.shape)


def _transposed(entries: sp.csr_matrix) -> sp.csr_matrix:
    """Return the transpose of confidences, columns ascending; equal values stay in the memory of one."""
    if entries.data.strides != (0,) or not entries.nnz:
        return entries.T.tocsr()
    pattern = transposed(sp.csr_array((ones(entries.nnz), entries.indices, entries.indptr), shape=entries.shape))
    data = np.broadcast_to(entries.data[0], entries.nnz)
    return sp.csr_matrix((data, pattern.indices, pattern.indptr), shape=pattern.shape)


def _gram_matrix(item_factors: np.ndarray) -> np.ndarray:
    with single_threaded_blas():
        gram = item_factors.T @ item_factors
    return gram


def _equations(entries: sp.csc_matrix, users: np.ndarray, item) -> tuple[np.ndarray, np.ndarray]:
    """Return what the users of an item add to the two sides of its equations."""
    part = slice(entries.indptr[item], entries.indptr[item + 1])
    vectors, confidence = users[entries.indices[part]].astype(np.float64), entries.data[part]
    return (vectors.T * (confidence - 1)) @ vectors, confidence @ vectors


def _solve_long(solved: np.ndarray, gram: np.ndarray, other, indices, confidence, penalty: float) -> None:
    """Fill the vectors of rows of equal count, as the solver of `implicit` does, by matrix products."""
    vectors = other[indices].reshape(len(solved), -1, other.shape[1])
    confidence = confidence.reshape(len(solved), 1, -1)
    left = (confidence - 1) * vectors.transpose(0, 2, 1) @ vectors + gram
    left[:, *np.diag_indices_from(gram)] += np.float32(penalty)
    right = (confidence @ vectors)[:, 0]
    for row in range(len(solved)):
        _, solved[row], failed = lapack.sposv(left[row].T, right[row], overwrite_a=True)
        if failed:
            raise ValueError(_SINGULAR)
