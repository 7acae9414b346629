"""The forward pass of a self-attentive net for one history, in NumPy: calling TensorFlow takes longer than the net."""

import numpy as np

from skrec.neural_network._ages import age_classes
from skrec.neural_network._nets._attention import SPEED
from skrec.neural_network._nets._frequency import low_pass


class AttentionPass:
    """What the encoder of :class:`SASRec` gives at the last event of one history, from copies of its weights.

    Parameters
    ----------
    encoder : Keras model
        The trained encoder, in float32, without time gaps.
    vectors : ndarray of shape (n_items, n_components)
        The item vectors that it reads.
    """

    def __init__(self, encoder, vectors: np.ndarray):
        self.vectors = vectors
        (self.ages,) = _weights(encoder.get_layer("ages"))
        self.blocks: list[tuple] = []
        names = {layer.name for layer in encoder.layers}
        while f"attention_{(number := len(self.blocks))}" in names:
            dense = [
                *_weights(encoder.get_layer(f"dense_{number}_1")),
                *_weights(encoder.get_layer(f"dense_{number}_2")),
            ]
            norms = (
                _Norm(encoder.get_layer(f"attention_norm_{number}")),
                _Norm(encoder.get_layer(f"dense_norm_{number}")),
            )
            attend, mixes = _Attention(encoder.get_layer(f"attention_{number}")), f"filter_{number}" in names
            mixed = _Filter(encoder.get_layer(f"filter_{number}"), attend) if mixes else attend
            self.blocks.append((norms[0], mixed, norms[1], dense))
        self.norm = _Norm(encoder.get_layer("features"))

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Return the output at the last of some events, shape (n_components,); `codes` are positions of items."""
        hidden = self.vectors[codes] + self.ages[len(codes) : 0 : -1]
        for number, (before, attend, norm, (first, bias, second, other_bias)) in enumerate(self.blocks, 1):
            normed = before(hidden)
            if number == len(self.blocks):  # of the last block only the last event is wanted
                hidden = hidden[-1:]
            hidden = hidden + attend(normed, len(hidden))
            part = norm(hidden) @ first + bias
            hidden = hidden + np.maximum(part, 0) @ second + other_bias
        return self.norm(hidden[-1:])[0]


class _Norm:
    def __init__(self, layer):
        self.scale, self.shift = _weights(layer)
        self.least = np.float32(layer.epsilon)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        centred = values - values.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", centred, centred)[:, None] / np.float32(values.shape[1])
        return centred / np.sqrt(variance + self.least) * self.scale + self.shift


class _Attention:
    def __init__(self, layer):
        query, query_bias, key, key_bias, value, value_bias, out, self.out_bias = _projections(layer)
        size, self.n_heads, self.width = query.shape
        root = np.float32(self.width**-0.5)
        self.query = query.reshape(size, -1) * root, query_bias.ravel() * root
        self.rest = (
            np.concatenate([key.reshape(size, -1), value.reshape(size, -1)], axis=1),
            np.concatenate([key_bias.ravel(), value_bias.ravel()]),
        )
        self.out = out.reshape(-1, size)
        by_distance = getattr(layer, "by_distance", None)
        self.by_distance = None if by_distance is None else np.float32(SPEED) * np.asarray(by_distance)

    def __call__(self, events: np.ndarray, n_asking: int) -> np.ndarray:
        """Return what the last `n_asking` events take from those up to them."""
        n_events = len(events)
        query = (events[-n_asking:] @ self.query[0] + self.query[1]).reshape(n_asking, self.n_heads, self.width)
        both = (events @ self.rest[0] + self.rest[1]).reshape(n_events, 2, self.n_heads, self.width)
        logits = query.transpose(1, 0, 2) @ both[:, 0].transpose(1, 2, 0)
        back = np.arange(n_events - n_asking, n_events)[:, None] - np.arange(n_events)
        if self.by_distance is not None:
            logits += self.by_distance[age_classes(np.maximum(back, 0) + 1)].transpose(2, 0, 1)
        logits[:, back < 0] = -np.inf
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        taken = weights @ both[:, 1].transpose(1, 0, 2)
        return taken.transpose(1, 0, 2).reshape(n_asking, -1) @ self.out + self.out_bias


class _Filter:
    def __init__(self, layer, attend: _Attention):
        self.attend, self.share = attend, np.float32(layer.share)
        self.response, self.high = low_pass(layer.length), np.square(np.array(layer.beta, dtype=np.float32))

    def __call__(self, events: np.ndarray, n_asking: int) -> np.ndarray:
        """Return the mean of attention and filter at the last `n_asking` events."""
        n_events = len(events)
        back = np.arange(n_events - n_asking, n_events)[:, None] - np.arange(n_events)
        low = np.where(back < 0, 0, self.response[np.maximum(back, 0)]) @ events
        filtered = low + self.high * (events[-n_asking:] - low)
        return self.share * filtered + (1 - self.share) * self.attend(events, n_asking)


def _projections(layer) -> list[np.ndarray]:
    """Return kernel and bias of query, key, value and output, of either kind of attention."""
    if hasattr(layer, "by_distance"):
        pairs = [layer.query, layer.key, layer.value, (layer.out, layer.out_bias)]
        return [np.array(one, dtype=np.float32) for pair in pairs for one in pair]
    parts = layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense
    return [one for part in parts for one in _weights(part)]


def _weights(layer) -> list[np.ndarray]:
    return [np.array(one, dtype=np.float32) for one in layer.get_weights()]
