"""Packages that skrec can use but does not require."""

import importlib

_EXTRA = {
    "matplotlib": "plot",
    "matplotlib.pyplot": "plot",
    "duckdb": "large",
    "pyspark": "spark",
    "numba": "fast",
    "tensorflow": "deep",
    "keras": "deep",
    "scikeras": "deep",
    "tf2onnx": "onnx",
    "fastapi": "serve",
    "uvicorn": "serve",
    "sqlalchemy": "serve",
}


def import_optional(name: str, purpose: str):
    """Import an optional package, or say in one sentence how to get it.

    Parameters
    ----------
    name : str
        Import name of the package.
    purpose : str
        What it is needed for; begins the error message.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        extra = _EXTRA[name]
        package = name.partition(".")[0]
        raise ImportError(
            f"{purpose} needs {package}, which is not installed: pip install 'skrec-hybrid[{extra}]'"
        ) from error
