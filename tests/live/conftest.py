"""Fixtures of the live tests: a schema and databases of each test's own, and the places in which they run.

The tests in ``_async`` are run on asyncio's own loop and on uvloop; their twins in ``_sync``, which are generated, run
as plain functions, and those of EVERYWHERE in a thread, inside run() and in a greenlet of gevent, too.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import uvloop
from tests.live.places import (
    Here,
    InGreenlet,
    InRun,
    InTask,
    InTaskUnpipelined,
    InThread,
    InUvloop,
    Unpipelined,
    is_patched,
)

from stretto import _core

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
_numbers = itertools.count(1)


# Of the generated tests, those that run in all places (in gevent's by tests.live.test_greenlets), and those that run
# inside run(), too: what it does for them is its own.
EVERYWHERE = (
    "test_models",
    "test_models_graph",
    "test_objects",
    "test_queries",
    "test_surroundings",
    "test_tables",
    "test_expect",
    "test_crowd",
    "test_transaction_streams",
    "test_transactions_held",
)
IN_RUN = (
    "test_bulk",
    "test_bulk_rows",
    "test_connection",
    "test_copy",
    "test_copy_table",
    "test_stream",
    "test_trace",
    "test_transact",
    "test_transactions",
    "test_verbs",
)
# Those that run with pipelining=False, too: what it changes is where statements are placed, and that shows where they
# fail, are given up, or are left. The interpreted core need not say it again.
UNPIPELINED = (
    "test_cancelling",
    "test_losses",
    "test_stream",
    "test_timeouts",
    "test_transact",
    "test_transactions",
    "test_verbs",
)
COMPILED = _core.core_info() == "compiled"


# Those whose tests run a second time on the same databases, with the same tables, empty: what was cold is warm then.
TWICE = ("test_transactions", "test_transact", "test_transactions_async")
ONCE = ("caplog", "monkeypatch", "open_db")  # what is done by these is not undone between, or is never warm
EMPTY = """
do $$ declare name text; begin
    for name in select oid::regproc from pg_proc where pronamespace = current_schema()::regnamespace loop
        execute format('drop routine %s cascade', name);
    end loop;
    for name in select tablename from pg_tables where schemaname = current_schema() loop
        if name = 't' then truncate t cascade; else execute format('drop table %s cascade', name); end if;
    end loop;
end $$
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each coroutine on every loop, and the generated tests of EVERYWHERE in every place."""
    package, _, name = metafunc.module.__name__.rpartition(".")
    without = COMPILED and name in UNPIPELINED
    if inspect.iscoroutinefunction(metafunc.function):
        places: dict[str, type[Here]] = {"asyncio": InTask, "uvloop": InUvloop}
        if without:
            places["unpipelined"] = InTaskUnpipelined
    elif not package.endswith("_sync") or not (name in EVERYWHERE + IN_RUN or without):
        return
    elif is_patched():
        places = {"gevent": InGreenlet}
    elif name in EVERYWHERE:
        places = {"blocking": Here, "thread": InThread, "run": InRun}
    else:
        places = {"blocking": Here}
        if name in IN_RUN:
            places["run"] = InRun
        if without:
            places["unpipelined"] = Unpipelined
    metafunc.parametrize("running_in", list(places.values()), ids=list(places), indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run a test in its place."""
    test = pyfuncitem.obj
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    if pyfuncitem.module.__name__.rpartition(".")[2] in TWICE and arguments.keys().isdisjoint(ONCE):
        test = twice(test, pyfuncitem.funcargs.get("outside"))
    pyfuncitem.funcargs["running_in"].call(test, arguments)
    return True


def twice(test: Callable[..., Any], outside: psycopg.Connection[Any]) -> Callable[..., Any]:
    """A test that runs cold, and once more warm."""

    async def on_a_loop(**arguments: Any) -> None:
        await test(**arguments)
        await asyncio.to_thread(outside.execute, EMPTY)  # the loop may have something to roll back
        await test(**arguments)

    def called(**arguments: Any) -> None:
        test(**arguments)
        outside.execute(EMPTY)
        test(**arguments)

    return on_a_loop if inspect.iscoroutinefunction(test) else called


@pytest.fixture(autouse=True)
def running_in(request: pytest.FixtureRequest) -> Iterator[Here]:
    """Where this test runs."""
    place: Here = getattr(request, "param", Here)()
    yield place
    place.close()


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
def open_db(running_in: Here, server_url: str, schema: str) -> Callable[..., Any]:
    """Make databases, AsyncDatabase for a coroutine; ``url`` and the keywords are theirs."""

    def open_db(url: str | None = None, **keywords: Any) -> Any:
        if url is None:
            keywords.setdefault("server_settings", {"search_path": f"{schema},public", "application_name": schema})
        return running_in.open(url or server_url, **keywords)

    return open_db


@pytest.fixture
def beside(running_in: Here) -> Any:
    """Run functions at the same time: tasks for a coroutine, else threads."""
    return running_in.beside()


@pytest.fixture
def db(open_db: Callable[..., Any]) -> Any:
    """A database of several connections."""
    return open_db(connections=3)


@pytest.fixture
def one(open_db: Callable[..., Any]) -> Any:
    """A database of one connection, so that whoever comes next gets the same."""
    return open_db(connections=1, acquire_timeout=10)
