"""Convolutional net: features and labels from pictures, grids of numbers and texts."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..utils._sklearn import Interval, StrOptions
from ._classifier import NetClassifier, classification_head, smoothed
from ._inputs import take
from ._keras import from_bytes, load_keras, part_up_to, to_bytes
from ._nets import _convolution
from ._rows import read_rows


class CNNEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetClassifier):
    r"""Convolutional net: features and labels from pictures, grids of numbers and texts.

    Each of the `filters` is a layer of small windows that slide over the row, each followed by a pooling that keeps the
    largest of its neighbours,

    .. math::

        h^{(l)} = \operatorname{relu}\big(\operatorname{pool}(W^{(l)} * h^{(l-1)} + b^{(l)})\big), \qquad
        z = \operatorname{relu}\big(V \operatorname{vec} h^{(L)} + c\big), \qquad p = \operatorname{softmax}(U z + d),

    with one dense layer for each of `hidden`. The last of them, :math:`z`, are the *features*: `transform` gives them
    as the vector of an item, for nearest neighbours, for other models, or beside text and category in a column
    transformer; `predict` gives the label. The architecture is that of [1]_ and, for texts, [2]_.

    **Without labels** (``y=None``) the features are learned from the rows alone: ``"autoencoder"`` hides a part of the
    row and asks for all of it, from the features; ``"contrastive"`` makes two randomly changed views of each row and
    asks which of all views in the batch belong together [3]_. Take more features then, such as ``hidden=(512,)``.

    **What X may be.** With ``kind="auto"`` the dimensions decide, nothing else: an array of 3 or 4 dimensions is
    pictures, ``(n, height, width)`` or ``(n, height, width, channels)``, and so is a matrix or frame when `image_shape`
    is given; a matrix or frame without it is a grid, whose columns a 1-D convolution runs over in their order.
    ``kind="text"`` takes a sequence of texts and learns its words; ``kind="grid"`` also takes
    ``(n, columns, channels)``. Whole numbers in pictures must be pixels from 0 to 255 and are scaled to 0 to 1; all
    other numbers are brought to mean 0 and deviation 1, per channel in pictures and per column in grids.

    Parameters
    ----------
    filters : sequence of int, default=(32, 64)
        Number of windows of each convolution.
    hidden : sequence of int, default=(100, 50)
        Sizes of the dense layers. The last is the number of features; with ``()`` the pooled windows are the features.
    kind : {"auto", "image", "grid", "text"}, default="auto"
        What a row is.
    image_shape : tuple of int, default=None
        ``(height, width)`` or ``(height, width, channels)``, for pictures given as flat rows.
    architecture : {"plain", "residual"}, default="plain"
        ``"residual"`` adds batch normalisation and, from the second convolution on, a block of two more around which
        the signal also passes unchanged [4]_; slower and more accurate.
    kernel_size : int, default=3
        Side of a window.
    pool_size : int, default=2
        Side of the neighbourhood of which the largest value is kept.
    batch_normalization : bool, default=False
        Whether the plain architecture normalises after each convolution.
    dropout : float, default=0.0
        Share of inputs that each dense layer misses in a training step.
    augmentation : sequence of {"flip", "shift", "zoom", "rotate", "erase"}, default=None
        Random changes of pictures in training: left and right exchanged, moved by up to 8 %, scaled, turned by up to
        11 degrees, a rectangle blotted out. None means no change, and all but ``"rotate"`` for contrastive learning.
        An autoencoder does not use them.
    self_supervised : {"autoencoder", "contrastive"}, default="autoencoder"
        How to learn where y is None.
    pretrained : keras.Model, callable, path or None, default=None
        A trained model in place of the convolutions: a Keras model, a function that returns one, or the path of a
        ``.keras`` file (read with ``safe_mode``). It gets the pixels as they are in X, at the size and with the three
        channels it takes; `encoder_` of another CNNEncoder is such a model.
    fine_tune : bool, default=False
        Whether a pretrained model is trained on. The one you pass is never changed.
    max_length : int, default=64
        Number of words of a text that are read, from its beginning.
    max_features : int, default=20000
        Number of words that are learned, the most frequent first; None learns all.
    min_df : int or float, default=1
        Number, or share, of texts that must hold a word.
    embedding_dim : int, default=64
        Size of a word's vector.
    label_smoothing : float, default=0.0
        Share of the label that is given to all classes alike in training.
    test_time_augmentation : bool, default=False
        Whether `predict_proba` and `predict` average the probabilities of a picture and of its mirror image, for twice
        the time. For pictures in which left and right may be exchanged, together with ``"flip"`` of `augmentation`.
        `transform` gives the features of the picture as it is.
    epochs : int, default=6
        Passes over the training data.
    batch_size : int, default=64
        Rows of a training step. Contrastive learning compares within a batch and wants 256 or more.
    learning_rate : float, default=0.002
        Size of the steps, at its highest.
    schedule : {"constant", "cosine"}, default="cosine"
        Whether the learning rate falls to a hundredth along a cosine after a short rise.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    weight_decay : float, default=0.0
        How much the weights shrink in each step, times the learning rate.
    early_stopping : bool, default=False
        Whether to stop when the loss on held-out rows no longer falls. Not for contrastive learning.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out.
    patience : int, default=3
        Epochs without improvement before stopping.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    callbacks : list of keras.callbacks.Callback, default=None
        Further callbacks of the training.
    mixed_precision : bool, default=False
        Whether layers compute in bfloat16: for GPUs; processors without bfloat16 get several times slower.
    jit_compile : bool, default=False
        Whether to compile the net with XLA.
    warm_start : bool, default=False
        Whether `fit` goes on with the net that is there.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, of the order of the rows and of all random changes.
    verbose : int, default=0
        1 prints a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the probabilities; absent after learning without labels.
    encoder_ : keras.Model
        From the input of the net to the features; can be `pretrained` of another CNNEncoder.
    kind_ : str
        What a row is, "image", "grid" or "text".
    shape_ : tuple of int
        Shape of a row as the net sees it: (height, width, channels), (columns, channels) or (max_length,).
    mean_, scale_ : ndarray of shape (channels,) or (columns, channels), or None
        What the net subtracts and divides by; None for whole pixels and texts.
    tokens_ : Tokens
        The learned words; only for texts.
    net_ : object
        The SciKeras wrapper; ``net_.model_`` is the Keras model.
    history_ : dict of list of float
        Training log, one value per epoch.
    n_iter_ : int
        Number of epochs done.
    n_features_in_ : int
        Number of columns; height x width x channels for pictures.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where X has them.

    See Also
    --------
    skrec.datasets.load_fashion_mnist : Pictures of garments to try it on.

    Notes
    -----
    A convolution has ``kernel_size**2 * width_before * width`` weights and does that many multiplications at each
    position; the first dense layer has ``positions * filters[-1] * hidden[0]``. The default net has
    254,000 weights for pictures of 28 x 28 and takes some 35 processor seconds for 60,000 of them an epoch, see
    ``benchmarks/bench_cnn.py``. Memory: the training pictures stay as they are, one byte a pixel as uint8; floats
    become float32. Convolutions of pictures do not reach over the edge as long as the picture has room for three
    windows side by side; after that the edge is filled with zeros.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-Based Learning Applied to Document Recognition",
       Proceedings of the IEEE 86(11), 1998.
    .. [2] Y. Kim, "Convolutional Neural Networks for Sentence Classification", EMNLP 2014.
    .. [3] T. Chen, S. Kornblith, M. Norouzi and G. Hinton, "A Simple Framework for Contrastive Learning of Visual
       Representations", ICML 2020.
    .. [4] K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skrec.neural_network import CNNEncoder
    >>> digits = load_digits()
    >>> net = CNNEncoder((8, 16), hidden=(32,), batch_size=16, learning_rate=0.003, random_state=0)
    >>> net = net.fit(digits.images[:1500], digits.target[:1500])
    >>> bool(net.score(digits.images[1500:], digits.target[1500:]) > 0.8)
    True
    >>> net.transform(digits.images[1500:]).shape
    (297, 32)
    """

    _parameter_constraints: dict = {
        **NetClassifier._parameter_constraints,
        "filters": ["array-like"],
        "hidden": ["array-like"],
        "kind": [StrOptions({"auto", "image", "grid", "text"})],
        "image_shape": ["array-like", None],
        "architecture": [StrOptions({"plain", "residual"})],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "pool_size": [Interval(Integral, 1, None, closed="left")],
        "batch_normalization": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "augmentation": ["array-like", None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "test_time_augmentation": ["boolean"],
        "self_supervised": [StrOptions({"autoencoder", "contrastive"})],
        "pretrained": [str, os.PathLike, callable, None],
        "fine_tune": ["boolean"],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="neither")],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        filters=(32, 64),
        hidden=(100, 50),
        *,
        kind="auto",
        image_shape=None,
        architecture="plain",
        kernel_size=3,
        pool_size=2,
        batch_normalization=False,
        dropout=0.0,
        augmentation=None,
        self_supervised="autoencoder",
        pretrained=None,
        fine_tune=False,
        max_length=64,
        max_features=20000,
        min_df=1,
        embedding_dim=64,
        label_smoothing=0.0,
        test_time_augmentation=False,
        epochs=6,
        batch_size=64,
        learning_rate=0.002,
        schedule="cosine",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=False,
        validation_fraction=0.1,
        patience=3,
        class_weight=None,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.filters = filters
        self.hidden = hidden
        self.kind = kind
        self.image_shape = image_shape
        self.architecture = architecture
        self.kernel_size = kernel_size
        self.pool_size = pool_size
        self.batch_normalization = batch_normalization
        self.dropout = dropout
        self.augmentation = augmentation
        self.self_supervised = self_supervised
        self.pretrained = pretrained
        self.fine_tune = fine_tune
        self.max_length = max_length
        self.max_features = max_features
        self.min_df = min_df
        self.embedding_dim = embedding_dim
        self.label_smoothing = label_smoothing
        self.test_time_augmentation = test_time_augmentation
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
        """The Keras model from the input of the net to the features, for `pretrained` of another CNNEncoder."""
        if not hasattr(self, "net_"):
            raise AttributeError(f"this {type(self).__name__} has no encoder_ yet: call fit first")
        return part_up_to(self.net_.model_, "features")

    def _learn(self, X, y, sample_weight, classes=None, partial=False):
        if self._goes_on(partial) and (y is None) == hasattr(self, "classes_"):
            before, now = ("with", "without") if y is None else ("without", "with")
            raise ValueError(
                f"this {type(self).__name__} has learned {before} labels and cannot go on {now} them: give its "
                "encoder_ to a new one, CNNEncoder(pretrained=model.encoder_, fine_tune=True)"
            )
        if not self._goes_on(partial):
            vars(self).pop("classes_", None)
        return super()._learn(X, y, sample_weight, classes, partial)

    def _read(self, X, reset):
        return read_rows(self, X, reset)

    def _build(self, inputs, n_classes):
        x, features = _convolution.encoder(self)
        return load_keras().Model(x, classification_head(features, n_classes))

    def _loss(self, n_classes):
        smooth = n_classes > 2 and self.label_smoothing > 0
        return "categorical_crossentropy" if smooth else super()._loss(n_classes)

    def _feed(self, inputs, target, weight, training):
        return inputs, smoothed(target, len(self.classes_), self.label_smoothing, training), weight

    def _fit_alone(self, inputs, **how):
        target, validation = np.zeros(len(inputs), dtype=np.float32), None
        if self.early_stopping and not how:
            if self.self_supervised == "contrastive":
                raise ValueError(
                    "early_stopping=True has no held-out loss to watch where contrastive views are compared: set "
                    "early_stopping=False or self_supervised='autoencoder'"
                )
            order = check_random_state(0).permutation(len(inputs))
            size = int(np.ceil(self.validation_fraction * len(inputs)))
            validation = (take(inputs, order[:size]), target[:size])
            inputs, target = take(inputs, order[size:]), target[size:]
        self._fit_net(self._build_alone, inputs, target, None, validation, loss="mean_absolute_error", **how)
        return self

    def _build_alone(self):
        encoder = load_keras().Model(*_convolution.encoder(self, alone=True), name="encoder")
        inputs = _convolution.entrance(self)
        if self.self_supervised == "contrastive":
            return _convolution.contrastive(encoder, inputs)
        if self.kind_ == "text":
            return _convolution.told_words(encoder, inputs, self.tokens_.size)
        return _convolution.autoencoder(encoder, inputs, _convolution.scaled(self, inputs, "clean"))

    def transform(self, X):
        """Return the features: what the last hidden layer gives for each row.

        Parameters
        ----------
        X : array-like
            Data in the form `fit` takes.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Features, float32.
        """
        check_is_fitted(self, "net_")
        return self._outputs(self._read(X, reset=False), "features")

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like
            Data in the form `fit` takes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`, float32.
        """
        if hasattr(self, "net_") and not hasattr(self, "classes_"):
            raise NotFittedError(
                f"this {type(self).__name__} has learned without labels: it has features and no classes; fit it with y"
            )
        return super().predict_proba(X)

    def _outputs(self, inputs, layer=None):
        """Return the probabilities, averaged over mirror images where asked for, or what a layer gives."""
        given = super()._outputs(inputs, layer)
        if layer is None and self.test_time_augmentation:
            given = (given + super()._outputs(inputs[:, :, ::-1])) / 2
        return given

    @property
    def _n_features_out(self):
        return int(part_up_to(self.net_.model_, "features").output.shape[-1])

    def __getstate__(self):
        """A model given as `pretrained` leaves as bytes too."""
        state = super().__getstate__()
        if hasattr(state["pretrained"], "get_weights"):
            state["pretrained"] = to_bytes(state["pretrained"])
        return state

    def __setstate__(self, state):
        """Read such bytes back."""
        stored = state["pretrained"]
        super().__setstate__(state | {"pretrained": from_bytes(stored)} if isinstance(stored, np.ndarray) else state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.three_d_array = True
        return tags
