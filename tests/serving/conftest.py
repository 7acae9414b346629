"""Fixtures of the service's tests: databases that exist for one test, and the store on them."""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

BINARIES = Path("/usr/lib/postgresql/15/bin")


class Server:
    """A PostgreSQL server in a temporary folder, reached by a socket in it; it refuses to run as root."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="skrec-pg-"))  # in /tmp: the path of a socket is short
        self.user = "postgres" if os.geteuid() == 0 else None
        self.numbers = itertools.count()
        if self.user:
            shutil.chown(self.folder, self.user, self.user)
        self._run("initdb", "-D", "data", "-U", "skrec", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()

    def _run(self, program, *arguments, check=True):
        as_user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        return subprocess.run(
            [BINARIES / program, *arguments],
            cwd=self.folder,
            check=check,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            **as_user,
        )

    def start(self):
        """Start the server; without fsync, as the tests end processes and not the machine."""
        options = f"-k {self.folder} -h '' -F -c max_connections=50"
        self._run("pg_ctl", "-D", "data", "-w", "-t", "60", "-l", "log", "-o", options, "start")

    def stop(self):
        """Stop the server at once, as a crash does."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop", check=False)

    def url(self, database="postgres"):
        """Return the URL of a database."""
        return f"postgresql://skrec@/{database}?host={self.folder}"

    def new_url(self):
        """Make an empty database and return its URL."""
        import psycopg

        name = f"test{next(self.numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def drop(self, urls):
        """Remove databases, whoever uses them; each is some 300 files."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            for url in urls:
                name = url.split("?")[0].rpartition("/")[2]
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def remove(self):
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder)


def _new_server():
    """Start a server, or skip the test where there is none."""
    if not (BINARIES / "initdb").exists():
        pytest.skip(f"PostgreSQL 15 is not in {BINARIES}")
    if os.geteuid() == 0:
        import pwd

        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return Server()


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server for the whole session."""
    server = _new_server()
    yield server
    server.remove()


@pytest.fixture
def own_postgresql():
    """A PostgreSQL server for one test, which may stop and start it."""
    server = _new_server()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgresql_url(postgresql):
    """URL of one database of the session's server."""
    return postgresql.new_url()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request, tmp_path):
    """A function that makes an empty database and returns its URL, for both databases."""
    if request.param == "sqlite":
        numbers = itertools.count()
        yield lambda: f"sqlite:///{tmp_path}/{next(numbers)}/store.db"
        return
    server, urls = request.getfixturevalue("postgresql"), []

    def new():
        urls.append(server.new_url())
        return urls[-1]

    yield new
    server.drop(urls)


@pytest.fixture
def database_url(new_url):
    """URL of an empty database, for both databases."""
    return new_url()


@pytest.fixture
def store(database_url):
    """A started store on an empty database, for both databases."""
    from skrec.serving._store import open_store

    store = open_store(database_url)
    store.start()
    yield store
    store.close()
