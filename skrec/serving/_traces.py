"""Looks for texts in what the pages of an SQLite file hold beside their rows.

SQLite overwrites rows that are deleted, but not all copies of rows that moved to another page: they stay between the
places of a page's rows and the rows until others take the room. It runs as a process of its own: a process that closes
a file which SQLite has open in it loses SQLite's locks.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_TREES = {2: 12, 5: 12, 10: 8, 13: 8}  # first byte of a page of a tree: size of its header
_MOST_PAGES = 2**25  # beyond, another page may begin with such a byte: the number of the page that follows
_MOST_TEXTS = 2000  # looking for more takes longer than to rewrite the file
_PART = 4096  # pages at a time


def holds_any(path: Path, texts: Iterable[str]) -> bool:
    """Tell by another process whether the file may hold one of the texts; True where that cannot be found out.

    Parameters
    ----------
    path : Path
        The file; what its log holds is not looked at.
    texts : iterable of str
        The texts.

    Returns
    -------
    bool
        False only if none of them is there.
    """
    wanted = [text for text in texts if text]
    if not wanted:
        return False
    if len(wanted) > _MOST_TEXTS or not sys.executable:
        return True
    asked = json.dumps({"path": str(path), "texts": wanted}).encode()
    command = [sys.executable, "-I", "-S", __file__]
    try:
        answer = subprocess.run(command, input=asked, capture_output=True, timeout=600, check=False)
    except (OSError, subprocess.SubprocessError):
        return True
    return answer.stdout.strip() != b"none"


def remains(path: Path) -> Iterator[bytes]:
    """Yield what may be left of deleted rows: room between places and rows of each page, and pages of other kinds."""
    with path.open("rb") as file:
        head = file.read(100)
        if head[:16] != b"SQLite format 3\x00":
            raise ValueError(f"the file must be a database of SQLite: {path}")
        size = int.from_bytes(head[16:18], "big")
        size = 65_536 if size == 1 else size
        if path.stat().st_size // size > _MOST_PAGES:
            raise ValueError(f"the database must have at most {_MOST_PAGES:,} pages: {path}")
        file.seek(0)
        first = 100
        while part := file.read(_PART * size):
            for start in range(0, len(part), size):
                left = _remains_of(part[start : start + size], first).strip(b"\x00")
                first = 0
                if left:
                    yield left


def _remains_of(page: bytes, header: int) -> bytes:
    length = _TREES.get(page[header])
    if length is None:
        return page
    begin = header + length + 2 * int.from_bytes(page[header + 3 : header + 5], "big")
    rows = int.from_bytes(page[header + 5 : header + 7], "big") or 65_536
    return page[begin:rows]


def main() -> None:
    """Read a path and texts from standard input, and write "none" or "some"."""
    asked = json.load(sys.stdin)
    parts = {part for text in asked["texts"] for part in _parts(text.encode())}
    room = b"\x00".join(remains(Path(asked["path"])))
    print("some" if any(part in room for part in parts) else "none")


def _parts(text: bytes) -> list[bytes]:
    """Return what to look for: a copy may be overwritten at an end, and a long text goes on in another page."""
    cut = len(text) // 4 if len(text) >= 8 else 0
    return [text[cut : cut + 64], text[: min(len(text) - cut, 64)]]


if __name__ == "__main__":
    main()
