"""Updates of the nets that recommend the next item: new items, and a sample of former histories beside the new ones."""

import numpy as np
import scipy.sparse as sp

from skrec.feature_extraction._item_features import encode_more, read_item_features, row_numbers
from skrec.neural_network._batches import lengths_of
from skrec.neural_network._inputs import take
from skrec.neural_network._replay import carry_weights, near_vectors, reservoir, same_width


class SequenceUpdateMixin:
    """`_update` of sequence nets: one epoch on a new net with the weights so far, which others go on reading."""

    def _update(self, after, before):
        n_new = self.n_items_ - len(self._net_items)
        self._net_items = self.items_
        if n_new and self._features is not None:
            self._add_features(n_new)
        inputs = self._inputs(after.histories, self.max_length + 1)
        able = np.flatnonzero(lengths_of(inputs["codes"]) >= 2)
        inputs, held = take(inputs, able), self._replay
        if not len(able) and not (n_new and len(held["codes"])):
            if n_new:
                raise ValueError(
                    "X has new items, and no user with two events, so nothing follows them: pass longer histories, or "
                    "fit with replay=1000"
                )
            return
        seed, known = (self._seed + self.n_iter_) % 2**31, before.histories.lengths[able] >= 2
        rows = {name: np.concatenate(same_width(values, held[name])) for name, values in inputs.items()}

        def renew(old, new):
            carry_weights(old, new)
            new.set_popularity(self.popularity_)
            for table, start in zip(new.tables, [np.asarray(one.vectors)[1:] for one in old.tables], strict=True):
                vectors = np.array(table.vectors)
                vectors[1 + len(start) :] = near_vectors(inputs["codes"], start, n_new)
                table.vectors.assign(vectors)

        self._train(rows, seed, epochs=1, partial=True, renew=renew)
        self._remember(inputs, int(known.sum()), np.random.RandomState(seed))

    def _remember(self, inputs, n_known, rng):
        """Bring the sample of histories up to date that updates replay."""
        kept, seen = getattr(self, "_replay", None), getattr(self, "_n_seen", 0)
        n_more = len(inputs["codes"])
        n_held = 0 if kept is None else len(kept["codes"])
        stay, more = reservoir(n_held, seen, n_more, n_known, self.replay, rng)
        kept = take(inputs, slice(0, 0)) if kept is None else kept
        self._replay = {
            name: np.concatenate(same_width(values[more], kept[name][stay])) for name, values in inputs.items()
        }
        self._n_seen = seen + n_more - n_known

    def _add_features(self, n_new):
        """Encode the features of new items, which stand in `item_features` as it is now."""
        frame = read_item_features(self.item_features)
        rows = row_numbers(frame, self.items_[-n_new:])
        more = self._reduce(encode_more(self.item_encoder_, frame.iloc[rows]))
        stack = sp.vstack if sp.issparse(more) else np.concatenate
        self._features = stack([self._features, more])
        if sp.issparse(more):
            self._features = sp.csr_array(self._features)
