"""Will this visit, or this user, end in a purchase?"""

from numbers import Integral, Real

import numpy as np

from ..utils._sklearn import Interval, StrOptions
from ._classifier import NetClassifier, smoothed
from ._nets._tabular import ACTIVATIONS, ARCHITECTURES, build_tabular
from ._tables import Table


class PurchaseClassifier(NetClassifier):
    r"""Probability that a visit or a user ends in a purchase, by a neural network on a table.

    The table may be a frame as it comes from the shop, with words and numbers, or a matrix of numbers after a
    :class:`~sklearn.compose.ColumnTransformer`. Each category gets a vector that is learned, numbers are brought to one
    scale, and both stand side by side in the row :math:`x_0`. The logit, for two classes or for each of several, is

    .. math::

        \text{mlp: } w \cdot h(x_0) \qquad
        \text{wide and deep: } w \cdot h(x_0) + u \cdot x \qquad
        \text{deepfm: } w \cdot h(x_0) + u \cdot x + g \cdot \sum_{i < j} v_i \odot v_j

        \text{dcn: } w \cdot [h(x_0), x_L], \quad x_{l+1} = x_0 \odot (W_l x_l + b_l) + x_l

    where :math:`h` are dense layers, :math:`x` the numbers and one indicator for each category, and :math:`v_i` the
    vector of a field: that of its category, or a vector times its number. See [1]_, [2]_ and [3]_.

    Parameters
    ----------
    architecture : {"mlp", "wide_deep", "deepfm", "dcn"}, default="mlp"
        The net.
    hidden : sequence of int, default=(100, 50)
        Widths of the dense layers.
    categorical_features : "from_dtype", array-like of str, int or bool, or None, default="from_dtype"
        Which columns are categorical. ``"from_dtype"`` takes the columns of strings, objects, categories and booleans
        of a pandas or polars frame, and none of an array. Names, positions and a mask say it for any X. Unknown
        categories have a place of their own, and so have missing ones.
    numeric : {"quantile", "standard"} or None, default="quantile"
        How numbers are scaled inside. ``"quantile"``: by their rank to a normal distribution; a value that many rows
        share stands in the middle of their ranks. ``"standard"``: to mean 0 and deviation 1, cut at 3. None: as they
        come.
    min_frequency : int, default=1
        Categories of fewer rows share the place of unknown ones.
    embedding_dim : int, default=8
        Length of the vector of a category, and of the fields of ``"deepfm"``.
    cross_layers : int, default=2
        Number :math:`L` of cross layers of ``"dcn"``.
    n_members : int, default=1
        Number of nets, trained side by side in one graph on the same batches, whose probabilities are averaged. They
        share the vectors of the categories and nothing else. 8 is cheap and better than one net.
    activation : {"relu", "gelu", "silu", "elu", "tanh"}, default="relu"
        What follows each dense layer.
    dropout : float, default=0.0
        Share of the inner numbers that are left out in each training step.
    normalization : {"batch", "layer"} or None, default=None
        Whether the numbers inside are normalized over the rows of the batch, or over the layer.
    label_smoothing : float, default=0.0
        Share of the label that is given to all classes alike in training.
    epochs : int, default=20
        Number of passes over the rows.
    batch_size : int, default=128
        Number of rows in a training step.
    learning_rate : float, default=0.001
        Size of the steps.
    schedule : {"constant", "cosine"}, default="cosine"
        Whether the learning rate falls to a hundredth by the last epoch. A net that begins with `partial_fit` keeps it
        constant; for `warm_start` choose ``"constant"``.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    weight_decay : float, default=0.0
        Share of each weight, times the learning rate, that is taken off in each step.
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the rows, and to stop when their loss has not fallen for `patience`
        epochs.
    validation_fraction : float, default=0.1
        Share of the rows to hold out.
    patience : int, default=5
        Number of epochs to wait.
    class_weight : dict, "balanced" or None, default=None
        Weight of the rows of each class. It moves the probabilities: they answer for the weighted rows.
    callbacks : list of Keras callbacks, default=None
        Called in training.
    mixed_precision : bool, default=False
        Whether to compute in bfloat16.
    jit_compile : bool, default=False
        Whether XLA compiles the training step.
    warm_start : bool, default=False
        Whether `fit` goes on with the net that is there.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of the rows and dropout.
    verbose : int, default=0
        1 prints a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where X is a frame with names.
    is_categorical_ : ndarray of shape (n_features,)
        Mask of the categorical columns.
    n_parameters_ : int
        Number of weights that are trained.
    history_ : dict of list
        Loss, and held-out loss, of each epoch.
    n_iter_ : int
        Number of epochs done.
    net_ : object
        The SciKeras wrapper that holds the Keras model.

    See Also
    --------
    skrec.feature_extraction.BehaviorFeatures : Histories of purchases as such a table.
    skrec.datasets.load_online_shoppers : Visits of a shop with and without a purchase.
    sklearn.ensemble.HistGradientBoostingClassifier : Another answer, and a good partner in a stack.

    Notes
    -----
    With :math:`d` columns in :math:`x_0` and widths :math:`h_1, h_2`, a member of the mlp has
    :math:`d h_1 + h_1 h_2 + h_2` weights, and as many biases as outputs of its layers; each cross layer adds
    :math:`d^2`. The 9,864 training visits of a fold of Online Shoppers (10 numbers, 7 categories) give some 12,400
    weights and take 4 to 5 processor seconds, eight members 95,000 and 10. A row of a frame is answered in three
    milliseconds (``benchmarks/bench_purchase.py``).

    Members learn by the mean of their losses, not by the loss of their mean: so they stay different.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", DLRS 2016.
    .. [2] H. Guo, R. Tang, Y. Ye, Z. Li and X. He, "DeepFM: A Factorization-Machine based Neural Network for CTR
       Prediction", IJCAI 2017.
    .. [3] R. Wang et al., "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale Learning to Rank
       Systems", WWW 2021.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.neural_network import PurchaseClassifier
    >>> visits = pd.DataFrame({"month": ["May", "Nov"] * 50, "pages": [2.0, 9.0] * 50})
    >>> bought = ["no", "yes"] * 50
    >>> model = PurchaseClassifier(hidden=[8], learning_rate=0.05, random_state=0).fit(visits, bought)
    >>> model.predict(pd.DataFrame({"month": ["Nov", "May"], "pages": [8.0, 1.0]}))
    array(['yes', 'no'], dtype='<U3')
    >>> model.predict_proba(visits).shape
    (100, 2)
    """

    _parameter_constraints: dict = {
        **NetClassifier._parameter_constraints,
        "architecture": [StrOptions(set(ARCHITECTURES))],
        "hidden": ["array-like"],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "numeric": [StrOptions({"quantile", "standard"}), None],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "cross_layers": [Interval(Integral, 1, None, closed="left")],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        architecture="mlp",
        *,
        hidden=(100, 50),
        categorical_features="from_dtype",
        numeric="quantile",
        min_frequency=1,
        embedding_dim=8,
        cross_layers=2,
        n_members=1,
        activation="relu",
        dropout=0.0,
        normalization=None,
        label_smoothing=0.0,
        epochs=20,
        batch_size=128,
        learning_rate=0.001,
        schedule="cosine",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=False,
        validation_fraction=0.1,
        patience=5,
        class_weight=None,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.architecture = architecture
        self.hidden = hidden
        self.categorical_features = categorical_features
        self.numeric = numeric
        self.min_frequency = min_frequency
        self.embedding_dim = embedding_dim
        self.cross_layers = cross_layers
        self.n_members = n_members
        self.activation = activation
        self.dropout = dropout
        self.normalization = normalization
        self.label_smoothing = label_smoothing
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
    def is_categorical_(self) -> np.ndarray:
        """Mask of the categorical columns."""
        return np.isin(np.arange(self.n_features_in_), self._table.places)

    @property
    def n_parameters_(self) -> int:
        """Number of weights that are trained."""
        return int(sum(np.prod(weight.shape) for weight in self.net_.model_.trainable_weights))

    def _read(self, X, reset):
        if reset:
            widths = np.asarray(self.hidden)
            if widths.ndim != 1 or not widths.size or widths.dtype.kind not in "iu" or widths.min() < 1:
                raise ValueError(f"hidden must be positive whole numbers, one per layer, got {self.hidden!r}")
            self._table = Table(self.categorical_features, self.numeric, self.min_frequency)
        inputs = self._table.read(self, X, reset)
        return inputs if len(inputs) > 1 else next(iter(inputs.values()))

    def _build(self, inputs, n_classes):
        how = ("hidden", "activation", "dropout", "normalization", "embedding_dim", "cross_layers", "n_members")
        settings = {name: getattr(self, name) for name in how}
        return build_tabular(inputs, self._table.n_codes, n_classes, self.architecture, **settings)

    def _loss(self, n_classes):
        smooth = n_classes > 2 and self.label_smoothing > 0
        return "categorical_crossentropy" if smooth else super()._loss(n_classes)

    def _feed(self, inputs, target, weight, training):
        """Smooth the labels in training, and give every member its copy of them."""
        n_classes = len(self.classes_)
        target = smoothed(target, n_classes, self.label_smoothing, training)
        if self.n_members > 1:
            target = np.repeat(target[:, np.newaxis], self.n_members, axis=1)
            if n_classes > 2 and weight is not None:  # Keras has a loss for each member here, and their mean above
                weight = np.repeat(weight[:, np.newaxis], self.n_members, axis=1)
        return inputs, target, weight

    def _outputs(self, inputs, layer=None):
        """Return the mean of the members' probabilities, or what a layer gives."""
        given = super()._outputs(inputs, layer)
        if layer is not None:
            return given
        if len(self.classes_) == 2:
            return given.mean(axis=1, keepdims=True)
        return given.mean(axis=1) if given.ndim == 3 else given
