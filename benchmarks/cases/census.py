"""Two phases of a bulk load, one statement at a time by many workers, and by COPY: data and statements are `census`'s.

The first phase inserts a geographic record for each place. The second takes the lines of a file, and for each selects
its record's key, joins the keys of its items, and inserts each of its values; every statement is its own commit, since
aiopg knows no other. Workers take the next record as soon as they are free. `commits` is synchronous_commit: where it
is off nobody waits for the disk, and what is left is the driver and the server.

A contender takes ``(url, workers, connections)`` and yields a `Crew` (one worker's verbs for each) or a `Load`.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks import census
from benchmarks.bars import AtLeast, Bar, NotSlower
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes


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
    lines: Callable[[Iterable[census.Line]], Any]
    value: Callable[[str], Any]


class Statements(NamedTuple):
    insert_geo: str
    select_geo: str
    select_items: str
    insert_element: str


_STATEMENTS = Statements(census.INSERT_GEO, census.SELECT_GEO, census.SELECT_ITEMS, census.INSERT_ELEMENT)
_NUMBERED = Statements(*map(census.numbered, _STATEMENTS))


def setup(db: Any, _sizes: Sizes) -> None:
    db.execute(census.TABLES)


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    places = max(job.sizes.elements // census.PER_PLACE, 1)
    workers = job.variant["workers"]
    async with opened(contender, _url(job), workers, job.sizes.shared_by_workers) as subject:
        await call(subject.value, census.START)
        await _all_of(WARM, subject, contender.asynchronous, workers * 10)
        with Window(job.server_pid) as first:
            await _all_of(PLACES, subject, contender.asynchronous, places)
        await call(subject.value, census.ANALYZE)
        with Window(job.server_pid) as second:
            lines = await _all_of(LINES, subject, contender.asynchronous, places * census.SEGMENTS, job.sizes.sample)
        connections = await call(subject.value, census.CONNECTIONS)
        await check(subject.value, places, lines)
    geo, elements = first.result(places), lines * census.PER_LINE
    figures = {"geo_rate": geo["rate"], "geo_client_us": geo["client_us"], "connections": connections}
    return second.result(elements, elements=elements, **figures)


def _url(job: Job) -> str:
    """The server, with a name that tells which connections are this process's, and what a commit waits for."""
    settings = f"application_name=census_{os.getpid()}&options=-c%20synchronous_commit%3D{job.variant['commits']}"
    return f"{job.url}{'&' if urlsplit(job.url).query else '?'}{settings}"


async def check(value: Callable[[str], Any], places: int, lines: int) -> None:
    """Raise WrongAnswer unless exactly so many records and lines are stored, each value on its place."""
    expect(await call(value, census.STORED), census.stored(places, lines), "counts and sums of what is stored")


class Phase(NamedTuple):
    """What is done with one number, in blocking code and in a task, and how a `Load` does all of them."""

    block: Callable[[Worker, Statements, int], None]
    task: Callable[[Worker, Statements, int], Any]
    load: Callable[[Load, int], Any]


async def _all_of(phase: Phase, subject: Any, asynchronous: bool, count: int, seconds: float = math.inf) -> int:
    """Do the numbers below `count`, or as many as a crew does in `seconds`; return how many these are."""
    if isinstance(subject, Load):
        await call(phase.load, subject, count)
        return count
    done: int = await call(_in_tasks if asynchronous else _in_threads, _Work(subject, phase, count, seconds))
    return done


class _Work:
    """A phase that a crew has begun: whoever is free takes the next number and finishes it, one at least for each."""

    def __init__(self, crew: Crew, phase: Phase, count: int, seconds: float) -> None:
        self.crew, self._phase = crew, phase
        self._waiting = iter(range(count))  # threads may share it
        self._statements = _NUMBERED if crew.numbered else _STATEMENTS
        self._stop = time.perf_counter() + seconds

    def _numbers(self) -> Iterator[int]:
        for number in self._waiting:
            yield number
            if time.perf_counter() >= self._stop:
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
    worker.execute(sql.insert_geo, *census.geo(number))


async def _insert_place_async(worker: Worker, sql: Statements, number: int) -> None:
    await worker.execute(sql.insert_geo, *census.geo(number))


def _insert_line(worker: Worker, sql: Statements, number: int) -> None:
    line = census.line(number)
    [[place]] = worker.fetch(sql.select_geo, line.fileid, line.logrecno)
    for item, value in zip(worker.fetch(sql.select_items, line.segment_id), line.items, strict=True):
        worker.execute(sql.insert_element, place, item[0], value)


async def _insert_line_async(worker: Worker, sql: Statements, number: int) -> None:
    line = census.line(number)
    [[place]] = await worker.fetch(sql.select_geo, line.fileid, line.logrecno)
    for item, value in zip(await worker.fetch(sql.select_items, line.segment_id), line.items, strict=True):
        await worker.execute(sql.insert_element, place, item[0], value)


def _warm(worker: Worker, sql: Statements, _number: int) -> None:
    worker.fetch(sql.select_items, 1)


async def _warm_async(worker: Worker, sql: Statements, _number: int) -> None:
    await worker.fetch(sql.select_items, 1)


def _load_places(load: Load, count: int) -> Any:
    return load.places(map(census.geo, range(count)))


def _load_lines(load: Load, count: int) -> Any:
    return load.lines(map(census.line, range(count)))


WARM = Phase(_warm, _warm_async, lambda _load, _count: None)  # a pool opens its connections
PLACES = Phase(_insert_place, _insert_place_async, _load_places)
LINES = Phase(_insert_line, _insert_line_async, _load_lines)


OWN = ("stretto asyncio", "stretto run()", "stretto gevent", "stretto threads")
PEERS = (
    "psycopg2 threads",
    "psycopg2 threads, pool",
    "psycopg2 gevent",
    "psycopg 3 threads",
    "psycopg 3 threads, pool",
    "psycopg 3 asyncio",
    "psycopg 3 asyncio, pool",
    "asyncpg",
    "asyncpg + uvloop",
    "asyncpg, pool",
    "asyncpg, pool + uvloop",
    "aiopg",
)
BULK = "stretto copy_in of rows"
BY_HAND = ("asyncpg COPY of rows", "psycopg 3 COPY of rows", "asyncpg COPY of lines", "psycopg 3 COPY of lines")


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    phases = (("geo_rate", "records/s"), ("rate", "elements/s"))
    return [
        *(AtLeast(own, 1.5, PEERS, key, unit) for own in OWN for key, unit in phases),
        AtLeast(BULK, 8, OWN + PEERS),
        NotSlower(BULK, BY_HAND),
    ]


CASE = Case(
    name="census",
    about=f"per place a record, then {census.SEGMENTS} lines: a select, a join and {census.PER_LINE} inserts each",
    setup=setup,
    run=run,
    baselines=("psycopg2 threads", "asyncpg", BY_HAND[0]),
    rate=Column("rate", "elements/s", ",.0f"),
    columns=(
        Column("geo_rate", "records/s", ",.0f"),
        Column("elements", "elements", ",.0f"),
        Column("connections", "connections", ".0f"),
        *COMMON,
        Column("geo_client_us", "client us/record", ",.3g"),
    ),
    variants=lambda sizes: [{"workers": sizes.workers, "commits": commits} for commits in sizes.commits],
    bars=bars,
)
