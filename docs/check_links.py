"""Links: those between built pages, which the build checks, and those to other hosts.

Check the latter with ``python docs/check_links.py [FILE ...]``; offline it says so and ends.

Reads README.md, the pages and the docstrings. The exit code is 1 where a page is gone (404 or 410); hosts that refuse
scripts or do not answer are named.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
URL = re.compile(r"https?://[^\s<>\"'`|\])]+")
OWN = ("127.0.0.1", "localhost", "example.", "//shop")  # examples of addresses, not links
ALWAYS = "https://www.python.org/"


def find_links(paths):
    """Return the links, each with the files that have it."""
    links = {}
    for path in paths:
        for url in URL.findall(path.read_text()):
            url = url.rstrip(".,;:")
            if not any(own in url for own in OWN) and re.search(r"//[\w-]+(\.[\w-]+)+", url):
                links.setdefault(url, []).append(path.relative_to(ROOT).as_posix())
    return links


def broken_links(folder):
    """Return the links of built pages to files or places that do not exist, each as page and link."""
    pages = {page: page.read_text(encoding="utf-8") for page in folder.rglob("*.html") if "_static" not in page.parts}
    places = {page.resolve(): set(re.findall(r'\bid="([^"]+)"', text)) for page, text in pages.items()}
    broken = []
    for page, text in pages.items():
        for link in set(re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text)):
            path, _, place = unquote(link).partition("#")
            if re.match(r"\w+:|//", link) or link == "#":
                continue
            target = (page.parent / path.partition("?")[0]).resolve() if path else page.resolve()
            if not target.exists() or (place and place not in places.get(target, {place})):
                broken.append(f"{page.relative_to(folder)} links to {link}")
    return broken


def status(url):
    """Return the HTTP status, or what failed."""
    try:
        with urlopen(Request(url, headers={"User-Agent": "Mozilla/5.0"}), timeout=20) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except (URLError, OSError) as error:
        return str(getattr(error, "reason", error))


def main():
    """Print what is not well, and return the exit code."""
    if not isinstance(status(ALWAYS), int):
        print("offline: no links checked")
        return 0
    sources = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "skrec").rglob("*.py")]
    links = find_links([Path(name).resolve() for name in sys.argv[1:]] or sources)
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(links, pool.map(status, links), strict=True))
    for url, answer in found.items():
        if answer != 200:
            print(answer, url, *links[url])
    print(f"{len(links)} links")
    return int(any(answer in (404, 410) for answer in found.values()))


if __name__ == "__main__":
    sys.exit(main())
