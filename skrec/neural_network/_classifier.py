"""What the nets that classify share: labels, weights, the held-out part, probabilities."""

from collections.abc import Iterable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite, column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skrec.neural_network._inputs import count, take
from skrec.neural_network._keras import NetMixin, load_keras

from ..utils._fitting import fit_context
from ..utils._sklearn import DocumentationLinkMixin, StrOptions, _check_sample_weight


def classification_head(features, n_classes: int):
    """Return the probability of the second of two classes, or of every class, for the tensor `features`."""
    layers = load_keras().layers
    if n_classes == 2:
        return layers.Dense(1, activation="sigmoid", dtype="float32", name="probability")(features)
    return layers.Dense(n_classes, activation="softmax", dtype="float32", name="probability")(features)


def smoothed(target, n_classes: int, share: float, training: bool = True):
    """Return the target of the cross-entropy when a share of each label goes to all classes alike.

    Codes of two classes become floats; codes of several become rows of shape (n_samples, n_classes), in validation too,
    which has no smoothing. Without smoothing codes of several classes stay as they are.
    """
    used = share if training else 0.0
    if n_classes == 2:
        return target.astype(np.float32) * (1 - used) + used / 2
    if share > 0:
        return np.eye(n_classes, dtype=np.float32)[target] * (1 - used) + used / n_classes
    return target


class NetClassifier(ClassifierMixin, NetMixin, DocumentationLinkMixin, BaseEstimator):
    """Base of the nets that classify.

    A subclass says how X becomes arrays (`_read`) and which net reads them (`_build`). One that can also learn without
    labels overrides `_fit_alone`.
    """

    _parameter_constraints: dict = {
        **NetMixin._training_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def _read(self, X, reset: bool):
        """Check X and return what the net reads: an array, a dict of arrays, or an object that numpy indexes."""
        raise NotImplementedError

    def _build(self, inputs, n_classes: int):
        """Return a Keras model, not compiled, for such inputs; the layer named "features" is the inner layer."""
        raise NotImplementedError

    def _fit_alone(self, inputs, **how):
        """Learn without labels."""
        raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")

    def _loss(self, n_classes: int):
        """Return the loss of the target that `_feed` gives."""
        return "binary_crossentropy" if n_classes == 2 else "sparse_categorical_crossentropy"

    def _feed(self, inputs, target, weight, training: bool):
        """Return (inputs, target, weight) as `_fit_net` takes them."""
        return inputs, target, weight

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Train the net.

        With `warm_start=True` and a fitted net, training goes on for `epochs` more epochs.

        Parameters
        ----------
        X : array-like
            Training data, in one of the forms the class describes.
        y : array-like of shape (n_samples,), default=None
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss; rows of weight zero are left out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._learn(X, y, sample_weight)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, classes: Iterable | None = None, sample_weight=None):
        """Train the net for one more epoch on these rows alone.

        This is scikit-learn's `partial_fit`: X has new rows, where that of the recommenders takes complete histories.
        The learning rate goes on from where it is; what was learned about the form of X (columns, scales, words) stays.

        Parameters
        ----------
        X : array-like
            Training data, in the form `fit` takes.
        y : array-like of shape (n_samples,), default=None
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that may come; needed in the first call, unless y has them all.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss.

        Returns
        -------
        self : object
            The estimator.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all of y, and partial_fit sees a part: pass the weights as a dict"
            )
        return self._learn(X, y, sample_weight, classes, partial=True)

    def _learn(self, X, y, sample_weight, classes=None, partial=False):
        how = {"epochs": 1, "partial": True} if partial else {}
        fresh = not self._goes_on(partial)
        if y is None:
            return self._fit_alone(self._read(X, reset=fresh), **how)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        inputs = self._read(X, reset=fresh)
        check_consistent_length(range(count(inputs)), y)
        target, weight = self._encode(y, sample_weight, classes, fresh)
        if weight is not None and not weight.all():
            inputs, target, weight = take(inputs, weight > 0), target[weight > 0], weight[weight > 0]
        validation = None
        if self.early_stopping and not partial:
            (inputs, target, weight), validation = self._hold_out(inputs, target, weight)
            validation = self._feed(*validation, training=False)
            validation = validation[0] if validation[1] is None else validation
        n_classes = len(self.classes_)
        self._fit_net(
            lambda: self._build(inputs, n_classes),
            *self._feed(inputs, target, weight, training=True),
            validation,
            loss=self._loss(n_classes),
            **how,
        )
        return self

    def _encode(self, y, sample_weight, classes, fresh):
        """Return codes of the labels and a float32 weight of each row, or None where all rows weigh the same."""
        check_classification_targets(y)
        if fresh:
            self.classes_ = np.unique(y if classes is None else np.asarray(classes))
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y has one class only, {self.classes_.tolist()[0]!r}, and {type(self).__name__} needs two: "
                    "look at how y was made, or at how the rows were drawn"
                )
        codes = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        if np.any(unknown := self.classes_[codes] != y):
            raise ValueError(
                f"y holds {y[unknown].tolist()[0]!r}, which is not among the classes {self.classes_.tolist()}: "
                "pass `classes` in the first partial_fit, or fit anew with warm_start=False"
            )
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, y, dtype=np.float32)
        if weight is not None and np.any(weight < 0):
            raise ValueError("sample_weight must not be negative: leave out rows, or give them weight zero")
        if self.class_weight is not None:
            by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y).astype(np.float32)
            weight = by_class[codes] if weight is None else weight * by_class[codes]
        if weight is not None and not weight.any():  # scikit-learn checks it from 1.9 on, without class_weight
            raise ValueError("all weights are zero: sample_weight and class_weight must leave at least one non-zero")
        return codes.astype(np.int32), weight

    def _hold_out(self, inputs, target, weight):
        """Split off `validation_fraction` of the rows, with each class in its share."""
        rows = np.arange(len(target))
        smallest = np.bincount(target, minlength=len(self.classes_)).min()
        size = int(np.ceil(self.validation_fraction * len(rows)))
        if smallest < 2 or size < len(self.classes_) or len(rows) - size < len(self.classes_):
            raise ValueError(
                f"early_stopping=True holds out {size} of {len(rows)} rows, too few for {len(self.classes_)} classes "
                f"(the smallest has {smallest}): give more rows, or set early_stopping=False"
            )
        seed = self.random_state if isinstance(self.random_state, int | np.integer) else 0
        train, held_out = train_test_split(rows, test_size=size, stratify=target, random_state=seed)
        return tuple(
            (take(inputs, part), target[part], None if weight is None else weight[part]) for part in (train, held_out)
        )

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
        check_is_fitted(self, "classes_")
        given = self._outputs(self._read(X, reset=False))
        return np.hstack([1 - given, given]) if len(self.classes_) == 2 else given

    def predict(self, X) -> np.ndarray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like
            Data in the form `fit` takes.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(axis=1)]
