"""How skops writes and builds values: its private parts in one place, and values that it cannot write by itself."""

import io
import json
import zipfile
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from ._archive import RefusedArchive


def write_tree(value, archive: zipfile.ZipFile) -> dict:
    """Write a value to an archive as skops does, and return its tree; sparse arrays get no compression of their own."""
    import skops
    from skops.io._utils import SaveContext, get_state

    _teach_skops()
    context = SaveContext(zip_file=archive)
    state = get_state(value, context)
    context.clear_memo()
    state["protocol"] = context.protocol
    state["_skops_version"] = skops.__version__
    archive.writestr("schema.json", json.dumps(state))
    return state


def build_tree(schema: dict, archive: zipfile.ZipFile, names: set[str]):
    """Build what a checked schema describes; `names` are the types in it, all of them allowed."""
    from skops.io._audit import audit_tree, get_tree
    from skops.io._utils import LoadContext

    trusted = sorted(names)
    tree = get_tree(schema, LoadContext(src=archive, protocol=schema["protocol"]), trusted=trusted)
    audit_tree(tree, trusted)
    value = tree.construct()
    _check_indices(tree)
    return value


def check_protocol(schema: dict) -> None:
    """Raise where a schema was written by a skops that this one cannot read."""
    from skops.io._protocol import PROTOCOL

    protocol = schema.get("protocol")
    if isinstance(protocol, bool) or not isinstance(protocol, int) or not protocol >= 2:
        raise RefusedArchive(f"its schema has the protocol {protocol!r}")
    if protocol > PROTOCOL:
        raise RefusedArchive(f"it was written by a newer skops (protocol {protocol}, this one has {PROTOCOL})")


def _check_indices(tree) -> None:
    """Raise where a sparse array that was built points outside of itself: compiled code would read there."""
    pending: list = [tree]
    done: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in done:
            continue
        done.add(id(node))
        built: Any = getattr(node, "_constructed", None)
        if sp.issparse(built) and hasattr(built, "check_format"):
            built.check_format(full_check=True)
        for child in getattr(node, "children", {}).values():
            children = child if isinstance(child, list) else child.values() if isinstance(child, dict) else [child]
            pending += [one for one in children if hasattr(one, "children")]
        if hasattr(node, "cached"):
            pending.append(node.cached)


@cache
def _teach_skops() -> None:
    """Register how values are written that skops writes slowly, or not so that it can read them."""
    import pandas as pd
    import skops.io._persist  # noqa: F401 - registers its own first
    from scipy.stats._distn_infrastructure import rv_frozen
    from skops.io._utils import _get_state

    kinds = [
        getattr(sp, f"{kind}_{form}") for kind in ("bsr", "coo", "csc", "csr", "dia") for form in ("array", "matrix")
    ]
    for kind in kinds:
        _get_state.register(kind, _sparse_state)
    _get_state.register(rv_frozen, _distribution_state)
    _get_state.register(pd.Timestamp, _time_state)
    _get_state.register(pd.Timedelta, _time_state)


def _sparse_state(value, context) -> dict:
    buffer = io.BytesIO()
    sp.save_npz(buffer, value, compressed=False)
    name = f"{context.memoize(value)}.npz"
    if name not in context.zip_file.NameToInfo:
        context.zip_file.writestr(name, buffer.getbuffer())
    module = type(value).__module__
    return {
        "__class__": type(value).__name__,
        "__module__": module,
        "__loader__": "SparseMatrixNode",
        "type": "scipy",
        "file": name,
    }


def _distribution_state(value: Any, context) -> dict:
    """Write a frozen distribution as a call of its name: its own state would be run as code."""
    import scipy.stats
    from skops.io._utils import get_state

    name = value.dist.name
    if type(getattr(scipy.stats, name, None)) is not type(value.dist):
        raise TypeError(f"the distribution {name!r} is none of scipy.stats: only those can be saved")
    distribution: Any = value.dist
    shapes, loc, scale = distribution._parse_args(*value.args, **value.kwds)
    arguments = [*shapes, loc, scale] if isinstance(value.dist, scipy.stats.rv_continuous) else [*shapes, loc]
    return {
        "__class__": name,
        "__module__": "scipy.stats",
        "__loader__": "ConstructorFromReduceNode",
        "content": get_state(tuple(one.item() if isinstance(one, np.generic) else one for one in arguments), context),
    }


def _time_state(value, context) -> dict:
    from skops.io._utils import get_state

    return {
        "__class__": type(value).__name__,
        "__module__": "pandas",
        "__loader__": "ConstructorFromReduceNode",
        "content": get_state((value.isoformat(),), context),
    }
