"""Point selects by primary key, with 1, 10, 100 and 1000 callers at a time.

A contender takes ``(url, callers, connections)`` and yields a list with a function for each caller, ``key -> row``.
Blocking ones are called from as many threads (greenlets under gevent), the others from as many tasks. One with
`together` yields a function for so many callers, ``keys -> rows``. A `program` takes ``(url, callers, points)`` and
yields ``seconds -> (selects, selects a second)``.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from benchmarks import data, load
from benchmarks.cases import COMMON, WAITS, Case, Column, Job, takes_callers
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes

SQL = "select id, name, created, price, active from point where id = {parameter}"
_SAMPLE = 20  # keys that are checked, for each of the first callers
_CHECKED_CALLERS = 10


def setup(db: Any, sizes: Sizes) -> None:
    data.fill(db, "point", sizes.points)


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"callers": callers} for callers in sizes.callers]


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, (_program if contender.program else _run)(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    together = min(contender.together, callers)
    async with opened(contender, job.url, callers, sizes.connections) as functions:
        expect(len(functions) * together, callers, "callers served")
        await check(functions, sizes, together)
        arguments = [_arguments(caller, sizes.points, together) for caller in range(len(functions))]
        await load.callers(contender.asynchronous, functions, arguments, sizes.warmup)
        with Window(job.server_pid) as window:
            waits = await load.callers(contender.asynchronous, functions, arguments, sizes.seconds)
        await check(functions, sizes, together)
    return window.result(len(waits) * together, **load.latencies(waits))


async def _program(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    async with opened(contender, job.url, callers, sizes.points) as program:
        # Its connections are gone before the server's times could be read.
        with Window(None, resource.RUSAGE_CHILDREN) as window:
            selects, rate = await call(program, sizes.seconds)
    figures = window.result(selects)
    del figures["rss_mb"]  # ours, not the program's
    return {**figures, "rate": rate}


def _arguments(seed: int, points: int, together: int) -> Iterator[Any]:
    keys = load.keys(seed, points)
    return keys if together == 1 else (list(islice(keys, together)) for _ in iter(int, 1))


async def check(functions: list[Callable[[Any], Any]], sizes: Sizes, together: int = 1) -> None:
    """Ask for some rows by the first of the functions, and compare them."""
    for caller, function in enumerate(functions[:_CHECKED_CALLERS]):
        keys = list(islice(load.keys(caller, sizes.points), min(_SAMPLE, sizes.points)))
        rows = [await call(function, key) for key in keys] if together == 1 else await call(function, keys)
        for key, row in zip(keys, rows, strict=True):
            expect(_values(row), data.value(key), f"row {key}")


def _values(row: Any) -> tuple[Any, ...]:
    """The five values of a row or an object (some objects can be iterated over too, and give something else)."""
    if hasattr(row, data.FIELDS[0]):
        return tuple(getattr(row, name) for name in data.FIELDS)
    return tuple(row)


CASE = Case(
    name="select",
    about="point select of five columns by primary key, autocommit",
    setup=setup,
    variants=variants,
    takes=takes_callers,
    run=run,
    baselines=(
        "asyncpg held",
        "asyncpg pool",
        "psycopg 3 blocking held|psycopg 3 asyncio pool",
        "psycopg2 held|psycopg2 pool|psycopg2 gevent",
        "pgbench pipeline|pgbench",
    ),
    rate=Column("rate", "selects/s", ",.0f"),
    columns=(*COMMON, *WAITS),
)
