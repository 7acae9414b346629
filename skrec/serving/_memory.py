"""Memory that a replaced model leaves behind."""

import ctypes
from contextlib import suppress


def release() -> None:
    """Return freed memory to the operating system where the C library can (glibc): it keeps what lies between blocks.

    The interpreter lock is not held meanwhile.
    """
    with suppress(OSError, AttributeError, TypeError):  # another C library, or another system
        ctypes.CDLL(None).malloc_trim(0)
