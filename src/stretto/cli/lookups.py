"""A process of the demo's second part: one driver, and callers that look flights up by their key at the same time.

It reads a `Job` in JSON from stdin and writes a line of JSON for each number of callers. Each caller asks for a flight,
gets it as an object, and asks for the next one. For gevent the process is monkey-patched before this is imported, so
that the threads here are greenlets.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from queue import LifoQueue
from typing import Any

from stretto import AsyncDatabase, Database
from stretto.cli.flights import FlightRow

CONNECTIONS = 10
_SQL = "select * from flight where id = {}"
_WARM_UP = 0.25  # of the seconds that count

Lookup = Callable[[int], FlightRow | None]
AsyncLookup = Callable[[int], Awaitable[FlightRow | None]]


@dataclass(frozen=True)
class Job:
    """What a process is asked: who looks up, on what, how many at a time, how long, among how many flights."""

    runtime: str
    driver: str
    url: str
    callers: Sequence[int]
    seconds: float
    flights: int


@dataclass(frozen=True)
class Figures:
    """What was measured: lookups a second, this process's CPU for one in microseconds, the longest one in seconds."""

    callers: int
    rate: float
    cpu: float
    longest: float


@contextmanager
def _stretto(url: str, size: int) -> Iterator[Lookup]:
    sql = _SQL.format("$1")
    with Database(url, connections=size) as db:
        yield lambda key: db.fetchrow(sql, key, into=FlightRow)


@contextmanager
def _psycopg(url: str, size: int) -> Iterator[Lookup]:
    from psycopg import connect
    from psycopg.rows import class_row
    from psycopg_pool import ConnectionPool

    sql, row = _SQL.format("%s"), class_row(FlightRow)
    if size == 1:
        with connect(url, autocommit=True) as held, held.cursor(binary=True, row_factory=row) as cursor:
            yield lambda key: cursor.execute(sql, (key,)).fetchone()
        return

    def lookup(key: int) -> FlightRow | None:
        with pool.connection() as connection, connection.cursor(binary=True, row_factory=row) as cursor:
            return cursor.execute(sql, (key,)).fetchone()

    with ConnectionPool(url, min_size=size, max_size=size, kwargs={"autocommit": True}, open=True) as pool:
        pool.wait()
        yield lookup


@contextmanager
def _psycopg2(url: str, size: int) -> Iterator[Lookup]:
    """Its own pool refuses where a caller would have to wait, so its connections are in a queue."""
    import psycopg2  # type: ignore[import-untyped]  # it has no py.typed

    sql = _SQL.format("%s")
    held: LifoQueue[Any] = LifoQueue()
    connections = [psycopg2.connect(url) for _ in range(size)]
    for connection in connections:
        connection.autocommit = True
        held.put(connection)

    def lookup(key: int) -> FlightRow | None:
        connection = held.get()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, (key,))
                row = cursor.fetchone()
                return None if row is None else FlightRow(*row)
        finally:
            held.put(connection)

    yield lookup
    for connection in connections:
        connection.close()


@contextmanager
def _psycopg2_gevent(url: str, size: int) -> Iterator[Lookup]:
    from gevent.socket import wait_read, wait_write  # type: ignore[import-untyped]
    from psycopg2 import extensions

    waits = {extensions.POLL_READ: wait_read, extensions.POLL_WRITE: wait_write}

    def wait(connection: Any) -> None:
        while (state := connection.poll()) != extensions.POLL_OK:
            waits[state](connection.fileno())

    extensions.set_wait_callback(wait)
    with _psycopg2(url, size) as lookup:
        yield lookup


@asynccontextmanager
async def _stretto_async(url: str, size: int) -> AsyncIterator[AsyncLookup]:
    sql = _SQL.format("$1")
    async with AsyncDatabase(url, connections=size) as db:
        yield lambda key: db.fetchrow(sql, key, into=FlightRow)


@asynccontextmanager
async def _asyncpg(url: str, size: int) -> AsyncIterator[AsyncLookup]:
    import asyncpg  # type: ignore[import-untyped]  # it has no py.typed

    sql = _SQL.format("$1")
    async with asyncpg.create_pool(url, min_size=size, max_size=size) as pool:

        async def lookup(key: int) -> FlightRow | None:
            record = await pool.fetchrow(sql, key)
            return None if record is None else FlightRow(*record)

        yield lookup


