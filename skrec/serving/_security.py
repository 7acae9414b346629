"""Keys, roles and the rate limit."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from ._problems import Problem

ROLES = ("api", "admin")
_MOST_BUCKETS = 100_000


def make_key() -> str:
    """Return a new key: 256 random bits."""
    return f"skrec_{secrets.token_urlsafe(32)}"


def digest_of(key: str) -> str:
    """Return the SHA-256 digest that is stored; a key of 256 random bits needs no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class Caller(NamedTuple):
    """Who calls: the name of the key (or the address), and the role."""

    name: str
    role: str


class Gate:
    """Lets requests in by their key, and not more than the rate limit allows.

    Parameters
    ----------
    open_without_key : bool
        Whether requests need no key while there is none; only at loopback.
    rate_limit : float
        Requests a second of each caller; 0 sets no limit.
    """

    def __init__(self, open_without_key: bool, rate_limit: float = 0.0):
        self.open_without_key, self.rate = open_without_key, rate_limit
        self.keys: list[tuple[bytes, Caller]] = []
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, rows) -> None:
        """Take the keys of the store: rows with `name`, `role`, `digest`."""
        self.keys = [(row["digest"].encode(), Caller(row["name"], row["role"])) for row in rows]

    def caller(self, key: str | None, address: str) -> Caller:
        """Return who calls.

        Parameters
        ----------
        key : str or None
            What came in ``Authorization: Bearer`` or ``X-API-Key``.
        address : str
            Address of the client.

        Returns
        -------
        Caller
            Name and role.

        Raises
        ------
        Problem
            401 without a valid key, 429 above the rate limit.
        """
        keys = self.keys
        try:
            caller = Caller(address, "admin") if not keys and self.open_without_key else self._known(key, keys)
        except Problem:
            if self.rate:
                self._count(f"refused {address}")
            raise
        if self.rate:
            self._count(caller.name)
        return caller

    def _known(self, key: str | None, keys) -> Caller:
        found = None
        digest = digest_of(key or "").encode()
        for known, caller in keys:  # all of them, each in constant time
            if hmac.compare_digest(known, digest):
                found = caller
        if key is None or found is None:
            detail = "send a key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            raise Problem(401, detail if key is None else f"the key is not known: {detail}",
                          headers={"www-authenticate": "Bearer"})  # fmt: skip
        return found

    def _count(self, name: str) -> None:
        """Take a token from the bucket of a caller: as many as a second's requests, at least one."""
        moment, full = time.monotonic(), max(self.rate, 1.0)
        with self._lock:
            tokens, before = self._buckets.pop(name, (full, moment))
            tokens = min(full, tokens + (moment - before) * self.rate)
            self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, moment)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        if tokens < 1:
            wait = (1 - tokens) / self.rate
            raise Problem(429, f"more than {self.rate:g} requests a second: wait {wait:.1f} s",
                          headers={"retry-after": str(int(wait) + 1)})  # fmt: skip


def require_admin(caller: Caller) -> None:
    """Raise where the caller is no administrator."""
    if caller.role != "admin":
        raise Problem(403, "this needs the key of an administrator")
