"""What the nets share that recommend the next item from the order of a history."""

from functools import partial
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from skrec.base import BaseRecommender
from skrec.decomposition._embedding import EmbeddingMixin
from skrec.feature_extraction._item_encoders import unit_rows
from skrec.feature_extraction._item_features import dense_features, encode_items
from skrec.neural_network._batches import by_length, length_batches, lengths_of
from skrec.neural_network._inputs import count, take
from skrec.neural_network._keras import BLOCK, NetMixin, load_keras, load_tensorflow
from skrec.neural_network._neighbours import neighbour_vectors, sampled_rows
from skrec.neural_network._nets._attention import causal_attention
from skrec.neural_network._nets._frequency import frequency_filter
from skrec.neural_network._nets._losses import LOSSES, layers
from skrec.neural_network._nets._returns import add_bonus
from skrec.neural_network._sequence_inputs import padded, thinned, time_gaps
from skrec.neural_network._sequence_updates import SequenceUpdateMixin
from skrec.utils._frame_parameter import FrameParameter
from skrec.utils._held_out import n_held_out, next_item_ndcg
from skrec.utils._search import Products, products
from skrec.utils._single import agrees

from ..utils._sklearn import HasMethods, Interval, StrOptions

_FULL_SOFTMAX = 5_000  # items up to which n_negatives="auto" takes them all
_FEATURES = 64  # numbers that item features are reduced to
_ENTRIES = 100  # stored entries of an item's features up to which they stay sparse
_EVENTS = 2048  # events of a training step with batch_size="auto", where 128 users have more
_RAISES = (0, 0.5, 1, 1.5, 2, 3, 4, 6, 8)  # what may be added to the bonus of returns
_GAPS = 16  # classes of time between an event and the one before


def _reducer_of(matrix, rng):
    """Return what brings item features to what the net reads: many entries an item are reduced, few stay as they are.

    It is a fitted transformer, or the columns that are kept, which are then brought to unit length.
    """
    if matrix.nnz > _ENTRIES * matrix.shape[0]:
        return dense_features(matrix, _FEATURES, rng)[0]
    often = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]) >= 2)
    if not len(often):
        raise ValueError(
            "item_features has no word, label or number that two items share, so it says nothing: pass a column that "
            "groups items, or item_features=None"
        )
    return often


