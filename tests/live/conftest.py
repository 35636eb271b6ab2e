"""Fixtures of the live tests: a schema and databases of each test's own, and a runner for coroutines.

The tests in ``_async`` are run on asyncio's own loop and on uvloop; their twins in ``_sync`` are generated.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import uvloop

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each coroutine on every loop."""
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("loop_factory")
        metafunc.parametrize("loop_factory", list(LOOPS.values()), ids=list(LOOPS))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine, and close its databases on its loop."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = inspect.signature(test).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def main() -> None:
        try:
            await test(**arguments)
        finally:
            for database in pyfuncitem.funcargs.get("opened", ()):
                await database.close()

    with asyncio.Runner(loop_factory=pyfuncitem.callspec.params["loop_factory"]) as runner:
        runner.run(main())
    return True


@pytest.fixture
def outside(server_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of another driver, to look at what the server is doing and to interfere."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("set lock_timeout = '10s'")
        yield connection


@pytest.fixture
def schema(outside: psycopg.Connection[Any]) -> Iterator[str]:
    """An empty schema, the first of this test's search path, also of ``outside``."""
    name = f"live_{os.getpid()}_{next(_numbers)}"
    outside.execute(f"create schema {name}")
    outside.execute(f"set search_path = {name}, public")
    yield name
    outside.execute(f"drop schema {name} cascade")


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """The databases of this test. The blocking ones are closed here, the others on their loop."""
    databases: list[Any] = []
    yield databases
    for database in databases:
        if isinstance(database, Database):
            database.close()


@pytest.fixture
def open_db(request: pytest.FixtureRequest, server_url: str, schema: str, opened: list[Any]) -> Callable[..., Any]:
    """Make databases, AsyncDatabase for a coroutine; ``url`` and the keywords are theirs."""
    kind = AsyncDatabase if inspect.iscoroutinefunction(request.function) else Database

    def open_db(url: str | None = None, **keywords: Any) -> Any:
        if url is None:
            keywords.setdefault("server_settings", {"search_path": f"{schema},public", "application_name": schema})
        database = kind(url or server_url, **keywords)
        opened.append(database)
        return database

    return open_db


class Tasks:
    """Runs functions beside a coroutine."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, function: Callable[..., Any], *args: Any) -> asyncio.Task[Any]:
        self._tasks.append(asyncio.ensure_future(function(*args)))
        return self._tasks[-1]

    async def result(self, task: asyncio.Task[Any]) -> Any:
        """What it returns or raises; fails after a long while."""
        return await asyncio.wait_for(asyncio.shield(task), 30)

    async def turn(self) -> None:
        """Let the others go on."""
        await asyncio.sleep(0.001)


class Threads:
    """Runs functions beside a test."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(20)

    def start(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._pool.submit(contextvars.Context().run, function, *args)

    def result(self, future: Future[Any]) -> Any:
        return future.result(30)

    def turn(self) -> None:
        time.sleep(0.001)


@pytest.fixture
def beside(request: pytest.FixtureRequest) -> Any:
    """Run functions at the same time: tasks for a coroutine, else threads."""
    return Tasks() if inspect.iscoroutinefunction(request.function) else Threads()


@pytest.fixture
def db(open_db: Callable[..., Any]) -> Any:
    """A database of several connections."""
    return open_db(connections=3)


@pytest.fixture
def one(open_db: Callable[..., Any]) -> Any:
    """A database of one connection, so that whoever comes next gets the same."""
    return open_db(connections=1, acquire_timeout=10)
