"""Configuration of the documentation: ``sphinx-build -W -b html docs docs/_build/html``."""

import re
import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError

import skrec

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from check_links import broken_links  # noqa: E402
from guide_links import guide_pages, with_guide_link  # noqa: E402
from public_api import api_pages  # noqa: E402

project = "skrec"
author = "The skrec developers"
copyright = "The skrec developers, MIT licence"
version = release = skrec.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_includes", "api/backreferences", "examples", "templates"]
templates_path = ["templates"]
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "  # prompts are not copied, nor is the output below them
copybutton_prompt_is_regexp = True

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "doc_module": ("skrec",),
    "backreferences_dir": "api/backreferences",
    "filename_pattern": "/plot_",
    "subsection_order": [
        f"examples/{section}" for section in ("from_a_log", "models", "quality", "live", "large", "other_libraries")
    ],
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "min_reported_time": 10,
    "plot_gallery": "True",
}

html_math_renderer = "mathml"  # registered in setup: formulas become MathML at build time, and no script is loaded
html_theme = "pydata_sphinx_theme"
html_title = "skrec"
html_static_path = ["_static"]
html_css_files = ["skrec.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "getting_started": []}


_GUIDE = guide_pages()


def _write_api_pages():
    """Write the sources of the API reference; a page that did not change keeps its date."""
    folder = DOCS / "api"
    folder.mkdir(exist_ok=True)
    pages = api_pages()
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _skip_foreign(app, what, name, obj, skip, options):
    """Leave out the methods that scikit-learn defines."""
    module = getattr(obj, "__module__", None) or ""
    return True if callable(obj) and not module.startswith("skrec") else None


def _link_guide(app, what, name, obj, options, lines):
    """Add a link to the page of the guide that says most about a public class or function."""
    if name in _GUIDE:
        lines[:] = with_guide_link(lines, _GUIDE[name])


def _escape_initials(app, what, name, obj, options, lines):
    """Keep "H. Steck" in a list of references from becoming item H of an enumeration."""
    lines[:] = [re.sub(r"^(\s*(?:\.\. \[[^\]]+\] )?[A-Z])\. (?=[A-Z])", r"\1\\. ", line) for line in lines]


def _inline_math(self, node):
    """Write an inline formula as MathML."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _display_math(self, node):
    """Write a formula of its own line as MathML."""
    self.body.append(self.starttag(node, "div", CLASS="math") + convert(node.astext(), display="block") + "</div>\n")
    raise nodes.SkipNode


def _check_offline(app, exception):
    """Fail the build if a page loads a script, a style sheet, a font or a picture from another host."""
    if exception or app.builder.format != "html":
        return
    loads = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")
    for page in Path(app.outdir).rglob("*.html"):
        found = loads.search(page.read_text(encoding="utf-8"))
        if found:
            raise ExtensionError(f"{page.name} loads from another host: {found[0]}")


def _check_links(app, exception):
    """Fail the build if a page links to a page, a file or a place in a page that does not exist."""
    if not exception and app.builder.format == "html" and (broken := broken_links(Path(app.outdir))):
        raise ExtensionError("\n".join(["broken links:", *broken]))


def setup(app):
    """Connect the above to the build."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_display_math, None))
    app.connect("build-finished", _check_offline)
    app.connect("build-finished", _check_links)
    app.connect("autodoc-skip-member", _skip_foreign)
    app.connect("autodoc-process-docstring", _escape_initials, priority=600)  # after numpydoc
    app.connect("autodoc-process-docstring", _link_guide, priority=601)


_write_api_pages()
