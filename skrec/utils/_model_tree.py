"""The tree of nodes in a model file: checked against the list of known types before anything is imported or built."""

import json
import re
import zipfile
from collections.abc import Callable
from functools import cache

from ._archive import RefusedArchive, check_array, check_sparse
from ._model_types import CALLED, MOVED, SCORING, SKREC, SPARSE

_PRIMITIVES = frozenset(f"builtins.{name}" for name in ("bool", "float", "int", "str"))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ONE_OF = {  # node kinds whose type is always of these
    "DictNode": frozenset({"builtins.dict", "collections.OrderedDict"}),
    "ListNode": frozenset({"builtins.list"}),
    "SetNode": frozenset({"builtins.set", "builtins.frozenset"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "JsonNode": frozenset({"builtins.str"}),
    "BytesNode": frozenset({"builtins.bytes"}),
    "BytearrayNode": frozenset({"builtins.bytearray"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "SparseMatrixNode": SPARSE,
    "MaskedArrayNode": frozenset({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "ConstructorFromReduceNode": CALLED,
}
_BY_TRUST = ("ObjectNode", "TypeNode", "FunctionNode", "TreeNode", "LossNode", "ConstructorFromReduceNode")


class UntrustedTypes(Exception):
    """Types that a file holds and that nobody has named as trusted."""

    def __init__(self, names: set[str]):
        super().__init__(", ".join(sorted(names)))
        self.names = sorted(names)


def check_tree(schema, archive: zipfile.ZipFile, trusted: frozenset[str], limit: int) -> set[str]:
    """Check the tree of a model file, and write today's names of types that have moved into it.

    Parameters
    ----------
    schema : object
        What the member ``schema.json`` holds.
    archive : ZipFile
        The file, whose members the tree refers to.
    trusted : frozenset of str
        Full names of further types that may be built.
    limit : int
        Bytes that an archive inside may unpack to.

    Returns
    -------
    set of str
        The names of all types in the tree.

    Raises
    ------
    RefusedArchive
        If the tree is malformed.
    UntrustedTypes
        If it names types that are neither known nor trusted.
    """
    names, untrusted = set(), set()
    pending = [schema]
    if not isinstance(schema, dict) or "__loader__" not in schema:
        raise RefusedArchive("its schema is no tree of nodes")
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            if "__loader__" in value:
                name = _check_node(value, archive, trusted, limit)
                names.add(name)
                if not _is_known(value["__loader__"], name, trusted):
                    untrusted.add(name)
            pending += value.values()
    if untrusted:
        raise UntrustedTypes(untrusted)
    return names


def unknown_types(tree) -> set[str]:
    """Return the names in a tree that is being written of what is built only where somebody names it as trusted."""
    names, pending = set(), [tree]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("__loader__"), str):
                name = f"{value['__module__']}.{value['__class__']}"
                if not _is_known(value["__loader__"], name, frozenset()):
                    names.add(name)
            pending += value.values()
        elif isinstance(value, list | tuple):
            pending += value
    return names


def _check_node(node: dict, archive, trusted: frozenset[str], limit: int) -> str:
    """Check the form of a node and return the name of its type."""
    kind, module, name = node["__loader__"], node.get("__module__"), node.get("__class__")
    if not (isinstance(kind, str) and isinstance(module, str) and isinstance(name, str)):
        raise RefusedArchive("a node of its schema names no type")
    full = f"{module}.{name}"
    if full in MOVED:
        full = MOVED[full]
        node["__module__"], _, node["__class__"] = full.rpartition(".")
    elif full not in trusted and not (_NAME.fullmatch(name) and all(map(_NAME.fullmatch, module.split(".")))):
        raise RefusedArchive(f"a node of its schema has the name {full!r}, which is none of a type")
    if kind not in _FORMS:
        if kind in ("CachedNode", *_BY_TRUST, *_ONE_OF):
            return full
        raise RefusedArchive(f"its schema has a node of the kind {kind} ({full}), which is never built from a file")
    _FORMS[kind](node, archive, limit)
    return full


def _check_dict(node, archive, limit):
    keys, content = node.get("key_types"), node.get("content")
    if not isinstance(content, dict) or not isinstance(keys, dict) or keys.get("__loader__") != "ListNode":
        raise RefusedArchive("a dict of its schema has no keys")
    for key in keys.get("content") or ():
        named = f"{key.get('__module__')}.{key.get('__class__')}" if isinstance(key, dict) else None
        if named not in _key_types() or key.get("__loader__") not in ("TypeNode", "CachedNode"):
            raise RefusedArchive(f"a dict of its schema has keys of the type {named}")


def _check_list(node, archive, limit):
    if not isinstance(node.get("content"), list):
        raise RefusedArchive("a list of its schema has no content")


def _check_json(node, archive, limit):
    if not isinstance(node.get("content"), str):
        raise RefusedArchive("a value of its schema is no text")
    json.loads(node["content"])


def _check_file(node, archive, limit):
    if not isinstance(node.get("file"), str) or node["file"] not in archive.namelist():
        raise RefusedArchive(f"its schema refers to {node.get('file')!r}, which it does not hold")


def _check_ndarray(node, archive, limit):
    if node.get("type") == "json":
        _check_list(node, archive, limit)
    else:
        _check_file(node, archive, limit)
        check_array(archive, node["file"])


def _check_sparse(node, archive, limit):
    _check_file(node, archive, limit)
    check_sparse(archive, node["file"], limit)


def _check_slice(node, archive, limit):
    content = node.get("content")
    if not isinstance(content, dict) or not all(isinstance(value, int | None) for value in content.values()):
        raise RefusedArchive("a slice of its schema has no numbers")


def _check_called(node, archive, limit):
    content = node.get("content")
    if not isinstance(content, dict) or content.get("__loader__") not in ("TupleNode", "CachedNode"):
        raise RefusedArchive("a value of its schema is called without arguments")


_FORMS: dict[str, Callable] = {
    "DictNode": _check_dict,
    "ListNode": _check_list,
    "SetNode": _check_list,
    "TupleNode": _check_list,
    "JsonNode": _check_json,
    "BytesNode": _check_file,
    "BytearrayNode": _check_file,
    "NdArrayNode": _check_ndarray,
    "SparseMatrixNode": _check_sparse,
    "SliceNode": _check_slice,
    "ConstructorFromReduceNode": _check_called,
}


def _is_known(kind: str, name: str, trusted: frozenset[str]) -> bool:
    """Tell whether a node of a kind may build the type of a name."""
    if kind == "CachedNode":  # its type is that of the node that it repeats
        return True
    if kind in _BY_TRUST and name in trusted:
        return True
    if kind == "ObjectNode":
        return name in SKREC or name in SCORING or name in _sklearn_types()
    if kind == "NdArrayNode":
        return name == "numpy.ndarray" or name in _numpy_types()
    if kind == "TypeNode":
        return name in _PRIMITIVES or name in _numpy_types() or name in SKREC
    if kind == "FunctionNode":
        return name in _functions()
    if kind == "LossNode":
        return name in _losses()
    if kind == "ConstructorFromReduceNode" and name.startswith("scipy.stats."):
        return name.removeprefix("scipy.stats.") in _distributions()
    return name in _ONE_OF.get(kind, ())


@cache
def _numpy_types() -> frozenset[str]:
    from skops.io._trusted_types import NUMPY_DTYPE_TYPE_NAMES

    return frozenset(NUMPY_DTYPE_TYPE_NAMES)


@cache
def _key_types() -> frozenset[str]:
    return _PRIMITIVES | {name for name in _numpy_types() if "void" not in name and "object" not in name}


@cache
def _sklearn_types() -> frozenset[str]:
    """Return the estimators of scikit-learn, and what its boosted trees are made of."""
    from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES, SKLEARN_INTERNAL_TYPE_NAMES

    return frozenset({*SKLEARN_ESTIMATOR_TYPE_NAMES, *SKLEARN_INTERNAL_TYPE_NAMES})


@cache
def _losses() -> frozenset[str]:
    from skops.io._sklearn import ALLOWED_LOSSES

    return frozenset(f"{loss.__module__}.{loss.__name__}" for loss in ALLOWED_LOSSES)


@cache
def _functions() -> frozenset[str]:
    """Return the functions that a file may name: those of arrays alone, and the metrics."""
    import sklearn.metrics
    from skops.io._trusted_types import NUMPY_UFUNC_TYPE_NAMES, SCIPY_UFUNC_TYPE_NAMES

    metrics = {
        f"{function.__module__}.{function.__name__}"
        for function in (getattr(sklearn.metrics, name) for name in sklearn.metrics.__all__)
        if type(function) is type(_functions.__wrapped__)
    }
    own = {f"skrec.metrics._ranking.{name}_at_k" for name in ("auc", "hit_rate", "map", "mrr", "ndcg", "precision")}
    return frozenset({*NUMPY_UFUNC_TYPE_NAMES, *SCIPY_UFUNC_TYPE_NAMES, *metrics, *own})


@cache
def _distributions() -> frozenset[str]:
    """Return the names of SciPy's distributions."""
    import scipy.stats

    kinds = (scipy.stats.rv_continuous, scipy.stats.rv_discrete)
    return frozenset(name for name, value in vars(scipy.stats).items() if isinstance(value, kinds))
