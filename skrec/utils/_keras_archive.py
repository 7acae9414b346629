"""Keras archives inside model files, checked before Keras imports what their configuration names."""

import io
import json
import zipfile

import numpy as np

from ._archive import BROKEN, RefusedArchive, check_members, default_limit
from ._model_types import KERAS_CLASSES, KERAS_MODULES, KERAS_REFUSED, KERAS_VALUES

_OWN = "skrec>"
_MEMBERS = frozenset({"metadata.json", "config.json", "model.weights.h5"})


def check_keras(data: np.ndarray, own: frozenset[str]) -> bytes:
    """Check the bytes of a `.keras` file: what its configuration names, and that its weights are in the file.

    Parameters
    ----------
    data : ndarray of shape (n_bytes,), dtype uint8
        The file.
    own : frozenset of str
        Names under which classes and functions of skrec are registered with Keras, such as ``"skrec>ItemTable"``.

    Returns
    -------
    bytes
        The same bytes.

    Raises
    ------
    RefusedArchive
        If it is damaged, or names a class or function that nets of skrec are not made of.
    """
    whole = np.asarray(data, dtype=np.uint8).tobytes()
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            check_members(archive, default_limit(len(whole)))
            if odd := sorted(set(archive.namelist()) - _MEMBERS):
                raise RefusedArchive(f"its net holds the member {odd[0]!r}, which is none of a net")
            config = json.loads(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
    except KeyError as error:
        raise RefusedArchive(f"its net lacks a member: {error}") from error
    except RefusedArchive:
        raise
    except (*BROKEN, RecursionError) as error:
        raise RefusedArchive(f"its net is damaged: {error}") from error
    _check_config(config, own)
    _check_weights(weights)
    return whole


def _check_config(config, own: frozenset[str]) -> None:
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            if "class_name" in value and not _may_be_built(value, own):
                named = f"{value.get('module')}.{value.get('class_name')} ({value.get('registered_name')})"
                raise RefusedArchive(f"its net names {named}, which nets of skrec are not made of")
            if "spec_name" in value:
                raise RefusedArchive("its net names a TensorFlow type")
            pending += value.values()


def _may_be_built(entry: dict, own: frozenset[str]) -> bool:
    name, module, registered = (entry.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(name, str):
        return False
    if name in KERAS_VALUES:
        return True
    if name == "function":
        return module == "builtins" and registered == "function" and entry.get("config") in own
    if registered not in (None, name, f">{name}"):
        return registered in own and registered == _OWN + name and str(module).startswith("skrec.neural_network.")
    plain = name.isidentifier() and name not in KERAS_REFUSED
    return plain and (module in KERAS_MODULES or f"{module}.{name}" in KERAS_CLASSES)


def _check_weights(weights: bytes) -> None:
    """Raise where weights refer to other files: HDF5 would read them."""
    import h5py

    def visit(group):
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise RefusedArchive(f"its weights have the link {name!r} in place of numbers")
            member = group[name]
            if isinstance(member, h5py.Group):
                visit(member)
            elif member.external or member.is_virtual:
                raise RefusedArchive(f"its weights {name!r} stand in another file")

    try:
        with h5py.File(io.BytesIO(weights), "r") as file:
            visit(file)
    except RefusedArchive:
        raise
    except Exception as error:  # h5py raises many kinds
        raise RefusedArchive(f"its weights are damaged: {error}") from error
