"""BM25 weighting of a user x item matrix."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..utils._fitting import fit_context
from ..utils._requests import read_matrix
from ..utils._sklearn import DocumentationLinkMixin, Interval


class BM25Transformer(DocumentationLinkMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Weight a user x item matrix by BM25: frequency that saturates, long histories damped, rare items raised.

    Users are the documents and items the terms. An entry :math:`f` of user :math:`u` and item :math:`i`
    becomes [1]_

    .. math:: \mathrm{idf}_i \cdot \frac{f\,(k_1 + 1)}{f + k_1 (1 - b + b\, |u| / \overline{|u|})},
        \qquad \mathrm{idf}_i = \log\left(1 + \frac{n - n_i + 0.5}{n_i + 0.5}\right)

    with :math:`|u|` the sum of the user's entries, :math:`\overline{|u|}` its training mean, :math:`n` users and
    :math:`n_i` users with the item.

    Parameters
    ----------
    k1 : float, default=1.2
        How slowly repeats saturate; 0 ignores the frequency.
    b : float, default=0.75
        How strongly long histories are damped, from 0 (not at all) to 1.
    use_idf : bool, default=True
        Whether rare items are raised.

    Attributes
    ----------
    idf_ : ndarray of shape (n_features,)
        The rarity of each item; ones if ``use_idf=False``.
    mean_length_ : float
        Mean sum of a training row.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Column names, if the training matrix had any.

    See Also
    --------
    HistoryVectorizer : Makes the matrix.
    sklearn.feature_extraction.text.TfidfTransformer : The older weighting.

    Notes
    -----
    Only stored entries change, so the pattern of the matrix is kept. Cost: linear in the stored entries. The
    idf is the one of Lucene, which is never negative.

    References
    ----------
    .. [1] S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", Foundations and
       Trends in Information Retrieval 3(4), 2009, equation 3.15.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
    >>> weighted = make_pipeline(HistoryVectorizer(), BM25Transformer())
    >>> weighted.fit_transform([["tea", "milk"], ["tea", "honey", "jam"]]).toarray().round(2)
    array([[0.  , 0.  , 0.75, 0.2 ],
           [0.64, 0.64, 0.  , 0.17]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "k1": [Interval(Real, 0, None, closed="left")],
        "b": [Interval(Real, 0, 1, closed="both")],
        "use_idf": ["boolean"],
    }

    def __init__(self, *, k1=1.2, b=0.75, use_idf=True):
        self.k1 = k1
        self.b = b
        self.use_idf = use_idf

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> "BM25Transformer":
        """Learn the rarity of the items and the mean length of a row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Entries of at least 0.
        y : None
            Ignored.

        Returns
        -------
        BM25Transformer
            The fitted transformer.
        """
        X = self._check(X, reset=True)
        n_users, n_items = X.shape
        self._set_weights(np.bincount(X.indices, minlength=n_items), n_users, float(X.sum()), X.dtype)
        return self

    def _set_weights(self, with_item: np.ndarray, n_users: int, total: float, dtype) -> None:
        """Learn from the number of users with each item and the sum of all entries."""
        idf = np.log1p((n_users - with_item + 0.5) / (with_item + 0.5)) if self.use_idf else np.ones(len(with_item))
        self.idf_ = idf.astype(dtype)
        self.mean_length_ = total / max(1, n_users)

    def transform(self, X) -> sp.csr_array:
        """Weight the entries.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Entries of at least 0.

        Returns
        -------
        CSR array of shape (n_users, n_items)
            The weighted matrix, with the pattern of `X`.
        """
        check_is_fitted(self)
        items = getattr(X, "history_items", None)
        X = self._check(X, reset=False)
        length = np.asarray(X.sum(axis=1)).ravel() / (self.mean_length_ or 1.0)
        damping = self.k1 * (1 - self.b + self.b * length)
        below = X.data + np.repeat(damping, np.diff(X.indptr))
        data = X.data * (self.k1 + 1) / np.where(below > 0, below, 1) * self.idf_[X.indices]
        weighted = sp.csr_array((data.astype(X.dtype), X.indices.copy(), X.indptr.copy()), shape=X.shape)
        if items is not None:
            weighted.history_items = items
        return weighted

    def _check(self, X, *, reset: bool) -> sp.csr_array:
        X = sp.csr_array(read_matrix(self, X, reset=reset, dtype=(np.float64, np.float32)))
        if X.data.size and X.data.min() < 0:
            raise ValueError("Negative values in data passed to BM25Transformer: entries must be at least 0")
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
