"""Loading a file runs no code of it: crafted trees of every kind of node, mutated files, false sizes."""

import io
import json
import os
import random
import subprocess
import sys
import textwrap
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from skops.io._audit import NODE_TYPE_MAPPING
from skops.io._protocol import PROTOCOL

import skrec
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.persistence import ModelFileError
from skrec.utils._archive import default_limit

SHOP = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]


def node(loader, module, name, **more):
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def text(value):
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def listed(*values):
    return node("ListNode", "builtins", "list", content=list(values))


def mapped(content, keys):
    return node("DictNode", "builtins", "dict", content=content, key_types=listed(*keys))


def plain(value):
    """Return the tree of a dict of texts."""
    keys = [node("TypeNode", "builtins", "str") for _ in value]
    return mapped({name: text(one) for name, one in value.items()}, keys)


def write(path, schema, members=()):
    schema = {**schema, "protocol": PROTOCOL, "_skops_version": "0.16"} if isinstance(schema, dict) else schema
    header = {"format": 1, "skrec": skrec.__version__, "metadata": {}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", schema if isinstance(schema, str) else json.dumps(schema))
        for name, data in dict(members).items():
            archive.writestr(name, data)
        archive.writestr("skrec.json", json.dumps(header))
    return path


SYSTEM = node("FunctionNode", "os", "system")
RUN = node("TupleNode", "builtins", "tuple", content=[text("touch {marker}")])


def crafted():
    """Yield a name and a tree that would run a command, or reach code, if its node kind were built as the file says."""
    modules = ["os", "posix", "builtins", "subprocess", "skrec.persistence", "skrec.utils._files", "sklearn.utils.os"]
    for loader, protocol in sorted(NODE_TYPE_MAPPING):
        if protocol != PROTOCOL:
            continue
        for module in modules:
            for name in ("system", "os", "eval", "Popen", "os.system"):
                yield (
                    f"{loader}-{module}-{name}",
                    node(
                        loader,
                        module,
                        name,
                        content=RUN if loader != "MethodNode" else {"func": "system", "obj": SYSTEM},
                        type="json",
                        shape=RUN,
                        file="x.npy",
                        attrs=RUN,
                        __reduce__={"args": RUN},
                    ),
                )
    yield "key type", mapped({"touch {marker}": text(1)}, [SYSTEM])
    yield "key type of ours", mapped({"touch {marker}": text(1)}, [node("TypeNode", "skrec.persistence", "os")])
    yield (
        "partial",
        node(
            "PartialNode",
            "functools",
            "partial",
            content={"func": SYSTEM, "args": RUN, "kwds": plain({}), "namespace": plain({})},
        ),
    )
    yield "operator", node("OperatorFuncNode", "operator", "methodcaller", attrs=RUN)
    yield (
        "default factory",
        node("DefaultDictNode", "collections", "defaultdict", content={"main": plain({}), "default_factory": SYSTEM}),
    )
    yield "called with a command", node("ConstructorFromReduceNode", "os", "system", content=RUN)
    yield "called by a prefix", node("ConstructorFromReduceNode", "scipy.stats", "os", content=RUN)
    yield "module of a distribution", node("ConstructorFromReduceNode", "scipy.stats.np", "save", content=RUN)
    yield (
        "distribution with code in its state",
        node(
            "ObjectNode",
            "scipy.stats._continuous_distns",
            "norm_gen",
            content=plain({"_parse_arg_template": "import os; os.system('touch {marker}')"}),
        ),
    )
    yield "function of ours", node("FunctionNode", "skrec.persistence", "save")
    yield (
        "class that is no estimator",
        node("ObjectNode", "skrec.utils._files", "replacing", content=plain({"path": "{marker}"})),
    )
    yield (
        "estimator with a transformer that calls",
        node(
            "ObjectNode",
            "sklearn.preprocessing._function_transformer",
            "FunctionTransformer",
            content=mapped({"func": SYSTEM}, [node("TypeNode", "builtins", "str")]),
        ),
    )


HARNESS = """
import json, os, sys
import skrec, skops.io, pandas, scipy.stats, sklearn.preprocessing, sklearn.metrics
from skrec.persistence import ModelFileError
from skrec.linear_model import EASE
{imports}
folder = sys.argv[1]
for warm in sys.argv[2:]:
    skrec.load(warm)
seen = []
def watch(event, arguments):
    if event in ("os.system", "subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "pty.spawn", "exec"):
        seen.append((event, repr(arguments)[:100]))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append((event, repr(arguments)[:100]))
failures = []
names = sorted(os.listdir(folder))
sys.addaudithook(watch)
for name in names:
    path = os.path.join(folder, name)
    try:
        skrec.load(path)
    except ModelFileError as error:
        if error.__cause__ is None and not any(word in str(error) for word in ("refused", "skrec.save", "format")):
            failures.append((name, "no cause: " + str(error)[:200]))
    except BaseException as error:
        failures.append((name, type(error).__name__ + ": " + str(error)[:200]))
    if seen:
        failures.append((name, str(seen)))
        seen.clear()
print(json.dumps(failures))
"""


def load_all(folder, *warm, imports=""):
    """Load every file of a folder in another process that watches for code being run and files being written."""
    code = HARNESS.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, folder, *warm], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_crafted_trees_of_every_kind_of_node_run_nothing(tmp_path):
    folder, marker = tmp_path / "files", tmp_path / "marker"
    folder.mkdir()
    warm = skrec.save(EASE(l2=1).fit(SHOP), tmp_path / "warm.skrec")
    kinds = set()
    for number, (name, tree) in enumerate(crafted()):
        kinds.add(tree["__loader__"])
        tree = json.loads(json.dumps(tree).replace("{marker}", str(marker)))
        write(folder / f"{number:04d} {name.replace('/', '_')}", tree, {"x.npy": b"\x93NUMPY"})
        write(folder / f"{number:04d} inside {name.replace('/', '_')}", listed(text(1), tree), {"x.npy": b"\x93NUMPY"})
    assert kinds >= {loader for loader, protocol in NODE_TYPE_MAPPING if protocol == PROTOCOL}
    assert load_all(str(folder), str(warm)) == []
    assert not marker.exists()


