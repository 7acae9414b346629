"""TwoTower: one net makes a vector of a user, another one of an item, and the score is their product."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from skrec.base import BaseRecommender
from skrec.decomposition._embedding import EmbeddingMixin
from skrec.feature_extraction._item_features import (
    dense_features,
    encode_items,
    encode_more,
    item_ids,
    read_item_features,
    row_numbers,
    with_catalogue,
)
from skrec.neural_network._keras import BLOCK, NetMixin, load_keras, load_tensorflow
from skrec.neural_network._nets._towers import history_means, layers, next_item_batches, widths_of
from skrec.neural_network._replay import carry_weights, near_vectors, reservoir, same_width
from skrec.neural_network._sequence_inputs import padded
from skrec.neural_network._user_features import user_encoder, user_numbers, user_table
from skrec.utils._frame_parameter import FrameParameter, shallow
from skrec.utils._held_out import n_held_out, next_item_ndcg
from skrec.utils._histories import Histories
from skrec.utils._validation import join_ids, lookup

from ..utils._sklearn import HasMethods, Interval

_LOSS = "sparse_categorical_crossentropy"  # for the record of Keras; the model computes its own


def _behind(histories: Histories, rows: np.ndarray) -> Histories:
    """Put padded rows of codes behind histories, of which the items and their order alone remain."""
    codes = np.concatenate([histories.codes, rows[rows > 0] - 1])
    lengths = np.concatenate([histories.lengths, np.count_nonzero(rows, axis=1)])
    return Histories(histories.ids, codes, np.concatenate([[0], np.cumsum(lengths)]))


class TwoTower(FrameParameter, EmbeddingMixin, NetMixin, BaseRecommender):
    r"""Two towers: a net that makes a vector of an item, one that makes a vector of a user, and their cosine.

    The vector of item :math:`i` is the sum of its own :math:`e_i`, which only events teach, and of what a small net
    makes of its features :math:`f_i`; that of a user is the mean of the last items, weighted by age :math:`a`, and
    what a second net makes of this mean and the user's features :math:`c`,

    .. math:: v_i = \frac{e_i + g(f_i)}{\lVert e_i + g(f_i) \rVert}, \qquad
              m = \frac{\sum_a \rho^a v_{i_a}}{\sum_a \rho^a}, \qquad
              u = \frac{m + h(m, c)}{\lVert m + h(m, c) \rVert}, \qquad s_{ui} = u \cdot v_i .

    Training asks at each event which item came next, out of the next items of the batch. These come as often as they
    are popular, so the score of a negative is lowered by the log of how often it is expected in the batch [1]_; that of
    the item that came is not [2]_. In training :math:`e_i` is left out at random (`id_dropout`), so that the features
    learn to stand alone: an item without a single event is scored from its features, in `fit` as a row of
    `item_features`, later by ``recommend(X, item_features=frame)``.

    Parameters
    ----------
    n_components : int, default=64
        Length of the vectors.
    item_features : pandas or polars DataFrame of shape (n_catalogue, n_columns), default=None
        Features of all items, those of the histories and new ones: the index holds the ids, in polars the column
        `item`. None learns from events alone.
    item_encoder : transformer, default=None
        Turns the frame into a row of numbers per item; None chooses by the types of the columns: words of texts,
        labels, quantiles of numbers.
    n_features : int, default=256
        Numbers that an encoder with more columns is reduced to, by TruncatedSVD; None keeps all columns, dense.
    user_features : list of str, default=None
        Columns of X that describe the user: numbers, or labels.
    hidden : sequence of int, default=(128,)
        Width of the inner layers of both nets; () makes them linear.
    max_length : int, default=20
        The latest events of a history that are read.
    recency : float, default=0.7
        Weight :math:`\rho` of an event relative to the one after it; 1 is the plain mean.
    dropout : float, default=0.2
        Share of the numbers in the user's net set to zero in training.
    id_dropout : float, default=0.3
        Share of the items whose own vector is left out of a training step.
    temperature : float, default=0.05
        What the cosine is divided by in training: the smaller, the more the nearest wrong items count.
    n_negatives : int, default=0
        Items drawn uniformly besides those of the batch; more of them for small batches.
    epochs : int, default=60
        Most passes over the events.
    batch_size : int, default=512
        Events of a training step, each the others' negative; at least 2.
    learning_rate : float, default=0.001
        Step length of the optimizer.
    schedule : {"constant", "cosine"}, default="constant"
        How the step length changes over the epochs.
    optimizer : str, default="adam"
        Any optimizer Keras knows by name, or "lazy_adam": Adam that moves only the item vectors of a step.
    weight_decay : float, default=0.0
        Share of the weights taken off in each step, times the step length.
    early_stopping : bool, default=True
        Whether the last item of some training users is held out, to stop when the NDCG at `k` of these items has not
        risen for `patience` epochs, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the users held out for that, 2,000 at most.
    patience : int, default=5
        Epochs to wait for a better score.
    callbacks : list of Keras callbacks, default=None
        Called while training.
    mixed_precision : bool, default=False
        Whether the user's net computes in bfloat16.
    jit_compile : bool, default=False
        Whether to compile with XLA; slower on the CPU.
    warm_start : bool, default=False
        Whether a further `fit` goes on from the net that is there; the items must be the same.
    replay : int, default=1000
        Histories that the model keeps, a uniform sample of those it has learned, and trains on again in each
        `partial_fit` beside the new ones; 0 keeps none.
    k : int, default=10
        Number of recommendations.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of the events, dropout and the drawn items.
    verbose : int, default=0
        1 prints a line per epoch, 2 a progress bar.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_components), dtype float32
        The item vectors, of unit length.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores: those of the histories and of `item_features`.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users who have each item; 0 for items without events.
    item_encoder_ : transformer
        Fitted on `item_features`; only there with them.
    item_reducer_ : Pipeline or None
        TruncatedSVD and StandardScaler behind it, where the encoder gives more than `n_features` columns.
    user_encoder_ : ColumnTransformer
        Fitted on the columns `user_features`; only there with them.
    history_ : dict of str to list of float
        The loss of each epoch, and `val_score`, the NDCG of the held-out items.
    n_iter_ : int
        Epochs trained.
    vectorizer_ : HistoryVectorizer
        Learned the items.

    See Also
    --------
    skrec.neighbors.ContentRecommender : Items by their features without training; measure it first.
    SASRec : Reads the order of the history, and knows no features.

    Notes
    -----
    Cost of a training step with a batch of B events, n features and width h: B * B * n_components for the scores, and
    (distinct items of the batch) * (n * h + h * n_components) for the items' net. Weights: n_items * n_components for
    the items' own vectors, n * h + 2 * h * n_components + n_components * h for the nets. The features of all items are
    kept dense, 4 * n_items * n bytes. `transform` and `item_factors_` can be put into any index of nearest neighbours.
    Needs the extra `deep`.

    `partial_fit` is approximate: one more epoch on the histories passed and on the `replay` kept ones, at the learning
    rate of the constructor held constant, on a new net with the weights so far, so that others go on reading the old
    one. New items begin as the mean of what the net has of the items in the same histories. The net moves towards the
    new events and forgets a little of the old; what is kept for the replay is a uniform sample of the histories as they
    were when learned. Cost: building the net, some seconds, and an epoch of these histories. New items with features:
    ``set_params(item_features=grown)`` first, with or without events; encoder and reducer stay those of `fit`. Refit
    when the quality falls.

    References
    ----------
    .. [1] X. Yi, J. Yang, L. Hong, D. Z. Cheng, L. Heldt, A. Kumthekar, Z. Zhao, L. Wei and E. Chi,
       "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019.
    .. [2] Y. Bengio and J.-S. Senecal, "Quick Training of Probabilistic Neural Nets by Importance Sampling",
       AISTATS 2003.

    Examples
    --------
    Nobody has bought the saw yet:

    >>> import pandas as pd
    >>> from skrec.neural_network import TwoTower
    >>> kinds = pd.DataFrame({"kind": ["kitchen"] * 3 + ["tools"] * 3},
    ...                      index=["tea", "milk", "jam", "nails", "hammer", "saw"])
    >>> histories = [["tea", "milk", "jam"], ["milk", "tea", "jam"], ["nails", "hammer"], ["hammer", "nails"]] * 8
    >>> model = TwoTower(8, item_features=kinds, hidden=(), epochs=30, learning_rate=0.02, batch_size=16,
    ...                  early_stopping=False, random_state=0, k=1)
    >>> model.fit(histories).predict([["nails", "hammer"]])
    array([['saw']], dtype=object)
    """

    _scores_are_logits = True
    _updates = "approximate"
    _update_state = ("_replay",)
    _parameter_constraints: dict = {
        **{name: kind for name, kind in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        **NetMixin._training_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "item_features": "no_validation",  # read_item_features says more
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
        "user_features": [list, tuple, None],
        "hidden": ["array-like"],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "recency": [Interval(Real, 0, 1, closed="right")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "id_dropout": [Interval(Real, 0, 1, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "n_negatives": [Interval(Integral, 0, None, closed="left")],
        "replay": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],  # the negatives are the others of the batch
    }

    def __init__(
        self,
        n_components=64,
        *,
        item_features=None,
        item_encoder=None,
        n_features=256,
        user_features=None,
        hidden=(128,),
        max_length=20,
        recency=0.7,
        dropout=0.2,
        id_dropout=0.3,
        temperature=0.05,
        n_negatives=0,
        epochs=60,
        batch_size=512,
        learning_rate=0.001,
        schedule="constant",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=True,
        validation_fraction=0.1,
        patience=5,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        replay=1000,
        k=10,
        exclude_seen=True,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.item_features = item_features
        self.item_encoder = item_encoder
        self.n_features = n_features
        self.user_features = user_features
        self.hidden = hidden
        self.max_length = max_length
        self.recency = recency
        self.dropout = dropout
        self.id_dropout = id_dropout
        self.temperature = temperature
        self.n_negatives = n_negatives
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
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state
        self.verbose = verbose

    def _describe(self, users, X, *, fitting):
        return replace(users, features=user_table(X, self.user_features)) if self.user_features else users

    def _catalogue(self):
        if self.item_features is None:
            return None
        return item_ids(read_item_features(self.item_features))

    def _check_sizes(self):
        """Raise where a width is none, or a net that goes on has learned other items."""
        widths_of(self.hidden)
        if self._goes_on() and self.net_.model_.items.n_items != self.n_items_:
            raise ValueError(
                f"warm_start=True goes on with a net of {self.net_.model_.items.n_items} items, and X has "
                f"{self.n_items_}: keep the items, or fit anew with warm_start=False"
            )

    def _fit(self, users):
        self._check_sizes()
        known, judge = users.histories, None
        rng = check_random_state(self.random_state)
        able = np.flatnonzero(known.lengths >= 2)
        if not len(able):
            raise ValueError("X has no user with two events, so nothing follows anything: pass longer histories")
        about = features = None
        if self.user_features:
            self.user_encoder_ = user_encoder(users.features).fit(users.features)
            about = user_numbers(self.user_encoder_, users.features)
        if self.item_features is not None:
            self.item_encoder_, sparse = encode_items(self.item_features, self.item_encoder, self.items_)
            size = None if self.n_features is None or sparse.shape[1] <= self.n_features else self.n_features
            self.item_reducer_, features = dense_features(sparse, size, rng)
        if self.early_stopping:
            judged = np.sort(rng.choice(able, n_held_out(len(able), self.validation_fraction), replace=False))
            last = known.indptr[judged + 1] - 1
            target = known.codes[last]
            keep = np.ones(len(known.codes), dtype=bool)
            keep[last] = False
            known = known.take_events(keep)
            asked = padded(known, self.max_length)[judged]
            seen = users.matrix[judged]
            about_asked = None if about is None else about[judged]

            def judge(model):
                vectors = self._item_vectors()
                said = self._tower(asked, about_asked, vectors)
                return next_item_ndcg(said, vectors, target, seen if self.exclude_seen else None, self.k)

        if np.maximum(known.lengths - 1, 0).sum() < 2:
            raise ValueError("X has less than two events to learn from that follow another: pass longer histories")
        seed = int(rng.randint(2**31 - 1))
        self._train(known, about, features, seed, judge=judge)
        for name in ("_replay", "_n_seen"):
            vars(self).pop(name, None)
        self._remember(known, about, 0, np.random.RandomState(seed))

    def _train(self, histories, about, features, seed, **how):
        """Train on what came next in histories, and take the item vectors from the net."""
        data = next_item_batches(histories, self.max_length, self.batch_size, seed, about)
        counts = np.bincount(histories.codes, minlength=self.n_items_)
        first = np.bincount(histories.codes[histories.indptr[:-1][histories.lengths > 0]], minlength=self.n_items_)
        self._fit_net(lambda: self._towers(features, about, counts, first), data, loss=_LOSS, **how)
        self.item_factors_ = self._item_vectors()

    def _grown_items(self, histories):
        items = super()._grown_items(histories)
        return items if self.item_features is None else with_catalogue(items, self._catalogue())

    def _update(self, after, before):
        n_known = len(self._old_items)
        if self.n_items_ == n_known and not (after.histories.lengths >= 2).any():
            return
        about = user_numbers(self.user_encoder_, after.features) if self.user_features else None
        more = self._numbers_of(self.items_[n_known:]) if self.item_features is not None else None
        held, held_about = self._replay
        both = _behind(after.histories, held)
        if about is not None:
            about = np.concatenate([about, held_about])
        if np.maximum(both.lengths - 1, 0).sum() < 2:
            raise ValueError(
                "X has less than two events to learn from that follow another: pass longer histories, or fit with "
                "replay=1000"
            )
        own = padded(after.histories, self.max_length + 1)

        def renew(old, new):
            known, had = np.array(new.items.known), np.array(old.items.known)
            shares = np.array(new.shares)
            carry_weights(old, new)
            new.shares.assign(shares)  # of the histories at hand, from which negatives come
            had = np.append(had, np.zeros((len(known) - len(had), 1)), axis=0)
            popular = (self.popularity_ > 0)[:, None]
            new.items.known.assign(np.maximum(had, popular).astype(np.float32))
            vectors = np.where(had > 0, np.array(new.items.vectors), 0)
            vectors[n_known:] = near_vectors(own, vectors[:n_known], self.n_items_ - n_known)
            new.items.vectors.assign(vectors)
            if more is not None:
                new.items.features.assign(np.concatenate([np.array(old.items.features), more]))

        seed = (self._seed + self.n_iter_) % 2**31
        features = np.zeros((0, self.net_.model_.items.n_features), dtype=np.float32) if more is not None else None
        self._train(both, about, features, seed, epochs=1, partial=True, renew=renew)
        rows = None if about is None else about[: len(after)]
        n_before = int(np.count_nonzero(before.histories.lengths >= 2))
        self._remember(after.histories, rows, n_before, np.random.RandomState(seed))

    def _remember(self, histories, about, n_known, rng):
        """Bring the sample of histories up to date that updates replay."""
        codes = padded(histories, self.max_length + 1)
        able = np.flatnonzero(histories.lengths >= 2)
        kept, kept_about = getattr(self, "_replay", (codes[:0], None if about is None else about[:0]))
        seen = getattr(self, "_n_seen", 0)
        stay, more = reservoir(len(kept), seen, len(able), n_known, self.replay, rng)
        rows = np.concatenate(same_width(codes[able[more]], kept[stay]))
        self._replay = rows, None if about is None else np.concatenate([about[able[more]], kept_about[stay]])
        self._n_seen = seen + len(able) - n_known

    def _numbers_of(self, items) -> np.ndarray:
        """Return the features of items that came after `fit`, as the net reads them."""
        frame = read_item_features(self.item_features)
        rows = row_numbers(frame, items)
        if not len(rows):
            return np.zeros((0, self.net_.model_.items.n_features), dtype=np.float32)
        return self._reduce(encode_more(self.item_encoder_, frame.iloc[rows]))

    def _reduce(self, numbers) -> np.ndarray:
        numbers = numbers.toarray() if self.item_reducer_ is None else self.item_reducer_.transform(numbers)
        return numbers.astype(np.float32)

    def _towers(self, features, users, counts, first):
        """Return the net of both towers."""
        keras, (item_kind, model_kind) = load_keras(), layers()
        size, widths = int(self.n_components), widths_of(self.hidden)
        n_features = 0 if features is None else int(features.shape[1])
        items = item_kind(self.n_items_, size, n_features, widths, float(self.id_dropout), name="items")
        mean = keras.Input((size,), dtype="float32", name="mean")
        inputs, hidden = {"mean": mean}, keras.layers.Dropout(self.dropout, name="dropout")(mean)
        if users is not None:
            inputs["features"] = keras.Input(users.shape[1:], dtype="float32", name="features")
            hidden = keras.layers.Concatenate(name="both")([hidden, inputs["features"]])
        for step, width in enumerate(widths):
            hidden = keras.layers.Dense(width, "relu", name=f"dense_{step}")(hidden)
            hidden = keras.layers.Dropout(self.dropout, name=f"dropout_{step}")(hidden)
        out = keras.layers.Dense(size, "linear", kernel_initializer="zeros", dtype="float32", name="out")(hidden)
        vector = keras.layers.Add(dtype="float32", name="vector")([mean, out])
        vector = keras.layers.UnitNormalization(dtype="float32", name="unit_length")(vector)
        user_tower = keras.Model(inputs, vector, name="users")
        model = model_kind(items, user_tower, float(self.recency), float(self.temperature), int(self.n_negatives))
        model.build()
        if n_features and len(features):  # an update gives them afterwards
            items.features.assign(features)
        items.known.assign((counts > 0).astype(np.float32)[:, None])
        targets = counts - first
        model.shares.assign((targets / targets.sum()).astype(np.float32))
        return model

    def _item_vectors(self) -> np.ndarray:
        tf, model = load_tensorflow(), self.net_.model_
        if "items" not in self.net_.calls:
            self.net_.calls["items"] = tf.function(
                lambda codes: model.items(codes, training=False), input_signature=[tf.TensorSpec((None,), tf.int32)]
            )
        call = self.net_.calls["items"]
        starts = range(0, self.n_items_, BLOCK)
        parts = [call(np.arange(start, min(start + BLOCK, self.n_items_), dtype=np.int32)).numpy() for start in starts]
        return np.concatenate(parts)

    def _tower(self, codes, about, vectors) -> np.ndarray:
        """Return the vectors of users from the padded codes of their items; zeros for users without any."""
        tf, model = load_tensorflow(), self.net_.model_
        if "users" not in self.net_.calls:
            specs = {one.name: tf.TensorSpec(one.shape, one.dtype) for one in model.users.inputs}
            self.net_.calls["users"] = tf.function(
                lambda given: model.users(given, training=False), input_signature=[specs]
            )
        given = {"mean": history_means(codes, vectors, self.recency)}
        if about is not None:
            given["features"] = about
        out = self.net_.calls["users"](given).numpy()
        out[~codes.any(axis=1)] = 0
        return out

    def _user_factors(self, users) -> np.ndarray:
        about = user_numbers(self.user_encoder_, users.features) if self.user_features else None
        return self._tower(padded(users.histories, self.max_length), about, self.item_factors_)

    def _with_new_items(self, item_features):
        if self.item_features is None:
            return super()._with_new_items(item_features)
        frame = read_item_features(item_features)
        new = lookup(item_ids(frame), self.items_, "item_features") < 0
        if not new.any():
            return self
        frame = frame[new]
        tower = self.net_.model_.items
        vectors = np.asarray(tower.finish(tower.described(self._reduce(encode_more(self.item_encoder_, frame)))))
        wider = shallow(self)
        wider.items_ = join_ids([self.items_, item_ids(frame)], "item_features")
        wider.n_items_ = len(wider.items_)
        wider.popularity_ = np.concatenate([self.popularity_, np.zeros(len(frame), self.popularity_.dtype)])
        wider.item_factors_ = np.concatenate([self.item_factors_, vectors])
        wider.vectorizer_ = shallow(self.vectorizer_)  # histories may hold the new items as well
        wider.vectorizer_.items_ = wider.items_
        return wider

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        tags.fit_randomness = True
        return tags

    def __setstate__(self, state):
        if "net_" in state:
            layers()  # Keras must know them before it reads the net
        super().__setstate__(state)
