"""Save and load fitted estimators without pickle."""

import contextlib
import json
import os
import platform
import stat
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .utils._archive import BROKEN, CompactArchive, RefusedArchive, check_members, default_limit
from .utils._arguments import check_path
from .utils._files import replacing
from .utils._frame_parameter import shallow
from .utils._model_state import build_tree, check_protocol, write_tree
from .utils._model_tree import UntrustedTypes, check_tree, unknown_types

FORMAT = 1
_HEADER = "skrec.json"
_SCHEMA = "schema.json"
_OLDEST = (1, 7)  # of scikit-learn: state of earlier versions is not what this one expects


class ModelFileError(ValueError):
    """A model file is damaged, foreign, too new, or asks for code that is not trusted."""


def save(estimator, path: str | os.PathLike, *, metadata: dict | None = None) -> Path:
    """Save a fitted estimator to a file that holds data and no code.

    The file is one of :mod:`skops.io` with a header that carries versions. It is written beside its final place,
    flushed to the disk and then renamed, so that a crash leaves the old file or none. Symbolic links are followed, and
    a file that is replaced hands its mode on.

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
    OSError
        If the file cannot be written: the disk is full, or `path` is a folder, a device or a pipe. The file that was
        there stays.

    Warns
    -----
    UserWarning
        If the estimator holds functions or types that `load` builds only where they are named as trusted, such as
        your own; those of a script (``__main__``) and lambdas cannot be loaded elsewhere at all.

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

    from . import __version__

    header = {
        "format": FORMAT,
        "estimator": type(estimator).__name__,
        "skrec": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "metadata": {} if metadata is None else metadata,
    }
    check_path(path)
    if not isinstance(header["metadata"], dict):
        raise TypeError(f"metadata must be a dict, got {type(metadata).__name__}")
    try:
        json.dumps(header)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"metadata must hold what JSON can hold: {error}") from error
    try:
        with (
            replacing(path) as partial,
            CompactArchive(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            _write(estimator, archive)
            archive.writestr(_HEADER, json.dumps({**header, "unpacked": archive.unpacked}))
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error
        raise
    return Path(path)


def _write(estimator, archive: CompactArchive) -> None:
    if "_skl_callbacks" in getattr(estimator, "__dict__", {}):  # they belong to the process, not to the model
        estimator = shallow(estimator)
        del estimator._skl_callbacks
    try:
        tree = write_tree(estimator, archive)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise TypeError(
            f"estimator {type(estimator).__name__} holds something that cannot be saved: {error}"
        ) from error
    if names := sorted(unknown_types(tree)):
        lost = [name for name in names if name.startswith("__main__.") or "<" in name]
        warnings.warn(
            f"{type(estimator).__name__} holds {', '.join(names)}: load builds these only where it is told to, by "
            f"trusted={names}" + (f", and cannot find {', '.join(lost)} in another program at all" if lost else ""),
            UserWarning,
            stacklevel=3,
        )


def load(
    path: str | os.PathLike, *, trusted: Sequence[str] = (), max_size: int | None = None, return_metadata: bool = False
):
    """Load an estimator that `save` wrote; no code from the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of str, default=()
        Full names of further types that may be built, such as ``"mypackage.MyTransformer"``. The estimators of skrec
        and scikit-learn, arrays, dates and SciPy's distributions need no mention. To build a type is to run its code.
    max_size : int, default=None
        Bytes that the file may unpack to; None allows 64 MiB and a hundred times the size of the file.
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
        If the file is damaged, was not written by `save`, comes from a newer skrec, holds types that are not trusted,
        or unpacks to more than it may.
    MemoryError
        If the model does not fit into memory.

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
    if isinstance(trusted, str):
        raise TypeError(f"trusted must be a sequence of full names, got the text {trusted!r}: put it into a list")
    with _opened(path, max_size) as (archive, header, limit):
        try:
            schema = json.loads(archive.read(_SCHEMA))
            check_protocol(schema)
            names = check_tree(schema, archive, frozenset(trusted), limit)
            estimator = build_tree(schema, archive, names)
        except MemoryError:
            raise
        except UntrustedTypes as error:
            raise ModelFileError(
                f"{path} holds types that are not trusted: {error.names}; if you know who wrote it, pass "
                f"trusted={error.names}"
            ) from error
        except Exception as error:
            raise ModelFileError(_why(path, header, error)) from error
    return (estimator, header) if return_metadata else estimator


@contextlib.contextmanager
def _opened(path, max_size: int | None = None):
    """Open a model file once; yield the archive, its header, and the bytes that it may unpack to."""
    check_path(path)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no model file {path}") from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ModelFileError(f"{path} is no file: pass the path of one that save has written")
        limit = default_limit(os.fstat(file.fileno()).st_size) if max_size is None else max_size
        try:
            archive = zipfile.ZipFile(file)
            if _HEADER not in archive.namelist():
                raise ModelFileError(f"{path} was not written by skrec.save: it has no header")
            check_members(archive, limit)
            header = json.loads(archive.read(_HEADER))
            _check_header(path, header, archive)
        except (ModelFileError, MemoryError):
            raise
        except RefusedArchive as error:
            raise ModelFileError(f"{path} is refused: {error}") from error
        except (*BROKEN, OSError, RecursionError) as error:
            raise ModelFileError(
                f"{path} is not a model file, or is damaged ({error}): save the model again"
            ) from error
        yield archive, header, limit


def _check_header(path, header, archive) -> None:
    if not isinstance(header, dict) or not isinstance(header.get("format"), int) or isinstance(header["format"], bool):
        raise ModelFileError(f"{path} was not written by skrec.save: its header names no format")
    if not isinstance(header.get("metadata", {}), dict):
        raise ModelFileError(f"{path} was not written by skrec.save: the metadata in its header are no dict")
    if header["format"] > FORMAT:
        raise ModelFileError(
            f"{path} has format {header['format']} of skrec {header.get('skrec')}, newer than this skrec can read "
            f"(format {FORMAT}): upgrade skrec"
        )
    promised = header.get("unpacked")
    found = sum(member.file_size for member in archive.infolist() if member.filename != _HEADER)
    if promised is not None and found != promised:
        raise ModelFileError(f"{path} is refused: it unpacks to {found:,} bytes, and its header promises {promised!r}")
    version = header.get("scikit-learn")
    numbers = version.split(".")[:2] if isinstance(version, str) else ()
    if len(numbers) == 2 and all(map(str.isdigit, numbers)) and tuple(map(int, numbers)) < _OLDEST:
        raise ModelFileError(
            f"{path} was saved with scikit-learn {version}, and this skrec reads files of "
            f"{'.'.join(map(str, _OLDEST))} and later: fit the model again"
        )


def _why(path, header: dict, error: Exception) -> str:
    from . import __version__

    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if header.get("skrec") not in (None, __version__):
        text += f"; it was saved by skrec {header['skrec']}, this is {__version__}"
    return f"{path} is damaged and cannot be loaded ({text}): save the model again"


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
    with _opened(path) as (_, header, _):
        return header
