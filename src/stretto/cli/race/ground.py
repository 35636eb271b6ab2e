"""Where a race is run: a database of its own on a server, what that server says of itself, and who is connected."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from stretto import Database, embedded
from stretto.cli import urls
from stretto.errors import ConfigError, Error

SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "max_connections")
_OF_OUR_OWN = {"shared_buffers": "256MB", "max_connections": "200", "max_wal_size": "4GB"}
_EVERY = 0.05  # seconds between two looks at the connections
_OPEN = "select count(*)::int from pg_stat_activity where datname = $1 and backend_type = 'client backend'"


@dataclass(frozen=True)
class Ground:
    """A database for one race.

    Attributes:
        url: of the database, which nobody else uses.
        server_url: of another database there, from which one can look on.
        database: its name.
        settings: the server's version, and how it is set up.
    """

    url: str = field(repr=False)  # it may have a password
    server_url: str = field(repr=False)
    database: str
    settings: dict[str, str]


@contextmanager
def existing(url: str, prefix: str = "stretto_race") -> Iterator[Ground]:
    """A database of a server that runs already; it is dropped at the end.

    Raises:
        ConfigError: it is not a URL, which is the one form that all drivers read, or it leads to another database.
    """
    name = f"{prefix}_{os.getpid()}"
    own = urls.in_database(url, name)
    with Database(url) as db:
        db.execute(f"create database {name}")
        try:
            ground = Ground(own, url, name, settings(db))
            with Database(own, connections=1) as there:
                check(there, ground)
            yield ground
        finally:
            db.execute(f"drop database {name} with (force)")


@contextmanager
def of_our_own() -> Iterator[Ground]:
    """A new server, durable, whose data is gone at the end."""
    with embedded.start(durable=True, settings=_OF_OUR_OWN) as server:
        socket = quote(str(server.socket_directory), safe="")
        with existing(f"postgresql://postgres@/postgres?host={socket}&port={server.port}") as ground:
            yield ground


def check(db: Database, ground: Ground) -> None:
    """Before anything is made or dropped there: that this is the race's database, and nobody else's.

    Raises:
        ConfigError: it is another.
    """
    found = db.fetchval("select current_database()")
    if found != ground.database:
        raise ConfigError(f"the URL leads to the database {found!r}, and not to {ground.database!r}, made for this run")


def settings(db: Database) -> dict[str, str]:
    """The server's version, and how it is set up."""
    shown = {name: str(db.fetchval(f"show {name}")) for name in SETTINGS}
    return {"version": str(db.fetchval("show server_version")), **shown}


class Lookout:
    """Looks on while a race is run: how many connections its database has, twenty times a second.

    A context manager; `hear` gets the seconds of the monotonic clock, and the number.
    """

    def __init__(self, ground: Ground, hear: Callable[[float, int], None]) -> None:
        self._ground = ground
        self._hear = hear
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        try:
            with Database(self._ground.server_url, connections=1) as db:
                while not self._ended.wait(_EVERY):
                    number = db.fetchval(_OPEN, self._ground.database)
                    self._hear(time.monotonic(), int(number))
        except Error:  # the server is away: the contenders will say so
            return
