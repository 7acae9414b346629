"""Fashion-MNIST: small pictures of garments, as Debian packages them."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

_FOLDER = "/usr/share/datasets/fashion-mnist"  # where Debian's package puts it
_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

_DESCR = """Fashion-MNIST

70,000 grey pictures of 28 x 28 pixels of articles of Zalando, ten kinds, 7,000 pictures each; 60,000 to learn from and
10,000 to test on. Published by Zalando Research under the MIT licence.
"""


def load_fashion_mnist(data_home=None) -> Bunch:
    r"""Load a local copy of Fashion-MNIST, pictures of garments.

    Parameters
    ----------
    data_home : str or Path, default=None
        The folder with the four files as published, gzipped or not (`train-images-idx3-ubyte.gz`, ...). None is where
        Debian's package `dataset-fashion-mnist` puts them.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        X_train, X_test : ndarray of shape (60000, 28, 28) and (10000, 28, 28), dtype uint8
            Pictures; 0 is the background, 255 the brightest grey.
        y_train, y_test : ndarray of shape (60000,) and (10000,), dtype uint8
            Kind of garment, 0 to 9.
        target_names : list of str
            The names of the kinds.
        DESCR : str
            Description and source.

    Raises
    ------
    ValueError
        If the files are not there or not in the published format.

    See Also
    --------
    skrec.neural_network.CNNEncoder : Features and labels from pictures.

    References
    ----------
    H. Xiao, K. Rasul and R. Vollgraf. "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms". arXiv:1708.07747, 2017.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skrec.datasets import load_fashion_mnist
    >>> temporary = tempfile.TemporaryDirectory()
    >>> for part in ("train", "t10k"):
    ...     stem = pathlib.Path(temporary.name) / part
    ...     pictures = b"\0\0\x08\3" + b"\0\0\0\2" + b"\0\0\0\x1c" * 2 + bytes(2 * 28 * 28)
    ...     _ = stem.with_name(part + "-images-idx3-ubyte").write_bytes(pictures)
    ...     _ = stem.with_name(part + "-labels-idx1-ubyte").write_bytes(b"\0\0\x08\1" + b"\0\0\0\2" + b"\x09\0")
    >>> data = load_fashion_mnist(temporary.name)
    >>> data.X_train.shape, [data.target_names[kind] for kind in data.y_train]
    ((2, 28, 28), ['ankle boot', 'T-shirt'])
    >>> temporary.cleanup()
    """
    folder = Path(_FOLDER if data_home is None else data_home).expanduser()
    read = {}
    for part, name in (("train", "train"), ("test", "t10k")):
        read[f"X_{part}"] = _read(folder, f"{name}-images-idx3-ubyte", data_home)
        read[f"y_{part}"] = _read(folder, f"{name}-labels-idx1-ubyte", data_home)
        if len(read[f"X_{part}"]) != len(read[f"y_{part}"]):
            raise ValueError(
                f"{folder} has {len(read[f'X_{part}'])} pictures and {len(read[f'y_{part}'])} labels to {part}: "
                "get the files again"
            )
    return Bunch(**read, target_names=list(_NAMES), DESCR=_DESCR)


def _read(folder, name, data_home):
    """Read one file in the IDX format: a magic number with the number of axes, the sizes, the bytes."""
    path = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
    if path is None:
        where = "" if data_home is None else f"data_home={str(data_home)!r}: "
        raise ValueError(
            f"{where}{name}.gz is not in {folder}: run `apt-get install dataset-fashion-mnist` on Debian or Ubuntu, or "
            "give the folder of the files published by Zalando Research as data_home"
        )
    n_axes = int(name.split("idx")[1][0])
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        sizes = np.frombuffer(data, ">i4", n_axes, offset=4)
        values = np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes)
        if data[:4] != bytes((0, 0, 8, n_axes)):
            raise ValueError("it does not begin as such a file does")
        return values.reshape(sizes)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not an IDX file of Fashion-MNIST ({error}): get the file again") from error
