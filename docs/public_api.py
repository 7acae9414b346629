"""What the library offers: the list from which the API reference is made, and which the tests read."""

import importlib
import inspect
import pkgutil

import skrec

# modules that are not subpackages with an `__all__`; None takes what the module defines
_MODULES = {
    "base": None,
    "dummy": None,
    "large.spark": None,
    "persistence": None,
    "recipes": None,
}


def public_names() -> dict[str, list[str]]:
    """Return the public names of each public module, by the name of the module."""
    names = {}
    for info in pkgutil.iter_modules(skrec.__path__):
        if info.ispkg and not info.name.startswith("_"):
            module = importlib.import_module(f"skrec.{info.name}")
            if getattr(module, "__all__", ()):
                names[module.__name__] = sorted(module.__all__)
    for name, members in _MODULES.items():
        module = importlib.import_module(f"skrec.{name}")
        names[module.__name__] = sorted(members or _defined_in(module))
    return dict(sorted(names.items()))


def _defined_in(module) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]


def api_pages() -> dict[str, str]:
    """Return the text of the API pages, by file name: one per module, and an index."""
    modules = public_names()
    pages = {"index.rst": _index(modules)}
    for name, members in modules.items():
        pages[f"{name}.rst"] = _page(name, members)
    return pages


def _index(modules: dict[str, list[str]]) -> str:
    lines = [
        *_heading("API reference"),
        "Every public class and function, by module. The methods that scikit-learn gives to all estimators",
        "(``get_params``, ``set_params``, ``set_output``, ``fit_transform``, metadata routing) are not repeated here.",
        "",
        ".. toctree::",
        "   :hidden:",
        "",
        *[f"   {name}" for name in modules],
        "",
    ]
    for name, members in modules.items():
        lines += [f".. rubric:: :doc:`{name}`", "", _summary(name), ""]
        lines += [".. autosummary::", "   :nosignatures:", ""]
        lines += [*[f"   ~{name}.{member}" for member in members], ""]
    return "\n".join(lines)


def _page(name: str, members: list[str]) -> str:
    module = importlib.import_module(name)
    classes = [member for member in members if inspect.isclass(getattr(module, member))]
    functions = [member for member in members if member not in classes]
    lines = [*_heading(name), f".. module:: {name}", "", _summary(name), ""]
    for title, part in (("Classes", classes), ("Functions", functions)):
        if part:
            lines += [f".. rubric:: {title}", "", ".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
            lines += [*[f"   {member}" for member in part], ""]
    return "\n".join(lines)


def _heading(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _summary(name: str) -> str:
    return inspect.getdoc(importlib.import_module(name)).split("\n\n")[0].replace("\n", " ")
