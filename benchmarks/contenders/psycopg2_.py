"""psycopg2 (psycopg2-binary)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from queue import LifoQueue
from typing import Any

import psycopg2

from benchmarks.cases import rows, select
from benchmarks.contenders import contender

POINT = select.SQL.format(parameter="%s")


def _connect(url: str) -> Any:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return connection


def _asker(connection: Any) -> Callable[[int], Any]:
    def ask(key: int) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(POINT, (key,))
            return cursor.fetchone()

    return ask


@contender("select", "psycopg2 held", callers=range(1, 11))
def select_held(url: str, callers: int, _connections: int) -> Iterator[Any]:
    connections = [_connect(url) for _ in range(callers)]
    yield [_asker(connection) for connection in connections]
    for connection in connections:
        connection.close()


@contender("select", "psycopg2 pool", callers=range(11, 1_000_000))
def select_pool(url: str, callers: int, connections: int) -> Iterator[Any]:
    """A LifoQueue of connections: its own ThreadedConnectionPool raises an error where a caller would have to wait."""
    held = [_connect(url) for _ in range(connections)]
    askers: LifoQueue[Callable[[int], Any]] = LifoQueue()
    for connection in held:
        askers.put(_asker(connection))

    def ask(key: int) -> Any:
        asker = askers.get()
        try:
            return asker(key)
        finally:
            askers.put(asker)

    yield [ask] * callers
    for connection in held:
        connection.close()


@contender("rows", "psycopg2 tuples")
def rows_tuples(url: str) -> Iterator[Any]:
    with closing(_connect(url)) as connection:

        def fetch() -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(rows.SQL)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found

        yield fetch, "unpack"


@contender("startup", "psycopg2")
def startup(url: str) -> Iterator[Any]:
    def connect() -> Any:
        with closing(_connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("select 1")
            return cursor.fetchone()[0]

    yield "import psycopg2", connect
