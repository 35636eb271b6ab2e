"""psycopg2 (psycopg2-binary)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any

import psycopg2

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import select

POINT = select.SQL.format(parameter="%s")


def connect(url: str) -> Any:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return connection


def fetchrow(connection: Any, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


@contender("select", "psycopg2 held", callers=range(1, 11))
def select_held(url: str, callers: int, _connections: int) -> Iterator[Any]:
    connections = [connect(url) for _ in range(callers)]
    yield [lambda key, c=connection: fetchrow(c, POINT, (key,)) for connection in connections]
    for connection in connections:
        connection.close()


@contextmanager
def pool(url: str, size: int) -> Iterator[Callable[[Callable[[Any], Any]], Any]]:
    """A LifoQueue of connections: its own ThreadedConnectionPool raises an error where a caller would have to wait."""
    connections: LifoQueue[Any] = LifoQueue()
    held = [connect(url) for _ in range(size)]
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
        yield [lambda key: use(lambda connection: fetchrow(connection, POINT, (key,)))] * callers
