"""Files that appear whole or not at all."""

import os
import tempfile
from pathlib import Path


class replacing:
    """A temporary path beside `path` that takes its place when the block ends well, and is removed otherwise."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> str:
        handle, self.partial = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
        os.close(handle)
        return self.partial

    def __exit__(self, kind, value, traceback):
        if kind is None:
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(self.partial, 0o666 & ~umask)
            os.replace(self.partial, self.path)
        else:
            os.unlink(self.partial)
