"""MultVAE: a variational autoencoder of histories with a multinomial likelihood."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from skrec.base import BaseRecommender
from skrec.decomposition._embedding import EmbeddingMixin
from skrec.neural_network._keras import NetMixin, load_keras
from skrec.neural_network._nets._autoencoder import (
    code_layer,
    history_batches,
    multinomial_loss,
    set_svd_start,
    split_rows,
)
from skrec.neural_network._nets._towers import widths_of
from skrec.neural_network._replay import carry_weights, reservoir
from skrec.utils._held_out import n_held_out, ndcg
from skrec.utils._selection import stack
from skrec.utils._topk import map_blocks, mask_scores, popularity_order, top_k

from ..utils._sklearn import Interval, StrOptions

_ASKED = 0.2  # share of their items that is asked for
_ONCE = {"epochs": 1, "partial": True}  # how partial_fit trains


def _with_two(matrix) -> sp.csr_array:
    """Return the rows that have two items at least."""
    matrix = sp.csr_array(matrix, dtype=np.float32, copy=True)
    matrix.eliminate_zeros()
    able = np.diff(matrix.indptr) >= 2
    return matrix if able.all() else matrix[able]


class MultVAE(EmbeddingMixin, NetMixin, BaseRecommender):
    r"""Variational autoencoder of histories with a multinomial likelihood.

    A history :math:`x` of unit length, some of whose items are left out in training, is read by a net that gives the
    mean and the variance of a code; a second net turns a code into the scores of all items,

    .. math:: z \sim \mathcal N\big(\mu(x), \sigma^2(x)\big), \qquad
              s = W g(z) + b, \qquad \pi = \operatorname{softmax}(s),

    and training minimises, with a weight :math:`\beta` that rises from 0,

    .. math:: -\sum_i x_i \log \pi_i
              + \beta \, \mathrm{KL}\big(\mathcal N(\mu, \sigma^2) \,\Vert\, \mathcal N(0, I)\big),

    as in [1]_; with the default `target` the sum goes over the items left out, and the softmax over all that were not
    given. When answering, the whole history is read and the code is its mean. With ``denoising=True`` the code has
    no noise and no divergence: Mult-DAE of the same paper.

    Parameters
    ----------
    n_components : int, default=200
        Length of the code.
    hidden : sequence of int, default=()
        Width of the layers between history and code, the same in reverse between code and scores, with tanh; () has
        none. The paper has (600,).
    dropout : float, default=0.2
        Share of a history's items left out of what the net reads in training.
    beta : float, default=0.5
        Most weight of the divergence; 1 is the evidence lower bound.
    annealing_epochs : int, default=10
        Epochs over which the weight of the divergence rises from 0 to `beta`.
    denoising : bool, default=False
        Whether to train the denoising autoencoder, without noise in the code.
    init : {"auto", "svd", "random"}, default="auto"
        What the net is before training: PureSVD of the training users, so that training makes a good model better, or
        random. "svd" needs ``hidden=()``; "auto" is "svd" there, and "random" with inner layers.
    target : {"all", "left_out"}, default="left_out"
        What the net should name: all items of the history, as in the paper, or those alone that it was not given, among
        the items it was not given. Take "all" where people buy again and ``exclude_seen=False``.
    epochs : int, default=20
        Most passes over the histories; a random start wants 100 or more.
    batch_size : int, default=256
        Users of a training step.
    learning_rate : float, default=0.001
        Step length of the optimizer.
    schedule : {"constant", "cosine"}, default="cosine"
        How the step length changes over the epochs.
    optimizer : str, default="adam"
        Any optimizer Keras knows by name.
    weight_decay : float, default=0.0
        Share of the weights taken off in each step, times the step length.
    early_stopping : bool, default=True
        Whether some users are held out, given a random 80 % of their items, to stop when the NDCG at `k` of the other
        20 % has not risen for `patience` epochs, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the users held out for that, 2,000 at most.
    patience : int, default=10
        Epochs to wait for a better score.
    callbacks : list of Keras callbacks, default=None
        Called while training.
    mixed_precision : bool, default=False
        Whether to compute in bfloat16; worth it on a GPU and on processors with AMX.
    jit_compile : bool, default=False
        Whether to compile with XLA.
    warm_start : bool, default=False
        Whether a further `fit` goes on from the net that is there; the items must be the same.
    replay : int, default=1000
        Histories that the model keeps, a uniform sample of those it has learned, and trains on again in each
        `partial_fit` beside the new ones; 0 keeps none.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``. Counts and other weights weigh the likelihood.
    k : int, default=10
        Number of recommendations.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of the users, the items left out and the noise.
    verbose : int, default=0
        1 prints a line per epoch, 2 a progress bar.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, width), dtype float32
        The last layer's weights :math:`W`; width is ``hidden[0]``, or `n_components` without inner layers.
    item_bias_ : ndarray of shape (n_items,), dtype float32
        The last layer's bias :math:`b`.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users who have each item.
    history_ : dict of str to list of float
        The loss of each epoch, and `val_score`, the NDCG of the held-out users.
    n_iter_ : int
        Epochs trained.
    vectorizer_ : transformer
        The fitted vectorizer.

    See Also
    --------
    skrec.linear_model.EASE : One parameter and as good, but a square matrix of items; measure it first.
    skrec.decomposition.PureSVD : What it begins as.
    skrec.decomposition.ALS : Vectors of users and items without a net.

    Notes
    -----
    Weights: ``3 * n_items * n_components``, or with inner layers ``2 * n_items * hidden[0]`` and
    ``3 * hidden[-1] * n_components``. An epoch costs 6 * n_users * weights
    operations, whatever the number of events; only one batch of the matrix, ``batch_size * n_items`` numbers, is dense
    at a time. Scoring a user costs ``2 * n_items * width`` operations. A
    history without known items has the code 0 and gets what is popular. Needs the extra `deep`.

    `partial_fit` is approximate: one more epoch on the histories passed and on the `replay` kept ones, at the learning
    rate of the constructor held constant, on a new net with the weights so far, so that others go on reading the old
    one. New items begin as the mean of what the net has of the items in the same histories. The net moves towards the
    new events and forgets a little of the old; what is kept for the replay is a uniform sample of the histories as they
    were when learned. Cost: building the net, some seconds, and an epoch of these histories. Refit when the quality
    falls.

    References
    ----------
    .. [1] D. Liang, R. G. Krishnan, M. D. Hoffman and T. Jebara, "Variational Autoencoders for Collaborative
       Filtering", WWW 2018.

    Examples
    --------
    >>> from skrec.neural_network import MultVAE
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]] * 8
    >>> model = MultVAE(2, early_stopping=False, k=2, random_state=0)
    >>> model.fit(histories).predict([["tea"]])
    array([['milk', 'sugar']], dtype=object)
    >>> model.transform([["tea"], []]).shape
    (2, 2)
    """

    _scores_are_logits = True
    _updates = "approximate"
    _update_state = ("_replay",)
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        **NetMixin._training_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "annealing_epochs": [Interval(Integral, 0, None, closed="left")],
        "denoising": ["boolean"],
        "init": [StrOptions({"auto", "svd", "random"})],
        "target": [StrOptions({"all", "left_out"})],
        "replay": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=200,
        *,
        hidden=(),
        dropout=0.2,
        beta=0.5,
        annealing_epochs=10,
        denoising=False,
        init="auto",
        target="left_out",
        epochs=20,
        batch_size=256,
        learning_rate=0.001,
        schedule="cosine",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=True,
        validation_fraction=0.1,
        patience=10,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        replay=1000,
        vectorizer=None,
        k=10,
        exclude_seen=True,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden = hidden
        self.dropout = dropout
        self.beta = beta
        self.annealing_epochs = annealing_epochs
        self.denoising = denoising
        self.init = init
        self.target = target
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.jit_compile = jit_compile
        self.warm_start = warm_start
        self.replay = replay
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state
        self.verbose = verbose

    def _fit(self, users):
        self._check_settings()
        matrix, judge = self._trainable(users.matrix), None
        rng = check_random_state(self.random_state)
        if self.early_stopping:
            n_users = matrix.shape[0]
            n_judged = n_held_out(n_users, self.validation_fraction)
            if n_judged == n_users:
                raise ValueError(
                    f"early_stopping=True holds out {n_judged} of {n_users} users with two items, and none is left: "
                    "lower validation_fraction, or set early_stopping=False"
                )
            order = rng.permutation(n_users)
            given, asked = split_rows(matrix[order[:n_judged]], _ASKED, rng)
            matrix = matrix[np.sort(order[n_judged:])]

            def judge(model):
                return self._judge(given, asked)

        self._train(matrix, rng, judge=judge)
        for name in ("_replay", "_n_seen"):
            vars(self).pop(name, None)
        self._remember(matrix, 0, np.random.RandomState(self._seed))

    def _trainable(self, matrix) -> sp.csr_array:
        """Return the rows that have two items at least."""
        rows = _with_two(matrix)
        if not rows.shape[0]:
            few = "only one item, 1 feature(s)" if matrix.shape[1] == 1 else "no user with two items"
            raise ValueError(f"X has {few}, so nothing goes together: pass longer histories")
        return rows

    def _check_settings(self):
        """Raise where parameters do not go together, or a net that goes on has learned another number of items."""
        if widths_of(self.hidden) and self.init == "svd":
            raise ValueError(f"init='svd' needs a net without inner layers, and hidden={self.hidden!r}: pass hidden=()")
        if self.target == "left_out" and not self.dropout:
            raise ValueError("target='left_out' needs items that are left out, and dropout=0: set it to 0.5, say")
        if self._goes_on() and (n_items := self.net_.model_.output_shape[-1]) != self.n_items_:
            raise ValueError(
                f"warm_start=True goes on with a net of {n_items} items, and X has {self.n_items_}: keep the items, or "
                "fit anew with warm_start=False"
            )

    def _train(self, matrix, rng, **how):
        seed, hidden_only = int(rng.randint(2**31 - 1)), self.target == "left_out"
        seed += self.n_iter_ if self._goes_on("partial" in how) else 0
        data = history_batches(matrix, self.batch_size, self.dropout, hidden_only, seed)
        rise = max(1, self.annealing_epochs * len(data))
        build = (lambda: self._autoencoder(rise)) if "renew" in how else lambda: self._new_net(rise, matrix, seed)
        self._fit_net(build, data, loss=multinomial_loss(), **how)
        self._take_last_layer()

    def _take_last_layer(self):
        last = self.net_.model_.get_layer("scores")
        self.item_factors_ = np.ascontiguousarray(np.asarray(last.kernel).T, dtype=np.float32)
        self.item_bias_ = np.asarray(last.bias, dtype=np.float32)

    def _update(self, after, before):
        n_known = self.item_factors_.shape[0]
        matrix, held = _with_two(after.matrix), self._replay
        held = sp.csr_array((held.data, held.indices, held.indptr), shape=(held.shape[0], self.n_items_))
        rows = sp.csr_array(sp.vstack([matrix, held], format="csr"))
        if not matrix.shape[0] and (self.n_items_ == n_known or not rows.shape[0]):
            if self.n_items_ > n_known:
                raise ValueError(
                    "X has new items, and no user with two items, so nothing goes together: pass longer histories, or "
                    "fit with replay=1000"
                )
            return

        def renew(old, new):
            carry_weights(old, new)
            if not self.denoising:
                new.get_layer("code").rise = old.get_layer("code").rise
            self._place_new_items(old, new, matrix)

        rng = np.random.RandomState((self._seed + self.n_iter_) % 2**31)
        self._train(rows, check_random_state(self.random_state), renew=renew, **_ONCE)
        self._remember(matrix, int((np.diff(_with_two(before.matrix).indptr) > 0).sum()), rng)

    def _place_new_items(self, old, net, matrix):
        """Let what the net has of a new item begin as the mean of what it has of the items that users have with it."""
        n_known = len(self._old_items)
        beside = (matrix[:, n_known:].T @ matrix[:, :n_known]).toarray()
        beside /= np.maximum(beside.sum(axis=1, keepdims=True), 1e-12)
        for before, weight in zip(old.weights, net.weights, strict=True):
            value = np.array(weight)
            if value.ndim and value.shape[0] > before.shape[0]:
                value[n_known:] = beside @ value[:n_known]
            elif value.ndim and value.shape[-1] > before.shape[-1]:
                value[:, n_known:] = value[:, :n_known] @ beside.T
            weight.assign(value)
        scores = net.get_layer("scores")
        bias, often = np.array(scores.bias), np.log(np.maximum(self.popularity_, 1))
        often = often[n_known:] - beside @ often[:n_known]
        bias[n_known:] += 0.5 * often  # as the net begins: rarer items score less
        scores.bias.assign(bias)

    def _remember(self, matrix, n_known, rng):
        """Bring the sample of histories up to date that updates replay."""
        kept = getattr(self, "_replay", matrix[:0])
        seen = getattr(self, "_n_seen", 0)
        stay, more = reservoir(kept.shape[0], seen, matrix.shape[0], n_known, self.replay, rng)
        kept = sp.csr_array((kept.data, kept.indices, kept.indptr), shape=(kept.shape[0], matrix.shape[1]))
        self._replay = sp.csr_array(sp.vstack([kept[stay], matrix[more]], format="csr"))
        self._n_seen = seen + matrix.shape[0] - n_known

    def _new_net(self, rise, matrix, seed):
        """Return the net before training; `matrix` are the histories it will see."""
        net = self._autoencoder(rise)
        if self.init != "random" and not widths_of(self.hidden):
            set_svd_start(net, matrix, seed)
        return net

    def _autoencoder(self, rise):
        """Return the net, from a dense block of histories to the scores of all items."""
        keras = load_keras()
        layers, dense, size = keras.layers, keras.layers.Dense, int(self.n_components)
        widths = widths_of(self.hidden)
        history = keras.Input((self.n_items_,), dtype="float32", name="history")
        hidden = layers.UnitNormalization(name="unit_length")(history)
        for step, width in enumerate(widths):
            hidden = dense(width, "tanh", name=f"encoder_{step}")(hidden)
        mean = dense(size, dtype="float32", name="mean")(hidden)
        if self.denoising:
            code = mean
        else:
            spread = dense(size, dtype="float32", name="log_variance")(hidden)
            code = code_layer()(float(self.beta), rise, name="code")(mean, spread)
        for step, width in enumerate(reversed(widths)):
            code = dense(width, "tanh", name=f"decoder_{step}")(code)
        decoded = layers.Activation("linear", name="decoded")(code)
        return keras.Model(history, dense(self.n_items_, dtype="float32", name="scores")(decoded))

    def _judge(self, given, asked) -> float:
        """Return the NDCG at k of the items asked for."""
        order, k = popularity_order(self.popularity_), min(self.k, self.n_items_)
        last = self.net_.model_.get_layer("scores")
        factors, bias = np.asarray(last.kernel), np.asarray(last.bias)

        def block_of(block):
            scores = self._outputs(given[block].toarray(), "decoded") @ factors + bias
            if self.exclude_seen:
                mask_scores(scores, given[block])
            found, _ = top_k(scores, k, order)
            wanted = asked[block].toarray() > 0
            return ndcg(np.take_along_axis(wanted, found, axis=1), np.count_nonzero(wanted, axis=1))

        return float(np.concatenate(map_blocks(block_of, given.shape[0], 4 * self._block_width())).mean())

    def _user_factors(self, users) -> np.ndarray:
        blocks = map_blocks(lambda part: self._said(users[part], "mean"), len(users), 4 * self._block_width())
        return stack(blocks, (0, int(self.n_components)))

    def _said(self, users, layer) -> np.ndarray:
        """Return the output of a layer for each row; zeros for rows without items."""
        output = self._outputs(sp.csr_array(users.matrix, dtype=np.float32).toarray(), layer)
        output[np.diff(users.matrix.indptr) == 0] = 0
        return output

    def _score(self, users):
        scores = self._said(users, "decoded") @ self.item_factors_.T + self.item_bias_
        scores[np.diff(users.matrix.indptr) == 0] = 0
        return scores

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.fit_randomness = True
        return tags

    def __setstate__(self, state):
        if "net_" in state:
            code_layer(), multinomial_loss()  # Keras must know them before it reads the net
        super().__setstate__(state)
