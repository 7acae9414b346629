"""What CNNEncoder reads: pictures, grids and texts, checked and brought to one array."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from ._nets._convolution import AUGMENTATIONS
from ._tokens import Tokens, is_texts

_KINDS = (np.float32, np.uint8, np.int64, np.int32, np.int16, np.int8, np.uint16, np.uint32, np.uint64)
_BLOCK = 4096  # rows whose mean is taken at once


def read_rows(net, X, reset):
    """Return the rows as the net reads them; in `fit`, decide what they are and learn their shape and scale."""
    if reset:
        _check_parameters(net)
        net.kind_ = _decide_kind(net, X)
        if net.test_time_augmentation and net.kind_ != "image":
            raise ValueError(
                f"test_time_augmentation=True averages over mirror images, and X is of kind {net.kind_!r}: set it to "
                "False, or give image_shape if the rows are pictures"
            )
    if net.kind_ == "text":
        if reset:
            net.tokens_ = Tokens(net.max_length, net.max_features, net.min_df, keep="first", texts=True)
            net.shape_, net.mean_, net.scale_ = (net.max_length,), None, None
            vars(net).pop("n_features_in_", None)
            return net.tokens_.fit_encode(X)
        return net.tokens_.encode(X)
    if net.kind_ == "image":
        wanted = net.shape_ if not reset else None if net.image_shape is None else _picture_shape(net.image_shape)
        values, shape = _read_pictures(net, X, wanted, reset)
    else:
        values = validate_data(net, X, reset=reset, dtype=np.float32, allow_nd=True)
        shape = values.shape[1:] if values.ndim == 3 else (*values.shape[1:], 1)
        if values.ndim > 3 or (not reset and shape != net.shape_):
            expected = "(n, columns) or (n, columns, channels)" if reset else f"(n, *{net.shape_})"
            raise ValueError(
                f"X has the shape {values.shape}, and kind='grid' expects {expected}: reshape X, or use "
                "kind='image' for pictures"
            )
        values = values.reshape(-1, *shape)
    if reset:
        net.shape_, net.mean_, net.scale_ = tuple(map(int, shape)), None, None
        if values.dtype.kind == "f":
            net.mean_, net.scale_ = _moments(values, by_position=net.kind_ == "grid")
    elif (values.dtype == np.uint8) != (net.mean_ is None):
        was, is_ = ("whole", "other") if net.mean_ is None else ("other", "whole")
        raise ValueError(
            f"X has {is_} numbers as pixels and fit had {was} ones, which are scaled in another way: convert X to "
            f"{'uint8' if net.mean_ is None else 'float'} on the scale of fit"
        )
    return values


def _decide_kind(net, X):
    """Return what X is, by its dimensions alone."""
    if net.kind != "auto":
        return net.kind
    if is_texts(X):
        raise ValueError("X has texts, which kind='auto' does not take: set kind='text'")
    nested = not hasattr(X, "columns") and not hasattr(X, "tocsr")
    return "image" if net.image_shape is not None or (nested and _depth(X) >= 3) else "grid"


def _check_parameters(net):
    for name, least in (("filters", 1), ("hidden", 0)):
        sizes = getattr(net, name)
        if len(sizes) < least or not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise ValueError(
                f"{name} must hold whole numbers above 0, one for each layer, got {name}={sizes!r}: "
                f"pass {'(32, 64)' if least else '(100, 50)'}, for instance"
            )
    names = () if net.augmentation is None else net.augmentation
    if unknown := [name for name in names if name not in AUGMENTATIONS]:
        raise ValueError(
            f"augmentation has {unknown[0]!r}, which is none of {sorted(AUGMENTATIONS)}: pass a tuple of these names"
        )


def _depth(X):
    """Return the number of dimensions of X, of its first row where X is a sequence."""
    if isinstance(X, list | tuple):
        return 1 + (np.ndim(X[0]) if len(X) else 0)
    return getattr(X, "ndim", 1)


def _picture_shape(image_shape):
    """Return (height, width, channels) from the parameter `image_shape`."""
    shape = tuple(image_shape) if np.iterable(image_shape) else (image_shape,)
    if len(shape) not in (2, 3) or not all(isinstance(side, Integral) and side > 0 for side in shape):
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, channels), whole numbers above 0, got "
            f"{image_shape!r}: give the shape of one picture"
        )
    return tuple(int(side) for side in (*shape, 1)[:3])


def _read_pictures(net, X, shape, reset):
    """Return X as (n, height, width, channels), uint8 for whole numbers and float32 for others, and the shape.

    `shape` is the one that pictures must have, None where X says it.
    """
    _check_sizes(X)
    X = np.asarray(X) if isinstance(X, list | tuple) else X
    if getattr(X, "ndim", 2) == 2:
        if shape is None:
            raise ValueError(
                "X has 2 dimensions, and kind='image' needs the shape of one picture: pass image_shape=(height, width)"
                " or (height, width, channels), or X of shape (n, height, width)"
            )
        X = validate_data(net, X, reset=reset, dtype=_KINDS)
        if X.shape[1] != np.prod(shape):
            sides = " x ".join(map(str, shape))
            raise ValueError(
                f"X has {X.shape[1]} columns, and image_shape={shape} needs {sides} = {np.prod(shape)}: "
                "correct image_shape, or select the columns of the pixels"
            )
        return _as_pixels(X).reshape(-1, *shape), shape
    X = check_array(X, dtype=_KINDS, allow_nd=True, ensure_2d=True, estimator=net, input_name="X")
    if X.ndim > 4:
        raise ValueError(
            f"X has {X.ndim} dimensions: pictures come as (n, height, width), (n, height, width, channels) or "
            "(n, height * width * channels) with image_shape"
        )
    X = X.reshape(*X.shape, 1) if X.ndim == 3 else X
    if shape is not None and X.shape[1:] != shape:
        what = f"{X.shape[3]} channels" if X.shape[1:3] == shape[:2] else f"the size {X.shape[1]} x {X.shape[2]}"
        raise ValueError(
            f"X has pictures with {what}, where (height, width, channels) = {shape} is expected: convert them, or "
            "correct image_shape and fit anew"
        )
    if reset:
        net.n_features_in_ = int(np.prod(X.shape[1:]))
        if hasattr(net, "feature_names_in_"):
            del net.feature_names_in_
    return _as_pixels(X), X.shape[1:]


def _check_sizes(X):
    """Refuse a sequence of pictures of different sizes."""
    if not isinstance(X, list | tuple) and getattr(getattr(X, "dtype", None), "kind", None) != "O":
        return
    shapes = {np.shape(row) for row in X} if getattr(X, "ndim", 1) == 1 else set()
    if len(shapes) > 1:
        one, two = sorted(shapes)[:2]
        raise ValueError(
            f"X has pictures of different sizes, such as {one} and {two}: resize or crop them to one size first"
        )


def _as_pixels(X):
    """Return whole numbers as uint8 and the rest as it is."""
    if X.dtype.kind == "f" or X.dtype == np.uint8:
        return X
    if X.min() < 0 or X.max() > 255:
        raise ValueError(
            f"X has whole numbers from {X.min()} to {X.max()}, and pixels run from 0 to 255: pass them as floats"
        )
    return X.astype(np.uint8)


def _moments(X, by_position):
    """Return mean and standard deviation of each channel, or of each channel at each position, as float32."""
    axes = 0 if by_position else tuple(range(X.ndim - 1))
    blocks = [X[start : start + _BLOCK] for start in range(0, len(X), _BLOCK)]
    size = len(X) if by_position else X[..., 0].size
    mean = sum(block.sum(axis=axes, dtype=np.float64) for block in blocks) / size
    variance = sum(np.square(block - mean).sum(axis=axes) for block in blocks) / size
    scale = np.sqrt(variance)
    constant = scale <= 1e-6 * np.maximum(1, np.abs(mean))
    return mean.astype(np.float32), np.where(constant, 1, scale).astype(np.float32)
