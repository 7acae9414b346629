"""Work that is kept block by block until all of it is done, so that it can go on after an interruption."""

import contextlib
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib.hashing import NumpyHasher

from ..utils._files import is_at, replacing
from ..utils._histories import COLUMNS, is_frame, read_histories
from ..utils._row_blocks import BLOCK
from ..utils._time import logger


@contextlib.contextmanager
def unfinished(path: Path, mark: str, n_blocks: int) -> Iterator[tuple[list[Path], int]]:
    """Give the files of blocks beside a path, and how many are finished; they are removed when all went well.

    Parameters
    ----------
    path : pathlib.Path
        The file that the blocks will make.
    mark : str
        What tells this work from any other; see `fingerprint`.
    n_blocks : int
        Number of blocks.

    Raises
    ------
    BlockingIOError
        If another process is at work on the same path.
    FileExistsError
        If something else lies where the blocks would.
    """
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"path={str(path)!r}: there is no folder {path.absolute().parent}: make it first")
    folder = path.with_name(f"{path.name}.parts")
    with _alone(path.with_name(f".{path.name}.lock"), path):
        done = _resume(folder, {"mark": mark, "n_blocks": n_blocks})
        yield [folder / f"{number:06d}.parquet" for number in range(n_blocks)], done
        shutil.rmtree(folder)


@contextlib.contextmanager
def _alone(lock: Path, path: Path) -> Iterator[None]:
    """Hold a lock on a path; it goes with the process."""
    while True:
        with lock.open("a") as file:
            try:
                if sys.platform == "win32":
                    import msvcrt

                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                else:
                    import fcntl

                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                text = f"another process is writing {path}: wait for it, or choose another path"
                raise BlockingIOError(text) from error
            if not is_at(file, lock):  # a process that has ended meanwhile removed it
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    lock.unlink()
            return


def _resume(folder: Path, state: dict) -> int:
    """Make the folder of finished blocks, or return how many of it are finished already."""
    file = folder / "request.json"
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    n_blocks = state["n_blocks"]
    if before == state:
        done = next((n for n in range(n_blocks) if not (folder / f"{n:06d}.parquet").is_file()), n_blocks)
        if done:
            logger.warning("going on behind %d of %d blocks that are finished in %s", done, n_blocks, folder)
        return done
    if folder.exists():
        if before is None and any(folder.iterdir()):
            raise FileExistsError(f"{folder} would hold unfinished work, and is there already: remove or rename it")
        if any(folder.glob("*.parquet")):
            logger.warning("unfinished work in %s is of another model, log or request: it begins anew", folder)
        shutil.rmtree(folder)
    folder.mkdir()
    with replacing(file) as partial:
        Path(partial).write_text(json.dumps(state), encoding="utf-8")
    return 0


def fingerprint(model, X, users, *others) -> str:
    """Return a hash of a model, histories with all their columns, the ids of users (an Arrow array), and others."""
    from .. import __version__

    read, found = read_histories(X), hashlib.blake2b(digest_size=20)
    for array in (read.indptr, read.codes, read.time, read.weight, read.event_codes):
        if array is None:
            continue
        for start in range(0, len(array), BLOCK):
            found.update(np.ascontiguousarray(array[start : start + BLOCK]).data)
    features = [X[name] for name in X.columns if name not in COLUMNS] if is_frame(X) else []  # some models read them
    ids = [read.ids, read.event_ids, users.to_numpy(zero_copy_only=False), [one.to_numpy() for one in features]]
    found.update(_Hasher(hash_name="sha1").hash([model, ids, list(others), __version__]).encode())
    return found.hexdigest()


class _Hasher(NumpyHasher):
    """Hashes nets by their weights: the bytes of a Keras archive tell when it was made."""

    def save(self, obj):
        """Take what stands for an object in the hash."""
        if "net_" in getattr(obj, "__dict__", ()) and hasattr(obj.net_, "model_"):
            state = dict(obj.__getstate__())
            state["net_"] = obj.net_.model_.get_weights()
            obj = (type(obj).__qualname__, state)
        super().save(obj)
