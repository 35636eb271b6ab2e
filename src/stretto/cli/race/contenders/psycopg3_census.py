"""psycopg 3 in the census: statement by statement on threads and asyncio, and COPY by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack
from operator import attrgetter
from typing import Any

import psycopg

from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import records
from stretto.cli.race.workloads.census import Crew, Load, Worker

GEO_TYPES = ("text", "text", "text", "text", "text", "int4", "int8", "float8", "float8")
ELEMENT_TYPES = ("int4", "int4", "int4")
LINE_TYPES = ("text", "text", "int4", "int4[]")


def _worker(cursor: psycopg.Cursor[Any]) -> Worker:
    def fetch(sql: Any, *parameters: Any) -> list[Any]:
        return cursor.execute(sql, parameters).fetchall()

    return Worker(lambda sql, *parameters: cursor.execute(sql, parameters), fetch)


def _worker_async(cursor: psycopg.AsyncCursor[Any]) -> Worker:
    async def fetch(sql: Any, *parameters: Any) -> list[Any]:
        return await (await cursor.execute(sql, parameters)).fetchall()

    return Worker(lambda sql, *parameters: cursor.execute(sql, parameters), fetch)


def _value(connection: psycopg.Connection[Any], sql: Any) -> Any:
    [value] = connection.execute(sql).fetchone() or [None]
    return value


@contender("census", "psycopg 3 threads")
def threads(url: str, workers: int, _connections: int) -> Iterator[Any]:
    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(workers)]
        yield Crew([_worker(each.cursor()) for each in connections], lambda sql: _value(connections[0], sql))


@contender("census", "psycopg 3 asyncio")
async def tasks(url: str, workers: int, _connections: int) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(await psycopg.AsyncConnection.connect(url, autocommit=True))
            for _ in range(workers)
        ]

        async def value(sql: Any) -> Any:
            [found] = await (await connections[0].execute(sql)).fetchone() or [None]
            return found

        yield Crew([_worker_async(each.cursor()) for each in connections], value)


def _copy(
    connection: Any, table: str, columns: tuple[str, ...], types: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    sql = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(sql) as copying:
        copying.set_types(types)
        for row in rows:
            copying.write_row(row)


def _places(connection: Any, source: Iterable[tuple[Any, ...]]) -> None:
    _copy(connection, "geo_record", records.GEO_COLUMNS, GEO_TYPES, source)


@contender("census", "psycopg 3 COPY of rows")
def copy_rows(url: str, _workers: int, _connections: int) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True) as connection:

        def lines(source: Iterable[records.Line]) -> None:
            places: dict[str, int] = dict(connection.execute(records.SELECT_PLACES, (records.FILE,)).fetchall())
            items = {n: [r[0] for r in connection.execute(records.SELECT_ITEMS, (n,))] for n in records.ALL_SEGMENTS}
            rows = records.elements(source, places, items)
            _copy(connection, "data_element", records.ELEMENT_COLUMNS, ELEMENT_TYPES, rows)

        yield Load(lambda source: _places(connection, source), lines, lambda sql: _value(connection, sql))


@contender("census", "psycopg 3 COPY of lines")
def copy_lines(url: str, _workers: int, _connections: int) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True) as connection:

        def lines(source: Iterable[records.Line]) -> None:
            with connection.transaction():
                connection.execute(records.CREATE_LINES)
                copied = map(attrgetter(*records.LINE_COLUMNS), source)
                _copy(connection, "census_line", records.LINE_COLUMNS, LINE_TYPES, copied)
                connection.execute(records.SPREAD_LINES)

        yield Load(lambda source: _places(connection, source), lines, lambda sql: _value(connection, sql))
