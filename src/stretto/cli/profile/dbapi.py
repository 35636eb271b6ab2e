"""Any DB-API module (PEP 249) by its name, as it comes: its own defaults, one connection that is held, one cursor."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

from stretto.cli import urls
from stretto.cli.profile.drivers import PID, statement
from stretto.cli.profile.meter import Meter, server_process
from stretto.cli.profile.parts import Slice
from stretto.cli.profile.work import Tables, Values, Work
from stretto.errors import ConfigError, printable

Mark = Callable[[int], str]
_MARKS: dict[str, Mark] = {
    "qmark": lambda number: "?",
    "numeric": lambda number: f":{number}",
    "named": lambda number: f":p{number}",
    "format": lambda number: "%s",
    "pyformat": lambda number: "%s",  # all of them take it with a sequence, too
}
_BY_URL = ("psycopg2", "psycopg")  # their connect() takes libpq's URLs
_INSIDE = {"pg8000": "pg8000.dbapi"}  # packages whose DB-API module is not the package itself
_DISTRIBUTIONS = {"psycopg2": ("psycopg2-binary", "psycopg2")}


def imported(name: str) -> ModuleType:
    """The module. Raises ConfigError where it is not there, or is not one of the DB-API."""
    try:
        module = importlib.import_module(_INSIDE.get(name, name))
    except ImportError as error:
        raise ConfigError(f"the module {name!r} can't be imported: {error}") from None
    if not callable(getattr(module, "connect", None)) or getattr(module, "paramstyle", None) not in _MARKS:
        raise ConfigError(f"{name!r} is not a DB-API module: it has no connect() and paramstyle as PEP 249 says")
    return module


class Module:
    """A DB-API module with a connection and a cursor. ``commits``: each call is followed by a commit()."""

    style = "blocking"

    def __init__(self, name: str, module: ModuleType, connection: Any, scheme: str) -> None:
        self.name = f"{name} {_version(name)}".rstrip()
        self.commits = not _autocommit(connection)
        self._module, self._connection = module, connection
        self._cursor = connection.cursor()
        self._mark = _MARKS[module.paramstyle]
        self._pid = server_process(self._one(PID)) if scheme in ("postgresql", "postgres") else None

    def run(self, work: Work, kind: str, calls: int) -> Slice:
        """See `Driver`."""
        call = self._call(work, kind)
        meter = Meter(self._pid)
        for _ in range(calls):
            call()
        return meter.read(calls)

    def trips(self, calls: int) -> Slice:
        """Measure ``select 1``, the least that this module can ask."""
        execute, fetchall = self._cursor.execute, self._cursor.fetchall
        meter = Meter(self._pid)
        for _ in range(calls):
            execute("select 1")
            fetchall()
        return meter.read(calls)

    def prepare(self, tables: Tables) -> None:
        """Make the tables and fill them."""
        for sql in (*tables.dropped(), *tables.made()):
            self._cursor.execute(sql)
        insert, rows = tables.filling()
        self._cursor.executemany(insert.format(*map(self._mark, range(1, 6))), [self._given(row) for row in rows])
        self._connection.commit()

    def drop(self, tables: Tables) -> None:
        """Drop the tables."""
        for sql in tables.dropped():
            self._cursor.execute(sql)
        self._connection.commit()

    def _call(self, work: Work, kind: str) -> Callable[[], object]:
        sql, values = statement(work, kind, self._mark)
        execute, fetchall, commit = self._cursor.execute, self._cursor.fetchall, self._connection.commit
        given = (self._given(values),) if values else ()

        def call() -> None:
            execute(sql, *given)
            if work.missing:
                fetchall()
            if self.commits:
                commit()

        return call

    def _given(self, values: Values) -> Any:
        if self._module.paramstyle == "named":
            return {f"p{number}": value for number, value in enumerate(values, 1)}
        return values

    def _one(self, sql: str) -> int:
        self._cursor.execute(sql)
        return int(self._cursor.fetchone()[0])


@contextmanager
def connected(name: str, url: str) -> Iterator[Module]:
    """The module, connected to the database of a URL. Raises ConfigError with what the module says where it can't."""
    module = imported(name)
    try:
        urlsplit(url)
    except ValueError:  # its text may have the password
        raise ConfigError(f"what is given for {name} is no URL; in a password [ is %5B, ] is %5D") from None
    try:
        connection = module.connect(*_arguments(name, url), **_keywords(name, url))
    except (module.Error, OSError, TypeError) as error:
        raise ConfigError(f"{name} can't connect: {_said(error, url)}") from None
    try:
        yield Module(name, module, connection, urlsplit(url).scheme)
    except module.Error as error:
        raise ConfigError(f"{name} failed: {_said(error, url)}") from None
    finally:
        with suppress(module.Error):
            connection.close()


def _said(error: Exception, url: str) -> str:
    """The first line of what a module says, without the password."""
    first = (str(error).splitlines() or [""])[0] or type(error).__name__
    return urls.without_password(printable(first), url)


def _arguments(name: str, url: str) -> Sequence[str]:
    if name in _BY_URL:
        return [url]
    return [unquote(urlsplit(url).path)] if _is_file(url) else []


def _keywords(name: str, url: str) -> dict[str, Any]:
    """The keywords that PEP 249 recommends, for a module that takes no URL."""
    if name in _BY_URL or _is_file(url):
        return {}
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"the port in the URL for {name} is not a number") from None
    given = {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username or "") or None,
        "password": unquote(parts.password or "") or None,
        "database": unquote(parts.path.lstrip("/")) or None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _is_file(url: str) -> bool:
    return not urlsplit(url).netloc


def _autocommit(connection: Any) -> bool:
    """Let each statement be a transaction of its own, by one of the ways that modules have; False: it knows none."""
    if callable(getattr(connection, "autocommit", None)):
        connection.autocommit(True)
    elif hasattr(connection, "isolation_level") and type(connection).__module__ == "sqlite3":
        connection.isolation_level = None
    elif hasattr(connection, "autocommit"):
        connection.autocommit = True
    else:
        return False
    return True


def _version(name: str) -> str:
    for distribution in _DISTRIBUTIONS.get(name, (name,)):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(distribution)
    return ""
