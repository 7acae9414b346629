"""Exact search for the items of largest inner product with a user's vector, without all products.

Items are sorted by the norms of their vectors and coded with 4 bits a component and a scale for each item. A product of
codes and the norm of what the codes leave out bound the product of the vectors, so that only the few items whose upper
bound reaches the k-th largest product so far need their own; and the search ends where the norms are too small
(Cauchy-Schwarz inequality). Nothing is approximate: items of equal product are all found.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from . import _fast, _fast_search
from ._fast_search import BLOCK
from ._prepared import prepared
from ._sorted_search import LEAST_ITEMS as LEAST_SORTED
from ._sorted_search import SortedItems, search_sorted, sort_items
from ._threads import drain, n_threads, single_threaded_blas

LEAST_ITEMS = 2**14  # below, all products are as fast
_WIDEST = 1024  # components from which int32 sums of products would be coarse
_PAD = 8  # the loop takes this many components at once
_ROOM = 4096  # items that a user may have in question
_USERS = 32  # that are served together
_PER_SECOND = 2.5e9  # numbers of item vectors that are multiplied in a second, when all are
_BLOCKS = 2**9  # blocks of items that are coded at a time
_SMALLEST = 1e-15  # norm from which squares keep their digits in float32
_LEAST_QUERY = 1e-30  # norm of a user's vector below which its steps lose digits
_LARGEST = 1e15  # norm up to which products are far from the largest float32
_THREADED = 2**16  # numbers from which BLAS may take several threads for a product with a vector


class SearchIndex(NamedTuple):
    """Item vectors coded for the search, in the order of descending norms, in blocks of 64 items.

    Attributes
    ----------
    codes : ndarray of shape (n_blocks, width / 4, 64), dtype uint16
        Levels 0 to 15 of the components, four in a number.
    scales : ndarray of shape (n_blocks * 64,), dtype float32
        The distance between two levels of an item; a component is about ``(level - 7.5) * scale``.
    errors : ndarray of shape (n_blocks * 64,), dtype float32
        Norm of what the codes of an item leave out, rounding included.
    block_errors, block_norms : ndarray of shape (n_blocks,), dtype float32
        The largest error and the largest norm of each block.
    order : ndarray of shape (n_items,), dtype int32
        Position of each coded item among the item vectors.
    items : ndarray of shape (n_items, n_components), dtype float32
        The item vectors.
    rounding : float
        Bound of the rounding of a product in float32, for vectors of norm 1.
    """

    codes: np.ndarray
    scales: np.ndarray
    errors: np.ndarray
    block_errors: np.ndarray
    block_norms: np.ndarray
    order: np.ndarray
    items: np.ndarray
    rounding: float


def build_index(items: np.ndarray) -> SearchIndex | SortedItems | None:
    """Code item vectors (n_items, n_components), or sort them where numba is missing.

    None where they cannot be searched: numbers that are not finite, or norms too equal for the form without numba.
    """
    n_items, n_components = items.shape
    items = np.ascontiguousarray(items, dtype=np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", items, items, dtype=np.float64))
    if not np.isfinite(norms).all() or norms.max(initial=0) > _LARGEST:
        return None
    rounding = 4 * (n_components + 8) * 2.0**-24
    if not _fast.available():
        return sort_items(items, norms, rounding)
    order = np.argsort(-norms, kind="stable").astype(np.int32)
    norms = norms[order]
    n_blocks, n_words = -(-n_items // BLOCK), -(-n_components // _PAD) * _PAD // 4
    codes = np.zeros((n_blocks, n_words, BLOCK), dtype=np.uint16)
    scales = np.zeros((n_blocks, BLOCK), dtype=np.float32)
    errors = np.zeros((n_blocks, BLOCK), dtype=np.float64)
    for start in range(0, n_blocks, _BLOCKS):
        part = slice(start, start + _BLOCKS)
        rows = slice(start * BLOCK, (start + _BLOCKS) * BLOCK)
        some = items[order[rows]]
        levels, scale, error = _levels(some)
        padded = np.zeros((len(codes[part]) * BLOCK, 4 * n_words), dtype=np.uint16)
        padded[: len(some), :n_components] = levels
        words = padded[:, ::4] | padded[:, 1::4] << 4 | padded[:, 2::4] << 8 | padded[:, 3::4] << 12
        codes[part] = words.reshape(-1, BLOCK, n_words).transpose(0, 2, 1)
        scales[part].reshape(-1)[: len(some)] = scale
        errors[part].reshape(-1)[: len(some)] = error * (1 + 1e-6) + rounding * norms[rows]
    above = np.nextafter(errors.astype(np.float32), np.float32(np.inf))
    block_norms = norms[::BLOCK].astype(np.float32) * np.float32(1 + 1e-5)
    return SearchIndex(codes, scales.ravel(), above.ravel(), above.max(axis=1), block_norms, order, items, rounding)


def _levels(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the levels of vectors, (n, n_components), their scales and the norms of what is left out, (n,)."""
    scales = np.abs(vectors).max(axis=1, initial=0) / np.float32(7.5)
    scales[scales == 0] = 1
    levels = np.clip(np.floor(vectors / scales[:, None] + np.float32(8)), 0, 15)
    rest = vectors - (levels - np.float32(7.5)) * scales[:, None]
    return levels.astype(np.uint16), scales, np.sqrt(np.einsum("ij,ij->i", rest, rest, dtype=np.float64))


