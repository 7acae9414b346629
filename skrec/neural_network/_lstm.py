"""LSTMEncoder: recurrent nets over what users did or wrote."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skrec.neural_network._batches import by_length, dropped, length_batches
from skrec.neural_network._classifier import NetClassifier, classification_head
from skrec.neural_network._inputs import take
from skrec.neural_network._keras import BLOCK, load_keras, part_up_to
from skrec.neural_network._neighbours import neighbour_vectors
from skrec.neural_network._nets import _recurrent as recurrent
from skrec.neural_network._tokens import FIRST, Tokens, is_texts

from ..utils._sklearn import Interval, StrOptions


class LSTMEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetClassifier):
    r"""What users did or wrote, read in order: a probability, or features for other models, by a recurrent net.

    Each token has a learned vector :math:`x_t`. An LSTM layer [1]_ carries a memory :math:`c_t` along the row,

    .. math::

        i, f, o = \sigma(W x_t + U h_{t-1} + b), \quad c_t = f \odot c_{t-1}
        + i \odot \tanh(W_c x_t + U_c h_{t-1} + b_c), \quad h_t = o \odot \tanh(c_t),

    and passes :math:`h_t` to the next layer. Pooling of the last layer's outputs gives the features that `transform`
    returns, and one logistic unit on them the probability. Without `y`, or with ``objective="next"``, the net learns
    to tell the token that comes next from `n_negatives` others [2]_, as in GRU4Rec, and gives features alone.

    Parameters
    ----------
    hidden : sequence of int, default=(100, 50)
        Sizes of the recurrent layers; the last one is the number of features.
    kind : {"history", "text", "series"}, default="history"
        What X is: histories of item ids (lists, or a frame with the list column `item`), texts, or numbers of shape
        (n, n_steps) or (n, n_steps, n_channels), which are standardised per channel.
    cell : {"lstm", "gru"}, default="lstm"
        Kind of the layers; GRU [3]_ has three quarters of the parameters.
    bidirectional : bool, default=False
        Whether each layer also reads from the end: twice the features and the time. It needs `y`.
    pooling : {"last", "mean", "max", "attention"} or a tuple of them, default="last"
        What represents a row: the last output, the mean or the largest of all, or a mean with learned weights.
    embedding_dim : int, default=100
        Length of the vector of a token.
    embeddings : "neighbours", dict, pair or None, default=None
        First vectors. ``"neighbours"`` computes them from which tokens stand near which in X [4]_. A dict from token to
        vector, or a pair (tokens, matrix), sets the length; tokens it lacks begin by chance, as all do with None.
    dropout : float, default=0.2
        Share of the inner numbers that are left out in each training step.
    word_dropout : float, default=0.0
        Share of the tokens that are read as unknown in each training step.
    max_length : int, default=100
        Number of tokens kept of a row, the most recent ones.
    max_features : int, default=None
        Number of tokens learned, the most frequent first; None learns all.
    min_df : int or float, default=1
        Rows, or share of the rows, that must hold a token for it to be learned. The others are all one unknown token.
    objective : {"auto", "next"}, default="auto"
        ``"next"`` ignores `y`, so that in a pipeline the features are learned without it.
    n_negatives : int, default=256
        Tokens of the vocabulary, drawn anew for each batch, that stand beside the next one; 0 takes all.
    pretrain : int, default=0
        Passes that learn the next token before those that learn `y`.
    epochs : int, default=5
        Number of passes over the rows.
    batch_size : int, default=128
        Number of rows in a training step.
    learning_rate : float, default=0.001
        Size of the steps.
    schedule : {"constant", "cosine"}, default="constant"
        Whether the learning rate falls to a hundredth by the last epoch.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    weight_decay : float, default=0.0
        Share of each weight, times the learning rate, that is taken off in each step.
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the rows, and to stop when their loss has not fallen for `patience`
        epochs.
    validation_fraction : float, default=0.1
        Share of the rows to hold out.
    patience : int, default=2
        Number of epochs to wait.
    class_weight : dict, "balanced" or None, default=None
        Weight of the rows of each class.
    callbacks : list of Keras callbacks, default=None
        Called in training.
    mixed_precision : bool, default=False
        Whether to compute in bfloat16.
    jit_compile : bool, default=False
        Whether XLA compiles the training step.
    warm_start : bool, default=False
        Whether `fit` goes on with the net that is there. A net without labels hands its encoder to one with labels.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of the rows and dropout.
    verbose : int, default=0
        1 prints a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, where the net has learned with them.
    tokens_ : Tokens
        The vocabulary, `tokens_.vocabulary_`; not for series.
    encoder_ : keras.Model
        From codes, or series, to the features.
    history_ : dict of list
        Loss, and held-out loss, of each epoch.
    n_iter_ : int
        Number of epochs run.

    See Also
    --------
    CNNEncoder : Texts by their phrases, pictures and grids.
    skrec.feature_extraction.BehaviorFeatures : Recency, frequency and spend of histories.

    Notes
    -----
    A layer of :math:`u` units on :math:`d` inputs has :math:`4u(d + u + 1)` parameters, the embedding `embedding_dim`
    per token. Time grows with the tokens, not with padding: batches hold rows of similar length.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.
    .. [2] B. Hidasi and A. Karatzoglou, "Recurrent Neural Networks with Top-k Gains for Session-based
       Recommendations", CIKM 2018.
    .. [3] K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014.
    .. [4] O. Levy, Y. Goldberg and I. Dagan, "Improving Distributional Similarity with Lessons Learned from Word
       Embeddings", TACL 3, 2015.

    Examples
    --------
    >>> from skrec.neural_network import LSTMEncoder
    >>> X = [["look", "buy"], ["buy", "look"]] * 50
    >>> y = ["pays", "returns"] * 50
    >>> model = LSTMEncoder((8,), epochs=10, learning_rate=0.02, random_state=0).fit(X, y)
    >>> model.predict([["buy", "look"]])
    array(['returns'], dtype='<U7')
    >>> model.transform([["look"], []]).shape
    (2, 8)
    """

    _parameter_constraints: dict = {
        **NetClassifier._parameter_constraints,
        "hidden": ["array-like"],
        "kind": [StrOptions({"history", "text", "series"})],
        "cell": [StrOptions({"lstm", "gru"})],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions(set(recurrent.POOLINGS)), "array-like"],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "embeddings": [StrOptions({"neighbours"}), dict, tuple, None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "word_dropout": [Interval(Real, 0, 1, closed="left")],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="neither")],
        "objective": [StrOptions({"auto", "next"})],
        "n_negatives": [Interval(Integral, 0, None, closed="left")],
        "pretrain": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        hidden=(100, 50),
        *,
        kind="history",
        cell="lstm",
        bidirectional=False,
        pooling="last",
        embedding_dim=100,
        embeddings=None,
        dropout=0.2,
        word_dropout=0.0,
        max_length=100,
        max_features=None,
        min_df=1,
        objective="auto",
        n_negatives=256,
        pretrain=0,
        epochs=5,
        batch_size=128,
        learning_rate=1e-3,
        schedule="constant",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=False,
        validation_fraction=0.1,
        patience=2,
        class_weight=None,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.hidden = hidden
        self.kind = kind
        self.cell = cell
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.embedding_dim = embedding_dim
        self.embeddings = embeddings
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.max_length = max_length
        self.max_features = max_features
        self.min_df = min_df
        self.objective = objective
        self.n_negatives = n_negatives
        self.pretrain = pretrain
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.jit_compile = jit_compile
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @property
    def encoder_(self):
        """The Keras model from codes or series to the features."""
        if not hasattr(self, "net_"):
            raise AttributeError(f"this {type(self).__name__} has no encoder_ yet: call fit first")
        return part_up_to(self.net_.model_, "features")

    def _learn(self, X, y, sample_weight, classes=None, partial=False):
        if self.objective == "next":
            y = sample_weight = classes = None
        goes_on = self._goes_on(partial)
        if not goes_on:
            vars(self).pop("classes_", None)
        elif y is None and hasattr(self, "classes_"):
            raise ValueError(
                f"this {type(self).__name__} has learned with labels, and y is None: pass y, or set warm_start=False"
            )
        alone = not hasattr(self, "classes_")
        self._body = None
        if y is not None and alone and (goes_on or self.pretrain):
            self._encode(column_or_1d(y, warn=True), sample_weight, classes, fresh=True)  # errors before any training
            if not goes_on:
                del self.classes_
                inputs = self._read(X, reset=True)
                check_consistent_length(inputs, y)
                self._fit_alone(inputs, epochs=self.pretrain)
            self._body = self.net_.model_.get_layer("encoder").get_weights()
            del self.net_
        try:
            return super()._learn(X, y, sample_weight, classes, partial)
        finally:
            del self._body

    def _read(self, X, reset):
        reset = reset and self._body is None
        if reset:
            recurrent.check_parameters(self)
        if self.kind == "series":
            return recurrent.read_series(self, X, reset)
        if not reset:
            return self.tokens_.encode(X)
        if self.kind == "history" and is_texts(X):
            raise TypeError("X has texts, and kind='history' expects one list of item ids per user: set kind='text'")
        self.tokens_ = Tokens(self.max_length, self.max_features, self.min_df, texts=self.kind == "text")
        return self.tokens_.fit_encode(X)

    def _encoder(self, inputs):
        """Return the Keras model from inputs to all outputs and the features."""
        keras = load_keras()
        mask = None
        if self.kind == "series":
            x = source = keras.Input((None, inputs.shape[2]), name="series")
        else:
            width, vectors, given = int(self.embedding_dim), None, self.embeddings
            if isinstance(given, str):
                how = {"first": FIRST, "spread": recurrent.SPREAD}
                vectors = neighbour_vectors(inputs, self.tokens_.size, width, self._seed, **how)
            elif given is not None:
                vectors = recurrent.given_vectors(given, self.tokens_.vocabulary_)
                width = vectors.shape[1]
            source, mask, x = recurrent.embedded(self.tokens_.size, width, vectors)
        outputs = recurrent.encoder(
            x,
            mask,
            hidden=tuple(self.hidden),
            cell=self.cell,
            bidirectional=self.bidirectional,
            pooling=recurrent.poolings(self.pooling),
            dropout=self.dropout,
        )
        model = keras.Model(source, outputs, name="encoder")
        if self._body is not None:
            model.set_weights(self._body)
        return model

    def _build(self, inputs, n_classes):
        keras = load_keras()
        model = self._encoder(inputs)
        source = keras.Input(model.input_shape[1:], dtype=model.input.dtype, name=model.input.name)
        return keras.Model(source, classification_head(model(source)[1], n_classes))

    def _feed(self, inputs, target, weight, training):
        if self.kind == "series":
            return inputs, target, weight

        def examples(part, codes, rng):
            codes = dropped(codes, self.word_dropout * training, rng)
            return (codes, target[part]) if weight is None else (codes, target[part], weight[part])

        return self._batches(inputs, examples, training), None, None

    def _batches(self, codes, examples, training):
        seed = (lambda: (self._seed + self.n_iter_) % 2**31) if training else None
        return length_batches(codes, self.batch_size, examples, seed=seed)

    def _fit_alone(self, inputs, **how):
        if self.bidirectional:
            raise ValueError("without y the net learns what comes next, which bidirectional=True has read: pass y")
        if self.kind == "series" and inputs.shape[1] < 2:
            raise ValueError(f"X has {inputs.shape[1]} step, and what comes next needs two: pass y, or more steps")
        parts = [inputs]
        if self.early_stopping and "partial" not in how and len(inputs) > 1:
            rows = check_random_state(0).permutation(len(inputs))
            size = min(len(rows) - 1, int(np.ceil(self.validation_fraction * len(rows))))
            parts = [take(inputs, rows[size:]), take(inputs, rows[:size])]
        if self.kind == "series":
            (given, target), *held_out = [(part[:, :-1], part[:, 1:]) for part in parts]
            build = lambda: recurrent.next_value_model(self._encoder(given))  # noqa: E731
            self._fit_net(build, given, target, None, *held_out, loss="mean_squared_error", **how)
            return self
        share = [self.word_dropout, 0.0]
        data, *held_out = [
            self._batches(part, recurrent.next_token_examples(self.tokens_.size, self.n_negatives, share[n]), n == 0)
            for n, part in enumerate(parts)
        ]
        loss = load_keras().losses.SparseCategoricalCrossentropy(from_logits=True)

        def build():
            model = self._encoder(parts[0])
            return recurrent.next_token_model(model, model.get_layer("embedding").get_weights()[0])

        self._fit_net(build, data, None, None, *held_out, loss=loss, **how)
        return self

    def _outputs(self, inputs, layer=None):
        if self.kind == "series":
            return super()._outputs(inputs, layer)
        call, given = self._call(layer), None
        for rows, codes in by_length(inputs, BLOCK // 2):
            part = call(codes).numpy()
            given = np.empty((len(inputs), part.shape[1]), dtype=np.float32) if given is None else given
            given[rows] = part
        return given

    def transform(self, X) -> np.ndarray:
        """Return the features: what the recurrent layers have in mind at the end of each row.

        Parameters
        ----------
        X : array-like
            Data in the form `fit` takes.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Features, float32; zeros for a row without tokens.
        """
        check_is_fitted(self, "net_")
        return self._outputs(self._read(X, reset=False), "features")

    @property
    def _n_features_out(self):
        return int(self.encoder_.output.shape[-1])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.two_d_array = tags.input_tags.three_d_array = self.kind == "series"
        tags.input_tags.string = self.kind == "text"
        return tags
