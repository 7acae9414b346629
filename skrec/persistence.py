"""Save and load fitted estimators without pickle."""

import json
import os
import platform
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .utils._files import replacing

FORMAT = 1
_HEADER = "skrec.json"
_TRUSTED = {
    "scipy.sparse._csc.csc_array",
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
}


class ModelFileError(ValueError):
    """A model file is damaged, foreign, too new, or asks for code that is not trusted."""


def save(estimator, path: str | os.PathLike, *, metadata: dict | None = None) -> Path:
    """Save a fitted estimator to a file that holds data and no code.

    The file is one of :mod:`skops.io` with a header that carries versions. It is written beside its final place
    and then renamed, so that a crash leaves the old file or none.

    Parameters
    ----------
    estimator : estimator
        A fitted recommender, transformer, pipeline or search from skrec or scikit-learn.
    path : str or path-like
        Where to write; ``.skrec`` is the customary suffix.
    metadata : dict, default=None
        Notes that JSON can hold, such as the training period; `load` gives them back.

    Returns
    -------
    Path
        Where the file is.

    Raises
    ------
    TypeError
        If the metadata cannot be written as JSON, or a part of the estimator cannot be saved.

    See Also
    --------
    load : Read the file.

    Examples
    --------
    >>> import os, tempfile, skrec
    >>> model = skrec.linear_model.EASE(k=1).fit([["tea", "milk"], ["milk", "tea", "jam"]])
    >>> path = skrec.save(model, os.path.join(tempfile.mkdtemp(), "model.skrec"))
    >>> skrec.load(path).predict([["milk"]])
    array([['tea']], dtype=object)
    """
    import sklearn
    import skops.io

    from . import __version__

    header = {
        "format": FORMAT,
        "estimator": type(estimator).__name__,
        "skrec": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "metadata": metadata or {},
    }
    try:
        text = json.dumps(header)
    except TypeError as error:
        raise TypeError(f"metadata must hold what JSON can hold: {error}") from error
    path = Path(path)
    with replacing(path) as partial:
        try:
            skops.io.dump(estimator, partial, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
        except Exception as error:
            raise TypeError(f"{type(estimator).__name__} holds something that cannot be saved: {error}") from error
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_HEADER, text)
    return path


def load(path: str | os.PathLike, *, trusted: Sequence[str] = (), return_metadata: bool = False):
    """Load an estimator that `save` wrote; no code from the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of str, default=()
        Full names of further types that may be built, such as ``"mypackage.MyTransformer"``. Types of skrec,
        scikit-learn, NumPy and SciPy need no mention.
    return_metadata : bool, default=False
        Whether to return the header as well: versions, and the `metadata` given to `save`.

    Returns
    -------
    estimator : estimator
        The fitted estimator.
    header : dict
        Only with ``return_metadata=True``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is damaged, was not written by `save`, comes from a newer skrec, or holds types that are not
        trusted.

    See Also
    --------
    save : Write the file.

    Examples
    --------
    >>> import os, tempfile, skrec
    >>> model = skrec.neighbors.ItemKNN().fit([[1, 2], [2, 3]])
    >>> path = skrec.save(model, os.path.join(tempfile.mkdtemp(), "m.skrec"), metadata={"shop": "north"})
    >>> model, header = skrec.load(path, return_metadata=True)
    >>> header["metadata"]
    {'shop': 'north'}
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    path = Path(path)
    header = read_header(path)
    try:
        unknown = skops.io.get_untrusted_types(file=path)
        allowed = [name for name in unknown if name.startswith("skrec.") or name in {*_TRUSTED, *trusted}]
        estimator = skops.io.load(path, trusted=allowed)
    except UntrustedTypesFoundException as error:
        refused = sorted(set(unknown) - set(allowed))
        raise ModelFileError(
            f"{path} holds types that are not trusted: {refused}; if you know who wrote it, pass trusted={refused}"
        ) from error
    except Exception as error:
        raise ModelFileError(f"{path} is damaged and cannot be loaded ({error}): save the model again") from error
    return (estimator, header) if return_metadata else estimator


def read_header(path: str | os.PathLike) -> dict:
    """Read the versions and metadata of a model file and check that this skrec can load it.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    dict
        The header.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is not a readable model file of this or an older format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            if _HEADER not in archive.namelist():
                raise ModelFileError(f"{path} was not written by skrec.save: it has no header")
            broken = archive.testzip()
            header = json.loads(archive.read(_HEADER))
    except ModelFileError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError) as error:
        raise ModelFileError(f"{path} is not a model file, or is damaged ({error}): save the model again") from error
    if broken is not None:
        raise ModelFileError(
            f"{path} is damaged: its part {broken!r} does not match its checksum; save the model again"
        )
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise ModelFileError(f"{path} was not written by skrec.save: its header names no format")
    if header["format"] > FORMAT:
        raise ModelFileError(
            f"{path} has format {header['format']} of skrec {header.get('skrec')}, newer than this skrec can read "
            f"(format {FORMAT}): upgrade skrec"
        )
    return header
