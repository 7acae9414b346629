"""The documentation's code: prompts run and give what the page says, other Python blocks are valid."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.exists()]
FENCE = re.compile(r"^(`{3,})[ ]*(\w+)[^\n]*\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
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
