"""psycopg2 (psycopg2-binary)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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


def _fetchrow(connection: Any, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


@contender("select", "psycopg2 held", callers=range(1, 11))
def select_held(url: str, callers: int, _connections: int) -> Iterator[Any]:
    connections = [_connect(url) for _ in range(callers)]
    yield [lambda key, c=connection: _fetchrow(c, POINT, (key,)) for connection in connections]
    for connection in connections:
        connection.close()


@contextmanager
def pool(url: str, size: int) -> Iterator[Callable[[Callable[[Any], Any]], Any]]:
    """A LifoQueue of connections: its own ThreadedConnectionPool raises an error where a caller would have to wait."""
    connections: LifoQueue[Any] = LifoQueue()
    held = [_connect(url) for _ in range(size)]
    for connection in held:
        connections.put(connection)

    def use(work: Callable[[Any], Any]) -> Any:
        connection = connections.get()
        try:
            return work(connection)
        finally:
            connections.put(connection)

    yield use
    for connection in held:
        connection.close()


@contender("select", "psycopg2 pool", callers=range(11, 1000))
def select_pool(url: str, callers: int, connections: int) -> Iterator[Any]:
    with pool(url, min(callers, connections)) as use:
        yield [lambda key: use(lambda connection: _fetchrow(connection, POINT, (key,)))] * callers


@contender("writes", "psycopg2 pool")
def writes_pool(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    sql = sql.format(key="%(key)s", note="%(note)s")

    def write(connection: Any, row: tuple[int, str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, {"key": row[0], "note": row[1]})

    with pool(url, min(callers, connections)) as use:
        yield (
            [lambda row: use(lambda connection: write(connection, row))] * callers,
            lambda query: use(lambda connection: _fetchrow(connection, query)[0]),
        )


@contender("transaction", "psycopg2 pool")
def transaction_pool(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    """`with connection` is its transaction."""
    sql = sql.format(parameter="%s")

    def ask(connection: Any, key: int) -> Any:
        connection.autocommit = False
        with connection:
            return _fetchrow(connection, sql, (key,))

    with pool(url, min(callers, connections)) as use:
        yield [lambda key: use(lambda connection: ask(connection, key))] * callers


@contender("memory", "psycopg2")
def memory(url: str, _count: int) -> Iterator[Any]:
    held: list[Any] = []

    def grow(more: int) -> None:
        for _ in range(more):
            held.append(_connect(url))
            _fetchrow(held[-1], POINT, (1,))

    yield grow, lambda sql: _fetchrow(held[0], sql)[0]
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
