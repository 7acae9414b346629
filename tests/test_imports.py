"""The layers of the package: no module imports from a layer above its own, and imports form no cycle.

The source is parsed, so that imports inside functions count too.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import skrec

ROOT = Path(skrec.__file__).parent
LAYERS = (
    {"utils", "metrics"},
    {"feature_extraction"},
    {"base", "_recency", "_similar_items", "_updates", "datasets"},
    {"dummy", "neighbors", "linear_model", "decomposition", "neural_network"},
    {"ensemble"},
    {"recipes", "advice", "inspection", "model_selection", "persistence"},
    {"large"},
    {"serving", "testing"},
    {"cli"},
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def _modules(root):
    names = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def _imports(name, path, modules):
    """Return the modules of the package that a module imports, anywhere in its source."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return {module for module in found if module in modules and module not in ("skrec", name)}


MODULES = _modules(ROOT)
IMPORTS = {(name, target) for name, path in MODULES.items() for target in _imports(name, path, MODULES)}


def _package(module):
    return module.split(".")[1]


def _cycle(edges):
    graph = {}
    for source, target in edges:
        graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_package_has_a_layer():
    packages = {_package(module) for module in MODULES if module != "skrec"}
    assert not packages - set(LAYER), "add the new package to LAYERS"


def test_no_import_from_a_higher_layer():
    upward = {edge for edge in IMPORTS if edge[0] != "skrec" and LAYER[_package(edge[0])] < LAYER[_package(edge[1])]}
    assert not upward, "these modules import from a layer above their own"


def test_packages_form_no_cycle():
    between = {edge for edge in IMPORTS if edge[0] != "skrec" and _package(edge[0]) != _package(edge[1])}
    assert not _cycle((_package(a), _package(b)) for a, b in between)


def test_modules_form_no_cycle():
    assert not _cycle(edge for edge in IMPORTS if edge[0] != "skrec")


def test_the_reader_sees_every_kind_of_import(tmp_path):
    for path, text in {
        "skrec/__init__.py": "",
        "skrec/low/__init__.py": "from ._a import f",
        "skrec/low/_a.py": "from . import _b\ndef f():\n    from ..high._c import g\n    import skrec.high",
        "skrec/low/_b.py": "import importlib\nimportlib.import_module('skrec.high._c')\nfrom skrec.high import _c",
        "skrec/high/__init__.py": "import numpy",
        "skrec/high/_c.py": "from skrec import low",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    modules = _modules(tmp_path / "skrec")
    found = {name: _imports(name, path, modules) for name, path in modules.items()}
    assert found == {
        "skrec": set(),
        "skrec.low": {"skrec.low._a"},
        "skrec.low._a": {"skrec.low._b", "skrec.high._c", "skrec.high"},
        "skrec.low._b": {"skrec.high._c"},
        "skrec.high": set(),
        "skrec.high._c": {"skrec.low"},
    }
    assert _cycle((a, b) for a, targets in found.items() for b in targets)