def index_of(model, items: np.ndarray, n_users: int = 1, name: str = "search") -> SearchIndex | SortedItems | None:
    """Return the index of a model's item vectors where the search pays, else None.

    The loop is compiled or loaded once in a process, and the vectors are coded once for a model: after so many
    requests that all their products would have taken as long. `warm` does both before the first request.
    """
    if not _pays(items):
        return None
    usage = prepared(model, name, _Usage, items)
    if usage.index is None and not usage.failed:
        usage.seconds += n_users * items.size / _PER_SECOND
        needed = items.size / 1e8  # to code them
        if _fast.available() and _fast_search.kernel.cache_info().currsize == 0:
            needed += _fast.LOADING if _fast.is_compiled(_fast_search._candidates) else _fast.COMPILING
        if usage.seconds >= needed:
            usage.build(items)
    return usage.index


def _pays(items: np.ndarray) -> bool:
    return len(items) >= (LEAST_ITEMS if _fast.available() else LEAST_SORTED) and items.shape[1] <= _WIDEST


def warm(model, items: np.ndarray, name: str = "search") -> None:
    """Code a model's item vectors now, and compile or load the loop, where the search will pay."""
    if _pays(items):
        prepared(model, name, _Usage, items).build(items)


def warm_up(model) -> None:
    """Prepare the search of a recommender, or of the one that it reorders, before its first request."""
    model = getattr(model, "recommender_", model)
    inner = model._inner_product_of_scores() if hasattr(model, "_inner_product_of_scores") else None
    if inner is not None:
        warm(model, inner.items, inner.name)


class _Usage:
    """The index of one model's item vectors, and how many seconds products took that it would have saved."""

    def __init__(self, items: np.ndarray):
        self.seconds, self.failed = 0.0, False
        self.index: SearchIndex | SortedItems | None = None

    def build(self, items: np.ndarray) -> None:
        """Code the vectors, unless it is done."""
        if self.index is None:
            if _fast.available():
                _fast_search.kernel()
            self.index = build_index(items)
            self.failed = self.index is None


def search(
    index: SearchIndex | SortedItems, queries: np.ndarray, k: int, hidden: list[np.ndarray] | None = None
) -> list:
    """Find the items that may be among the k of largest inner product with each user's vector.

    Parameters
    ----------
    index : SearchIndex or SortedItems
        Of the item vectors.
    queries : ndarray of shape (n_users, n_components), dtype float32
        The users' vectors.
    k : int
        Number of items.
    hidden : list of int ndarray, default=None
        For each user the positions of items that must not be found.

    Returns
    -------
    list of ndarray or None
        For each user the positions of at least the k best items, all of equal product included, ascending; None where
        too many are in question, such as for a vector of zeros or one that is not finite.
    """
    n_users, n_components = queries.shape
    if k > min(len(index.order), _ROOM // 8):
        return [None] * n_users
    norms = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))
    if isinstance(index, SortedItems):
        return _search_sorted(index, queries, norms, k, hidden)
    if (bad := ~((norms >= _LEAST_QUERY) & (norms <= _LARGEST))).any():  # NaN too; the others are found all the same
        queries, norms = np.where(bad[:, None], 0, queries), np.where(bad, 0, norms)
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    rounded, steps = _rounded(queries)
    rest = queries - rounded * steps[:, None]
    errors = 1.01 * np.sqrt(np.einsum("ij,ij->i", rest, rest, dtype=np.float64))
    weights = np.zeros((n_users, 4 * index.codes.shape[1]), dtype=np.int16)
    weights[:, :n_components] = rounded
    offsets = 7.5 * weights.sum(axis=1, dtype=np.int64)
    fours = weights.reshape(n_users, -1, 4)
    fours[:, :, 1:] -= 16 * fours[:, :, :-1]  # modulo 2 ** 16
    numbers = (offsets, errors, norms * (1 + 1e-6))
    parts = (queries, weights, steps, *(one.astype(np.float32) for one in numbers))
    indptr = np.zeros(n_users + 1, dtype=np.int64)
    lists = hidden or []
    if lists:
        np.cumsum([len(some) for some in lists], out=indptr[1:])
    flat = np.concatenate([np.sort(some) for some in lists]).astype(np.int64) if lists else np.empty(0, dtype=np.int64)
    answers: list = [None] * n_users
    loop = _fast_search.kernel()

    def work(start, stop):
        found = np.empty((stop - start, _ROOM), dtype=np.int64)
        bounds = np.empty((stop - start, _ROOM), dtype=np.float32)
        counts = np.empty(stop - start, dtype=np.int64)
        some = slice(start, stop)
        loop(*index, *(part[some] for part in parts), indptr[start : stop + 1], flat, k, found, bounds, counts)
        for row, count in enumerate(counts.tolist()):
            if count >= k and norms[start + row] > 0:
                answers[start + row] = np.sort(found[row, :count])

    starts = range(0, n_users, _USERS)
    threads = n_threads() if len(starts) > 1 else 1
    drain(((start, min(start + _USERS, n_users)) for start in starts), work, threads)
    return answers


