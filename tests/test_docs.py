"""The documentation's code: prompts run and give what the page says, other Python blocks are valid."""

import doctest
import importlib
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.exists()]
FENCE = re.compile(r"^(`{3,})[ ]*(\w+)[^\n]*\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r"\{(?:class|func|meth|mod|attr|obj)\}`(?:[^`<]*<)?[~!]?([\w.]+)>?`")
TERM = re.compile(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def _blocks(text, *languages):
    """Yield the first line number, counted from 0, and the code of each fenced block in one of the languages."""
    for match in FENCE.finditer(text):
        if match[2] in languages:
            yield text.count("\n", 0, match.start(3)), match[3]


def _page_id(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_prompts_give_what_the_page_says(page):
    """All blocks of a page share their variables, as a reader's session does."""
    examples = []
    for start, code in _blocks(page.read_text(), "pycon", "python"):
        for example in doctest.DocTestParser().get_examples(code, _page_id(page)):
            example.lineno += start
            examples.append(example)
    test = doctest.DocTest(examples, {"__name__": "__main__"}, _page_id(page), str(page), 0, None)
    report = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_other_python_blocks_are_valid(page):
    """Blocks without prompts compile, and what they import from skrec exists."""
    for start, code in _blocks(page.read_text(), "python"):
        if ">>>" in code:
            continue
        compile("\n" * start + code, _page_id(page), "exec")
        for module, names in re.findall(r"^from (skrec[\w.]*) import ([\w, ]+)$", code, re.MULTILINE):
            loaded = importlib.import_module(module)
            missing = [name for name in names.replace(" ", "").split(",") if not hasattr(loaded, name)]
            assert not missing, f"{_page_id(page)}, line {start + 1}: {module} has no {missing}"


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_links_between_pages_lead_somewhere(page):
    """Relative links point at a file of the repository; generated pages are the documentation build's to check."""
    text = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not re.match(r"\w+:", target) and not re.search(r"(auto_examples|api)/", target):
            assert (page.parent / target).exists(), f"{_page_id(page)} links to {target}, which does not exist"


def _resolve(path):
    """Return the object of a dotted path: the longest module, then its attributes."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            found = getattr(found, name)
        return found
    raise AttributeError(path)


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_names_in_roles_exist(page):
    """Sphinx prints a name that it does not find as text, without a warning."""
    for path in set(ROLE.findall(page.read_text())):
        try:
            _resolve(path)
        except AttributeError:
            pytest.fail(f"{_page_id(page)} names {path}, which does not exist")


def test_terms_are_in_the_glossary():
    glossary = ROOT / "docs" / "user_guide" / "glossary.md"
    blocks = re.findall(r"^```\{glossary\}\n(.*?)^```", glossary.read_text(), re.MULTILINE | re.DOTALL)
    terms = [line.lower() for block in blocks for line in block.splitlines() if line and not line.startswith(" ")]
    assert len(terms) == len(set(terms)) >= 40
    for page in PAGES:
        unknown = {term for term in TERM.findall(page.read_text()) if term.lower() not in terms}
        assert not unknown, f"{_page_id(page)} uses {sorted(unknown)}, which the glossary lacks"


@pytest.fixture
def models_table(monkeypatch):
    pytest.importorskip("numpydoc", reason="numpydoc is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    yield runpy.run_path(str(ROOT / "docs" / "models_table.py"))
    for name in ("public_api", "models_table", "guide_links"):
        sys.modules.pop(name, None)


def test_tables_of_all_models_are_up_to_date(models_table):
    page = ROOT / "docs" / "user_guide" / "models.md"
    assert models_table["page_text"](page.read_text()) == page.read_text(), "run `python docs/models_table.py`"


def test_guide_has_a_page_for_every_public_name(models_table):
    links = importlib.import_module("guide_links")
    names = importlib.import_module("public_api").public_names()
    pages = links.guide_pages()
    missing = [f"{module}.{name}" for module in names for name in names[module] if f"{module}.{name}" not in pages]
    assert not missing, f"{missing} have no page, or none that exists: see docs/guide_links.py"
    listed = {f"skrec.{module}.{name}" for module, named in links.PAGES.items() for name in named if name}
    assert listed <= set(pages), "docs/guide_links.py lists names that are not public"
    assert links.with_guide_link(["", "Sum.", "", "More."], "data")[1:4] == [
        "Sum.",
        "",
        "Read more in the guide: :doc:`/user_guide/data`.",
    ]


def test_pictures_of_the_home_page_load_nothing():
    for name in ("home.svg", "home_narrow.svg"):
        picture = (ROOT / "docs" / "_static" / name).read_text()
        assert "<script" not in picture and not re.search(r"(?:href|src)=", picture)
        assert "&" not in re.sub(r"&(?:amp|lt|gt|quot|#x27);", "", picture), "product names are escaped"