class SequenceRecommender(SequenceUpdateMixin, FrameParameter, EmbeddingMixin, NetMixin, BaseRecommender):
    """Base of the nets that name the next item: a subclass says what its net makes of the events.

    The score of an item is the product of its vector and the encoder's output at the last event.
    """

    _scores_are_logits = True
    _updates = "approximate"
    _update_state = ("_replay",)
    _parameter_constraints: dict = {
        **{name: kind for name, kind in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        **NetMixin._training_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 2, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "event_dropout": [Interval(Real, 0, 1, closed="left")],
        "loss": [StrOptions(set(LOSSES))],
        "n_negatives": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "tied": ["boolean"],
        "init": [StrOptions({"neighbours", "random"})],
        "returns": ["boolean"],
        "item_features": "no_validation",  # read_item_features says more
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "time_gaps": ["boolean"],
        "replay": [Interval(Integral, 0, None, closed="left")],
        "users_per_epoch": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="right"), None],
    }

    def _encode_events(self, vectors, codes, real, age):
        """Return what the net says at each event, a tensor (n_users, length, n_components).

        `vectors` are those of the events' items, `codes` the items themselves (0 for padding), `real` is false at
        padding, and `age` is 1 at the last event and counts backwards.
        """
        raise NotImplementedError

    def _check_sizes(self):
        """Raise where parameters do not go together."""
        if self.loss != "softmax" and self.n_negatives == 0:
            raise ValueError(
                f"n_negatives=0 takes all items, and loss={self.loss!r} needs a sample: pass 1024, or 'auto'"
            )
        if self.n_negatives != "auto" and self.n_negatives > self.n_items_:
            raise ValueError(
                f"n_negatives={self.n_negatives} is more than the {self.n_items_} items: pass 0, which takes them all"
            )

    # ---- training --------------------------------------------------------------------------------------------

    def _fit(self, users):
        self._check_sizes()
        goes_on = self._goes_on()
        if goes_on and not np.array_equal(self.items_, self._net_items):
            raise ValueError(
                f"warm_start=True goes on with the net of {len(self._net_items)} items, and X has other items: pass "
                "histories of the same items, or set warm_start=False"
            )
        rng = check_random_state(self.random_state)
        if not goes_on:
            self._net_items, self._features = self.items_, None
            if self.item_features is not None:
                self.item_encoder_, matrix = encode_items(self.item_features, self.item_encoder, self.items_)
                self._reducer = _reducer_of(matrix, rng)
                self._features = self._reduce(matrix)
            if self.time_gaps:
                self._gap_edges = self._learn_gaps(users.histories)
        inputs, judge = self._inputs(users.histories, self.max_length + 1), None
        codes = inputs["codes"]
        able = np.flatnonzero(lengths_of(codes) >= 2)
        if not len(able):
            raise ValueError("X has no user with two events, so nothing follows anything: pass longer histories")
        if self.early_stopping:
            judged = np.sort(rng.choice(able, n_held_out(len(able), self.validation_fraction), replace=False))
            target = codes[judged, -1] - 1
            for values in inputs.values():
                values[judged, 1:], values[judged, 0] = values[judged, :-1], 0
            asked, seen = {name: values[judged] for name, values in inputs.items()}, users.matrix[judged]
            able = np.flatnonzero(lengths_of(codes) >= 2)

            def judge(model):
                return self._judge(model, asked, target, seen)[0]

        del codes  # so that the rows are not held twice
        inputs, seed = inputs if len(able) == count(inputs) else take(inputs, able), int(rng.randint(2**31 - 1))
        self._train(inputs, seed, judge=judge)
        vars(self).pop("_replay", None)
        self._n_seen = 0
        self._remember(inputs, 0, np.random.RandomState(seed))
        model = self.net_.model_
        if judge is not None and model.returns:  # on what the net was trained on, it needs less of the bonus
            best = _RAISES[int(np.argmax(self._judge(model, asked, target, seen, _RAISES)))]
            model.bonus.assign(np.asarray(model.bonus) + best)

    def _train(self, inputs, seed, **how):
        """Train on rows of events, and take the item vectors from the net."""

        def examples(users, codes, rng):
            read = {name: values[users, -codes.shape[1] :] for name, values in inputs.items()}
            if self.event_dropout:
                read = thinned(read, self.event_dropout, rng)
            target = read["codes"][:, 1:]
            read = {name: values[:, :-1] for name, values in read.items()}
            return (read if self.time_gaps else read["codes"]), target

        size = self.batch_size
        if size == "auto":
            size = int(np.clip(_EVENTS / lengths_of(inputs["codes"]).mean(), 8, 128))
        n_drawn = None if how.get("partial") else self._n_drawn(count(inputs))
        batches = length_batches(inputs["codes"], size, examples, seed=lambda: seed, packed=True, n_drawn=n_drawn)
        build = self._next_item_model if "renew" in how else partial(self._new_model, inputs["codes"], seed)
        self._fit_net(build, batches, loss="sparse_categorical_crossentropy", **how)
        self.item_factors_ = self._item_vectors(self.net_.model_)

    def _n_drawn(self, n_users: int) -> int | None:
        """Return the number of users of an epoch, None for all."""
        if self.users_per_epoch is None:
            return None
        whole = isinstance(self.users_per_epoch, Integral)
        return min(n_users, max(1, int(self.users_per_epoch if whole else round(self.users_per_epoch * n_users))))

    def _reduce(self, matrix):
        """Return encoded features as the net reads them."""
        if hasattr(self._reducer, "transform"):
            return self._reducer.transform(matrix).astype(np.float32)
        matrix = sp.csr_array(matrix[:, self._reducer])
        matrix.sort_indices()
        return unit_rows(matrix)

    def _new_model(self, codes, seed):
        """Return the net before training; `codes` are the histories it will see."""
        model = self._next_item_model()
        if self.init == "neighbours":
            size = int(self.n_components)
            spread = size**-0.5 / 4  # half of that of random vectors
            codes = sampled_rows(codes, seed)
            vectors = neighbour_vectors(codes, self.n_items_ + 1, size, seed, first=1, spread=spread)
            model.set_vectors(vectors[1:])
        return model

    def _next_item_model(self):
        keras, (table_kind, model_kind) = load_keras(), layers()
        ops, size, n_features = keras.ops, int(self.n_components), 0
        if self._features is not None:
            n_features = self._features.shape[1]
        n_entries = self._features.nnz if sp.issparse(self._features) else 0
        table = table_kind(self.n_items_, size, n_features, n_entries, name="items")
        codes = keras.Input((None,), dtype="int32", name="codes")
        vectors, inputs = table(codes), codes
        if self.time_gaps:
            gaps = keras.Input((None,), dtype="int32", name="gaps")
            near_zero = keras.initializers.RandomNormal(stddev=0.02)
            by_gap = keras.layers.Embedding(_GAPS + 2, size, near_zero, name="by_gap")(gaps)
            vectors, inputs = keras.layers.Add(name="timed")([vectors, by_gap]), {"codes": codes, "gaps": gaps}
        place = ops.cumsum(ops.ones_like(codes), axis=1)
        age = ops.subtract(place[:, -1:] + 1, place)  # the same whatever the padding
        said = self._encode_events(vectors, codes, ops.greater(codes, 0), age)
        encoder = keras.Model(inputs, said, name="encoder")
        how = {"loss": self.loss, "n_negatives": self._sample_size(), "power": LOSSES[self.loss], "tied": self.tied}
        how["returns"] = self.returns
        model = model_kind(encoder, **how, name="next_item")
        example = np.ones((1, 2), dtype=np.int32)
        model({"codes": example, "gaps": example} if self.time_gaps else example)
        model.set_popularity(self.popularity_)
        if n_features:
            model.set_features(self._features)
        return model

    def _sample_size(self) -> int:
        if self.n_negatives != "auto":
            return int(self.n_negatives)
        return 0 if self.loss == "softmax" and self.n_items_ <= _FULL_SOFTMAX else min(1024, self.n_items_)

    # ---- what the net reads and says ---------------------------------------------------------------------------

    def _learn_gaps(self, histories) -> np.ndarray:
        self._check_times(histories)
        gaps = time_gaps(histories)
        shares = np.arange(1, _GAPS) / _GAPS
        return np.unique(np.quantile(gaps[~np.isnan(gaps)], shares)) if np.isfinite(gaps).any() else np.zeros(1)

    @staticmethod
    def _check_times(histories):
        if histories.time is None:
            raise ValueError("time_gaps=True needs histories with the column 'time': see to_histories(time=)")

    def _inputs(self, histories, length) -> dict[str, np.ndarray]:
        """Return the codes of the last events, and their time gaps where the net reads them."""
        inputs = {"codes": padded(histories, length)}
        if self.time_gaps:
            self._check_times(histories)
            gaps = time_gaps(histories)
            classes = np.where(np.isnan(gaps), 1, 2 + np.searchsorted(self._gap_edges, gaps))
            inputs["gaps"] = padded(histories, length, classes)
        return inputs

    def _item_vectors(self, model) -> np.ndarray:
        return self._vectors_in(model.named)

    def _vectors_in(self, table) -> np.ndarray:
        """Return the vectors of all items in a layer of the net."""
        if table.n_entries:  # as the layer has them, without a vector per entry
            return np.asarray(table.vectors)[1:] + self._features @ np.asarray(table.projection)
        return np.asarray(table.call(None), dtype=np.float32)[1:]

    def _judge(self, model, asked, target, seen, raises=(0,)) -> list[float]:
        """Return the NDCG at k of held-out next items, for each number added to the bonus of returns."""
        users, vectors, codes = self._last_outputs(model, asked), self._item_vectors(model), asked["codes"]

        def reached(more):
            def adjust(scores, block):
                part = codes[block]
                add_bonus(scores, part[part > 0] - 1, lengths_of(part), np.asarray(model.bonus) + more)

            hidden = seen if self.exclude_seen else None
            return next_item_ndcg(users, vectors, target, hidden, self.k, adjust if model.returns else None)

        return [reached(more) for more in raises]

    def _last_outputs(self, model, inputs) -> np.ndarray:
        """Return the encoder's output at the last event of each row; zeros for rows without events."""
        call = self.net_.calls.setdefault("last", None) or self._last_call(model)
        self.net_.calls["last"] = call
        codes = inputs["codes"]
        users = np.zeros((len(codes), self.n_components), dtype=np.float32)
        for part, block in by_length(codes, BLOCK):
            users[part] = call({name: values[part, -block.shape[1] :] for name, values in inputs.items()})
        users[lengths_of(codes) == 0] = 0
        return users

    def _last_call(self, model):
        tf = load_tensorflow()

        @tf.function
        def last(inputs):
            said = model.encoder(inputs if self.time_gaps else inputs["codes"], training=False)
            return tf.cast(said[:, -1], tf.float32)

        names = ("codes", "gaps") if self.time_gaps else ("codes",)
        compiled = last.get_concrete_function({name: tf.TensorSpec((None, None), tf.int32) for name in names})
        return lambda inputs: compiled({name: tf.constant(inputs[name]) for name in names}).numpy()

    def _describe(self, users, X, *, fitting):
        if fitting or hasattr(self, "_old_items"):  # an update learns as `fit` does, and asks the net nothing
            return users
        inputs = self._inputs(users.histories, self.max_length)  # read in one go, by length
        return users.with_extra(vectors=self._last_outputs(self.net_.model_, inputs))

    def _user_factors(self, users) -> np.ndarray:
        return users.extra["vectors"]

    def _inner_product(self):
        return None if self.net_.model_.returns else (self._user_factors, self.item_factors_)

    def _score(self, users):
        scores = products(users.extra["vectors"], self.item_factors_)
        if (model := self.net_.model_).returns:
            add_bonus(scores, users.histories.codes, users.histories.lengths, np.asarray(model.bonus))
        return scores

    def _score_single(self, user, at):
        quick = user.codes and not self.time_gaps and agrees(type(self), "_last_single", "_encode_events", "_describe")
        vector = self._last_single(user.codes[-self.max_length :]) if quick else None
        if vector is None:
            return None
        scores = Products(vector, self.item_factors_)
        if not (model := self.net_.model_).returns:
            return scores
        every = scores.toarray()
        add_bonus(every[None], np.array(user.codes), np.array([len(user.codes)]), np.asarray(model.bonus))
        return every

    def _last_single(self, codes: list[int]) -> np.ndarray | None:
        """Return the encoder's output at the last of one user's events without TensorFlow, where a net can."""
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        tags.fit_randomness = True
        return tags

    def __setstate__(self, state):
        if "net_" in state:
            layers(), causal_attention(), frequency_filter()  # Keras finds the layers of a stored net by their names
        super().__setstate__(state)