def _search_sorted(index: SortedItems, queries: np.ndarray, norms: np.ndarray, k: int, hidden) -> list:
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    nothing = np.empty(0, dtype=np.int64)
    answers: list = [None] * len(queries)
    with single_threaded_blas():
        for row in np.flatnonzero((norms > 0) & (norms <= _LARGEST)).tolist():
            found = search_sorted(index, queries[row], k, hidden[row] if hidden else nothing)
            answers[row] = found if k <= len(found) <= _ROOM else None
    return answers


def _rounded(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return users' vectors as whole numbers, and their steps: the sums with levels up to 15 fit into 16 bits."""
    largest = np.maximum(np.maximum(queries, 0).sum(axis=1), -np.minimum(queries, 0).sum(axis=1))
    steps = largest.astype(np.float32) * np.float32(15 / (32700 - 7.5 * queries.shape[1]))
    steps[steps == 0] = 1
    return np.rint(queries / steps[:, None]), steps


class InnerProduct(NamedTuple):
    """How scores are inner products.

    Attributes
    ----------
    model : BaseRecommender
        The model, with which the index is kept.
    query : callable
        Returns the vectors of `Users`, (n_users, n_components).
    items : ndarray of shape (n_items, n_components)
        The item vectors.
    name : str
        Of the index among what is prepared for the model.
    """

    model: object
    query: Callable
    items: np.ndarray
    name: str = "search"

    def search_index(self, n_users: int) -> SearchIndex | SortedItems | None:
        """Return the index where it pays for so many users, else None."""
        return index_of(self.model, self.items, n_users, self.name)


class Products:
    """Scores of one user that are products with item vectors, not yet computed.

    Parameters
    ----------
    query : ndarray of shape (n_components,), dtype float32
        The user's vector.
    items : ndarray of shape (n_items, n_components), dtype float32
        The item vectors, an attribute of the model that nobody changes in place.
    """

    def __init__(self, query: np.ndarray, items: np.ndarray):
        self.query, self.items = query, items

    def toarray(self) -> np.ndarray:
        """Return the scores of all items, shape (n_items,)."""
        return products(self.query[None], self.items)[0]

    def of(self, columns: np.ndarray) -> np.ndarray:
        """Return the scores of some items."""
        return products_of(self.query, self.items, columns)

    def best(self, model, k: int, hidden: np.ndarray) -> np.ndarray | None:
        """Return the positions of at least the k best items but for hidden ones; None where all must be scored."""
        if (index := index_of(model, self.items)) is None:
            return None
        return search(index, self.query[None], k, [hidden] if len(hidden) else None)[0]


def products(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the products of user and item vectors, (n_users, n_items).

    The products of one user are read from memory faster than threads are woken, and take one thread.
    """
    if len(users) != 1:
        return users @ items.T
    with single_threaded_blas() if items.size > _THREADED else nullcontext():
        return (items @ users[0])[None]


def products_of(user: np.ndarray, items: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the products of one user's vector and some item vectors; those of equal vectors are equal to the last bit.

    BLAS sums a row in an order that depends on its place.
    """
    return np.einsum("ij,j->i", items[columns], user)


def of_norm_1(vectors: np.ndarray) -> np.ndarray:
    """Return vectors divided by their norm, in float32; zeros stay."""
    with np.errstate(over="ignore", under="ignore"):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (lost := ~((norms > _SMALLEST) & np.isfinite(norms)).ravel()).any():  # squares leave the range of float32
        vectors = vectors.astype(np.float64)
        norms = norms.astype(np.float64)
        norms[lost] = np.linalg.norm(vectors[lost], axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
