"""A page of HTML in one file: everything escaped, nothing fetched."""

import base64
import io
import os
from html import escape
from pathlib import Path

from ..utils._files import replacing

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62rem; margin: 2rem auto;
       padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .3rem; }
p { margin: .4rem 0; max-width: 48rem; } .lead { color: #555; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .55rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #888; font-weight: 600; }
.number { text-align: right; } td.number, td:first-child { white-space: nowrap; }
tr.best td { font-weight: 600; background: #eef5fa; }
figure { margin: .8rem 0; } img { max-width: 100%; height: auto; } figcaption { color: #555; max-width: 48rem; }
code { background: #f3f3f3; padding: .1rem .3rem; border-radius: 3px; }
""".strip()


def has_matplotlib() -> bool:
    """Whether the pictures of a page can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


class Page:
    """Collects the parts of a page; all text is escaped here and nowhere else."""

    def __init__(self, title: str):
        self.title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading."""
        self._parts.append(f"<h{level}>{escape(text)}</h{level}>")

    def text(self, text: str, kind: str = "") -> None:
        """Add a paragraph."""
        self._parts.append(f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>")

    def table(self, header, rows, *, numbers=(), best: int | None = None) -> None:
        """Add a table; `numbers` are the columns set flush right, `best` the row in bold."""

        def cells(tag, row):
            return "".join(
                f"<{tag}{' class=number' if column in numbers else ''}>{escape(str(cell))}</{tag}>"
                for column, cell in enumerate(row)
            )

        head = f"<thead><tr>{cells('th', header)}</tr></thead>" if header else ""
        body = "\n".join(
            f"<tr{' class=best' if number == best else ''}>{cells('td', row)}</tr>" for number, row in enumerate(rows)
        )
        self._parts.append(f'<div class="wide"><table>{head}<tbody>\n{body}\n</tbody></table></div>')

    def figure(self, figure, caption: str) -> None:
        """Add a matplotlib figure as an inline drawing."""
        drawing = io.BytesIO()
        figure.savefig(drawing, format="svg", metadata={"Date": None, "Creator": None})
        code = base64.b64encode(drawing.getvalue()).decode("ascii")
        self._parts.append(
            f'<figure><img src="data:image/svg+xml;base64,{code}" alt="{escape(caption)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page; a crash leaves the old file or none."""
        body = "\n".join(self._parts)
        text = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n{body}\n"
            "</body>\n</html>\n"
        )
        path = Path(path)
        with replacing(path) as partial:
            Path(partial).write_text(text, encoding="utf-8", errors="xmlcharrefreplace")
        return path
