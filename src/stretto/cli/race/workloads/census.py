"""The census: two phases of a bulk load, one statement at a time by many workers, or by COPY; `records` has the data.

The first phase inserts a geographic record for each place. The second takes the lines of a file, and for each selects
its record's key, joins the keys of its items, and inserts each of its values; every statement is its own commit, since
aiopg knows no other. Workers take the next record as soon as they are free.

A contender takes ``(url, workers, connections)`` and yields a `Crew` (one worker's verbs for each) or a `Load`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from stretto.cli.race.contenders import Contender
from stretto.cli.race.meter import Meter
from stretto.cli.race.subject import call, expect, opened
from stretto.cli.race.workloads import Entry, Sizes, Workload, records


class Worker(NamedTuple):
    """``execute(sql, *parameters)`` is for what returns nothing, ``fetch`` for what gives rows."""

    execute: Callable[..., Any]
    fetch: Callable[..., Any]


@dataclass(frozen=True)
class Crew:
    """Statement by statement. `numbered`: the driver wants $1, not %s. `run`: starts a blocking worker on asyncio."""

    workers: Sequence[Worker]
    value: Callable[[str], Any]
    numbered: bool = False
    run: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Load:
    """A whole phase in one call: `places` takes records in the order of GEO_COLUMNS, `lines` takes lines."""

    places: Callable[[Iterable[tuple[Any, ...]]], Any]
    lines: Callable[[Iterable[records.Line]], Any]
    value: Callable[[str], Any]


class Statements(NamedTuple):
    insert_geo: str
    select_geo: str
    select_items: str
    insert_element: str


_STATEMENTS = Statements(records.INSERT_GEO, records.SELECT_GEO, records.SELECT_ITEMS, records.INSERT_ELEMENT)
_NUMBERED = Statements(*map(records.numbered, _STATEMENTS))


def setup(db: Any, _sizes: object) -> None:
    db.execute(records.TABLES)


async def run(contender: Contender, url: str, sizes: Sizes, meter: Meter) -> None:
    asynchronous, places = contender.asynchronous, sizes.places
    async with opened(contender, url, sizes.callers, sizes.connections) as subject:
        await call(subject.value, records.START)
        await all_of(WARM, subject, asynchronous, sizes.callers * 10)
        await all_of(PLACES, subject, asynchronous, places)
        await call(subject.value, records.ANALYZE)
        count = places * records.SEGMENTS
        with meter.counting(records.PER_LINE * (count if isinstance(subject, Load) else 1)):
            lines = await all_of(LINES, subject, asynchronous, count, sizes.seconds, meter.waits)
        await check(subject.value, places, lines)


async def check(value: Callable[[str], Any], places: int, lines: int) -> None:
    """Raise WrongAnswer unless exactly so many records and lines are stored, each value on its place."""
    expect(await call(value, records.STORED), records.stored(places, lines), "counts and sums of what is stored")


class Phase(NamedTuple):
    """What is done with one number, in blocking code and in a task, and how a `Load` does all of them."""

    block: Callable[[Worker, Statements, int], None]
    task: Callable[[Worker, Statements, int], Any]
    load: Callable[[Load, int], Any]


async def all_of(
    phase: Phase,
    subject: Any,
    asynchronous: bool,
    count: int,
    seconds: float = math.inf,
    waits: Callable[[], list[float]] = list,
) -> int:
    """Do the numbers below `count`, or as many as a crew does in `seconds`; return how many these are.

    `waits` gives each worker the list to which it appends how long each number took, and a `Load` that for all of them.
    """
    if isinstance(subject, Load):
        begun = time.perf_counter()
        await call(phase.load, subject, count)
        waits().append(time.perf_counter() - begun)
        return count
    work = _Work(subject, phase, count, seconds, waits)
    done: int = await call(_in_tasks if asynchronous else _in_threads, work)
    return done


class _Work:
    """A phase that a crew has begun: whoever is free takes the next number and finishes it, one at least for each."""

    def __init__(self, crew: Crew, phase: Phase, count: int, seconds: float, waits: Callable[[], list[float]]) -> None:
        self.crew, self._phase, self._waits = crew, phase, waits
        self._waiting = iter(range(count))  # threads may share it
        self._statements = _NUMBERED if crew.numbered else _STATEMENTS
        self._stop = time.perf_counter() + seconds

    def _numbers(self) -> Iterator[int]:
        waits, clock = self._waits(), time.perf_counter
        now = clock()
        for number in self._waiting:
            before = now
            yield number
            now = clock()
            waits.append(now - before)
            if now >= self._stop:
                return

    def block(self, worker: Worker) -> int:
        done, work, statements = 0, self._phase.block, self._statements
        for number in self._numbers():
            work(worker, statements, number)
            done += 1
        return done

    def block_with(self, db: Any) -> int:
        return self.block(Worker(db.execute, db.fetch))

    async def task(self, worker: Worker) -> int:
        done, work, statements = 0, self._phase.task, self._statements
        for number in self._numbers():
            await work(worker, statements, number)
            done += 1
        return done


def _in_threads(work: _Work) -> int:
    with ThreadPoolExecutor(len(work.crew.workers)) as pool:
        return sum(pool.map(work.block, work.crew.workers))


async def _in_tasks(work: _Work) -> int:
    crew, run = work.crew, work.crew.run
    if run is None:
        return sum(await asyncio.gather(*map(work.task, crew.workers)))
    return sum(await asyncio.gather(*(run(work.block_with) for _ in crew.workers)))


def _insert_place(worker: Worker, sql: Statements, number: int) -> None:
    worker.execute(sql.insert_geo, *records.geo(number))


async def _insert_place_async(worker: Worker, sql: Statements, number: int) -> None:
    await worker.execute(sql.insert_geo, *records.geo(number))


def _insert_line(worker: Worker, sql: Statements, number: int) -> None:
    line = records.line(number)
    [[place]] = worker.fetch(sql.select_geo, line.fileid, line.logrecno)
    for item, value in zip(worker.fetch(sql.select_items, line.segment_id), line.items, strict=True):
        worker.execute(sql.insert_element, place, item[0], value)


async def _insert_line_async(worker: Worker, sql: Statements, number: int) -> None:
    line = records.line(number)
    [[place]] = await worker.fetch(sql.select_geo, line.fileid, line.logrecno)
    for item, value in zip(await worker.fetch(sql.select_items, line.segment_id), line.items, strict=True):
        await worker.execute(sql.insert_element, place, item[0], value)


def _warm(worker: Worker, sql: Statements, _number: int) -> None:
    worker.fetch(sql.select_items, 1)


async def _warm_async(worker: Worker, sql: Statements, _number: int) -> None:
    await worker.fetch(sql.select_items, 1)


def _load_places(load: Load, count: int) -> Any:
    return load.places(map(records.geo, range(count)))


def _load_lines(load: Load, count: int) -> Any:
    return load.lines(map(records.line, range(count)))


WARM = Phase(_warm, _warm_async, lambda _load, _count: None)  # a pool opens its connections
PLACES = Phase(_insert_place, _insert_place_async, _load_places)
LINES = Phase(_insert_line, _insert_line_async, _load_lines)

_BY_COPY = "COPY of rows"

WORKLOAD = Workload(
    name="census",
    title="Census load",
    about=lambda sizes: (
        f"{sizes.callers} workers take lines of a file: for each a select, a join and {records.PER_LINE} inserts, each "
        f"its own commit, of {sizes.places * records.PER_PLACE:,} elements as many as they do in {sizes.seconds:g} s; "
        "and all of them by COPY; the records of the places were inserted before"
    ),
    unit="elements",
    limit="seconds",
    waiting="a line, or by COPY all of them",
    setup=setup,
    run=run,
    entries=(
        Entry("stretto", "threads", "stretto_census", "stretto threads"),
        Entry("stretto", "gevent", "stretto_census", "stretto gevent"),
        Entry("stretto", "asyncio", "stretto_census", "stretto asyncio"),
        Entry("stretto", "uvloop", "stretto_census", "stretto asyncio + uvloop"),
        Entry("stretto", "asyncio", "stretto_census", "stretto run()", "run()"),
        Entry("stretto", "blocking", "stretto_census", "stretto copy_in of rows", "copy_in()"),
        Entry("stretto", "asyncio", "stretto_census", "stretto copy_in of rows, asyncio", "copy_in()"),
        Entry("asyncpg", "asyncio", "asyncpg_census", "asyncpg"),
        Entry("asyncpg", "asyncio", "asyncpg_census", "asyncpg, pool", "pool"),
        Entry("asyncpg", "uvloop", "asyncpg_census", "asyncpg, pool + uvloop", "pool"),
        Entry("asyncpg", "asyncio", "asyncpg_census", f"asyncpg {_BY_COPY}", _BY_COPY),
        Entry("psycopg 3", "threads", "psycopg3_census", "psycopg 3 threads"),
        Entry("psycopg 3", "threads", "psycopg3_pool", "psycopg 3 threads, pool", "pool"),
        Entry("psycopg 3", "asyncio", "psycopg3_pool", "psycopg 3 asyncio, pool", "pool"),
        Entry("psycopg 3", "blocking", "psycopg3_census", f"psycopg 3 {_BY_COPY}", _BY_COPY),
        Entry("psycopg2", "threads", "psycopg2_census", "psycopg2 threads, pool", "pool"),
        Entry("psycopg2", "gevent", "psycopg2_gevent", "psycopg2 gevent"),
        Entry("aiopg", "asyncio", "aiopg_", "aiopg"),
    ),
)
