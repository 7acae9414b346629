"""Finding and opening the files of a published data set, in a directory or a zip archive."""

import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path


class Files:
    """The files of a directory or a zip archive, by name, whatever folder inside it they lie in.

    Parameters
    ----------
    path : str or Path
        The directory, the archive, or one of the files.
    owner : str
        Where the data set is published, in words; ends the error messages.
    """

    def __init__(self, path, owner: str):
        self.path = Path(path).expanduser()
        self.owner = owner
        if self.path.is_dir():
            found = sorted(
                (p for pattern in ("*", "*/*") for p in self.path.glob(pattern) if p.is_file()), key=lambda p: p.parts
            )
            found.sort(key=lambda p: len(p.parts))
            self._places: dict[str, Path | str] = {p.name.lower(): p for p in reversed(found)}
        elif self.path.is_file() and zipfile.is_zipfile(self.path):
            with zipfile.ZipFile(self.path) as archive:
                self._places = {Path(name).name.lower(): name for name in archive.namelist() if not name.endswith("/")}
        elif self.path.is_file():
            raise ValueError(f"path={str(path)!r} is a file but not a zip archive: give the data set's folder or zip")
        else:
            raise ValueError(
                f"path={str(path)!r} does not exist: get the data from {owner}, and give its folder or zip"
            )

    def first(self, *names: str) -> str | None:
        """Return the first of the names that is there, None if there is none."""
        return next((name for name in names if name.lower() in self._places), None)

    def need(self, *names: str) -> str:
        """Return the first of the names that is there, or raise."""
        name = self.first(*names)
        if name is None:
            raise ValueError(f"{self.path} has no {' or '.join(names)}: get the data from {self.owner}")
        return name

    @contextmanager
    def open(self, name: str):
        """Open a file for reading bytes."""
        place = self._places[name.lower()]
        if isinstance(place, Path):
            with place.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(place) as file:
                yield file

    def read(self, name: str, reader: Callable, **options):
        """Read a file with a reader of pandas; say which file it was if that fails."""
        with self.open(name) as file:
            return checked(reader, file, self.path / name, **options)


def checked(reader: Callable, file, path, **options):
    """Call a reader of pandas and name the file if it fails."""
    try:
        return reader(file, **options)
    except (ValueError, KeyError, OSError, EOFError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ValueError(f"{path} is not in the published format ({reason}): get it again, unchanged") from error
