"""Where else the tests in ``_sync`` run, from the same source: in a thread, in a greenlet of gevent, and inside run().

Some tests run with ``pipelining=False``, too. A place opens a test's databases and calls the test. What is said here of
"beside" is for tests of several at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import uvloop

from stretto._async.database import AsyncDatabase
from stretto._bridge.database import BridgedDatabase
from stretto._sync.database import Database
from stretto.runtime.bridge import Call, await_, drive

LONG = 30  # seconds that nothing takes


class Tasks:
    """Runs functions beside a coroutine."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, function: Callable[..., Any], *args: Any) -> asyncio.Task[Any]:
        self._tasks.append(asyncio.ensure_future(function(*args)))
        return self._tasks[-1]

    async def result(self, task: asyncio.Task[Any]) -> Any:
        """What it returns or raises; fails after a long while."""
        return await asyncio.wait_for(asyncio.shield(task), LONG)

    async def turn(self) -> None:
        """Let the others go on."""
        await asyncio.sleep(0.001)


class Threads:
    """Runs functions beside a test, in threads: greenlets, where gevent has patched them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(20)

    def start(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._pool.submit(contextvars.Context().run, function, *args)

    def result(self, future: Future[Any]) -> Any:
        return future.result(LONG)

    def turn(self) -> None:
        time.sleep(0.001)


class Runs:
    """Runs functions beside one of run(): each in a task with a run of its own, of the database that it is given.

    That is its first argument, or the one whose method it is.
    """

    def __init__(self) -> None:
        self._tasks = Tasks()

    def start(self, function: Callable[..., Any], *args: Any) -> asyncio.Task[Any]:
        database = getattr(function, "__self__", None)
        if isinstance(database, BridgedDatabase):
            return self._tasks.start(database._origin.run, getattr(Database, function.__name__), *args)
        database, *rest = args
        return self._tasks.start(database._origin.run, function, *rest)

    def result(self, task: asyncio.Task[Any]) -> Any:
        return await_(self._tasks.result(task))

    def turn(self) -> None:
        await_(self._tasks.turn())


class Here:
    """A test is called as any function."""

    beside: Callable[[], Any] = Threads

    def __init__(self) -> None:
        self._opened: list[Any] = []

    def open(self, url: str, **keywords: Any) -> Any:
        """Make a database, which is closed when the test has ended."""
        self._opened.append(Database(url, **keywords))
        return self._opened[-1]

    def call(self, test: Callable[..., Any], arguments: dict[str, Any]) -> None:
        """Run a test."""
        test(**arguments)

    def close(self) -> None:
        """Close the databases, unless ``call`` has."""
        for database in self._opened:
            database.close()


class Unpipelined(Here):
    """As any function, with databases whose statements have a connection each for themselves."""

    def open(self, url: str, **keywords: Any) -> Any:
        return super().open(url, **{"pipelining": False, **keywords})


class InThread(Here):
    """A test is called in another thread than that in which its databases are made and closed."""

    def call(self, test: Callable[..., Any], arguments: dict[str, Any]) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(test, **arguments).result()


class InGreenlet(Here):
    """A test is called in a greenlet of gevent, in a process that was patched at its beginning."""

    def call(self, test: Callable[..., Any], arguments: dict[str, Any]) -> None:
        import gevent

        gevent.spawn(test, **arguments).get()


class InTask(Here):
    """A test that is a coroutine is awaited on a loop, on which its databases are closed, too."""

    beside = Tasks
    new_loop: Callable[[], asyncio.AbstractEventLoop] = staticmethod(asyncio.new_event_loop)

    def open(self, url: str, **keywords: Any) -> Any:
        self._opened.append(AsyncDatabase(url, **keywords))
        return self._opened[-1]

    def call(self, test: Callable[..., Any], arguments: dict[str, Any]) -> None:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            runner.run(self._main(test, arguments))

    async def _main(self, test: Callable[..., Any], arguments: dict[str, Any]) -> None:
        try:
            await test(**arguments)
        finally:
            for database in self._opened:
                await database.close()

    def close(self) -> None:
        """They have been closed."""


class InUvloop(InTask):
    """As InTask, on the other loop."""

    new_loop = staticmethod(uvloop.new_event_loop)


class InTaskUnpipelined(InTask):
    """As InTask, with databases whose statements have a connection each for themselves."""

    def open(self, url: str, **keywords: Any) -> Any:
        return super().open(url, **{"pipelining": False, **keywords})


class InRun(InTask):
    """A plain test is called as AsyncDatabase.run() calls a function; its databases are what such a function gets."""

    beside = Runs

    def __init__(self) -> None:
        super().__init__()
        self._call = Call(self.call, {})

    def open(self, url: str, **keywords: Any) -> Any:
        return BridgedDatabase(super().open(url, **keywords), self._call)

    def call(self, test: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self._call.fn, self._call.keywords = test, arguments
        super().call(drive, {"call": self._call})


def is_patched() -> bool:
    """Whether gevent is behind the threads and sockets of this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))
