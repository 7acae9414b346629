"""Bayesian personalised ranking: matrix factorisation that learns from pairs of items."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.utils import check_random_state

from ..base import BaseRecommender
from ..utils._prepared import prepared
from ..utils._progress import Progress
from ..utils._sklearn import Interval
from ..utils._threads import single_threaded_blas
from ._embedding import EmbeddingMixin, gpu_solver

_UPDATE_EPOCHS = 10  # of an update


def _entries(users) -> sp.csr_matrix:
    """Return what the users have, as the solver wants it: it knows no csr_array."""
    entries = sp.csr_matrix(users.matrix, dtype=np.float32, copy=True)
    entries.eliminate_zeros()
    return entries


class BPR(EmbeddingMixin, BaseRecommender):
    r"""Matrix factorisation that ranks what users have above what they have not, on the solver of `implicit`.

    With vectors :math:`p_u, q_i` of `n_components` numbers and biases :math:`b_i`, stochastic gradient steps maximise

    .. math::

        \sum_{(u, i, j)} \ln \sigma\big(p_u \cdot (q_i - q_j) + b_i - b_j\big)
        - \lambda \big(\|p_u\|^2 + \|q_i\|^2 + \|q_j\|^2 + b_i^2 + b_j^2\big)

    over users :math:`u`, items :math:`i` they have and items :math:`j` drawn as often as they are popular [1]_.
    The vectors of training users are not kept. When asked, every user, old or new, has the weighted mean of the
    vectors of the history's items, which ranked better than the trained vectors on all sets tried:

    .. math:: s_j = \Big(\frac{1}{\sum_i x_i} \sum_i x_i q_i\Big) \cdot q_j + b_j .

    Parameters
    ----------
    n_components : int, default=64
        Length of the vectors.
    learning_rate : float, default=0.05
        Size of a gradient step.
    l2 : float, default=0.001
        Strength of the penalty :math:`\lambda`.
    max_iter : int, default=100
        Number of epochs; one draws as many pairs as the matrix has entries.
    verify_negative_samples : bool, default=True
        Whether a drawn pair is left out where the user has the second item too.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``. Training knows entries only, not their
        values; the mean is weighted by the values, so that recency counts.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    n_jobs : int, default=-1
        Number of threads where `random_state` is None; -1 uses all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of the first vectors and the pairs. With a seed one thread does the work, because threads that change
        the same vectors never do it twice in the same order.
    use_gpu : bool, default=False
        Whether `implicit` fits on a CUDA GPU, where a seed does not make the result reproducible. Asking stays on the
        processor. The tests have no GPU: they run this against a stand-in only.
    verbose : int, default=0
        1 prints the progress and the time left at intervals, 2 a line for each epoch.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_components), dtype float32
        The item vectors.
    item_biases_ : ndarray of shape (n_items,), dtype float32
        The item biases.
    n_iter_ : int
        Number of epochs done.
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
    ALS : All pairs at once, in closed form; usually ranks better and is easier to set.

    Notes
    -----
    Cost of `fit`: :math:`O(|S| d)` an epoch for :math:`|S|` stored entries and :math:`d` components; memory
    :math:`4 d (|U| + |I|)` bytes while fitting. Asking costs `n_components` operations per event and per item.

    `partial_fit` learns new items: 10 epochs on the users of the update, whose vectors begin as their means at the
    length of trained ones, move the vectors of new items, while known items keep theirs. To move these too, by the
    users of the update alone, takes the recommendations further from those of a refit, which themselves have no
    more than 77 % (MovieLens-100k) and 54 % (Online Retail) in common with another seed. So refit from time to
    time. Cost: 10 epochs of the users of the update, and nothing where no item is new.

    References
    ----------
    .. [1] S. Rendle, C. Freudenthaler, Z. Gantner and L. Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from
       Implicit Feedback", UAI 2009.

    Examples
    --------
    >>> from skrec.decomposition import BPR
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = BPR(n_components=4, max_iter=300, k=2, random_state=0).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['milk', 'sugar'],
           ['hammer', 'nails']], dtype=object)
    >>> model.transform([["tea"], []]).shape
    (2, 4)
    """

    _updates = "approximate"
    _update_state = ("_user_scale",)
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verify_negative_samples": ["boolean"],
        "n_jobs": [Integral],
        "random_state": ["random_state"],
        "use_gpu": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=64,
        *,
        learning_rate=0.05,
        l2=0.001,
        max_iter=100,
        verify_negative_samples=True,
        vectorizer=None,
        k=10,
        exclude_seen=True,
        n_jobs=-1,
        random_state=None,
        use_gpu=False,
        verbose=0,
    ):
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.l2 = l2
        self.max_iter = max_iter
        self.verify_negative_samples = verify_negative_samples
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.use_gpu = use_gpu
        self.verbose = verbose

    def _fit(self, users):
        if self.use_gpu:
            kind, threads = gpu_solver("bpr.BayesianPersonalizedRanking"), {}
        else:
            from implicit.cpu.bpr import BayesianPersonalizedRanking as kind

            threads = {"num_threads": effective_n_jobs(self.n_jobs) if self.random_state is None else 1}

        from implicit.recommender_base import ModelFitError

        entries = _entries(users)
        factors = np.zeros((self.n_items_, self.n_components + 1), dtype=np.float32)
        trained = np.zeros((entries.shape[0], self.n_components + 1), dtype=np.float32)
        if entries.nnz:  # the solver draws from the entries
            solver = self._solver(kind, self.max_iter, threads)
            try:
                with single_threaded_blas(), Progress(self, "epoch", self.max_iter) as progress:
                    if self.use_gpu:
                        solver.fit(entries, show_progress=bool(self.verbose))
                    else:
                        solver.fit(entries, show_progress=False, callback=lambda *_: progress.step())
            except ModelFitError as error:
                raise ValueError(f"BPR diverged: lower learning_rate={self.learning_rate} or l2={self.l2}") from error
            factors, trained = solver.item_factors, solver.user_factors
            if self.use_gpu:
                factors, trained = factors.to_numpy(), trained.to_numpy()
        self.n_iter_ = self.max_iter
        self._keep(factors)
        means = self._user_factors(users)
        size = float(np.square(means, dtype=np.float64).sum())
        self._user_scale = float((means * trained[:, :-1]).sum(dtype=np.float64)) / size if size else 1.0

    def _solver(self, kind, n_epochs, threads):
        return kind(
            factors=self.n_components,
            learning_rate=self.learning_rate,
            regularization=self.l2,
            iterations=n_epochs,
            verify_negative_samples=bool(self.verify_negative_samples),
            random_state=self.random_state,
            **threads,
        )

    def _keep(self, factors) -> None:
        if not np.isfinite(factors).all():
            raise ValueError(f"BPR diverged to infinite vectors: lower learning_rate, got {self.learning_rate}")
        self.item_factors_ = np.ascontiguousarray(factors[:, :-1])
        self.item_biases_ = factors[:, -1].copy()  # the solver keeps the bias as one more component

    def _update(self, after, before):
        n_known, size = self.item_factors_.shape
        rng = check_random_state(self.random_state)
        new = (rng.random_sample((self.n_items_ - n_known, size + 1)) - 0.5) / size  # as the solver begins
        known = np.column_stack([self.item_factors_, self.item_biases_])
        factors = np.concatenate([known, new.astype(np.float32)])
        self._keep(factors)
        if not len(new):
            return
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        entries, ones = _entries(after), np.ones((len(after), 1))
        means = self._user_scale * self._user_factors(before)
        solver = self._solver(BayesianPersonalizedRanking, 1, {"num_threads": 1})
        solver.item_factors = factors
        solver.user_factors = np.ascontiguousarray(np.hstack([means, ones]), dtype=np.float32)
        for _ in range(_UPDATE_EPOCHS):
            solver.random_state = int(rng.randint(2**31 - 1))
            with single_threaded_blas():
                solver.fit(entries, show_progress=False)
            solver.item_factors[:n_known] = known
        self._keep(solver.item_factors)

    def _user_factors(self, users) -> np.ndarray:
        matrix = sp.csr_array(users.matrix, dtype=np.float32)
        total = np.asarray(matrix.sum(axis=1)).reshape(-1, 1)
        return (matrix @ self.item_factors_) / np.where(total > 0, total, 1)

    def _query(self, users):
        means = self._user_factors(users)
        return np.column_stack([means, np.ones(len(means), dtype=np.float32)])

    def _searched(self):
        return prepared(self, "biased", _with_biases, self.item_factors_, self.item_biases_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.fit_randomness = True
        tags.non_deterministic = self.random_state is None or self.use_gpu
        return tags


def _with_biases(factors: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Return item vectors whose last component is the bias."""
    return np.ascontiguousarray(np.column_stack([factors, biases]), dtype=np.float32)
