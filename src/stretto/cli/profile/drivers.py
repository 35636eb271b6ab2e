"""stretto, in blocking code and on asyncio: many calls of a kind in a row, on connections that are open already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from stretto import AsyncDatabase, Database
from stretto.cli.profile.meter import Meter, server_process
from stretto.cli.profile.parts import Slice
from stretto.cli.profile.watch import Watch
from stretto.cli.profile.work import Values, Work

WHOLE, CONSTANT, ROWLESS = KINDS = ("whole", "constant", "rowless")
PID = "select pg_backend_pid()"


class Driver(Protocol):
    """One that can be measured."""

    name: str
    style: str

    def run(self, work: Work, kind: str, calls: int) -> Slice:
        """Make that many calls of a kind (one of `KINDS`), one after the other, and measure them."""


class Watched(Driver, Protocol):
    """One that has stamps, too."""

    def stamp(self, work: Work, calls: int, watch: Watch) -> None:
        """Make calls of which some are watched."""


def statement(work: Work, kind: str, mark: Callable[[int], str]) -> tuple[str, Values]:
    """The SQL and its parameters for a kind of call."""
    if kind == CONSTANT:
        return work.constant(), ()
    return work.with_marks(mark), work.missing or () if kind == ROWLESS else work.values


def _dollar(number: int) -> str:
    return f"${number}"


class Blocking:
    """stretto in blocking code."""

    name, style = "stretto", "blocking"

    def __init__(self, db: Database, watched: Database) -> None:
        self._db, self._watched = db, watched
        self._pid = server_process(db.fetchval(PID))

    def run(self, work: Work, kind: str, calls: int) -> Slice:
        """See `Driver`."""
        call = self._call(self._db, work, kind)
        meter = Meter(self._pid)
        for _ in range(calls):
            call()
        return meter.read(calls)

    def stamp(self, work: Work, calls: int, watch: Watch) -> None:
        """See `Watched`."""
        call = self._call(self._watched, work, WHOLE)
        for _ in range(calls):
            call()
            watch.count()

    @staticmethod
    def _call(db: Database, work: Work, kind: str) -> Callable[[], object]:
        sql, values = statement(work, kind, _dollar)
        return (lambda: db.fetch(sql, *values)) if work.missing else (lambda: db.execute(sql, *values))


class OnLoop:
    """stretto on asyncio: one call at a time, and by many callers at once."""

    name, style = "stretto", "asyncio"

    def __init__(self, runner: asyncio.Runner, db: AsyncDatabase, watched: AsyncDatabase) -> None:
        self._runner, self._db, self._watched = runner, db, watched
        self._pid = server_process(runner.run(db.fetchval(PID)))

    def run(self, work: Work, kind: str, calls: int) -> Slice:
        """See `Driver`."""
        call = self._call(self._db, work, kind)

        async def run() -> Slice:
            meter = Meter(self._pid)
            for _ in range(calls):
                await call()
            return meter.read(calls)

        return self._runner.run(run())

    def stamp(self, work: Work, calls: int, watch: Watch) -> None:
        """See `Watched`."""
        self.crowd(work, 1, calls, watch)

    def crowd(self, work: Work, callers: int, calls: int, watch: Watch) -> tuple[Slice, float]:
        """Let many callers make that many calls each, some of them watched. Also: what a call waited, in the mean."""
        call = self._call(self._watched, work, WHOLE)

        async def caller() -> float:
            waited = 0.0
            for _ in range(calls):
                begun = perf_counter()
                await call()
                waited += perf_counter() - begun
                watch.count()
            return waited

        async def run() -> tuple[Slice, float]:
            meter = Meter()
            waits = await asyncio.gather(*(caller() for _ in range(callers)))
            return meter.read(callers * calls), sum(waits) / (callers * calls)

        return self._runner.run(run())

    @staticmethod
    def _call(db: AsyncDatabase, work: Work, kind: str) -> Callable[[], Awaitable[object]]:
        sql, values = statement(work, kind, _dollar)
        return (lambda: db.fetch(sql, *values)) if work.missing else (lambda: db.execute(sql, *values))


@contextmanager
def blocking(url: str) -> Iterator[Blocking]:
    """stretto in blocking code, connected."""
    with Database(url) as db, Database(url, slow=0.0) as watched:
        yield Blocking(db, watched)


@contextmanager
def on_loop(url: str) -> Iterator[OnLoop]:
    """stretto on asyncio, connected, with a loop of its own."""
    with asyncio.Runner() as runner:

        async def opened() -> tuple[AsyncDatabase, AsyncDatabase]:
            return AsyncDatabase(url), AsyncDatabase(url, slow=0.0)

        databases = runner.run(opened())
        try:
            yield OnLoop(runner, *databases)
        finally:
            for db in databases:
                runner.run(db.close())


@contextmanager
def empty_trip(url: str) -> Iterator[Callable[[int], Slice]]:
    """Measures round trips in which the server has nothing to execute, on a connection of stretto's."""
    with Database(url) as db, db.connection() as connection:
        pid = server_process(connection.fetchval(PID))

        def run(calls: int) -> Slice:
            meter = Meter(pid)
            for _ in range(calls):
                connection.execute("")
            return meter.read(calls)

        yield run
