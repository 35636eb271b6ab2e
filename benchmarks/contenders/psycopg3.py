"""psycopg 3, with its C speed-ups (psycopg[binary]) and its own thresholds of preparing statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from benchmarks.cases import copy, rows, select, stream
from benchmarks.contenders import contender

POINT = select.SQL.format(parameter="%s")
HELD = range(1, 11)


@dataclass(slots=True)
class Slotted:
    id: int
    name: str
    created: datetime
    price: Decimal
    active: bool


def _value(connection: psycopg.Connection[Any], sql: Any) -> Any:
    [value] = connection.execute(sql).fetchone() or [None]
    return value


@contender("select", "psycopg 3 blocking held", callers=HELD)
def select_held(url: str, callers: int, _connections: int) -> Iterator[Any]:
    connections = [psycopg.connect(url, autocommit=True) for _ in range(callers)]
    yield [lambda key, c=connection: c.execute(POINT, (key,)).fetchone() for connection in connections]
    for connection in connections:
        connection.close()


@contender("select", "psycopg 3 asyncio held", callers=HELD)
async def select_async_held(url: str, callers: int, _connections: int) -> AsyncIterator[Any]:
    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(callers)]
    yield [_asker(connection) for connection in connections]
    for connection in connections:
        await connection.close()


def _asker(connection: psycopg.AsyncConnection[Any]) -> Callable[[int], Any]:
    async def ask(key: int) -> Any:
        return await (await connection.execute(POINT, (key,))).fetchone()

    return ask


@contender("rows", "psycopg 3 binary tuples")
def rows_tuples(url: str) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield lambda: connection.execute(rows.SQL, binary=True).fetchall(), "unpack"


@contender("rows", "psycopg 3 binary class_row")
def rows_objects(url: str) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True, row_factory=class_row(Slotted)) as connection:
        yield lambda: connection.execute(rows.SQL, binary=True).fetchall(), "attributes"


@contender("stream", "psycopg 3 server-side cursor")
def stream_cursor(url: str) -> Iterator[Any]:
    with psycopg.connect(url) as connection:

        def read() -> Iterator[Any]:
            with connection.cursor("streaming", binary=True) as cursor:
                cursor.itersize = stream.BATCH
                yield from cursor.execute(stream.SQL)

        yield read


@contender("copy", "psycopg 3 copy binary")
def copy_binary(url: str) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True) as connection:

        def load(source: Iterable[tuple[Any, ...]]) -> None:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"copy {copy.TABLE} from stdin (format binary)") as copying,
            ):
                copying.set_types(copy.TYPES)
                for row in source:
                    copying.write_row(row)

        yield load, lambda sql: _value(connection, sql)


@contender("startup", "psycopg 3 blocking")
def startup(url: str) -> Iterator[Any]:
    def connect() -> Any:
        with psycopg.connect(url, autocommit=True) as connection:
            return _value(connection, "select 1")

    yield "import psycopg", connect