@asynccontextmanager
async def _psycopg_async(url: str, size: int) -> AsyncIterator[AsyncLookup]:
    from psycopg.rows import class_row
    from psycopg_pool import AsyncConnectionPool

    sql, row = _SQL.format("%s"), class_row(FlightRow)

    async def lookup(key: int) -> FlightRow | None:
        async with pool.connection() as connection, connection.cursor(binary=True, row_factory=row) as cursor:
            return await (await cursor.execute(sql, (key,))).fetchone()

    options = {"autocommit": True}
    async with AsyncConnectionPool(url, min_size=size, max_size=size, kwargs=options, open=False) as pool:
        await pool.wait()
        yield lookup


_BLOCKING = {"stretto": _stretto, "psycopg": _psycopg, "psycopg2": _psycopg2}
_GEVENT = {"stretto": _stretto, "psycopg2": _psycopg2_gevent}
_ASYNCIO = {"stretto": _stretto_async, "asyncpg": _asyncpg, "psycopg": _psycopg_async}


def measure(job: Job) -> Iterator[Figures]:
    """Let each number of callers look up for the job's seconds, after a warm-up that does not count."""
    for callers in job.callers:
        keys = [_keys(caller, job.flights) for caller in range(callers)]
        if job.runtime == "asyncio":
            yield asyncio.run(_measure_tasks(job, keys))
            continue
        drivers = _GEVENT if job.runtime == "gevent" else _BLOCKING
        with drivers[job.driver](job.url, min(callers, CONNECTIONS)) as lookup:
            _in_threads(lookup, keys, _WARM_UP * job.seconds)
            clock = _Clock()
            waits = _in_threads(lookup, keys, job.seconds)
            yield clock.figures(waits)


async def _measure_tasks(job: Job, keys: Sequence[Iterator[int]]) -> Figures:
    async with _ASYNCIO[job.driver](job.url, min(len(keys), CONNECTIONS)) as lookup:
        await _in_tasks(lookup, keys, _WARM_UP * job.seconds)
        clock = _Clock()
        waits = await _in_tasks(lookup, keys, job.seconds)
        return clock.figures(waits)


class _Clock:
    """The time since it was made, by the wall and of this process's CPU."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def figures(self, waits: Sequence[list[float]]) -> Figures:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        count = sum(map(len, waits))
        return Figures(len(waits), count / wall, 1e6 * cpu / count, max(map(max, waits)))


def _keys(seed: int, flights: int) -> Iterator[int]:
    return cycle(random.Random(seed).choices(range(1, flights + 1), k=1000))  # noqa: S311  # not a secret


def _check(flight: FlightRow | None, key: int) -> None:
    if flight is None or flight.id != key:
        raise LookupError(f"asked for flight {key}, got {flight and flight.id}")


def _in_threads(lookup: Lookup, keys: Sequence[Iterable[int]], seconds: float) -> list[list[float]]:
    """How long each lookup took, by caller; one caller needs no thread."""
    stop = time.perf_counter() + seconds

    def work(own: Iterable[int]) -> list[float]:
        waits, now = [], time.perf_counter()
        for key in own:
            before = now
            _check(lookup(key), key)
            now = time.perf_counter()
            waits.append(now - before)
            if now > stop:
                break
        return waits

    if len(keys) == 1:
        return [work(keys[0])]
    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(work, keys))


async def _in_tasks(lookup: AsyncLookup, keys: Sequence[Iterable[int]], seconds: float) -> list[list[float]]:
    stop = time.perf_counter() + seconds

    async def work(own: Iterable[int]) -> list[float]:
        waits, now = [], time.perf_counter()
        for key in own:
            before = now
            _check(await lookup(key), key)
            now = time.perf_counter()
            waits.append(now - before)
            if now > stop:
                break
        return waits

    return await asyncio.gather(*map(work, keys))


def main() -> None:
    """Do the job that stdin has."""
    for figures in measure(Job(**json.load(sys.stdin))):
        print(json.dumps(asdict(figures)), flush=True)