def test_a_crafted_file_is_never_loaded_without_an_error(tmp_path):
    for number, (_, tree) in enumerate(crafted()):
        if number % 7 == 0 or number > 600:
            with pytest.raises(ModelFileError):
                skrec.load(write(tmp_path / "m.skrec", tree, {"x.npy": b"\x93NUMPY"}))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a file with some change: bytes, members, or what its schema says."""
    how = rng.choice(["bytes", "bytes", "cut", "member", "swap", "schema", "schema", "schema", "header"])
    if how == "bytes":
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2, 8])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    if how == "cut":
        return data[: rng.randrange(len(data))]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if how == "member":
        name = rng.choice(sorted(members))
        members[name] = rng.choice(
            [b"", b"null", b"[]", b"{}", bytes(rng.randrange(256) for _ in range(64)), members[name][:-3]]
        )
    elif how == "swap":
        one, two = rng.sample(sorted(members), 2)
        members[one], members[two] = members[two], members[one]
    else:
        name = "schema.json" if how == "schema" else "skrec.json"
        tree = json.loads(members[name])
        places = []

        def collect(value):
            for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
                places.append((value, key))
                collect(value[key])

        collect(tree)
        for _ in range(rng.choice([1, 2, 3])):
            holder, key = rng.choice(places)
            other, its = rng.choice(places)
            names = [
                "os",
                "system",
                "FunctionNode",
                "MethodNode",
                "ReduceNode",
                "../x",
                "skrec.persistence",
                "builtins",
                "eval",
            ]
            holder[key] = rng.choice(
                [None, -1, 2**70, "", [], {}, 1.5, True, rng.choice(names), json.loads(json.dumps(other[its]))]
            )
        members[name] = json.dumps(tree).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return buffer.getvalue()


@pytest.mark.parametrize("n_mutations", [1200, pytest.param(20_000, marks=pytest.mark.slow)])
def test_mutated_files_run_nothing_and_fail_as_model_file_errors(tmp_path, n_mutations):
    folder = tmp_path / "files"
    folder.mkdir()
    rng = random.Random(0)
    saved = os.path.join(os.path.dirname(__file__), "data", "saved_0.1.0")
    names = ["ease", "item_knn", "blend", "search", "content", "behavior", "popularity_by", "two_stage", "session_knn"]
    originals = [Path(saved, f"{name}.skrec").read_bytes() for name in names]
    for number in range(n_mutations):
        (folder / f"{number:05d}").write_bytes(mutated(rng.choice(originals), rng))
    assert load_all(str(folder), *(os.path.join(saved, f"{name}.skrec") for name in names)) == []


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path):
    path = skrec.save(ItemKNN().fit(SHOP), tmp_path / "m.skrec")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = tmp_path / "bomb.skrec"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(name, (b" " * 200_000_000 if name == "schema.json" else b"") + data)
    with pytest.raises(ModelFileError, match=r"unpacks to .* more than"):
        skrec.load(bomb)
    with pytest.raises(ModelFileError, match="its header promises"):
        skrec.load(bomb, max_size=10**9)
    with pytest.raises(ModelFileError, match="max_size"):
        skrec.load(path, max_size=1000)


def test_very_regular_arrays_stay_loadable(tmp_path):
    model = ItemKNN().fit(SHOP)
    model.extra_ = np.zeros(30_000_000, dtype=np.float32)
    path = skrec.save(model, tmp_path / "m.skrec")
    with zipfile.ZipFile(path) as archive:
        assert sum(member.file_size for member in archive.infolist()) <= default_limit(path.stat().st_size)
    assert len(skrec.load(path).extra_) == 30_000_000


def test_arrays_that_claim_another_size_or_hold_objects_are_refused(tmp_path):
    def array(header):
        text_ = repr(header).encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + len(text_).to_bytes(2, "little") + text_

    tree = node("NdArrayNode", "numpy", "ndarray", type="numpy", file="x.npy")
    huge = array({"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with pytest.raises(ModelFileError, match="has not the size"):
        skrec.load(write(tmp_path / "m.skrec", tree, {"x.npy": huge + b"\0" * 80}))
    objects = array({"descr": "|O", "fortran_order": False, "shape": (1,)})
    with pytest.raises(ModelFileError, match="holds objects"):
        skrec.load(write(tmp_path / "m.skrec", tree, {"x.npy": objects + b"\0" * 8}))


def test_sparse_arrays_that_point_outside_of_themselves_are_refused(tmp_path):
    matrix = sp.csr_array(np.eye(3, dtype=np.float32))
    matrix.indices[:] = [0, 1, 2_000_000]
    buffer = io.BytesIO()
    sp.save_npz(buffer, matrix)
    tree = node("SparseMatrixNode", "scipy.sparse._csr", "csr_array", type="scipy", file="x.npz")
    with pytest.raises(ModelFileError, match="indices"):
        skrec.load(write(tmp_path / "m.skrec", tree, {"x.npz": buffer.getvalue()}))


def test_deep_trees_are_model_file_errors(tmp_path):
    with pytest.raises(ModelFileError):
        skrec.load(write(tmp_path / "m.skrec", '{"a":' * 100_000 + "1" + "}" * 100_000))
    body = json.dumps(text(1))
    for _ in range(5_000):
        body = '{"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [' + body + "]}"
    with pytest.raises(ModelFileError):
        skrec.load(write(tmp_path / "m.skrec", body))


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(tmp_path, compression):
    path = skrec.save(ItemKNN().fit(SHOP), tmp_path / "m.skrec")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelFileError, match="compressed in a way"):
        skrec.load(path)


def test_a_name_of_ours_is_trusted_only_where_it_is_on_the_list(tmp_path):
    tree = node("ObjectNode", "skrec.persistence", "ModelFileError", content=plain({}))
    with pytest.raises(ModelFileError, match="not trusted"):
        skrec.load(write(tmp_path / "m.skrec", tree))
    with pytest.raises(TypeError, match="trusted must be a sequence"):
        skrec.load(tmp_path / "m.skrec", trusted="skrec")


def keras_file(config, weights=None):
    import h5py

    buffer = io.BytesIO()
    if weights is None:
        inner = io.BytesIO()
        with h5py.File(inner, "w") as file:
            file["x"] = [1.0]
        weights = inner.getvalue()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


CONFIGS = {
    "function of a module": {"module": "os", "class_name": "system", "config": {}, "registered_name": "system"},
    "builtin": {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
    "lambda": {"module": "builtins", "class_name": "__lambda__", "config": {"value": "x"}},
    "Lambda layer": {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None},
    "file of words": {"module": "keras.layers", "class_name": "StringLookup", "config": {}, "registered_name": None},
    "saved model": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": "/"},
        "registered_name": None,
    },
    "file of Keras": {
        "module": "keras.utils",
        "class_name": "function",
        "config": "get_file",
        "registered_name": "get_file",
    },
    "ours in another module": {
        "module": "os",
        "class_name": "ItemTable",
        "config": {},
        "registered_name": "skrec>ItemTable",
    },
    "type": {
        "class_name": "__typespec__",
        "spec_name": "TensorSpec",
        "module": "os",
        "registered_name": None,
        "config": [],
    },
    "nested": {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"x": [{"class_name": "system", "module": "os"}]},
        "registered_name": None,
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_nets_are_made_of_known_parts_alone(name):
    pytest.importorskip("h5py")
    from skrec.utils._archive import RefusedArchive
    from skrec.utils._keras_archive import check_keras

    with pytest.raises(RefusedArchive, match="its net names"):
        check_keras(keras_file(CONFIGS[name]), frozenset({"skrec>ItemTable"}))


def test_weights_of_nets_stand_in_the_file():
    h5py = pytest.importorskip("h5py")
    from skrec.utils._archive import RefusedArchive
    from skrec.utils._keras_archive import check_keras

    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(RefusedArchive, match="link"):
        check_keras(keras_file({}, inner.getvalue()), frozenset())
    with pytest.raises(RefusedArchive, match="damaged"):
        check_keras(np.frombuffer(zlib.compress(b"x"), dtype=np.uint8), frozenset())


def test_the_crafted_file_of_a_net_is_refused_by_load(tmp_path):
    pytest.importorskip("tensorflow")
    saved = os.path.join(os.path.dirname(__file__), "data", "saved_0.1.0", "purchase.skrec")
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    evil = keras_file(CONFIGS["function of a module"])
    for name, data in members.items():
        if name.endswith(".npy") and np.load(io.BytesIO(data)).dtype == np.uint8:
            buffer = io.BytesIO()
            np.save(buffer, evil)
            members[name] = buffer.getvalue()
    with zipfile.ZipFile(tmp_path / "m.skrec", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelFileError, match=r"its net names os\.system"):
        skrec.load(tmp_path / "m.skrec")


def test_the_watching_process_sees_what_it_should(tmp_path):
    """The audit hook of the tests above is no dead check: it reports a process that is started."""
    (tmp_path / "x").write_bytes(b"")
    script = textwrap.dedent("""
        import skrec.persistence
        def load(path):
            os.system("true")
        skrec.load = load
    """)
    assert "os.system" in str(load_all(str(tmp_path), imports=script))
