"""psycopg2 (psycopg2-binary)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from benchmarks.cases import rows
from benchmarks.contenders import contender
from stretto.cli.race.contenders.psycopg2_ import POINT, connect, fetchrow, pool


@contender("writes", "psycopg2 pool")
def writes_pool(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    sql = sql.format(key="%(key)s", note="%(note)s")

    def write(connection: Any, row: tuple[int, str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, {"key": row[0], "note": row[1]})

    with pool(url, min(callers, connections)) as use:
        yield (
            [lambda row: use(lambda connection: write(connection, row))] * callers,
            lambda query: use(lambda connection: fetchrow(connection, query)[0]),
        )


@contender("transaction", "psycopg2 pool")
def transaction_pool(url: str, callers: int, connections: int, sql: str) -> Iterator[Any]:
    """`with connection` is its transaction."""
    sql = sql.format(parameter="%s")

    def ask(connection: Any, key: int) -> Any:
        connection.autocommit = False
        with connection:
            return fetchrow(connection, sql, (key,))

    with pool(url, min(callers, connections)) as use:
        yield [lambda key: use(lambda connection: ask(connection, key))] * callers


@contender("memory", "psycopg2")
def memory(url: str, _count: int) -> Iterator[Any]:
    held: list[Any] = []

    def grow(more: int) -> None:
        for _ in range(more):
            held.append(connect(url))
            fetchrow(held[-1], POINT, (1,))

    yield grow, lambda sql: fetchrow(held[0], sql)[0]
    for connection in held:
        connection.close()


@contender("rows", "psycopg2 tuples")
def rows_tuples(url: str) -> Iterator[Any]:
    with closing(connect(url)) as connection:

        def fetch() -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(rows.SQL)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found

        yield fetch, "unpack"


@contender("startup", "psycopg2")
def startup(url: str) -> Iterator[Any]:
    def ask() -> Any:
        with closing(connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("select 1")
            return cursor.fetchone()[0]

    yield "import psycopg2", ask
