"""A page of HTML in one file: everything escaped, nothing fetched."""

import base64
import hashlib
import io
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..utils._files import replacing

_FOLDER = Path(__file__).parent
_LEAST_CONTENTS = 3  # headings from which on a page has a list of them


def has_matplotlib() -> bool:
    """Whether the pictures of a page can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


@dataclass(frozen=True)
class Items:
    """A cell that is a list: pairs of a text and whether it is marked, and how many more there are."""

    texts: list[tuple[str, bool]]
    more: int = 0
    ordered: bool = False


class Page:
    """Collects the parts of a page; all text is escaped here and nowhere else."""

    def __init__(self, title: str):
        self.title = title
        self._parts: list[str] = []
        self._contents: list[str] = []
        self._scripted = False

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading; those of level 2 are listed at the top of the page."""
        mark = ""
        if level == 2:
            mark = f' id="part-{len(self._contents) + 1}"'
            self._contents.append(text)
        self._parts.append(f"<h{level}{mark}>{escape(text)}</h{level}>")

    def text(self, text: str, kind: str = "") -> None:
        """Add a paragraph."""
        self._parts.append(f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>")

    def box(self, sentences) -> None:
        """Add sentences that stand out, a paragraph each."""
        inside = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
        self._parts.append(f'<div class="conclusion">{inside}</div>')

    def table(self, header, rows, *, numbers=(), best: int | None = None, caption: str = "") -> None:
        """Add a table; `numbers` are the columns set flush right, `best` the row in bold.

        The first column holds the headings of the rows. Without a header it has two columns, which a small screen
        sets one below the other.
        """
        head = "".join(
            f'<th scope="col"{_kind(column in numbers)}>{escape(str(cell))}</th>' for column, cell in enumerate(header)
        )
        head = f"<thead><tr>{head}</tr></thead>" if header else ""
        body = "\n".join(
            f"<tr{' class=best' if number == best else ''}>{_cells(row, numbers)}</tr>"
            for number, row in enumerate(rows)
        )
        wide = _wide(caption or "Table") if header else '<div class="wide">'
        caption = f"<caption>{escape(caption)}</caption>" if caption else ""
        kind = "" if header else ' class="plain"'
        self._parts.append(f"{wide}<table{kind}>{caption}{head}<tbody>\n{body}\n</tbody></table></div>")

    def figure(self, figure, caption: str, description: str = "") -> None:
        """Add a matplotlib figure as an inline drawing; `description` is for those who cannot see it."""
        drawing = io.BytesIO()
        figure.savefig(drawing, format="svg", metadata={"Date": None, "Creator": None})
        alt = escape(description or caption)
        code = base64.b64encode(drawing.getvalue()).decode("ascii")
        self._parts.append(
            f'<figure>{_wide(caption)}<img src="data:image/svg+xml;base64,{code}" alt="{alt}"></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def search(self, data: str, labels: list[str], title: str, without: str) -> None:
        """Add two fields that search what `data` holds, JSON without ``<``, ``>`` and ``&``.

        Without JavaScript the text `without` stands in their place.
        """
        if set("<>&") & set(data):
            raise ValueError("data must be JSON without '<', '>' and '&'")
        number = sum('class="search"' in part for part in self._parts) + 1
        fields = "".join(
            f'<div><label for="search-{number}-{field}">{escape(label)}</label>'
            f'<input type="search" id="search-{number}-{field}" autocomplete="off" spellcheck="false">'
            '<p class="status note" role="status"></p><div class="results"></div></div>'
            for field, label in enumerate(labels)
        )
        self._parts.append(
            f'<div class="search" role="search" aria-label="{escape(title)}" hidden>{fields}'
            f'<script type="application/json">{data}</script></div>'
            f'<noscript><p class="note">{escape(without)}</p></noscript>'
        )
        self._scripted = True

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page; a crash leaves the old file or none."""
        look = f"\n{(_FOLDER / '_report.css').read_text(encoding='utf-8')}"
        script = f"\n{(_FOLDER / '_report.js').read_text(encoding='utf-8')}" if self._scripted else ""
        policy = f"default-src 'none'; img-src data:; style-src {_hash(look)}; base-uri 'none'; form-action 'none'"
        policy += f"; script-src {_hash(script)}" if script else ""
        contents = "".join(
            f'<li><a href="#part-{number}">{escape(text)}</a></li>' for number, text in enumerate(self._contents, 1)
        )
        if len(self._contents) < _LEAST_CONTENTS:
            contents = ""
        body = "\n".join(self._parts)
        text = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{look}</style>\n</head>\n<body>\n"
            f"<header>\n<h1>{escape(self.title)}</h1>\n</header>\n"
            + (f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n' if contents else "")
            + f"<main>\n{body}\n</main>\n"
            + (f"<script>{script}</script>\n" if script else "")
            + "</body>\n</html>\n"
        )
        path = Path(path)
        with replacing(path) as partial:
            Path(partial).write_text(text, encoding="utf-8", errors="xmlcharrefreplace", newline="\n")
        return path


def _wide(label: str) -> str:
    """Return the beginning of what may be wider than the screen, which the keyboard can move."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">'


def _kind(is_number: bool) -> str:
    return " class=number" if is_number else ""


def _cells(row, numbers) -> str:
    first, *others = row
    head = f'<th scope="row"{_kind(0 in numbers)}>{_cell(first)}</th>'
    return head + "".join(f"<td{_kind(column in numbers)}>{_cell(cell)}</td>" for column, cell in enumerate(others, 1))


def _cell(value) -> str:
    if not isinstance(value, Items):
        return escape(str(value))
    tag = "ol" if value.ordered else "ul"
    lines = "".join(
        f'<li class="hit">✓ {escape(text)}</li>' if marked else f"<li>{escape(text)}</li>"
        for text, marked in value.texts
    )
    lines += f'<li class="note">and {value.more:,} more</li>' if value.more else ""
    return f"<{tag}>{lines}</{tag}>"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
