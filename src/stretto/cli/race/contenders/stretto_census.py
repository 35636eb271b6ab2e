"""stretto in the census: its four runtimes with the statements of everybody, and COPY."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from stretto import AsyncDatabase, Database
from stretto.cli.race.contenders import contender
from stretto.cli.race.workloads import records
from stretto.cli.race.workloads.census import Crew, Load, Worker

BOTH = ("asyncio", "uvloop")


@contender("census", "stretto gevent", gevent=True)
@contender("census", "stretto threads")
def blocking(url: str, workers: int, connections: int) -> Iterator[Any]:
    with Database(url, connections=connections) as db:
        yield Crew([Worker(db.execute, db.fetch)] * workers, db.fetchval, numbered=True)


@contender("census", "stretto asyncio", loops=BOTH)
async def asynchronous(url: str, workers: int, connections: int) -> AsyncIterator[Any]:
    async with AsyncDatabase(url, connections=connections) as db:
        yield Crew([Worker(db.execute, db.fetch)] * workers, db.fetchval, numbered=True)


@contender("census", "stretto run()", loops=BOTH)
async def in_run(url: str, workers: int, connections: int) -> AsyncIterator[Any]:
    async with AsyncDatabase(url, connections=connections) as db:
        yield Crew([Worker(db.execute, db.fetch)] * workers, db.fetchval, numbered=True, run=db.run)


@contender("census", "stretto copy_in of rows")
def copy_rows(url: str, _workers: int, connections: int) -> Iterator[Any]:
    """The keys are read, the rows generated, and copied as they come."""
    with Database(url, connections=connections) as db:

        def lines(source: Iterable[records.Line]) -> None:
            places: dict[str, int] = dict(db.fetch(records.numbered(records.SELECT_PLACES), records.FILE, into=tuple))
            select = records.numbered(records.SELECT_ITEMS)
            items = {n: [row[0] for row in db.fetch(select, n)] for n in records.ALL_SEGMENTS}
            db.copy_in("data_element", records.elements(source, places, items), columns=records.ELEMENT_COLUMNS)

        yield Load(lambda source: db.copy_in("geo_record", source, columns=records.GEO_COLUMNS), lines, db.fetchval)


@contender("census", "stretto copy_in of rows, asyncio")
async def copy_rows_async(url: str, _workers: int, connections: int) -> AsyncIterator[Any]:
    async with AsyncDatabase(url, connections=connections) as db:

        async def lines(source: Iterable[records.Line]) -> None:
            places: dict[str, int] = dict(
                await db.fetch(records.numbered(records.SELECT_PLACES), records.FILE, into=tuple)
            )
            select = records.numbered(records.SELECT_ITEMS)
            items = {n: [row[0] for row in await db.fetch(select, n)] for n in records.ALL_SEGMENTS}
            await db.copy_in("data_element", records.elements(source, places, items), columns=records.ELEMENT_COLUMNS)

        yield Load(lambda source: db.copy_in("geo_record", source, columns=records.GEO_COLUMNS), lines, db.fetchval)


@contender("census", "stretto copy_in of lines")
def copy_lines(url: str, _workers: int, connections: int) -> Iterator[Any]:
    """The lines are copied as they are, into a temporary table, and one statement makes rows of them."""
    with Database(url, connections=connections) as db:

        def lines(source: Iterable[records.Line]) -> None:
            with db.transaction():
                db.execute(records.CREATE_LINES)
                db.copy_in("census_line", source)
                db.execute(records.SPREAD_LINES)

        yield Load(lambda source: db.copy_in("geo_record", source, columns=records.GEO_COLUMNS), lines, db.fetchval)
