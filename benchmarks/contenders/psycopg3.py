"""psycopg 3, with its C speed-ups (psycopg[binary]) and its own thresholds of preparing statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from benchmarks.cases import copy, rows, stream
from benchmarks.contenders import contender
from stretto.cli.race.contenders.psycopg3 import POINT


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


@contender("memory", "psycopg 3 blocking")
def memory(url: str, _count: int) -> Iterator[Any]:
    held: list[psycopg.Connection[Any]] = []

    def grow(more: int) -> None:
        for _ in range(more):
            held.append(psycopg.connect(url, autocommit=True))
            held[-1].execute(POINT, (1,)).fetchone()

    yield grow, lambda sql: _value(held[0], sql)
    for connection in held:
        connection.close()


@contender("memory", "psycopg 3 asyncio")
async def memory_async(url: str, _count: int) -> AsyncIterator[Any]:
    held: list[psycopg.AsyncConnection[Any]] = []

    async def grow(more: int) -> None:
        for _ in range(more):
            held.append(await psycopg.AsyncConnection.connect(url, autocommit=True))
            await (await held[-1].execute(POINT, (1,))).fetchone()

    async def value(sql: Any) -> Any:
        [found] = await (await held[0].execute(sql)).fetchone() or [None]
        return found

    yield grow, value
    for connection in held:
        await connection.close()
