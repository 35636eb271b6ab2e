"""The drivers of the demo's race, each used as its own manual says, on one connection that is held.

All do the same: read flights into the demo's dataclass, pick single flights by their key, and COPY flights in. A driver
that is not installed is left out.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any, Protocol

from stretto import AsyncConnection, AsyncDatabase, Database
from stretto.cli.flights import TABLES, FlightRow

COPY_TABLE = "flight_copy"
COPY_COLUMNS = next(table.columns for table in TABLES if table.name == "flight")
MAKE_COPY_TABLE = f"drop table if exists {COPY_TABLE}; create table {COPY_TABLE} (like flight including identity)"
DROP_COPY_TABLE = f"drop table if exists {COPY_TABLE}"
EMPTY_COPY_TABLE = f"truncate {COPY_TABLE}"

# $1 and %s are the only differences.
_MANY = "select * from flight where id <= {}"
_ONE = "select * from flight where id = {}"
_COPY = f"copy {COPY_TABLE} ({', '.join(COPY_COLUMNS)}) from stdin"

Rows = Sequence[tuple[Any, ...]]
_Fetch = Callable[[int], Coroutine[Any, Any, FlightRow]]


class Contender(Protocol):
    """One driver in the race. Each method does its work to the end."""

    name: str
    style: str

    def many(self, count: int) -> list[FlightRow]:
        """Read the first ``count`` flights as objects."""

    def one_by_one(self, ids: Sequence[int]) -> list[FlightRow]:
        """Read flights by their ids, each by a statement of its own, each after the answer to the one before."""

    def copy_rows(self, rows: Rows) -> None:
        """COPY Python's tuples into the table."""

    def copy_csv(self, csv: bytes) -> None:
        """COPY lines of CSV into the table."""


def _found(flight: FlightRow | None) -> FlightRow:
    if flight is None:
        raise LookupError("a flight that was there is gone")
    return flight


class Stretto:
    """stretto in blocking code."""

    style = "blocking"

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.name = "stretto"
        self._db = stack.enter_context(stack.enter_context(Database(url)).connection())

    def many(self, count: int) -> list[FlightRow]:
        return self._db.fetch(_MANY.format("$1"), count, into=FlightRow)

    def one_by_one(self, ids: Sequence[int]) -> list[FlightRow]:
        sql = _ONE.format("$1")
        return [_found(self._db.fetchrow(sql, each, into=FlightRow)) for each in ids]

    def copy_rows(self, rows: Rows) -> None:
        self._db.copy_in(COPY_TABLE, rows, columns=COPY_COLUMNS)

    def copy_csv(self, csv: bytes) -> None:
        self._db.copy_in(COPY_TABLE, csv, columns=COPY_COLUMNS, format="csv")


class Psycopg:
    """psycopg 3 in blocking code: binary results, statements prepared by itself after the fifth time."""

    style = "blocking"

    def __init__(self, url: str, stack: ExitStack) -> None:
        import psycopg
        from psycopg.rows import class_row

        self.name = f"psycopg {importlib.metadata.version('psycopg')}"
        self._connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        self._cursor = stack.enter_context(self._connection.cursor(binary=True, row_factory=class_row(FlightRow)))

    def many(self, count: int) -> list[FlightRow]:
        return self._cursor.execute(_MANY.format("%s"), (count,)).fetchall()

    def one_by_one(self, ids: Sequence[int]) -> list[FlightRow]:
        sql = _ONE.format("%s")
        return [_found(self._cursor.execute(sql, (each,)).fetchone()) for each in ids]

    def copy_rows(self, rows: Rows) -> None:
        with self._cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)

    def copy_csv(self, csv: bytes) -> None:
        with self._cursor.copy(f"{_COPY} (format csv)") as copy:
            copy.write(csv)


class _OnLoop:
    """What asyncio's contenders share: the loop that each operation runs on."""

    style = "asyncio"

    def __init__(self, runner: asyncio.Runner) -> None:
        self._run = runner.run

    def _one_by_one(
        self, fetch: Callable[[int], Coroutine[Any, Any, FlightRow]], ids: Sequence[int]
    ) -> list[FlightRow]:
        async def run() -> list[FlightRow]:
            return [await fetch(each) for each in ids]

        return self._run(run())


class AsyncStretto(_OnLoop):
    """stretto on asyncio."""

    def __init__(self, url: str, stack: ExitStack, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.name = "stretto"
        held = AsyncExitStack()
        stack.callback(lambda: runner.run(held.aclose()))
        self._db = runner.run(self._reserve(url, held))

    async def _reserve(self, url: str, held: AsyncExitStack) -> AsyncConnection:
        db = await held.enter_async_context(AsyncDatabase(url))
        return await held.enter_async_context(db.connection())

    def many(self, count: int) -> list[FlightRow]:
        return self._run(self._db.fetch(_MANY.format("$1"), count, into=FlightRow))

    def one_by_one(self, ids: Sequence[int]) -> list[FlightRow]:
        sql = _ONE.format("$1")

        async def fetch(each: int) -> FlightRow:
            return _found(await self._db.fetchrow(sql, each, into=FlightRow))

        return self._one_by_one(fetch, ids)

    def copy_rows(self, rows: Rows) -> None:
        self._run(self._db.copy_in(COPY_TABLE, rows, columns=COPY_COLUMNS))

    def copy_csv(self, csv: bytes) -> None:
        self._run(self._db.copy_in(COPY_TABLE, csv, columns=COPY_COLUMNS, format="csv"))


class Asyncpg(_OnLoop):
    """asyncpg on asyncio; it has Records only, so the objects are made of them."""

    def __init__(self, url: str, stack: ExitStack, runner: asyncio.Runner) -> None:
        import asyncpg  # type: ignore[import-untyped]  # it has no py.typed

        super().__init__(runner)
        self.name = f"asyncpg {importlib.metadata.version('asyncpg')}"
        self._connection: Any = runner.run(asyncpg.connect(url))
        stack.callback(lambda: runner.run(self._connection.close()))

    def many(self, count: int) -> list[FlightRow]:
        async def run() -> list[FlightRow]:
            return [FlightRow(*record) for record in await self._connection.fetch(_MANY.format("$1"), count)]

        return self._run(run())

    def one_by_one(self, ids: Sequence[int]) -> list[FlightRow]:
        sql = _ONE.format("$1")

        async def fetch(each: int) -> FlightRow:
            return FlightRow(*await self._connection.fetchrow(sql, each))

        return self._one_by_one(fetch, ids)

    def copy_rows(self, rows: Rows) -> None:
        self._run(self._connection.copy_records_to_table(COPY_TABLE, records=rows, columns=COPY_COLUMNS))

    def copy_csv(self, csv: bytes) -> None:
        from io import BytesIO

        options = {"columns": COPY_COLUMNS, "format": "csv"}
        self._run(self._connection.copy_to_table(COPY_TABLE, source=BytesIO(csv), **options))


@contextmanager
def contenders(url: str) -> Iterator[tuple[list[Contender], list[str]]]:
    """Connect all of them and close them at the end; gives them, and the names of those that are not installed."""
    missing = []
    with asyncio.Runner() as runner, ExitStack() as stack:
        entered: list[Contender] = [Stretto(url, stack), AsyncStretto(url, stack, runner)]
        peers: dict[str, Callable[[], Contender]] = {
            "psycopg": lambda: Psycopg(url, stack),
            "asyncpg": lambda: Asyncpg(url, stack, runner),
        }
        for name, enter in peers.items():
            try:
                entered.append(enter())
            except ImportError:
                missing.append(name)
        yield entered, missing
