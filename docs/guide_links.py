"""Links from the pages of the API to the user guide: the page that says most about a name."""

import re
from pathlib import Path

from models_table import FACTS

GUIDE = Path(__file__).parent / "user_guide"
_OVERVIEWS = {"index", "models", "glossary", "faq", "how_we_measure"}
_LINK = re.compile(r"`~?skrec\.[\w.]*?(\w+)`|`(\w+)[`(]")


def guide_pages() -> dict[str, str]:
    """Return the name of the guide's page of each name that the guide mentions, without the overviews.

    A model has the page that `FACTS` names; any other name the page that mentions it most, the first by name of equal
    ones.
    """
    counts: dict[str, dict[str, int]] = {}
    for path in sorted(GUIDE.glob("*.md")):
        if path.stem not in _OVERVIEWS:
            for match in _LINK.finditer(path.read_text()):
                name = match[1] or match[2]
                counts.setdefault(name, {}).setdefault(path.stem, 0)
                counts[name][path.stem] += 1
    pages = {name: max(found, key=found.__getitem__) for name, found in counts.items()}
    return pages | {name: facts[0][0] for name, facts in FACTS.items()}


def with_guide_link(lines: list[str], page: str) -> list[str]:
    """Return the lines of a docstring with a link to the guide behind the summary."""
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    end = next((number for number in range(start, len(lines)) if not lines[number].strip()), len(lines))
    return [*lines[:end], "", f"Read more in the guide: :doc:`/user_guide/{page}`.", *lines[end:]]
