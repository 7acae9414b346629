"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
import socket
import stat
import tempfile
import time
from pathlib import Path

_OLD = 86_400  # seconds after which the unfinished file of another machine counts as abandoned


class replacing:
    """A file beside `path` that takes its place when the block ends well, and is removed otherwise.

    Symbolic links are followed, and a file that is replaced hands its mode on. What is written is on the disk before
    it takes the place. Unfinished files that a process which is no more has left beside the same path are removed.

    Parameters
    ----------
    path : path-like
        Where the file is to be: a regular file, or nothing yet.

    Raises
    ------
    OSError
        If there is a folder, a device or a pipe, or no folder to hold the file. The null device takes what is written
        and keeps nothing.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(os.path.realpath(path))

    def __enter__(self) -> str:
        self._mode: int | None = None
        self._place: Path | None = self.path
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self.path)
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev:
                self._place = None
                handle, name = tempfile.mkstemp(suffix=".part")
                os.close(handle)
                self.partial = Path(name)
                return name
            if not stat.S_ISREG(status.st_mode):
                kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
                raise OSError(f"path must name a file, and {self.path} is {kind}: choose another path")
            self._mode = stat.S_IMODE(status.st_mode)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {self.path.parent}: make it first")
        self._remove_abandoned()
        self.partial = self.path.with_name(f"{self._prefix}{os.getpid()}.{secrets.token_hex(4)}.part")
        self.partial.touch(exist_ok=False)
        return str(self.partial)

    @property
    def _prefix(self) -> str:
        return f".{self.path.name}.{socket.gethostname()}."

    def __exit__(self, kind, value, traceback):
        try:
            if kind is None and self._place is not None:
                _sync(self.partial, os.O_RDWR)
                if self._mode is not None:
                    os.chmod(self.partial, self._mode)
                os.replace(self.partial, self.path)
                with contextlib.suppress(OSError):  # not every system lets a folder be opened
                    _sync(self.path.parent, os.O_RDONLY)
        finally:
            self.partial.unlink(missing_ok=True)

    def _remove_abandoned(self) -> None:
        for other in self.path.parent.glob(f".{_escaped(self.path.name)}.*.part"):
            rest = other.name.removeprefix(self._prefix)
            with contextlib.suppress(OSError):
                if rest != other.name:
                    owner = rest.split(".")[0]
                    abandoned = owner.isdigit() and not _is_alive(int(owner))
                else:
                    abandoned = time.time() - other.stat().st_mtime > _OLD
                if abandoned:
                    other.unlink()


def is_at(file, path: Path) -> bool:
    """Tell whether an open file is the one at a path, where another may have taken its place."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
